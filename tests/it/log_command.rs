//! The log of the command: formats, files, and what happens where a log can't be written.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::child::{Running, get, servette};
use crate::client::Client;
use crate::support::{make_fifo, until};
use crate::webroot::{PATIENCE, WebRoot};

/// The command with a log in this file, and its port.
fn logged(root: &WebRoot, file: &Path, more: &[&str]) -> (Running, u16) {
    let file = file.to_str().unwrap();
    Running::servette(root, &[&["--log-file", file][..], more].concat())
}

#[test]
fn the_log_goes_to_a_file_in_the_format_asked_for() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    for (format, end) in [
        ("python", "\"GET /a.txt HTTP/1.0\" 200 -\n"),
        ("common", "\"GET /a.txt HTTP/1.0\" 200 5\n"),
        ("combined", "\"GET /a.txt HTTP/1.0\" 200 5 \"-\" \"-\"\n"),
        ("json", "\"referer\":null,\"agent\":null,\"host\":null}\n"),
    ] {
        let file = root.join(format);
        let (mut running, port) = logged(&root, &file, &["--log-format", format]);
        get(port, "/a.txt");
        until("the line", || {
            fs::read_to_string(&file).unwrap().ends_with(end)
        });
        running.signal(Signal::INT);
        let (_, stderr, status) = running.end();
        assert_eq!((status.code(), stderr.len()), (Some(0), 0), "{stderr:?}");
    }
}

#[test]
fn sighup_opens_the_file_again() {
    let root = WebRoot::new();
    let file = root.join("access.log");
    let (running, port) = logged(&root, &file, &["--log-format", "common"]);
    get(port, "/1");
    until("the first line", || {
        fs::read_to_string(&file).unwrap().ends_with('\n')
    });
    fs::rename(&file, root.join("access.log.1")).unwrap();
    get(port, "/2");
    running.signal(Signal::HUP);
    until("a new file", || file.exists());
    get(port, "/3");
    until("the third line", || {
        fs::read_to_string(&file).unwrap().contains("/3 ")
    });
    let old = fs::read_to_string(root.join("access.log.1")).unwrap();
    assert!(
        old.contains("/1 ") && old.contains("/2 ") && !old.contains("/3 "),
        "{old}"
    );
    // The folder may have gone, too.
    let moved = root.path().with_extension("moved");
    fs::rename(root.path(), &moved).unwrap();
    running.signal(Signal::HUP);
    let complaint = running.err();
    assert!(
        complaint.starts_with("servette: error: cannot open the log file "),
        "{complaint}"
    );
    assert!(
        complaint.ends_with("logging continues in the old file"),
        "{complaint}"
    );
    assert_eq!(get(port, "/4").status(), 404);
    until("the fourth line", || {
        fs::read_to_string(moved.join("access.log"))
            .unwrap()
            .contains("/4 ")
    });
    fs::rename(moved, root.path()).unwrap();
}

