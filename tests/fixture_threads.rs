//! How many threads a fixture has. Alone in its process, as it counts them.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use servette::testing::{Stubs, TestServer, gate, get, status};
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
    the_thread_is_near_who_started_the_fixture_at_first(&before);
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

fn the_thread_is_near_who_started_the_fixture_at_first(before: &BTreeSet<String>) {
    let all = cores("self");
    let all_on = |expected: &str| {
        let mut own = &threads() - before;
        own.retain(|thread| cores(thread) != expected);
        own.is_empty()
    };
    // The thread is new, and has not said yet where it may run.
    ask(&TestServer::start(status(200)));

    let server = TestServer::start(status(200));
    let host = &threads() - before;
    let near = cores(host.first().unwrap());
    assert!(near.parse::<u32>().is_ok(), "{near}");
    for _ in 0..4 {
        ask(&server);
    }
    assert!(all_on(&near));
    // One wake-up may do for several requests.
    wait_until("it runs on any core", || {
        ask(&server);
        all_on(&all)
    });
    drop(server);

    let server = TestServer::start(status(200));
    ask(&server);
    assert!(!all_on(&all) || near == all);
    drop(server);

    // Threads inherit it.
    let server = TestServer::start(gate("closed"));
    let waiting = send(&server);
    server.wait_for(1, Duration::from_secs(10));
    wait_until("others have taken over", || {
        (&threads() - before).len() > 1 && all_on(&all)
    });
    drop((server, waiting));
    wait_until("the threads have ended", || threads() == *before);
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
    let file = format!("/proc/self/task/{thread}/status");
    of_status(&file, "voluntary_ctxt_switches:")
        .unwrap()
        .parse()
        .unwrap()
}

/// Where a thread may run; nowhere, if it has ended.
fn cores(thread: &str) -> String {
    let file = match thread {
        "self" => "/proc/thread-self/status".into(),
        _ => format!("/proc/self/task/{thread}/status"),
    };
    of_status(&file, "Cpus_allowed_list:").unwrap_or_default()
}

fn of_status(file: &str, name: &str) -> Option<String> {
    let status = fs::read_to_string(file).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(value.trim().to_owned())
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(server: &TestServer) -> TcpStream {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .unwrap();
    client
}

fn ask(server: &TestServer) {
    let mut client = send(server);
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
