//! State that all connections share: a counter. One handler serves all connections, so its fields are the state.
//! Several threads call it at the same time, so the fields are atomic, or in a `Mutex`.
//!
//!     cargo run --example state -- 8000
//!     curl http://127.0.0.1:8000/ http://127.0.0.1:8000/

use servette::{Exchange, RequestHandler, Result, Status, ThreadingHttpServer, base};
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Default)]
struct Counter {
    visits: AtomicU64,
}

impl RequestHandler for Counter {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "GET" => {
                let visit = 1 + self.visits.fetch_add(1, Ordering::Relaxed);
                let text = format!("visit {visit}, of {}\n", self.address_string(x));
                x.send_content(Status::OK, "text/plain", text.as_bytes())
            }
            _ => base::do_method(self, x),
        }
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let server = ThreadingHttpServer::bind(format!("127.0.0.1:{port}"), Counter::default())?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
