//! Builds what is measured: the server of this repository, its peers in Rust, and Go's.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peers::find;

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    /// `examples/hello.rs`.
    pub hello: PathBuf,
    /// The command.
    pub servette: PathBuf,
    /// The program with handlers that block.
    pub blocking: PathBuf,
    /// Go's server, where there is a Go.
    pub go: Option<PathBuf>,
    /// Python's server.
    pub python: PathBuf,
    /// Where `benches/install` puts what it builds.
    pub tools: PathBuf,
    peers: PathBuf,
}

impl Programs {
    /// Builds all, or finds what was built before.
    pub fn build(builds: bool) -> io::Result<Programs> {
        let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
        let benches = harness.parent().unwrap_or(harness);
        let root = benches.parent().unwrap_or(benches);
        let (ours, peers) = (
            target(root).join("release"),
            target(&benches.join("peers")).join("release"),
        );
        let go = peers.join("peer-go");
        if builds {
            cargo(root, &["--example", "hello"])?;
            cargo(root, &["--features", "cli", "--bin", "servette"])?;
            cargo(&benches.join("peers"), &[])?;
            if let Some(program) = find("go") {
                eprintln!("building benches/peers/go");
                let mut command = Command::new(program);
                command
                    .current_dir(benches.join("peers/go"))
                    .args(["build", "-o"])
                    .arg(&go);
                run(&mut command)?;
            }
        }
        Ok(Programs {
            hello: ours.join("examples/hello"),
            servette: ours.join("servette"),
            blocking: env::current_exe()?.with_file_name("servette-bench-blocking"),
            go: Some(go).filter(|program| program.is_file()),
            python: benches.join("peers/python/serve.py"),
            tools: target(harness).join("tools/bin"),
            peers,
        })
    }

    /// A peer in Rust.
    pub fn peer(&self, name: &str) -> PathBuf {
        self.peers.join(format!("peer-{name}"))
    }
}

/// The directory that cargo builds a package in.
fn target(package: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| package.join("target"), PathBuf::from)
}

fn cargo(package: &Path, arguments: &[&str]) -> io::Result<()> {
    eprintln!("building {} {}", package.display(), arguments.join(" "));
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    run(command
        .current_dir(package)
        .args(["build", "--release", "--locked"])
        .args(arguments))
}

fn run(command: &mut Command) -> io::Result<()> {
    match command.status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("failed: {command:?}"))),
    }
}
