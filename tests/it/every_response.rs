//! A layer that overrides `end_headers` adds its field to every response, once.

use std::io::Write;

use servette::{
    Blob, Exchange, Layer, RequestHandler, Result, SimpleHandler, Status, ThreadingHttpServer,
    base, events, handler_fn,
};

use crate::client::{Client, get};
use crate::webroot::WebRoot;

struct Secure<H>(H);

impl<H: RequestHandler> Layer for Secure<H> {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }
    fn end_headers(&self, x: &mut Exchange<'_>) -> Result<()> {
        x.send_header("X-Content-Type-Options", "nosniff");
        self.0.end_headers(x)
    }
    fn log_line(&self, _: &Exchange<'_>, _: &str) {}
}

struct Site {
    files: SimpleHandler,
    blob: Blob,
}

impl RequestHandler for Site {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        if let Some(mut x) = x.strip_prefix("/mounted") {
            return x.delegate_to(&handler_fn(responses));
        }
        if let Some(mut x) = x.strip_prefix("/nested") {
            return x.delegate_to(&handler_fn(|_, x| x.delegate_to(&handler_fn(responses))));
        }
        if let Some(mut x) = x.strip_prefix("/files") {
            return x.delegate_to(&self.files);
        }
        match x.path {
            "/blob" => x.send_blob(&self.blob),
            _ => responses(self, x),
        }
    }

    fn handle_expect_100(&self, x: &mut Exchange<'_>) -> Result<bool> {
        x.send_error(Status::EXPECTATION_FAILED)?;
        Ok(false)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

fn responses(_: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
    match x.path {
        "/content" => x.send_content(Status::OK, "text/plain", "hello"),
        "/steps" => {
            x.send_response(Status::OK);
            x.end_headers()?;
            Ok(x.wfile.write_all(b"steps")?)
        }
        "/streamed" => {
            x.send_response(Status::OK);
            x.end_headers()?;
            x.wfile.write_all(b"one")?;
            x.wfile.flush()?;
            Ok(x.wfile.write_all(b"two")?)
        }
        "/events" => events::begin(x).map(drop),
        "/deferred" => {
            let deferred = x.defer()?;
            deferred.answer(|_, x| x.send_content(Status::OK, "text/plain", "late"));
            Ok(())
        }
        "/redirect" => x.send_redirect(Status::FOUND, "/"),
        "/error" => x.send_error(Status::GONE),
        "/returned" => Err(Status::CONFLICT.into()),
        "/panic" => panic!("on purpose"),
        "/nothing" => Ok(()),
        "/after" => {
            x.send_content(Status::OK, "text/plain", "dropped")?;
            Err(Status::CONFLICT.into())
        }
        _ => base::do_method(x.handler(), x),
    }
}

const PATHS: [(&str, u16); 12] = [
    ("/content", 200),
    ("/steps", 200),
    ("/streamed", 200),
    ("/events", 200),
    ("/deferred", 200),
    ("/redirect", 302),
    ("/error", 410),
    ("/returned", 409),
    ("/panic", 500),
    ("/nothing", 500),
    ("/after", 409),
    ("/unknown", 501),
];

#[test]
fn end_headers_of_a_layer_is_called_for_every_response() {
    let root = WebRoot::new();
    root.file("a.txt", "a").dir("dir");
    let site = Site {
        files: SimpleHandler::new(root.path()),
        blob: Blob::from_static("text/plain", b"blob"),
    };
    let server = ThreadingHttpServer::bind("127.0.0.1:0", Secure(site)).unwrap();
    let server = server.spawn().unwrap();
    let mut requests: Vec<(String, u16)> = [
        ("GET /blob HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        ("GET /files/a.txt HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        (
            "GET /files/a.txt HTTP/1.1\r\nHost: h\r\nIf-None-Match: *\r\n\r\n",
            304,
        ),
        ("GET /files/ HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        ("GET /files/dir HTTP/1.1\r\nHost: h\r\n\r\n", 301),
        ("GET /files/none HTTP/1.1\r\nHost: h\r\n\r\n", 404),
        ("POST /files/a.txt HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
            417,
        ),
        // Requests that the server rejects before any handler is called.
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\n\r\n", 505),
    ]
    .map(|(request, status)| (request.to_owned(), status))
    .into();
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(70_000));
    requests.push((long, 414));
    for mount in ["", "/mounted", "/nested"] {
        requests.extend(PATHS.map(|(path, status)| (get(&format!("{mount}{path}")), status)));
    }
    for (request, status) in requests {
        let line = request.lines().next().unwrap();
        let line = line.get(..50).unwrap_or(line);
        let mut client = Client::new(server.addr());
        let head = client.send(&request).take_through("\r\n\r\n");
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {head}"
        );
        let count = head
            .matches("\r\nX-Content-Type-Options: nosniff\r\n")
            .count();
        assert_eq!(count, 1, "{line}: {head}");
    }
}
