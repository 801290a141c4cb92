//! How options reach the command, and what it tells of them: variables, the manual page, completions, a file for scripts.

use std::fs;
#[cfg(unix)]
use std::io::Write;
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
#[cfg(unix)]
use std::process::{Command, Stdio};

use crate::child::{Running, get, servette};
#[cfg(unix)]
use crate::python_clients::says;
use crate::support::until;
use crate::webroot::WebRoot;

/// The command on a free port, with these variables.
fn with(root: &WebRoot, variables: &[(&str, &str)], arguments: &[&str]) -> (Running, u16) {
    let mut command = servette();
    command
        .args(["-b", "127.0.0.1"])
        .args(arguments)
        .env("SERVETTE_PORT", "0")
        .env("SERVETTE_DIRECTORY", root.path())
        .envs(variables.iter().copied());
    let running = Running::start(&mut command);
    let port = running.banner_port();
    (running, port)
}

#[test]
fn a_variable_beats_the_default_and_an_option_the_variable() {
    let root = WebRoot::new();
    root.file("a.html", "hello")
        .file("b.x", "x")
        .file("c.y", "y");
    let protocol = ("SERVETTE_PROTOCOL", "HTTP/1.1");
    let line = |variables: &[(&str, &str)], arguments: &[&str]| {
        let (_running, port) = with(&root, variables, arguments);
        get(port, "/a.html").line
    };
    assert_eq!(line(&[], &[]), "HTTP/1.0 200 OK");
    assert_eq!(line(&[protocol], &[]), "HTTP/1.1 200 OK");
    assert_eq!(line(&[protocol], &["-p", "HTTP/1.0"]), "HTTP/1.0 200 OK");
    // An empty variable is none.
    assert_eq!(line(&[("SERVETTE_PROTOCOL", "")], &[]), "HTTP/1.0 200 OK");
    let variables = [
        ("SERVETTE_CORS", "1"),
        ("SERVETTE_QUIET", "0"),
        ("SERVETTE_TYPE", ".x=text/x\n.y=text/y"),
        ("SERVETTE_HEADER", "X-One\n1\nX-Two\n2"),
    ];
    let (running, port) = with(&root, &variables, &[]);
    let answer = get(port, "/b.x");
    assert_eq!(answer.field("Content-Type"), Some("text/x; charset=utf-8"));
    assert_eq!(answer.field("Access-Control-Allow-Origin"), Some("*"));
    assert_eq!(
        (answer.field("X-One"), answer.field("X-Two")),
        (Some("1"), Some("2"))
    );
    assert_eq!(
        get(port, "/c.y").field("Content-Type"),
        Some("text/y; charset=utf-8")
    );
    assert!(running.err().contains("\"GET /b.x "));
}

#[test]
fn a_wrong_variable_is_named() {
    for (name, value, expected) in [
        (
            "SERVETTE_PORT",
            "http",
            "invalid value 'http' for '[PORT]': expected a port from 0 to 65535, or a port and + such as 8000+ (from SERVETTE_PORT)",
        ),
        ("SERVETTE_LOG_FORMAT", "xml", "(from SERVETTE_LOG_FORMAT)"),
        ("SERVETTE_QUIET", "yes", "(from SERVETTE_QUIET)"),
        (
            "SERVETTE_HEADER",
            "X-Frame-Options: DENY",
            "SERVETTE_HEADER needs two lines for each field: the name, then the value",
        ),
    ] {
        let (_, stderr, status) = Running::start(servette().env(name, value)).end();
        assert_eq!((status.code(), stderr.len()), (Some(2), 1), "{stderr:?}");
        assert!(stderr[0].contains(expected), "{stderr:?}");
    }
}

/// So it neither needs nor excludes other options.
#[test]
fn an_option_that_a_variable_switches_off_is_as_if_it_were_not_there() {
    let root = WebRoot::new();
    root.file("a", "a");
    let off = [("SERVETTE_PROXY_PROTOCOL", "0"), ("SERVETTE_CGI", "0")];
    let (running, port) = with(&root, &off, &["--prefix", "/x"]);
    assert_eq!(get(port, "/x/a").text(), "a");
    drop(running);
    let mut needing = servette();
    needing.env("SERVETTE_CGI", "0").args(["--cgi-env", "A=1"]);
    let (_, stderr, status) = Running::start(&mut needing).end();
    assert_eq!((status.code(), stderr.len()), (Some(2), 1), "{stderr:?}");
}

