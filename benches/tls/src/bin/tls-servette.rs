//! servette with a handler that says hello, and files. Arguments: port, certificate, key, directory; without a
//! certificate (`-`) in plain.

use servette::{
    Exchange, RequestHandler, Result, Layer, SimpleHandler, Status, ThreadingHttpServer, Tls,
    simple,
};

struct Hello(SimpleHandler);

impl Layer for Hello {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        match x.path {
            "/hello" => x.send_content(Status::OK, "text/plain", b"Hello, World!"),
            _ => simple::do_method(self, x),
        }
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_request(&self, _: &Exchange<'_>, _: u16, _: Option<u64>) {}
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, certificate, key, directory] = &arguments[..] else {
        return Err(servette::Error::other("four arguments"));
    };
    let port: u16 = port.parse().map_err(servette::Error::other)?;
    let server = ThreadingHttpServer::builder(Hello(SimpleHandler::new(directory)));
    let server = match &**certificate {
        "-" => server,
        _ => server.tls(Tls::from_files(certificate, key)?),
    };
    server.bind(("127.0.0.1", port))?.serve_forever()
}
