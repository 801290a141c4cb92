//! [`Answer`]: a canned response, well-formed or broken.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use self::wire::latin1;
use super::script::{Action, Script, pause};
use super::streamed::Streamed;
use super::tap::fixture_of;
use crate::base::{self, RequestHandler};
use crate::exchange::Exchange;
use crate::http1::is_token;
use crate::{Error, Result, Status};

mod possible;

mod wire;

/// Starts an [`Answer`] with this status (100 to 999), no headers and no body.
pub fn status(code: u16) -> Answer {
    Answer {
        status: code,
        reason: None,
        status_line: None,
        headers: Vec::new(),
        body: Body::Bytes(Vec::new()),
        content_length: None,
        chunk: None,
        chunk_fault: None,
        interim: Vec::new(),
        acts: Vec::new(),
        drip: None,
        delay: Duration::ZERO,
        keep_open: false,
    }
}

/// A canned response, well-formed or broken: made by [`status`].
///
/// Give it to a [`Stub`](super::Stub), send it from a handler with [`play`](Self::play), or use it as a handler
/// that answers every request.
///
/// A well-formed answer is sent like the response of any handler: the connection is kept alive, and a HEAD
/// request gets no body.
///
/// An answer with a fault is sent byte for byte, and then the connection is closed. The server adds
/// `Content-Length` if the status allows a body and the answer has no other framing. It adds
/// `Connection: close` unless the answer has a header `Connection`. A HEAD request gets no body; a fault within
/// the body then happens after the head.
///
/// Some answers can't be sent: a [`close`](super::close()) after the end of the body, a chunk fault with an
/// empty body, a body with a status that has none (1xx, 204, 205, 304), a status outside 100 to 999. The
/// [`Stub`](super::Stub) that gets such an answer panics. If only the request shows it, because the body is a
/// [`file`](Self::file) or the byte is in the [head](Self::at_head), the test fails then. [`raw`](super::raw)
/// sends any bytes.
///
/// ```
/// use servette::testing::{TestServer, reset, status};
/// use std::io::{Read, Write};
///
/// let server = TestServer::start(status(200).body("hello, world").at(5, reset()));
///
/// let mut client = std::net::TcpStream::connect(server.addr())?;
/// client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
/// let mut got = Vec::new();
/// let error = client.read_to_end(&mut got).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
/// assert!(got.ends_with(b"\r\n\r\nhello"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an answer is a value: give it to a stub, or play it"]
pub struct Answer {
    status: u16,
    reason: Option<String>,
    status_line: Option<String>,
    headers: Vec<(String, String)>,
    body: Body,
    content_length: Option<u64>,
    chunk: Option<usize>,
    chunk_fault: Option<ChunkFault>,
    interim: Vec<(u16, usize)>,
    acts: Vec<(At, Action)>,
    drip: Option<(usize, Duration)>,
    delay: Duration,
    keep_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// A position in an answer, in the order of the bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Head(usize),
    Body(usize),
}

/// A fault in the chunked encoding of a body: see [`Answer::chunk_fault`].
///
/// ```
/// use servette::testing::{ChunkFault, TestServer, status};
///
/// let broken = status(200).body("hello").chunk_fault(ChunkFault::BadSize);
/// let server = TestServer::start(broken);
/// let mut response = ureq::get(server.url("/")).call().unwrap();
/// assert!(response.body_mut().read_to_string().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkFault {
    /// The size of the first chunk is `zz`, which is not a number.
    BadSize,
    /// The last chunk announces ten bytes more than are sent.
    Unfinished,
    /// The first chunk announces one byte less than is sent.
    Oversized,
    /// The final chunk, of size 0, is missing.
    NoEnd,
}

impl Answer {
    /// Sets the reason phrase. Default: the standard phrase of the status.
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Replaces the whole status line by this text, valid or not.
    pub fn status_line(mut self, line: &str) -> Self {
        self.status_line = Some(line.into());
        self
    }

