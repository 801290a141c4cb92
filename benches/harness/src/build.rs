//! Builds what is measured: the server of this repository, its peers in Rust, and Go's.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::peers::find;

/// Where the programs are.
#[derive(Debug)]
pub struct Programs {
    /// Those of this repository.
    pub ours: Ours,
    /// Those of another state of it, if it is to be compared.
    pub before: Option<Ours>,
    /// Go's server, where there is a Go.
    pub go: Option<PathBuf>,
    /// Python's server.
    pub python: PathBuf,
    /// Where `benches/install` puts what it builds.
    pub tools: PathBuf,
    peers: PathBuf,
}

/// The three programs that servette is measured by.
#[derive(Debug)]
pub struct Ours {
    /// `examples/hello.rs`.
    pub hello: PathBuf,
    /// The command.
    pub servette: PathBuf,
    /// The program with handlers that block.
    pub blocking: PathBuf,
}

impl Ours {
    /// Builds them, or finds what was built before.
    pub fn build(builds: bool) -> io::Result<Ours> {
        let (root, harness) = (root(), Path::new(env!("CARGO_MANIFEST_DIR")));
        if builds {
            cargo(root, &["--example", "hello"])?;
            cargo(root, &["--features", "cli", "--bin", "servette"])?;
            cargo(harness, &["--bin", "servette-bench-blocking"])?;
        }
        let release = target(root).join("release");
        Ok(Ours {
            hello: release.join("examples/hello"),
            servette: release.join("servette"),
            blocking: target(harness).join("release/servette-bench-blocking"),
        })
    }

    /// Copies them into a directory.
    pub fn keep(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory)?;
        for program in self.all() {
            fs::copy(
                program,
                directory.join(program.file_name().unwrap_or_default()),
            )?;
        }
        Ok(())
    }

    fn all(&self) -> [&Path; 3] {
        [&self.hello, &self.servette, &self.blocking]
    }

    /// Those that were copied into a directory.
    fn kept(directory: &Path) -> Ours {
        Ours {
            hello: directory.join("hello"),
            servette: directory.join("servette"),
            blocking: directory.join("servette-bench-blocking"),
        }
    }
}

impl Programs {
    /// Builds all, or finds what was built before.
    pub fn build(builds: bool, before: Option<&Path>) -> io::Result<Programs> {
        let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
        let benches = harness.parent().unwrap_or(harness);
        let peers = target(&benches.join("peers")).join("release");
        let before = before.map(Ours::kept);
        if let Some(missing) = before
            .iter()
            .flat_map(Ours::all)
            .find(|program| !program.is_file())
        {
            return Err(io::Error::other(format!(
                "{} is not there",
                missing.display()
            )));
        }
        let ours = Ours::build(builds)?;
        let go = peers.join("peer-go");
        if builds {
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
            ours,
            before,
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

/// The repository.
fn root() -> &'static Path {
    let harness = Path::new(env!("CARGO_MANIFEST_DIR"));
    harness.ancestors().nth(2).unwrap_or(harness)
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
