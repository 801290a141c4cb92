//! The two handlers, and what they remember.

use std::fmt;
use std::io::{BufRead, Read, Write};
use std::sync::Mutex;

use servette::{Exchange, Layer, RequestHandler, Result, SimpleHandler, Status, simple};

/// What a handler was given, and what it logged. It is looked at afterwards: a failure inside of a hook
/// would be answered with 500.
#[derive(Default)]
pub(super) struct Record {
    seen: Mutex<Vec<(String, String)>>,
    logged: Mutex<Vec<String>>,
}

impl Record {
    /// Methods and paths.
    pub(super) fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }

    /// Messages.
    pub(super) fn logged(&self) -> Vec<String> {
        self.logged.lock().unwrap().clone()
    }

    fn see(&self, x: &Exchange<'_>) {
        let seen = (x.command.to_owned(), x.path.to_owned());
        self.seen.lock().unwrap().push(seen);
    }

    fn log(&self, message: fmt::Arguments<'_>) {
        self.logged.lock().unwrap().push(message.to_string());
    }
}

/// How [`Echo`] answers a request for this path; the last byte decides.
pub(super) fn mode(path: &str) -> u8 {
    path.bytes().next_back().unwrap_or(0) & 7
}

/// Answers with the body of the request, framed in one of the ways that there are.
pub(super) struct Echo(pub(super) &'static str, pub(super) Record);

impl RequestHandler for Echo {
    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.1.see(x);
        match mode(x.path) {
            4 => {
                self.begin(x, None)?;
                std::io::copy(&mut x.rfile, &mut x.wfile)?;
            }
            5 => {
                self.begin(x, None)?;
                self.stream(x)?;
            }
            7 => {
                let deferred = x.defer()?;
                deferred.answer(|h, x| {
                    let mut body = Vec::new();
                    x.rfile.read_to_end(&mut body)?;
                    h.send_response(x, Status::OK);
                    h.end_headers(x)?;
                    Ok(x.wfile.write_all(&body)?)
                });
            }
            mode => {
                let mut body = Vec::new();
                x.rfile.read_to_end(&mut body)?;
                self.answer(x, mode, &body)?;
            }
        }
        Ok(())
    }

    fn protocol_version(&self) -> &str {
        self.0
    }

    fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.1.log(message);
    }
}

impl Echo {
    fn begin(&self, x: &mut Exchange<'_>, framing: Option<(&str, &str)>) -> Result<()> {
        self.send_response(x, Status::OK);
        if let Some((name, value)) = framing {
            self.send_header(x, name, value);
        }
        self.end_headers(x)
    }

    fn answer(&self, x: &mut Exchange<'_>, mode: u8, body: &[u8]) -> Result<()> {
        let length = body.len().to_string();
        self.begin(
            x,
            match mode {
                0 => Some(("Content-Length", &length)),
                3 => Some(("Transfer-Encoding", "chunked")),
                _ => None,
            },
        )?;
        if mode == 6 {
            let stream = x.wfile.start_stream()?;
            for part in body.chunks(7) {
                // A response to HEAD has no body.
                assert!(stream.send(part).is_ok() || stream.is_closed());
            }
            return Ok(());
        }
        for part in body.chunks(7) {
            x.wfile.write_all(part)?;
            if mode == 2 {
                x.wfile.flush()?;
            }
        }
        Ok(())
    }

    /// Sends each part as soon as it is there.
    fn stream(&self, x: &mut Exchange<'_>) -> Result<()> {
        loop {
            let part = x.rfile.fill_buf()?;
            if part.is_empty() {
                return Ok(());
            }
            let length = part.len();
            x.wfile.write_all(part)?;
            x.rfile.consume(length);
            x.wfile.flush()?;
        }
    }
}

/// Serves files.
pub(super) struct Files(pub(super) SimpleHandler, pub(super) Record);

impl Layer for Files {
    fn inner(&self) -> &dyn RequestHandler {
        &self.0
    }

    fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
        self.1.see(x);
        simple::do_method(self, x)
    }

    fn log_message(&self, _: &Exchange<'_>, message: fmt::Arguments<'_>) {
        self.1.log(message);
    }
}
