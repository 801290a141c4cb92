//! POST answers with the body of the request, streamed: at most 64 KiB of it are in memory.
//!
//! A larger body is answered while it still comes. HTTP allows that, and curl, Go and most clients of Rust
//! read while they send. Others send the whole request first (LWP, Python's `http.client`, many proxies): with
//! more than the buffers of the sockets hold, both sides wait for each other until a deadline ends it, or the
//! answer is lost. For those a handler reads the body to its end, into a file if it is large, and answers then.
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

    // Keeps connections, and may answer in chunks.
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

/// As much of a body is read before the answer begins, so that one which is no longer works for every client.
const READ_FIRST: u64 = 64 << 10;

impl Echo {
    fn do_post(&self, x: &mut Exchange<'_>) -> Result<()> {
        let content_type = x.headers.get("Content-Type");
        let length = x.rfile.remaining();
        let mut start = Vec::new();
        (&mut x.rfile).take(READ_FIRST).read_to_end(&mut start)?;
        x.send_response(Status::OK);
        x.send_header("Content-Type", content_type.unwrap_or("text/plain"));
        // The answer is framed as the request is. From here on `wfile` sees to it.
        match length {
            Some(length) => x.send_header("Content-Length", &length.to_string()),
            None => x.send_header("Transfer-Encoding", "chunked"),
        }
        x.end_headers()?;
        x.wfile.write_all(&start)?;
        // `rfile` ends where the body ends, so this does not wait for the connection's end.
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
