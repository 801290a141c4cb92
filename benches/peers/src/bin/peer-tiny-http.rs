//! tiny_http, answered by one thread.

use std::io;

use servette_bench_peers::{HELLO, listener};
use tiny_http::{Header, Method, Response, Server};

fn main() {
    let listener = listener();
    // It accepts on a thread that blocks.
    listener.set_nonblocking(false).expect("a socket has flags");
    let server = Server::from_listener(listener, None).expect("a server");
    let kind = Header::from_bytes("Content-Type", "text/plain").expect("a field");
    for mut request in server.incoming_requests() {
        let body = match request.method() {
            Method::Post => io::copy(request.as_reader(), &mut io::sink())
                .unwrap_or(0)
                .to_string(),
            _ => HELLO.to_owned(),
        };
        // A client that goes away is no news.
        let _ = request.respond(Response::from_string(body).with_header(kind.clone()));
    }
}
