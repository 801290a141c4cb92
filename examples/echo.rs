//! POST answers with the body of the request, streamed: it is never in memory as a whole.
//!
//!     cargo run --example echo -- 8000
//!     curl --data-binary @Cargo.lock http://127.0.0.1:8000/
//!     curl -i -H 'Transfer-Encoding: chunked' -d 'in chunks' http://127.0.0.1:8000/

use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
use std::io;

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

impl Echo {
    fn do_post(&self, x: &mut Exchange<'_>) -> Result<()> {
        let content_type = x.headers.get("Content-Type");
        self.send_response(x, Status::OK);
        self.send_header(x, "Content-Type", content_type.unwrap_or("text/plain"));
        // The answer is framed as the request is. From here on `wfile` sees to it.
        match x.rfile.remaining() {
            Some(length) => self.send_header(x, "Content-Length", &length.to_string()),
            None => self.send_header(x, "Transfer-Encoding", "chunked"),
        }
        self.end_headers(x)?;
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
