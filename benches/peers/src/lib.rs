//! What the peers have in common.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

/// The body of the answer to GET.
pub const HELLO: &str = "Hello, World!";

/// An event of 100 bytes.
pub const EVENT: &str = "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n\n";

/// The port that the first argument of the program names.
pub fn port() -> u16 {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    port.expect("usage: PROGRAM PORT")
}

/// A non-blocking listener with the backlog that all peers get.
pub fn listener() -> TcpListener {
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port());
    let listener = TcpListener::bind(address).expect("the port is free");
    rustix::net::listen(&listener, 1024).expect("a listener listens");
    listener.set_nonblocking(true).expect("a socket has flags");
    listener
}

/// All on the calling thread, which is the one that is pinned.
pub fn run<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
