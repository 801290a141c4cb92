//! `servette --cgi` as it is used: git clones from it and pushes to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Stdio};

use super::cgi_site::{Site, has, is_root};

const SERVETTE: &str = env!("CARGO_BIN_EXE_servette");

const NAMES: &str = "printf 'Content-Type: t/p\\n\\n%s|%s' \"$SERVER_NAME\" \"$SCRIPT_NAME\"\n";

/// The command, serving a site.
pub(crate) struct Command {
    child: Child,
    pub(crate) port: u16,
    complaints: Option<ChildStderr>,
}

impl Command {
    pub(crate) fn start(site: &Site, arguments: &[&str]) -> Command {
        let mut command = std::process::Command::new(SERVETTE);
        command
            .args(arguments)
            .args(["-b", "127.0.0.1", "-q", "0", "-d"]);
        Command::run(command.arg(site.path("")))
    }

    fn run(command: &mut std::process::Command) -> Command {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut banner = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut banner).unwrap();
        let port = banner.split(' ').skip_while(|word| *word != "port").nth(1);
        let port = port.expect(&banner).parse().unwrap();
        let complaints = child.stderr.take();
        Command {
            child,
            port,
            complaints,
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).unwrap()
    }

    fn get(&self, path: &str) -> String {
        let mut socket = self.connect();
        write!(socket, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The most memory that the server has had, in KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap()
    }
}

impl Drop for Command {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs git away from the settings of whoever runs the tests.
#[track_caller]
fn git(arguments: &[&str]) {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(["-c", "init.defaultBranch=main", "-c", "protocol.version=2"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env_remove("http_proxy")
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {complaints}");
}

#[test]
fn git_clones_and_pushes_more_than_a_megabyte() {
    if !has("git") {
        return;
    }
    let site = Site::with("#!/bin/sh\nexec git http-backend\n");
    let path = |name: &str| site.path(name).to_str().unwrap().to_owned();
    let (bare, work, copy) = (path("out/repo.git"), path("work"), path("copy"));
    git(&["init", "-q", "--bare", &bare]);
    git(&["-C", &bare, "config", "http.receivepack", "true"]);
    if is_root() {
        // The script runs as nobody.
        let given = std::process::Command::new("chown")
            .args(["-R", "nobody", &bare])
            .status();
        assert!(given.unwrap().success());
    }
    let root = format!("GIT_PROJECT_ROOT={}", path("out"));
    let mut arguments = vec!["--cgi", "-p", "HTTP/1.1", "--cgi-env", &root];
    for pair in [
        "GIT_HTTP_EXPORT_ALL=1",
        "GIT_CONFIG_COUNT=1",
        "GIT_CONFIG_KEY_0=safe.directory",
        "GIT_CONFIG_VALUE_0=*",
    ] {
        arguments.extend(["--cgi-env", pair]);
    }
    let server = Command::start(&site, &arguments);
    let url = format!("http://127.0.0.1:{}/cgi-bin/script/repo.git", server.port);

    git(&["init", "-q", &work]);
    // Random enough that no compression takes it below a megabyte.
    let mut state = 1u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 56) as u8
    })
    .take(3 << 20)
    .collect();
    std::fs::write(site.path("work/noise"), &noise).unwrap();
    git(&["-C", &work, "add", "."]);
    git(&["-C", &work, "commit", "-q", "-m", "noise"]);
    git(&["-C", &work, "push", "-q", &url, "HEAD:main"]);
    git(&["clone", "-q", "-b", "main", &url, &copy]);
    assert_eq!(std::fs::read(site.path("copy/noise")).unwrap(), noise);
}

#[test]
fn descriptors_of_whoever_starts_the_server_do_not_reach_scripts() {
    let site = Site::with(
        "#!/bin/sh\nprintf 'Content-Type: t/p\\n\\n'; for f in /proc/$$/fd/*; do readlink $f; done\n",
    );
    let secret = site.file("out/secret", "", 0o644);
    let secret = secret.to_str().unwrap();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.arg("-c").arg(format!(
        "exec 7<{secret}; exec {SERVETTE} --cgi -q -b 127.0.0.1 0 -d {}",
        site.path("").display()
    ));
    let server = Command::run(&mut shell);
    let answer = server.get("/cgi-bin/script");
    assert!(answer.contains("pipe:"), "{answer}");
    assert!(!answer.contains("secret"), "{answer}");
}

#[test]
fn options_reach_the_scripts() {
    let site = Site::new();
    site.file(
        "run/a.x",
        "printf 'Content-Type: t/p\\n\\n%s' \"$A\"; sleep $B\n",
        0o644,
    );
    let server = Command::start(
        &site,
        &[
            "--cgi",
            "--cgi-directory=/run",
            "--cgi-interpreter=.x=sh",
            "--cgi-env=A=b=c",
            "--cgi-env=B=0",
        ],
    );
    assert!(server.get("/run/a.x").ends_with("\r\n\r\nb=c"));
    assert!(server.get("/cgi-bin/a").contains(" 404 File not found"));
    for wrong in ["--cgi-env=x", "--cgi-interpreter=.x"] {
        let output = std::process::Command::new(SERVETTE)
            .args(["--cgi", wrong])
            .output();
        assert_eq!(output.unwrap().status.code(), Some(2), "{wrong}");
    }
    let output = std::process::Command::new(SERVETTE)
        .arg("--cgi-env=x=y")
        .output();
    assert_eq!(output.unwrap().status.code(), Some(2), "without --cgi");
}

#[test]
fn options_for_idioms_work_and_files_that_look_like_scripts_are_logged_at_the_start() {
    let site = Site::new();
    site.file("index.x", NAMES, 0o644);
    let arguments = [
        "--cgi",
        "--cgi-directory=/",
        "--cgi-interpreter=.x=sh",
        "--cgi-index=index.x",
        "--cgi-server-name-from-host",
        "--cgi-full-duplex",
    ];
    let server = Command::start(&site, &arguments);
    let answer = server.get("/");
    assert!(answer.ends_with("\r\n\r\n127.0.0.1|/index.x"), "{answer}");

    // Outside of the directories of scripts their source is sent.
    site.file("sub/deep/b.X", NAMES, 0o644);
    site.file("cgi-bin/c.x", NAMES, 0o644);
    let starts = |arguments: &[&str]| {
        let mut command = std::process::Command::new(SERVETTE);
        command.args(["-b", "127.0.0.1", "-q", "0", "-d"]);
        command.arg(site.path("")).args(arguments);
        let mut server = Command::run(command.stderr(Stdio::piped()));
        server.child.kill().unwrap();
        let mut said = String::new();
        let mut complaints = server.complaints.take().unwrap();
        complaints.read_to_string(&mut said).unwrap();
        said
    };
    let said = starts(&["--cgi", "--cgi-interpreter=.x=sh"]);
    assert!(said.starts_with("servette: warning: '"), "{said}");
    assert!(
        said.contains(" and 1 more") && said.lines().count() == 1,
        "{said}"
    );
    for arguments in [
        &arguments[..],
        &["--cgi"],
        &["--cgi", "--cgi-interpreter=.py=sh"],
    ] {
        assert_eq!(starts(arguments), "");
    }
}
