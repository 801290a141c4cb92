//! Streams a body both ways: POST is answered with the body of the request. At most 64 KiB of it are in memory.
//!
//! The response to a larger body starts before the whole request has been received. HTTP allows that, and curl, Go and
//! most clients in Rust read while they send. Other clients send the whole request before they read (LWP, Python's
//! `http.client`, many proxies). If the body does not fit into the buffers of the sockets, client and server then
//! wait for each other until a timeout. To support these clients, read the body to its end before you respond, into a
//! file if it is large.
//!
//!     cargo run --example echo -- 8000
//!     curl --data-binary @Cargo.lock http://127.0.0.1:8000/
//!     curl -i -H 'Transfer-Encoding: chunked' -d 'in chunks' http://127.0.0.1:8000/

use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
use std::io::{self, Read, Write};

struct Echo;

impl RequestHandler for Echo {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "POST" => self.do_post(x),
            _ => base::do_method(self, x),
        }
    }

    // HTTP/1.1: keep-alive, and chunked responses.
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

/// This much of a body is read before the response starts, so shorter bodies work with every client.
const READ_FIRST: u64 = 64 << 10;

impl Echo {
    fn do_post(&self, x: &mut Exchange<'_>) -> Result<()> {
        let content_type = x.headers.get("Content-Type");
        let length = x.rfile.remaining();
        let mut start = Vec::new();
        (&mut x.rfile).take(READ_FIRST).read_to_end(&mut start)?;
        x.send_response(Status::OK);
        x.send_header("Content-Type", content_type.unwrap_or("text/plain"));
        // The response is framed like the request: with its length, or in chunks, which `wfile` writes.
        match length {
            Some(length) => x.send_header("Content-Length", &length.to_string()),
            None => x.send_header("Transfer-Encoding", "chunked"),
        }
        x.end_headers()?;
        x.wfile.write_all(&start)?;
        // `rfile` ends where the body ends, so this does not wait for the end of the connection.
        io::copy(&mut x.rfile, &mut x.wfile)?;
        Ok(())
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let server = ThreadingHttpServer::bind(format!("127.0.0.1:{port}"), Echo)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
