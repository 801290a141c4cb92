//! [`Streamed`]: an answer whose body is sent in parts.

use std::io::Write as _;

use super::answer::Plain;
use super::script::Action;
use crate::base;
use crate::exchange::Exchange;
use crate::{Result, Status};

/// Starts a [`Streamed`] answer with status 200 and this `Content-Type`.
pub fn stream(content_type: &str) -> Streamed {
    Streamed {
        headers: vec![("Content-Type".into(), content_type.into())],
        steps: Vec::new(),
    }
}

/// An answer whose body is sent in parts (streaming, server-sent events): made by [`stream`].
///
/// Each part is sent at once, as one chunk. A [`gate`](super::gate()) or a [`pause`](super::pause()) can stand
/// between two parts. The connection is kept alive after the last part, unless the answer ends with
/// [`close`](super::close()), [`reset`](super::reset()) or [`hang`](super::hang()).
///
/// ```
/// use servette::events::Event;
/// use servette::testing::{TestServer, Stubs, get, gate, stream};
/// use std::io::{BufRead, BufReader, Write};
///
/// let events = stream("text/event-stream")
///     .send(Event::new("one").to_string())
///     .then(gate("more"))
///     .send(Event::new("two").to_string());
/// let server = TestServer::start(Stubs::new().on(get("/").answer(events)));
///
/// let mut client = std::net::TcpStream::connect(server.addr())?;
/// client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
/// let mut lines = BufReader::new(client).lines().map(|line| line.unwrap());
/// assert!(lines.any(|line| line == "data: one"));
/// server.gate("more").open();
/// assert!(lines.any(|line| line == "data: two"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an answer is a value: give it to a stub, or play it"]
pub struct Streamed {
    headers: Vec<(String, String)>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Part(Vec<u8>),
    Action(Action),
}

impl Streamed {
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends these bytes next, at once.
    pub fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Part(bytes.as_ref().to_vec()));
        self
    }

    /// Performs this action next.
    pub fn then(mut self, act: Action) -> Self {
        self.steps.push(Step::Action(act));
        self
    }

    /// Sends the answer from a handler, as its response.
    ///
    /// # Errors
    /// If writing fails, or a gate is not opened in time.
    pub fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        let h = &Plain;
        base::send_response_only(h, x, Status::OK);
        for (name, value) in &self.headers {
            base::send_header(h, x, name, value);
        }
        base::end_headers(h, x)?;
        x.wfile.flush()?;
        for step in &self.steps {
            match step {
                Step::Part(bytes) => {
                    x.wfile.write_all(bytes)?;
                    x.wfile.flush()?;
                }
                Step::Action(act) => {
                    act.play(x)?;
                    if act.is_end() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// The reason why the answer can't be sent.
    pub(super) fn impossible(&self) -> Option<String> {
        let ends = |step: &Step| matches!(step, Step::Action(act) if act.is_end());
        let end = self.steps.iter().position(ends)?;
        match self.steps.get(end..)? {
            [Step::Action(act), _, ..] => Some(format!("nothing can follow its {act}")),
            _ => None,
        }
    }
}
