use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::{Limits, Status, handler_fn};

#[test]
fn what_a_connection_takes_does_not_grow_with_its_requests() {
    let handler = handler_fn(|h, x| h.send_content(x, Status::OK, "text/plain", b"x"));
    let limits = Limits {
        idle_timeout: Duration::from_secs(86_400),
        head_deadline: Duration::from_millis(500),
        ..Limits::default()
    };
    let server = HttpServer::builder(handler.protocol_version("HTTP/1.1").quiet())
        .limits(limits)
        .timeout(Duration::ZERO)
        .bind("127.0.0.1:0")
        .unwrap();
    let mut client = TcpStream::connect(server.server_address()).unwrap();
    client.set_nodelay(true).unwrap();
    let mut answer = [0; 512];
    // It waits for a head, for the rest of one, and for the next one, in turns.
    let mut ask = || {
        client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        assert!(!server.handle_request().unwrap());
        client.write_all(b"Host: x\r\n\r\n").unwrap();
        while !server.handle_request().unwrap() {}
        assert!(client.read(&mut answer).unwrap() > 0);
        first(&server.loops).table().entries()
    };
    // Some deadlines pass meanwhile, that the connection no longer has.
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1000) {
        assert_eq!(ask(), 2, "its slot, and a place in one queue");
    }
}