#[test]
fn a_log_that_cannot_be_opened_is_one_line_and_exit_code_1() {
    let root = WebRoot::new();
    let fifo = root.join("fifo");
    make_fifo(&fifo);
    for (path, reason) in [
        (root.path(), "Is a directory"),
        (root.join("no/such/file"), "No such file or directory"),
        // Nobody reads it.
        (fifo, "No such device or address"),
    ] {
        let mut command = servette();
        command
            .args(["0", "-b", "127.0.0.1", "--log-file"])
            .arg(&path);
        let (_, stderr, status) = Running::start(&mut command).end();
        assert_eq!(status.code(), Some(1), "{stderr:?}");
        let path = path.display();
        let expected =
            format!("servette: error: cannot open the log file {path}: {reason} (os error");
        assert!(
            stderr.len() == 1 && stderr[0].starts_with(&expected),
            "{stderr:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_reported_once_and_each_request_is_answered() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let (mut running, port) = logged(&root, Path::new("/dev/full"), &["--log-format", "json"]);
    for _ in 0..100 {
        assert_eq!(get(port, "/a.txt").text(), "hello");
    }
    running.signal(Signal::INT);
    let (_, stderr, status) = running.end();
    assert_eq!(status.code(), Some(0));
    let expected = "servette: warning: the log /dev/full: No space left on device (os error 28); lines are dropped \
        until it can be written again";
    assert_eq!(stderr, [expected]);
}

/// The command with a stderr that nobody reads yet.
fn unread(root: &WebRoot, more: &[&str]) -> (Child, u16) {
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1", "-p", "HTTP/1.1", "-d"])
        .arg(root.path())
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut banner = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut banner)
        .unwrap();
    let (_, rest) = banner.split_once(" port ").unwrap();
    let port = rest.split(' ').next().unwrap().parse().unwrap();
    (child, port)
}

#[test]
fn a_reader_of_stderr_that_stops_reading_blocks_no_request() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let (mut child, port) = unread(&root, &[]);
    let (requests, long) = (1000, "x".repeat(2000));
    let mut client = Client::new(("127.0.0.1", port));
    for number in 0..requests {
        client.send(format!(
            "GET /a.txt?{number}&{long} HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        assert_eq!(client.response().text(), "hello");
    }
    // The pipe and the queue took about half of it; the rest is counted.
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
    let (mut lines, mut dropped) = (0, 0);
    while lines + dropped < requests {
        let line = stderr.next().unwrap().unwrap();
        if let Some(note) = line.strip_prefix("servette: warning: ") {
            assert!(note.ends_with(" lines were dropped"), "{note}");
            assert_eq!(dropped, 0, "told once");
            dropped = note.split(' ').next().unwrap().parse().unwrap();
        } else {
            let whole = format!("\"GET /a.txt?{lines}&{long} HTTP/1.1\" 200 -");
            assert!(line.ends_with(&whole), "{line}");
            lines += 1;
        }
    }
    assert!(lines > 300 && dropped > 300, "{lines} and {dropped}");
    // And now lines come at once again.
    client
        .send("GET /a.txt?last HTTP/1.1\r\nHost: a\r\n\r\n")
        .response();
    assert!(stderr.next().unwrap().unwrap().contains("?last "));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_end_waits_a_little_for_a_slow_reader_and_not_for_ever() {
    let root = WebRoot::new();
    let (mut child, port) = unread(&root, &["--log-format", "common"]);
    let mut client = Client::new(("127.0.0.1", port));
    for _ in 0..60 {
        let long = "x".repeat(2000);
        client
            .send(format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"))
            .response();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let start = std::time::Instant::now();
    assert!(child.wait().unwrap().success());
    assert!(start.elapsed() < PATIENCE / 2);
}

#[test]
fn a_closed_stderr_stops_no_request() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let (mut child, port) = unread(&root, &[]);
    drop(child.stderr.take());
    for _ in 0..3 {
        assert_eq!(get(port, "/a.txt").text(), "hello");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn colours_follow_the_environment() {
    let root = WebRoot::new();
    root.file("a.txt", "hello").dir("d");
    let first = |no: &str, force: &str, format: &str, target: &str| {
        let mut command = servette();
        command
            .args(["0", "-b", "127.0.0.1", "--log-format", format, "-d"])
            .arg(root.path())
            .env("NO_COLOR", no)
            .env("FORCE_COLOR", force);
        let running = Running::start(&mut command);
        get(running.banner_port(), target);
        let line = running.err();
        line.split_once("] ").unwrap().1.to_owned()
    };
    let (plain, green) = (
        "\"GET /a.txt HTTP/1.0\" 200 -",
        "\x1b[32m\"GET /a.txt HTTP/1.0\" 200\x1b[0m -",
    );
    assert_eq!(first("", "", "python", "/a.txt"), plain);
    assert_eq!(first("", "1", "python", "/a.txt"), green);
    assert_eq!(first("1", "1", "python", "/a.txt"), plain);
    assert_eq!(
        first("", "1", "python", "/d"),
        "\x1b[36m\"GET /d HTTP/1.0\" 301\x1b[0m -"
    );
    assert!(!first("", "1", "common", "/a.txt").contains('\x1b'));
}
