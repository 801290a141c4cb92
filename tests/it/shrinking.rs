//! A file that becomes shorter while it is sent.

use std::fs;
use std::io::{Read, Write};

use servette::testing::TestServer;
use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, respond, simple};

use crate::webroot::{Answer, WebRoot, connect};

/// Cuts each file before it is sent, as somebody might who has it open.
pub(crate) struct Cutter(pub(crate) SimpleHandler, pub(crate) u64);

impl Layer for Cutter {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn copyfile(&self, x: &mut Exchange<'_>, source: simple::Content) -> Result<()> {
        let path = self.translate_path(x.path);
        fs::File::options()
            .write(true)
            .open(path)?
            .set_len(self.1)?;
        simple::copyfile(self, x, source)
    }

    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }

    fn log_message(&self, _: &Exchange<'_>, _: std::fmt::Arguments<'_>) {}
}

const TWICE: &str = "GET /f HTTP/1.1\r\nHost: h\r\n\r\nGET /f HTTP/1.1\r\nHost: h\r\n\r\n";

#[test]
fn a_file_that_shrinks_ends_with_an_early_close() {
    let root = WebRoot::new();
    root.file("f", vec![b'x'; 1 << 20]);
    let cutter = || Cutter(SimpleHandler::new(root.path()), 500_000);
    let in_memory = Answer::parse(&respond(&cutter(), TWICE));
    root.file("f", vec![b'x'; 1 << 20]);
    let server = TestServer::start(cutter());
    let mut client = connect(server.addr());
    client.write_all(TWICE.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // a reset is as good as an end
    let _ = client.read_to_end(&mut bytes);
    for answer in [in_memory, Answer::parse(&bytes)] {
        assert_eq!(answer.field("Content-Length"), Some("1048576"));
        assert!(answer.body.iter().all(|&byte| byte == b'x'));
        assert!(answer.body.len() <= 500_000, "{}", answer.body.len());
    }
}

#[test]
fn a_small_file_that_shrinks_is_an_error() {
    let root = WebRoot::new();
    root.file("f", "hello");
    let cutter = Cutter(SimpleHandler::new(root.path()), 2);
    let answer = Answer::parse(&respond(&cutter, TWICE));
    assert_eq!(answer.status(), 500);
    assert_eq!(
        answer.field("Content-Length"),
        Some(&*answer.body.len().to_string())
    );
}
