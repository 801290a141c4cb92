//! The `servette` command: what it takes, what it prints, and what it serves.

use std::net::TcpListener;

use crate::child::{Running, get, servette};
use crate::webroot::{Answer, WebRoot, fetch};

/// A log line without its date, whose form is checked.
fn undated(line: &str) -> String {
    let (before, rest) = line.split_once('[').expect(line);
    let (date, after) = rest.split_once(']').expect(line);
    let form: String = date
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    let (day, rest) = form.split_once('/').expect(date);
    let (month, time) = rest.split_once('/').expect(date);
    assert_eq!(
        (day, month.len(), time),
        ("00", 3, "0000 00:00:00"),
        "{line}"
    );
    format!("{before}[]{after}")
}

#[test]
fn the_banner_names_host_and_real_port() {
    let root = WebRoot::new();
    for (bind, host, url) in [
        (Some("127.0.0.1"), "127.0.0.1", "127.0.0.1"),
        (Some("localhost"), "", ""),
        (Some("::1"), "::1", "[::1]"),
        (Some("[::1]"), "::1", "[::1]"),
        (None, "::", "[::]"),
    ] {
        if bind.is_none_or(|bind| bind.contains(':')) && TcpListener::bind("[::1]:0").is_err() {
            eprintln!("skipped: the banner of {bind:?}, as there is no IPv6");
            continue;
        }
        let mut command = servette();
        command.arg("0").arg("--directory").arg(root.path());
        if let Some(bind) = bind {
            command.args(["--bind", bind]);
        }
        // a pipe, so it shows that the line is flushed
        let running = Running::start(&mut command);
        let banner = running.out();
        let (_, port) = banner.split_once(" port ").unwrap();
        let port: u16 = port.split(' ').next().unwrap().parse().unwrap();
        assert_ne!(port, 0);
        if !host.is_empty() {
            let expected = format!("Serving HTTP on {host} port {port} (http://{url}:{port}/) ...");
            assert_eq!(banner, expected);
        }
        let host = match bind {
            Some(bind) => bind.trim_matches(['[', ']']),
            None => "127.0.0.1",
        };
        assert_eq!(
            Answer::parse(&fetch((host, port), "GET / HTTP/1.0\r\n\r\n")).status(),
            200
        );
        if bind.is_none() {
            let answer = fetch(("::1", port), "GET / HTTP/1.0\r\n\r\n");
            assert_eq!(Answer::parse(&answer).status(), 200);
            assert!(undated(&running.err()).starts_with("127.0.0.1 - - ["));
            assert!(undated(&running.err()).starts_with("::1 - - ["));
        }
    }
}

#[test]
fn the_log_has_pythons_lines() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let (running, port) = Running::servette(&root, &[""; 0]);
    get(port, "/a.txt?q");
    assert_eq!(
        undated(&running.err()),
        "127.0.0.1 - - [] \"GET /a.txt?q HTTP/1.0\" 200 -"
    );
    get(port, "/none");
    assert_eq!(
        undated(&running.err()),
        "127.0.0.1 - - [] code 404, message File not found"
    );
    assert_eq!(
        undated(&running.err()),
        "127.0.0.1 - - [] \"GET /none HTTP/1.0\" 404 -"
    );
    fetch(("127.0.0.1", port), "GET /\x1b[31m\\ HTTP/1.0\r\n\r\n");
    let lines = [undated(&running.err()), undated(&running.err())];
    assert!(
        lines[1].contains("\"GET /\\x1b[31m\\\\ HTTP/1.0\" 400 -"),
        "{lines:?}"
    );
}

#[test]
fn quiet_logs_no_requests() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let (mut running, port) = Running::servette(&root, &["-q"]);
    assert_eq!(get(port, "/a.txt").text(), "hello");
    get(port, "/none");
    let (_, stderr) = running.stop();
    assert!(
        stderr.iter().all(|line| line.contains("code 404")),
        "{stderr:?}"
    );
}

