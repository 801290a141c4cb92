//! An HTTP method of your own, Python's `do_SPAM`. All other methods are answered with 501.
//!
//!     cargo run --example spam -- 8000
//!     curl -X SPAM http://127.0.0.1:8000/eggs
//!     curl -i http://127.0.0.1:8000/           # GET: 501

use servette::{Exchange, HttpServer, RequestHandler, Result, Status, base};
use std::io::Write;

struct Spam;

impl RequestHandler for Spam {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.command {
            "SPAM" => self.do_spam(x),
            _ => base::do_method(self, x), // super(): 501
        }
    }
}

impl Spam {
    fn do_spam(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.send_response(Status::OK);
        x.send_header("Content-Type", "text/plain; charset=utf-8");
        x.end_headers()?;
        Ok(writeln!(x.wfile, "spam, spam, {} and spam", x.path)?)
    }
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let server = HttpServer::bind(format!("127.0.0.1:{port}"), Spam)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