#[test]
fn values_of_environment_variables_are_never_shown() {
    for argument in ["-h", "--help", "--man", "--completions=bash", "--version"] {
        let mut command = servette();
        command
            .arg(argument)
            .env("SERVETTE_TLS_PASSWORD_FILE", "/run/hunter2")
            .env("SERVETTE_CGI_ENV", "TOKEN=hunter2")
            .env("SERVETTE_HEADER", "X-Key\nhunter2")
            .env("SERVETTE_CGI", "1");
        let (stdout, stderr, status) = Running::start(&mut command).end();
        assert_eq!(status.code(), Some(0), "{argument}: {stderr:?}");
        assert!(!stdout.is_empty() && stderr.is_empty());
        assert!(
            stdout.iter().all(|line| !line.contains("hunter2")),
            "{argument}"
        );
    }
}

#[test]
fn a_plus_takes_the_first_free_port() {
    let root = WebRoot::new();
    // Two neighbours, of which the first is taken.
    let (taken, first) = loop {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let first = taken.local_addr().unwrap().port();
        if first < 60_000 {
            break (taken, first);
        }
    };
    let mut command = servette();
    command
        .arg(format!("{first}+"))
        .args(["-b", "127.0.0.1", "-d"])
        .arg(root.path());
    let port = Running::start(&mut command).banner_port();
    assert!(port > first && port < first + 100, "{first} and {port}");
    drop(taken);
}

#[test]
fn the_ready_file_has_the_url_while_the_server_runs() {
    let root = WebRoot::new();
    let file = root.join("ready");
    fs::write(&file, "of an earlier run").unwrap();
    let name = file.to_str().unwrap();
    let (mut running, port) = Running::servette(&root, &["--ready-file", name]);
    until("the file", || file.exists());
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        format!("http://127.0.0.1:{port}/\n")
    );
    running.stop();
    let is_there = fs::read_dir(root.path()).unwrap().count() > 0;
    assert!(cfg!(windows) || !is_there);
    let folder = root.path();
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1", "--ready-file"])
        .arg(&folder);
    let (_, stderr, status) = Running::start(&mut command).end();
    let expected = format!(
        "servette: error: cannot write the ready file {}: it is not a regular file",
        folder.display()
    );
    assert_eq!((status.code(), &stderr[..]), (Some(1), &[expected][..]));
}

#[cfg(unix)]
#[test]
fn open_calls_the_program_of_the_desktop() {
    if cfg!(target_os = "macos") {
        return;
    }
    let root = WebRoot::new();
    let opened = root.join("opened");
    let script = format!(
        "#!/bin/sh\necho \"$1\" > {0}.new && mv {0}.new {0}\n",
        opened.display()
    );
    root.file("bin/xdg-open", script);
    let program = root.join("bin/xdg-open");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", root.join("bin").display());
    let mut command = servette();
    command
        .args(["0", "-o", "-d"])
        .arg(root.path())
        .env("PATH", &path);
    let running = Running::start(&mut command);
    let port = running.banner_port();
    until("the call", || opened.exists());
    let url = fs::read_to_string(&opened).unwrap();
    // Never that of all interfaces, which no browser can open.
    assert!(
        [
            format!("http://[::1]:{port}/\n"),
            format!("http://127.0.0.1:{port}/\n")
        ]
        .contains(&url),
        "{url}"
    );
    drop(running);
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1", "--open=docs/", "-d"])
        .arg(root.path())
        .env("PATH", "/none");
    let running = Running::start(&mut command);
    let port = running.banner_port();
    let expected = format!(
        "servette: warning: cannot open http://127.0.0.1:{port}/docs/ in a browser: xdg-open: No such file or directory (os error 2)"
    );
    assert_eq!(running.err(), expected);
}

#[cfg(unix)]
fn printed(argument: &str) -> Vec<u8> {
    let output = servette().arg(argument).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[cfg(unix)]
/// Runs a program over a text, and returns what it says that is wrong.
fn check(program: &str, arguments: &[&str], text: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!(
        "{stderr}{}",
        if output.status.success() {
            ""
        } else {
            "failed"
        }
    )
}

#[cfg(unix)]
#[test]
fn groff_has_nothing_to_warn_of_in_the_manual_page() {
    if says("groff", "--version", "the manual page") {
        let page = printed("--man");
        assert_eq!(check("groff", &["-man", "-ww", "-Tutf8", "-"], &page), "");
        assert_ne!(
            check(
                "groff",
                &["-man", "-ww", "-Tutf8", "-"],
                b".TH\n.nonsense\n"
            ),
            ""
        );
    }
}

#[cfg(unix)]
#[test]
fn shells_can_read_their_completions() {
    for (shell, must) in [("bash", true), ("zsh", true), ("fish", false)] {
        let is_there = match must {
            true => says(shell, "--version", "completions"),
            false => Command::new(shell).arg("--version").output().is_ok(),
        };
        if is_there {
            let root = WebRoot::new();
            root.file("completions", printed(&format!("--completions={shell}")));
            let file = root.join("completions");
            assert_eq!(
                check(shell, &["-n", file.to_str().unwrap()], b""),
                "",
                "{shell}"
            );
        }
    }
}