    /// Adds a header. Framing headers, repeated headers, and names or values that HTTP does not allow are sent
    /// as given.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body. It replaces an earlier body or [`file`](Self::file).
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Body::Bytes(body.as_ref().to_vec());
        self
    }

    /// Sets the body to this value as JSON. Adds `Content-Type: application/json` unless the answer already has
    /// a `Content-Type`. (Feature `json`.)
    ///
    /// # Panics
    /// If the value can't be serialized as JSON, such as a map whose keys are not strings.
    #[cfg(feature = "json")]
    #[track_caller]
    pub fn json(mut self, body: impl serde::Serialize) -> Self {
        let is_type = |(name, _): &(String, String)| name.eq_ignore_ascii_case("Content-Type");
        if !self.headers.iter().any(is_type) {
            self = self.header("Content-Type", "application/json");
        }
        self.body(super::json::written(body))
    }

    /// Sets the body to the contents of this file, which is read at each request. It replaces an earlier
    /// [`body`](Self::body). If the file can't be read, the test fails.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.body = Body::File(path.as_ref().to_path_buf());
        self
    }

    /// Sends this `Content-Length`, which may differ from the size of the body. The body is not changed, and the
    /// connection is closed after it.
    pub fn content_length(mut self, length: u64) -> Self {
        self.content_length = Some(length);
        self
    }

    /// Sends the body with chunked encoding, in chunks of `size` bytes (at least 1).
    pub fn chunked(mut self, size: usize) -> Self {
        self.chunk = Some(size.max(1));
        self
    }

    /// Sends the body with chunked encoding that has this fault. The body is one chunk, unless
    /// [`chunked`](Self::chunked) sets a size. With an empty body only [`ChunkFault::NoEnd`] is possible.
    pub fn chunk_fault(mut self, fault: ChunkFault) -> Self {
        self.chunk_fault = Some(fault);
        self
    }

    /// Sends `times` interim responses with this status (100 to 199) before the answer.
    pub fn interim(mut self, code: u16, times: usize) -> Self {
        self.interim.push((code, times));
        self
    }

    /// Performs an action after `byte` bytes of the body: [`close`](super::close()), [`reset`](super::reset()),
    /// [`hang`](super::hang()), [`pause`](super::pause()) or [`gate`](super::gate()). At 0 it happens between
    /// head and body. With chunked encoding only the content is counted, not the chunk sizes.
    pub fn at(mut self, byte: usize, act: Action) -> Self {
        self.acts.push((At::Body(byte), act));
        self
    }

    /// Performs an action after `byte` bytes of the head; at 0, before the head. Interim responses are not
    /// counted.
    pub fn at_head(mut self, byte: usize, act: Action) -> Self {
        self.acts.push((At::Head(byte), act));
        self
    }

    /// Sends head and body `bytes` bytes at a time, with a pause of `every` between two writes: a slow server.
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        self.drip = Some((bytes, every));
        self
    }

    /// Delays the answer by this time: a slow server, for tests of timeouts. The connection is kept alive.
    /// Default: no delay.
    ///
    /// To stall within the answer, use [`at`](Self::at) with [`pause`](super::pause()), or
    /// [`drip`](Self::drip). To respond when the test says so, use `.at_head(0, gate("name"))`: see
    /// [`gate`](super::gate()).
    ///
    /// ```
    /// use servette::testing::{TestServer, status};
    /// use std::time::Duration;
    ///
    /// let server = TestServer::start(status(200).delay(Duration::from_secs(60)));
    /// let request = ureq::get(server.url("/")).config().timeout_global(Some(Duration::from_millis(50)));
    /// assert!(matches!(request.build().call(), Err(ureq::Error::Timeout(_))));
    /// ```
    pub fn delay(mut self, time: Duration) -> Self {
        self.delay = time;
        self
    }

    /// Keeps the connection open after the answer until the client closes it, although the answer has the header
    /// `Connection: close`: a server that announces the close, and does not close.
    pub fn keep_open(mut self) -> Self {
        self.keep_open = true;
        self
    }

    /// Sends the answer from a handler, as its response.
    ///
    /// # Errors
    /// If writing fails. Also if the file can't be read, a gate is not opened in time, the answer can't be sent, or
    /// the request already has a response: in these cases the test fails, too.
    pub fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        let has_head = x.channel().out.borrow().has_head();
        if has_head {
            let why = "this request has a response already";
            return Err(problem(x, why));
        }
        let body = self.load(x)?;
        if let Some(why) = self.impossible(body.len()) {
            return Err(problem(x, &why));
        }
        if !self.delay.is_zero() {
            pause(self.delay).play(x)?;
        }
        if self.is_proper() {
            return self.send(x, &body);
        }
        match self.wire(x, &body) {
            Ok(wire) => wire.steps().play(x),
            Err(why) => Err(problem(x, &why)),
        }
    }

    fn load(&self, x: &Exchange<'_>) -> Result<Cow<'_, [u8]>> {
        match &self.body {
            Body::Bytes(bytes) => Ok(bytes.into()),
            Body::File(path) => {
                let read = std::fs::read(path).map(Cow::from);
                read.map_err(|error| {
                    let path = path.display();
                    problem(x, &format!("can't read the file {path}: {error}"))
                })
            }
        }
    }

    /// Whether the answer is well-formed HTTP.
    fn is_proper(&self) -> bool {
        let is_clean = |text: &str| !text.chars().any(|c| c.is_control() || c > '\u{ff}');
        let is_plain = |(name, value): &(String, String)| {
            let frames = ["Content-Length", "Transfer-Encoding", "Connection"];
            let is_framing = frames.iter().any(|own| own.eq_ignore_ascii_case(name));
            is_token(name.as_bytes()) && is_clean(value) && value.trim() == value && !is_framing
        };
        self.status_line.is_none()
            && self.acts.is_empty()
            && self.drip.is_none()
            && self.content_length.is_none()
            && self.chunk_fault.is_none()
            && !self.keep_open
            && (200..=599).contains(&self.status)
            && self.reason.as_deref().is_none_or(is_clean)
            && self.headers.iter().all(is_plain)
            && self
                .interim
                .iter()
                .all(|(code, _)| (102..=199).contains(code))
    }

    /// Sends a well-formed answer, as any handler does.
    fn send(&self, x: &mut Exchange<'_>, body: &[u8]) -> Result<()> {
        let h = &Plain;
        for &(code, times) in &self.interim {
            for _ in 0..times {
                base::send_response_only(h, x, Status::new(code));
                base::end_headers(h, x)?;
            }
        }
        let mut status = Status::new(self.status);
        if let Some(reason) = &self.reason {
            status = status.with_message(reason);
        }
        base::send_response_only(h, x, status);
        for (name, value) in &self.headers {
            base::send_header(h, x, name, value);
        }
        if self.chunk.is_some() {
            base::send_header(h, x, "Transfer-Encoding", "chunked");
        } else if status.has_content() {
            base::send_header(h, x, "Content-Length", &body.len().to_string());
        }
        base::end_headers(h, x)?;
        match self.chunk {
            None => x.wfile.write_all(body)?,
            Some(size) => {
                for chunk in body.chunks(size) {
                    x.wfile.write_all(chunk)?;
                    x.wfile.flush()?;
                }
            }
        }
        Ok(())
    }
}

/// Makes the test fail because of an answer that can't be sent.
pub(super) fn problem(x: &Exchange<'_>, why: &str) -> Error {
    let text = format!("the answer to `{}`: {why}", x.requestline);
    if let Some(shared) = fixture_of(x) {
        shared.problem(text.clone());
    }
    Error::other(text)
}

/// A handler without overrides, for its hooks.
pub(super) struct Plain;

impl RequestHandler for Plain {
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

macro_rules! handlers {
    ($($kind:ty: $play:ident),*) => {$(
        /// Reads the body of every request, and sends this answer.
        impl RequestHandler for $kind {
            fn do_method(&self, x: &mut Exchange<'_>) -> Result<()> {
                x.rfile.discard()?;
                self.$play(x)
            }

            fn protocol_version(&self) -> &str {
                "HTTP/1.1"
            }
        }
    )*};
}

handlers!(Answer: play, Script: play, Action: answer, Streamed: play);

#[cfg(test)]
mod tests;
