//! The threads of a fixture. Alone in its process, as it counts them.
#![allow(clippy::unwrap_used)]
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use servette::testing::{Stubs, TestServer, get, status};
use servette::{Status, handler_fn};

#[test]
fn a_fixture_has_few_threads_which_sleep_at_rest_and_end_with_it() {
    let before = threads();
    let canned = || TestServer::start(Stubs::new().on(get("/").answer(status(200))));
    let with_code = || {
        let handler = handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", b""));
        TestServer::start(handler)
    };
    for start in [&canned as &dyn Fn() -> TestServer, &with_code] {
        let server = start();
        ask(&server);
        let own = &threads() - &before;
        assert!(own.len() <= 2, "{own:?}");

        // They poll for a while whether there is more. On a busy machine that while is longer.
        wait_until("the threads sleep for half a second", || {
            let count = sleeps(&own);
            std::thread::sleep(Duration::from_millis(500));
            sleeps(&own) == count
        });
        ask(&server);
        assert_eq!(server.requests().len(), 2);
        drop(server);
        // One that has ended may still be seen for a moment.
        wait_until("the threads have ended", || threads() == before);
    }
}

/// How often these threads have gone to sleep.
fn sleeps(threads: &BTreeSet<String>) -> u64 {
    let of_one = |thread: &String| {
        let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
        let mut lines = status.lines();
        let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        count.unwrap().trim().parse::<u64>().unwrap()
    };
    threads.iter().map(of_one).sum()
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
    let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    client.write_all(request).unwrap();
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
