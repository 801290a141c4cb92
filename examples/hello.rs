//! The smallest useful server, which the benchmarks use: GET is answered with `Hello, World!`, POST with the length of
//! its body. It logs nothing.
//!
//!     cargo run --release --example hello -- 8000
//!     curl http://127.0.0.1:8000/
//!     curl -d 'three' http://127.0.0.1:8000/

use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
use std::fmt;

struct Hello;

impl RequestHandler for Hello {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "GET" | "HEAD" => x.send_content(Status::OK, "text/plain", "Hello, World!"),
            "POST" => {
                let length = x.rfile.discard()?.to_string();
                x.send_content(Status::OK, "text/plain", length)
            }
            _ => base::do_method(self, x),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let server = ThreadingHttpServer::bind(format!("127.0.0.1:{port}"), Hello)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
