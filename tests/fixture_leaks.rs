//! Fixtures leave nothing behind. Alone in its process, as it counts threads and descriptors.
#![allow(clippy::unwrap_used)]

#[cfg(target_os = "linux")]
#[test]
fn two_hundred_fixtures_in_parallel_leave_no_port_thread_or_descriptor() {
    let before = counts();
    let addresses: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..200)
            .map(|kind| scope.spawn(move || one(kind)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    // A thread that was joined may still be seen for a moment.
    let start = std::time::Instant::now();
    while counts() != before && start.elapsed().as_secs() < 20 {
        std::thread::yield_now();
    }
    assert_eq!(counts(), before, "threads and descriptors");
    // Others on this machine may have taken some of the ports meanwhile, but not many.
    let free = |address: &std::net::SocketAddr| std::net::TcpListener::bind(address).is_ok();
    let count = addresses.iter().filter(|address| free(address)).count();
    assert!(count >= 190, "only {count} of 200 ports are free");
}

/// Starts a fixture, uses it in one way or another, and drops it.
#[cfg(target_os = "linux")]
fn one(kind: usize) -> std::net::SocketAddr {
    use servette::testing::{TestServer, close, gate, hang, reset, status};
    use std::io::{Read, Write};

    let body = || status(200).body("hello");
    let server = match kind % 5 {
        0 => TestServer::start(body()),
        1 => TestServer::start(body().at(2, reset())),
        2 => TestServer::start(body().at(2, close())),
        3 => TestServer::start(hang()),
        _ => TestServer::start(gate("closed")),
    };
    let mut client = std::net::TcpStream::connect(server.addr()).unwrap();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    server.wait_for(1, std::time::Duration::from_secs(60));
    if kind % 5 < 3 {
        let _ = client.read(&mut [0; 100]);
    }
    server.addr()
}

#[cfg(target_os = "linux")]
fn counts() -> (usize, usize) {
    let count = |path: &str| std::fs::read_dir(path).unwrap().count();
    (count("/proc/self/task"), count("/proc/self/fd"))
}
