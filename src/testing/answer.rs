//! [`Answer`]: a response as a value, well-behaved or not.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::script::{Act, Script};
use super::tap::fixture_of;
use crate::base::{self, RequestHandler};
use crate::exchange::Exchange;
use crate::http1::is_token;
use crate::{Error, Result, Status};

mod possible;

mod wire;

/// An empty answer with this status (100 to 999): the start of an [`Answer`].
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
        keep_open: false,
    }
}

/// An answer as a value, for a [`Stub`](super::Stub), for [`play`](Self::play) in a handler, or as a
/// handler itself.
///
/// As long as nothing is wrong with it, it is sent as any handler would send it: the connection is kept,
/// HEAD gets no body. What misbehaves is sent byte for byte instead: the status line, the fields as
/// they stand, `Content-Length` if there is a body without framing of its own, `Connection: close`
/// unless there is a field `Connection`, and the body; and the connection ends behind it. (To HEAD there is
/// no body, so what happens in the body happens behind the head.)
///
/// What can't happen as the answer says is refused: where a [`Stub`](super::Stub) gets the answer if that
/// can be known there, and else when it is to be sent, which fails the test. Examples are a
/// [`close`](super::close()) beyond the end of the body or of the head, broken chunks of an empty body, a
/// body with a status that has none (1xx, 204, 205, 304), and a status that is none. Where such bytes are
/// wanted, [`raw`](super::raw) sends them.
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
    acts: Vec<(At, Act)>,
    drip: Option<(usize, Duration)>,
    keep_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Body {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// Where something happens, in the order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Head(usize),
    Body(usize),
}

/// What is wrong with the chunks of a body; see [`Answer::chunk_fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChunkFault {
    /// The first size is `zz`, no number.
    BadSize,
    /// The last chunk says that it has ten bytes more than come.
    Unfinished,
    /// The first chunk says that it has a byte less than come.
    Oversized,
    /// The last chunk, that of size 0, is missing.
    NoEnd,
}

impl Answer {
    /// With this reason phrase.
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// With this text in place of the status line, whatever it is, and whatever the status is.
    pub fn status_line(mut self, line: &str) -> Self {
        self.status_line = Some(line.into());
        self
    }

    /// With this field. Framing fields, fields twice, and names or values that HTTP does not allow are
    /// sent as they stand.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With this body, in place of any other and of a [`file`](Self::file).
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Body::Bytes(body.as_ref().to_vec());
        self
    }

    /// With the bytes of this file, as it is when the request comes, in place of any
    /// [`body`](Self::body).
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.body = Body::File(path.as_ref().to_path_buf());
        self
    }

    /// Says this length, too long or too short; the body stays as it is, and the connection ends behind
    /// it.
    pub fn content_length(mut self, length: u64) -> Self {
        self.content_length = Some(length);
        self
    }

    /// In chunks of this many bytes.
    pub fn chunked(mut self, size: usize) -> Self {
        self.chunk = Some(size.max(1));
        self
    }

    /// In chunks with this fault; in one chunk, if [`chunked`](Self::chunked) says nothing else. Only
    /// the end can be missing of an empty body.
    pub fn chunk_fault(mut self, fault: ChunkFault) -> Self {
        self.chunk_fault = Some(fault);
        self
    }

    /// After so many interim responses with this status (100 to 199).
    pub fn interim(mut self, code: u16, times: usize) -> Self {
        self.interim.push((code, times));
        self
    }

    /// When `byte` bytes of the body have been sent, this happens: [`close`](super::close()),
    /// [`reset`](super::reset()), [`hang`](super::hang()), [`pause`](super::pause()) or
    /// [`gate`](super::gate()). At 0 it happens between head and body. Chunk sizes don't count.
    pub fn at(mut self, byte: usize, act: Act) -> Self {
        self.acts.push((At::Body(byte), act));
        self
    }

    /// When `byte` bytes of the head have been sent, this happens; at 0, before the head. Interim
    /// responses don't count.
    pub fn at_head(mut self, byte: usize, act: Act) -> Self {
        self.acts.push((At::Head(byte), act));
        self
    }

    /// Sends `bytes` bytes at a time, head and body, with a pause of `every` between two of them.
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        self.drip = Some((bytes, every));
        self
    }

    /// Keeps the connection open behind the answer, against its `Connection: close`, until the client
    /// leaves.
    pub fn keep_open(mut self) -> Self {
        self.keep_open = true;
        self
    }

    /// Sends it in a handler, in place of a response.
    ///
    /// # Errors
    /// Those of writing, of reading the file, and of waiting at a gate. Where it can't happen as it says, and
    /// where there is a response already: these fail the test, too.
    pub fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        let has_head = x.channel().out.borrow().has_head();
        if has_head {
            let why = "there is a response already, and a request gets only one";
            return Err(problem(x, why));
        }
        let body = self.load(x)?;
        if let Some(why) = self.impossible(body.len()) {
            return Err(problem(x, &why));
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

    /// Whether it can be sent within HTTP.
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

    /// Sends it as any handler does.
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

/// An answer that can't be given is a fault of the test.
pub(super) fn problem(x: &Exchange<'_>, why: &str) -> Error {
    let text = format!("the answer to `{}`: {why}", x.requestline);
    if let Some(shared) = fixture_of(x) {
        shared.problem(text.clone());
    }
    Error::other(text)
}

/// The hooks of nobody in particular.
struct Plain;

impl RequestHandler for Plain {
    fn protocol_version(&self) -> &str {
        "HTTP/1.1"
    }
}

macro_rules! handlers {
    ($($kind:ty: $play:ident),*) => {$(
        /// The same answer to every request, when its body was read.
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

handlers!(Answer: play, Script: play, Act: answer);

#[cfg(test)]
mod tests;
