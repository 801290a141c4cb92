//! How the `servette` command ends: by signals, and not by a reader of its output that has gone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::child::{Running, exit_code, get, servette};
use crate::webroot::{PATIENCE, WebRoot, connect};

#[test]
fn an_interrupt_ends_it_with_idle_connections_open() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let arguments = ["-p", "HTTP/1.1", "--grace", "300"];
    let (mut running, port) = Running::servette(&root, &arguments);
    let mut kept = connect(("127.0.0.1", port));
    kept.write_all(b"HEAD /a.txt HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    let mut head = [0; 64];
    kept.read_exact(&mut head).unwrap();
    let _silent = connect(("127.0.0.1", port));
    let mut half = connect(("127.0.0.1", port));
    half.write_all(b"GET /a.txt HT").unwrap();
    let started = Instant::now();
    running.signal(Signal::INT);
    let (stdout, _, status) = running.end();
    assert_eq!(stdout, ["", "Keyboard interrupt received, exiting."]);
    assert_eq!(status.code(), Some(0));
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    // and the port is free again
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[test]
fn sigterm_ends_it_without_a_word() {
    let (mut running, _) = Running::servette(&WebRoot::new(), &[""; 0]);
    running.signal(Signal::TERM);
    let (stdout, stderr, status) = running.end();
    assert_eq!((status.code(), stdout.len(), stderr.len()), (Some(0), 0, 0));
}

/// A download of 64 MiB that has begun and stands still.
fn download(port: u16) -> TcpStream {
    let mut client = connect(("127.0.0.1", port));
    client.write_all(b"GET /big HTTP/1.0\r\n\r\n").unwrap();
    client.read_exact(&mut [0; 64]).unwrap();
    client
}

fn big_root() -> WebRoot {
    let root = WebRoot::new();
    let big = std::fs::File::create(root.join("big")).unwrap();
    big.set_len(64 << 20).unwrap();
    root
}

#[test]
fn an_interrupt_lets_a_download_end() {
    let root = big_root();
    // A busy machine needs longer than the default of 2 s.
    let (mut running, port) = Running::servette(&root, &["--grace", "20"]);
    let mut client = download(port);
    running.signal(Signal::INT);
    assert_eq!((running.out(), running.out().len()), (String::new(), 37));
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > (64 << 20), "{}", rest.len());
    assert_eq!(running.end().2.code(), Some(0));
}

#[test]
fn an_interrupt_waits_two_seconds_for_a_download_that_stands_still() {
    let root = big_root();
    let (mut running, port) = Running::servette(&root, &[""; 0]);
    let _client = download(port);
    let started = Instant::now();
    running.signal(Signal::INT);
    assert_eq!(running.end().2.code(), Some(0));
    let elapsed = started.elapsed().as_millis();
    assert!((1900..15_000).contains(&elapsed), "{elapsed} ms");
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let root = big_root();
    let (mut running, port) = Running::servette(&root, &["--grace", "300"]);
    let _client = download(port);
    let started = Instant::now();
    running.signal(Signal::INT);
    assert_eq!((running.out(), running.out().len()), (String::new(), 37));
    running.signal(Signal::INT);
    assert_eq!(running.end().2.code(), Some(130));
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[test]
fn a_closed_stdout_or_stderr_does_not_end_it() {
    let root = WebRoot::new();
    root.file("a.txt", "hello");
    let mut command = servette();
    command
        .args(["0", "-b", "127.0.0.1", "-d"])
        .arg(root.path());
    let piped = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    drop(child.stderr.take());
    let mut banner = String::new();
    stdout.read_line(&mut banner).unwrap();
    drop(stdout);
    let port = banner
        .split(" port ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(get(port.parse().unwrap(), "/a.txt").text(), "hello");
        assert_eq!(get(port.parse().unwrap(), "/none").status(), 404);
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(exit_code(child), Some(0));
}
