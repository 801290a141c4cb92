//! tiny_http, answered by as many threads as the second argument says, by default one. `/sleep/N` sleeps N
//! microseconds.

use std::io;
use std::thread;
use std::time::Duration;

use servette_bench_peers::{HELLO, listener};
use tiny_http::{Header, Method, Response, Server};

fn main() {
    let listener = listener();
    // It accepts on a thread that blocks.
    listener.set_nonblocking(false).expect("a socket has flags");
    let server = Server::from_listener(listener, None).expect("a server");
    let kind = Header::from_bytes("Content-Type", "text/plain").expect("a field");
    let workers = std::env::args().nth(2);
    let workers = workers.and_then(|count| count.parse().ok()).unwrap_or(1);
    thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| work(&server, &kind));
        }
        work(&server, &kind);
    });
}

fn work(server: &Server, kind: &Header) {
    for mut request in server.incoming_requests() {
        let micros = request.url().strip_prefix("/sleep/").map(str::parse);
        if let Some(Ok(micros)) = micros {
            thread::sleep(Duration::from_micros(micros));
        }
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
