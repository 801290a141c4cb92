//! [`Streamed`]: an answer that comes in parts, within HTTP.

use std::io::Write as _;

use super::answer::Plain;
use super::script::Action;
use crate::base;
use crate::exchange::Exchange;
use crate::{Result, Status};

/// An answer with status 200 and this media type whose body is sent in parts: the start of a [`Streamed`].
pub fn stream(content_type: &str) -> Streamed {
    Streamed {
        headers: vec![("Content-Type".into(), content_type.into())],
        steps: Vec::new(),
    }
}

/// An answer whose body is sent in parts, with a [`gate`](super::gate()) or a [`pause`](super::pause()) between
/// them, such as an event stream. Each part is a chunk of its own, and the connection is kept behind the last one,
/// unless a [`close`](super::close()), [`reset`](super::reset()) or [`hang`](super::hang()) ends it.
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
    /// Adds a field.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends these bytes next, at once.
    pub fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.push(Step::Part(bytes.as_ref().to_vec()));
        self
    }

    /// Does this next.
    pub fn then(mut self, act: Action) -> Self {
        self.steps.push(Step::Action(act));
        self
    }

    /// Sends it in a handler, in place of a response.
    ///
    /// # Errors
    /// If writing fails, or nobody opens a gate.
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

    /// Why it can't happen as it says.
    pub(super) fn impossible(&self) -> Option<String> {
        let ends = |step: &Step| matches!(step, Step::Action(act) if act.is_end());
        let end = self.steps.iter().position(ends)?;
        match self.steps.get(end..)? {
            [Step::Action(act), _, ..] => Some(format!("nothing can follow its {act}")),
            _ => None,
        }
    }
}