#[test]
fn options_change_the_responses() {
    let root = WebRoot::new();
    root.file("Makefile", "all:").file("dir/a.txt", "hello");
    #[cfg(unix)]
    root.link("out", "../secret.txt");
    let arguments = [
        "-p",
        "HTTP/1.1",
        "--content-type",
        "text/plain;charset=utf-8",
        "-H",
        "X-One",
        "1",
        "--header",
        "X-Two",
        "a: b",
        "-H",
        "Age",
        "-1",
        "--follow-symlinks",
    ];
    let (_running, port) = Running::servette(&root, &arguments);
    let one = get(port, "/Makefile");
    assert_eq!(one.line, "HTTP/1.1 200 OK");
    assert_eq!(one.field("Content-Type"), Some("text/plain;charset=utf-8"));
    assert_eq!(one.field("X-One"), Some("1"));
    assert_eq!(one.field("X-Two"), Some("a: b"));
    assert_eq!(one.field("Age"), Some("-1"));
    assert_eq!(get(port, "/none").field("X-One"), None);
    assert_eq!(get(port, "/out").status() == 200, cfg!(unix));
    let (_running, port) = Running::servette(&root, &[""; 0]);
    let one = get(port, "/Makefile");
    assert_eq!(one.line, "HTTP/1.0 200 OK");
    assert_eq!(one.field("Content-Type"), Some("application/octet-stream"));
    assert_eq!(get(port, "/out").status(), 404);
}

#[test]
fn options_of_sites_change_the_responses() {
    let root = WebRoot::new();
    root.file("index.html", "application")
        .file("assets/a.js", "script")
        .file("assets/a.js.br", "brotli")
        .file("gone.html", "gone")
        .file("m.x-own", "own")
        .file(".env", "secret");
    let arguments = [
        "--precompressed",
        "--immutable",
        "/assets/",
        "--cache-control",
        "no-cache",
        "--fallback",
        "index.html",
        "--not-found-page",
        "gone.html",
        "--dot-files",
        "hidden",
        "--listing",
        "names",
        "--cors",
        "--prefix",
        "/app",
        "--type",
        ".x-own=text/x-own",
        "--allow-host",
        "box.lan",
    ];
    let (_running, port) = Running::servette(&root, &arguments);
    let ask = |target: &str, fields: &str| {
        let request = format!("GET {target} HTTP/1.0\r\n{fields}\r\n\r\n");
        Answer::parse(&fetch(("127.0.0.1", port), request))
    };
    let script = ask("/app/assets/a.js", "Accept-Encoding: br");
    assert_eq!(script.text(), "brotli");
    let kept = script.field("Cache-Control").unwrap();
    assert!(kept.contains("immutable"), "{kept}");
    assert_eq!(script.field("Access-Control-Allow-Origin"), Some("*"));
    let own = ask("/app/m.x-own", "Host: box.lan");
    assert_eq!(own.field("Content-Type"), Some("text/x-own; charset=utf-8"));
    assert_eq!(own.field("Cache-Control"), Some("no-cache"));
    assert_eq!(ask("/app/user", "Accept: text/html").text(), "application");
    let gone = ask("/app/user", "Accept: */*");
    assert_eq!((gone.status(), &*gone.text()), (404, "gone"));
    assert_eq!(ask("/app/.env", "X: y").status(), 404);
    let listing = ask("/app/assets/", "X: y").text();
    assert!(listing.contains(">a.js</a>") && !listing.contains("<time "));
    assert_eq!(ask("/m.x-own", "X: y").status(), 404);
    assert_eq!(ask("/app/m.x-own", "Host: evil.test").status(), 421);
}

#[test]
fn a_page_of_the_site_that_is_not_there_is_a_warning() {
    let root = WebRoot::new();
    root.file("there.html", "");
    let arguments = ["--fallback", "none.html", "--not-found-page", "/there.html"];
    let (running, _) = Running::servette(&root, &arguments);
    let expected = "servette: warning: --fallback none.html: no such file in the directory";
    assert_eq!(running.err(), expected);
}

#[test]
fn the_current_directory_is_served_by_default() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1"])
        .current_dir(root.path());
    let running = Running::start(&mut command);
    assert_eq!(get(running.banner_port(), "/a.txt").text(), "hello");
}

