//! A file server with three steps changed, as one would subclass Python's `SimpleHTTPRequestHandler`:
//! a field in every answer, a media type, and no log.
//!
//!     cargo run --example files -- 8000
//!     curl -i http://127.0.0.1:8000/Cargo.lock

use servette::{
    Exchange, RequestHandler, Result, ServeFiles, SimpleHandler, ThreadingHttpServer, base, simple,
};
use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// The attributes of the "superclass" are in the [`SimpleHandler`] that it embeds.
struct Site(SimpleHandler);

impl ServeFiles for Site {
    fn files(&self) -> &SimpleHandler {
        &self.0
    }

    fn guess_type(&self, path: &Path) -> Cow<'_, str> {
        match path.extension() {
            Some(suffix) if suffix == "lock" => "text/plain; charset=utf-8".into(),
            _ => simple::guess_type(self, path), // super().guess_type(path)
        }
    }
}

impl RequestHandler for Site {
    // Without this line the handler would know no method at all, and answer 501.
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        simple::do_method(self, x)
    }

    // Files, listings, redirects and error pages all come through here.
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.send_header(x, "Access-Control-Allow-Origin", "*");
        base::end_headers(self, x)
    }

    fn log_message(&self, _: &Exchange<'_>, _: fmt::Arguments<'_>) {}
}

fn main() -> Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8000".into());
    let site = Site(SimpleHandler::new(".")); // the current directory
    let server = ThreadingHttpServer::bind(format!("127.0.0.1:{port}"), site)?;
    println!("{}", server.info().url("/"));
    server.serve_forever()
}
