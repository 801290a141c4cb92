//! How many threads a fixture has. Alone in its process, as it counts them.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use servette::testing::{Stubs, TestServer, get, status};
use servette::{Status, handler_fn};

#[test]
fn canned_answers_take_one_thread_that_goes_from_fixture_to_fixture_and_ends() {
    let before = threads();
    let canned = || {
        let server = TestServer::start(Stubs::new().on(get("/").answer(status(200))));
        ask(&server);
        let own = &threads() - &before;
        assert_eq!(own.len(), 1, "{own:?}");
        own
    };
    let first = canned();
    // Free when the drop returns, not some time after.
    for _ in 0..100 {
        assert_eq!(canned(), first);
    }

    // What a test's own code prints goes to the test that started its thread: so it has a new one.
    let here = Arc::new(Mutex::new(String::new()));
    let seen = here.clone();
    let note = move || {
        let thread = fs::read_link("/proc/thread-self").unwrap();
        *seen.lock().unwrap() = thread.file_name().unwrap().to_str().unwrap().to_owned();
    };
    let with_code = note.clone();
    let stubs = Stubs::new().on(get("/").answer_with(move |h, x| {
        with_code();
        h.send_content(x, Status::OK, "text/plain", b"")
    }));
    ask(&TestServer::start(stubs));
    assert!(!first.contains(&*here.lock().unwrap()));
    let handler = handler_fn(move |h, x| {
        note();
        h.send_content(x, Status::OK, "text/plain", b"")
    });
    ask(&TestServer::start(handler.quiet()));
    assert!(!first.contains(&*here.lock().unwrap()));

    wait_until("the threads have ended", || threads() == before);

    start_and_stop_wake_nobody(&before);
    one_at_rest_sleeps_and_its_thread_ends_after_it(&before);
}

fn start_and_stop_wake_nobody(before: &BTreeSet<String>) {
    let fixture = || TestServer::start(status(200));
    drop(fixture());
    let host = &threads() - before;
    let host = host.first().unwrap();
    let count = sleeps(host);
    for _ in 0..50 {
        // Time for a thread that was woken to fall asleep again.
        let server = fixture();
        std::thread::sleep(Duration::from_millis(1));
        drop(server);
        std::thread::sleep(Duration::from_millis(1));
    }
    // It looks now and then whether it is time to end.
    let more = sleeps(host) - count;
    assert!(more < 20, "{more} times");
    wait_until("the thread has ended", || threads() == *before);
}

fn one_at_rest_sleeps_and_its_thread_ends_after_it(before: &BTreeSet<String>) {
    let server = TestServer::start(status(200));
    ask(&server);
    let host = &threads() - before;
    let host = host.first().unwrap();
    let rest = || std::thread::sleep(Duration::from_millis(1200));
    // It looks once, for the fixture might have gone; then no more.
    rest();
    let count = sleeps(host);
    rest();
    assert_eq!(sleeps(host), count);
    ask(&server);
    assert_eq!(server.requests().len(), 2);
    rest();
    drop(server);
    wait_until("the thread has ended", || threads() == *before);
}

/// How often a thread has gone to sleep.
fn sleeps(thread: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
    let mut lines = status.lines();
    let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.unwrap().trim().parse().unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ask(server: &TestServer) {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

fn threads() -> BTreeSet<String> {
    let entries = fs::read_dir("/proc/self/task").unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}
