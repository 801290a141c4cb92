//! A subclass of the file handler, like one of Python's `SimpleHTTPRequestHandler`: it adds a header field to every
//! response, sets a media type, and logs nothing. It serves the current directory.
//!
//!     cargo run --example files -- 8000
//!     curl -i http://127.0.0.1:8000/Cargo.lock

use servette::{
    Exchange, Layer, RequestHandler, Result, ServeFiles, SimpleHandler, ThreadingHttpServer,
};
use std::borrow::Cow;
use std::fmt;
use std::path::Path;

struct Site(SimpleHandler);

impl Layer for Site {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn guess_type(&self, path: &Path) -> Cow<'_, str> {
        match path.extension() {
            Some(suffix) if suffix == "lock" => "text/plain; charset=utf-8".into(),
            _ => self.0.guess_type(path), // super().guess_type(path)
        }
    }

    // Called for files, listings, redirects and error pages.
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.send_header("Access-Control-Allow-Origin", "*");
        self.0.end_headers(x)
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let site = Site(SimpleHandler::new(".").with_protocol_version("HTTP/1.1")); // the current directory
    let server = ThreadingHttpServer::bind(format!("127.0.0.1:{port}"), site)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