#[test]
fn help_and_version_go_to_stdout() {
    let version = concat!("servette ", env!("CARGO_PKG_VERSION"));
    let help = "Serves the files of a directory over HTTP or HTTPS";
    for (argument, first) in [
        ("-h", help),
        ("--help", help),
        ("--version", version),
        ("-V", version),
    ] {
        let (stdout, stderr, status) = Running::start(servette().arg(argument)).end();
        assert_eq!(status.code(), Some(0), "{argument}");
        assert_eq!(stdout[0], first, "{argument}");
        assert!(stderr.is_empty(), "{argument}");
        assert_eq!(stdout.len() == 1, first == version);
    }
}

#[test]
fn a_wrong_argument_is_one_line_and_exit_code_2() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let file = root.join("a.txt");
    let file = file.to_str().unwrap();
    let table: &[(&[&str], &str)] = &[
        (&["--nope"], "'--nope'"),
        (&["abc"], "'abc'"),
        (&["65536"], "65536"),
        (&["-1"], "-1"),
        (&["0", "0"], "'0'"),
        (&["-p", "HTTP/2"], "HTTP/1.0 or HTTP/1.1"),
        (&["-p", "HTTP/3\n0"], "HTTP/1.0 or HTTP/1.1"),
        (&["-d", "/no/such/directory"], "/no/such/directory"),
        (&["-d", file], "not a directory"),
        (&["--type", "text/plain"], "not of the form .SUFFIX=TYPE"),
        (&["--cgi", "--cgi-env", "x"], "not of the form NAME=VALUE"),
        (&["--cgi-index", "x"], "not provided: --cgi"),
        (&["--type", ".=text/plain"], "--type"),
        (&["--type", ".a=text/plain\n"], "--type"),
        (
            &["--dot-files", "perhaps"],
            "[possible values: shown, unlisted, hidden]",
        ),
        (
            &["--listing", "some"],
            "[possible values: full, names, off]",
        ),
        (&["--cache-control", "a\nb"], "--cache-control"),
        (&["--prefix", "/a", "--cgi"], "--cgi"),
        (&["-d", "/no\nsuch\x1b[31m"], "not a directory"),
        (&["-d"], "--directory"),
        (&["-H", "X"], "--header"),
        (&["-H", "X Y", "v"], "'X Y'"),
        (&["-H", "", "v"], "''"),
        (&["-H", "X:", "v"], "'X:'"),
        (&["-H", "X", "a\nSet-Cookie: b"], "'a\\nSet-Cookie: b'"),
        (&["-H", "X", "€"], "'€'"),
        (&["--content-type", "a\nb"], "'a\\nb'"),
        (&["--content-type", "a\rb"], "'a\\rb'"),
        (
            &["--he", "0"],
            "'--he' could be --header, --health, --head-deadline, --help",
        ),
        (&["--cgi-s", "3"], "--cgi-same-user, --cgi-silence-timeout"),
        (&["--headex", "X"], "unexpected argument '--headex'"),
        (&["--cgi-sil", "x"], "'--cgi-silence-timeout <SECONDS>'"),
        // What no request can match.
        (
            &["--allow-host", "http://x"],
            "without a scheme, a port and a path",
        ),
        (
            &["--allow-host", "x:80"],
            "without a scheme, a port and a path",
        ),
        (&["--allow-host", ""], "the name is missing"),
        (&["--allow-host", "*.lan"], "`.example.org` allows"),
        (&["--immutable", ""], "`/` is the whole directory"),
        (&["--immutable", "./assets"], "'./assets'"),
        (&["--fallback", ""], "the file name is missing"),
        (&["--not-found-page", "../404.html"], "'../404.html'"),
        (
            &["--prefix", "https://x/y"],
            "expected only the path of the URL",
        ),
        (&["--prefix", "/a/../b"], "'/a/../b'"),
        (&["--type", ".tar.gz=a/b"], "a suffix has one dot"),
        (&["--type", ".x="], "has no type"),
        (&["--cache-control", " "], "the value is empty"),
        (
            &["--cgi", "--cgi-directory", ""],
            "`/` is the whole directory",
        ),
        (&["--cgi", "--cgi-index", "a/b"], "expected a file name"),
        (
            &["--cgi", "--cgi-inherit", "A=b"],
            "expected the name of an environment variable",
        ),
        (&["--cgi", "--cgi-max-scripts", "0"], "--cgi-max-scripts"),
        (
            &["--cgi", "--cgi-silence-timeout", "0"],
            "--cgi-silence-timeout",
        ),
        (&["--cgi", "--cgi-interpreter", ".py="], "has no program"),
        (
            &["--cgi", "--cgi-interpreter", ".=perl"],
            "the suffix is missing",
        ),
        (&["-H", "date", "v"], "'date' is set by the server itself"),
        (&["--trusted-proxy", "x"], "'x' is not a trusted proxy"),
        (&["--socket-mode", "600"], "--socket-mode requires --bind"),
        (
            &["--socket-mode", "600", "-b", "127.0.0.1"],
            "--socket-mode requires --bind unix:PATH",
        ),
    ];
    let is_of_scripts = |argument: &&str| argument.starts_with("--cgi");
    for (arguments, part) in table {
        if cfg!(windows) && arguments.iter().any(is_of_scripts) {
            continue;
        }
        let (stdout, stderr, status) = Running::start(servette().args(*arguments)).end();
        assert_eq!(status.code(), Some(2), "{arguments:?}: {stderr:?}");
        assert_eq!(
            (stdout.len(), stderr.len()),
            (0, 1),
            "{arguments:?}: {stderr:?}"
        );
        let line = &stderr[0];
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(line.starts_with("servette: error: "), "{line}");
        assert!(line.contains(part), "{arguments:?}: {line}");
    }
}

#[test]
fn long_options_can_be_abbreviated() {
    let root = WebRoot::new();
    root.file("a", "hello");
    let mut command = servette();
    command.arg("0").arg("--dir").arg(root.path());
    command.args(["--bi=127.0.0.1", "--prot", "1.1", "--content", "a/b"]);
    command.args(["--heade", "X-A", "b"]);
    #[cfg(unix)]
    command.arg("--cgi");
    let running = Running::start(&mut command);
    let answer = get(running.banner_port(), "/a");
    assert_eq!(answer.line, "HTTP/1.1 200 OK");
    assert_eq!(answer.field("Content-type"), Some("a/b"));
    assert_eq!(answer.field("X-A"), Some("b"));
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for arguments in [&["-b", "127.0.0.1"][..], &[]] {
        let mut command = servette();
        let (stdout, stderr, status) =
            Running::start(command.arg(port.to_string()).args(arguments)).end();
        assert_eq!(status.code(), Some(1), "{stderr:?}");
        assert_eq!((stdout.len(), stderr.len()), (0, 1), "{stderr:?}");
        let says = if cfg!(unix) {
            "Address already in use"
        } else {
            ""
        };
        let named = stderr[0].contains(&format!(":{port}: {says}"));
        assert!(
            stderr[0].starts_with("servette: error: cannot bind ") && named,
            "{stderr:?}"
        );
    }
    let (_, stderr, status) = Running::start(servette().args(["0", "-b", "no host"])).end();
    assert_eq!((status.code(), stderr.len()), (Some(1), 1));
    assert!(stderr[0].contains("'no host'"), "{stderr:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_large_file_needs_little_memory() {
    let root = WebRoot::new();
    let big = std::fs::File::create(root.join("big")).unwrap();
    big.set_len(50 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&big, b"the end", (50 << 20) - 7).unwrap();
    let (running, port) = Running::servette(&root, &[""; 0]);
    for _ in 0..2 {
        let answer = get(port, "/big");
        assert_eq!(answer.field("Content-Length"), Some("52428800"));
        assert_eq!(answer.body.len(), 50 << 20);
        assert!(answer.body.ends_with(b"\0the end"));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u32 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 30 << 10, "{peak} kB");
}

#[test]
fn limits_can_be_set() {
    let root = WebRoot::new();
    let arguments = [
        "-p",
        "HTTP/1.1",
        "--idle-timeout",
        "1",
        "--max-threads",
        "2",
    ];
    let (_running, port) = Running::servette(&root, &arguments);
    // It reads to the end, which is the end of the idle connection.
    let answer = fetch(("127.0.0.1", port), "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("close"));
    for wrong in [
        &["--idle-timeout", "0"][..],
        &["-H", "Transfer-Encoding", "chunked"],
    ] {
        let refused = servette().args(wrong).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}");
    }
}
