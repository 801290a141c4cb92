//! [`Script`]: a sequence of bytes and [`Action`]s that is sent outside of HTTP.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use super::answer::problem;
use super::delivery;
use super::gates::Waited;
use super::recording::Recording;
use super::tap::fixture_of;
use crate::connection::raw::RawStream;
use crate::error::Fault;
use crate::exchange::Exchange;
use crate::{Error, Result};

/// Time that a client may accept no bytes before a reset comes early.
const RESET_PATIENCE: Duration = Duration::from_secs(1);

/// An action on the connection: made by [`close`], [`reset`], [`hang`], [`pause`] and [`gate()`].
///
/// An action can be the whole answer of a stub; then the connection is closed after it. It can also happen at a
/// byte of an [`Answer`](super::Answer), or between the parts of a [`Script`] or of a
/// [`Streamed`](super::Streamed) answer. Any handler can [`play`](Self::play) it.
///
/// ```
/// use servette::testing::{Stubs, TestServer, close, get, hang, reset};
///
/// let server = TestServer::start(
///     Stubs::new().on(get("/").answer(reset()).then(close()).then(hang())),
/// );
/// assert!(ureq::get(server.url("/")).call().is_err()); // connection reset
/// assert!(ureq::get(server.url("/")).call().is_err()); // connection closed
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Close,
    Reset,
    Hang,
    Pause(Duration),
    Gate(String),
}

/// Closes the connection (FIN): the client sees the end of the stream. (The header `Connection: close` does
/// something else: it announces that the connection is closed after the response.)
pub fn close() -> Action {
    Action(Kind::Close)
}

/// Resets the connection (RST) when the client's system has acknowledged all bytes before it. If the client
/// accepts no bytes for one second, or the server is dropped, the reset comes earlier, and
/// [`TestServer::notes`] says how many bytes were missing. (Only Linux reports acknowledged bytes.)
///
/// [`TestServer::notes`]: super::TestServer::notes
pub fn reset() -> Action {
    Action(Kind::Reset)
}

/// Sends nothing more, and keeps the connection open until the client closes it or the server is dropped: for
/// tests of timeouts.
pub fn hang() -> Action {
    Action(Kind::Hang)
}

/// Sends nothing for this time. ([`Answer::delay`](super::Answer::delay) delays a whole answer.)
pub fn pause(time: Duration) -> Action {
    Action(Kind::Pause(time))
}

/// Sends nothing until the test opens this gate with `server.gate(name).open()`: see [`Gate`](super::Gate).
pub fn gate(name: &str) -> Action {
    Action(Kind::Gate(name.into()))
}

impl Action {
    /// Performs the action from a handler. Bytes written before are sent first, if the head is complete.
    ///
    /// After [`pause`] and [`gate()`] the handler continues its response. [`close`], [`reset`] and [`hang`] end
    /// the exchange, and the handler should return: further bytes are not sent, and writing them is an error
    /// that only the [log](super::TestServer::log) shows.
    ///
    /// # Errors
    /// If writing fails, the server is stopped, or a gate is not opened in time. The handler should return the
    /// error unchanged.
    pub fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        match &self.0 {
            Kind::Pause(_) | Kind::Gate(_) => {
                if x.channel().out.borrow().has_head() {
                    x.wfile.flush()?;
                }
                let asker = x.requestline.to_owned();
                self.wait(fixture_of(x).as_deref(), &asker)
            }
            _ => self.answer(x),
        }
    }

    /// Whether nothing can follow this action.
    pub(super) fn is_end(&self) -> bool {
        matches!(self.0, Kind::Close | Kind::Reset | Kind::Hang)
    }

    /// Performs the action as the whole answer.
    pub(super) fn answer(&self, x: &mut Exchange<'_>) -> Result<()> {
        Script::from(self.clone()).play(x)
    }

    fn wait(&self, shared: Option<&Recording>, asker: &str) -> Result<()> {
        let (waited, what) = match (&self.0, shared) {
            (Kind::Pause(time), Some(shared)) => (shared.gates.pause(*time), ""),
            (Kind::Gate(name), Some(shared)) => {
                (shared.gates.pass(name, shared.gate_deadline), &**name)
            }
            (Kind::Gate(name), None) => {
                let text = format!("gate {name:?}: only a TestServer has gates");
                return Err(Error::other(text));
            }
            // In memory, time does not pass.
            _ => return Ok(()),
        };
        match (waited, shared) {
            (Waited::GoOn, _) => Ok(()),
            (Waited::TooLong, Some(shared)) => {
                let deadline = shared.gate_deadline;
                let text = shared.gates.why_closed(what, deadline, asker);
                shared.problem(text.clone());
                Err(Error::other(text))
            }
            _ => Err(io::Error::from(Fault::Stopped).into()),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Close => f.write_str("close"),
            Kind::Reset => f.write_str("reset"),
            Kind::Hang => f.write_str("hang"),
            Kind::Pause(time) => write!(f, "pause of {time:?}"),
            Kind::Gate(name) => write!(f, "gate {name:?}"),
        }
    }
}

/// A sequence of bytes and actions that is sent exactly as given, instead of a response: made by [`raw`].
///
/// ```
/// use servette::testing::{TestServer, Stubs, get, raw, gate};
/// use std::io::{Read, Write};
///
/// let greeting = raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").then(gate("go")).raw("hi");
/// let server = TestServer::start(Stubs::new().on(get("/").answer(greeting)));
///
/// let mut client = std::net::TcpStream::connect(server.addr())?;
/// client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
/// let mut head = [0; 38];
/// client.read_exact(&mut head)?; // The body waits at the gate.
/// server.gate("go").open();
/// let mut rest = String::new();
/// client.read_to_string(&mut rest)?;
/// assert_eq!(rest, "hi");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    steps: Steps<'static>,
}

/// Starts a [`Script`] that sends these bytes instead of a response. Nothing is added to them: no headers, no
/// chunks. The connection is closed after the script, unless its last action is [`hang`].
pub fn raw(bytes: impl AsRef<[u8]>) -> Script {
    Script::default().raw(bytes)
}

impl From<Action> for Script {
    fn from(act: Action) -> Self {
        Script::default().then(act)
    }
}

impl Script {
    /// Sends these bytes next.
    pub fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.steps.bytes(bytes.as_ref().to_vec());
        self
    }

    /// Performs this action next.
    pub fn then(mut self, act: Action) -> Self {
        self.steps.act(act);
        self
    }

    /// Sends the following bytes `bytes` bytes at a time, with a pause of `every` between two writes. 0 ends
    /// the drip.
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        self.steps.drip(bytes, every);
        self
    }

    /// Sends the script from a handler, instead of a response. The connection is closed after the exchange.
    ///
    /// # Errors
    /// If writing fails, a gate is not opened in time, or the script continues after a [`close`], [`reset`] or
    /// [`hang`].
    pub fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        match self.impossible() {
            Some(why) => Err(problem(x, &why)),
            None => self.steps.play(x),
        }
    }

    /// The reason why the script can't be sent.
    pub(super) fn impossible(&self) -> Option<String> {
        let Steps(steps) = &self.steps;
        let ends = |step: &Step<'_>| matches!(step, Step::Action(act) if act.is_end());
        let end = steps.iter().position(ends)?;
        match steps.get(end..)? {
            [Step::Action(act), _, ..] => Some(format!("nothing can follow its {act}")),
            _ => None,
        }
    }
}

/// The steps of a [`Script`]; bytes may be borrowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps<'a>(Vec<Step<'a>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step<'a> {
    Bytes(Cow<'a, [u8]>),
    Drip(usize, Duration),
    Action(Action),
}

impl<'a> Steps<'a> {
    pub(super) fn bytes(&mut self, bytes: impl Into<Cow<'a, [u8]>>) {
        self.0.push(Step::Bytes(bytes.into()));
    }

    pub(super) fn act(&mut self, act: Action) {
        self.0.push(Step::Action(act));
    }

    pub(super) fn drip(&mut self, bytes: usize, every: Duration) {
        self.0.push(Step::Drip(bytes, every));
    }

    pub(super) fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        let shared = fixture_of(x);
        let shared = shared.as_deref();
        let asker = x.requestline.to_owned();
        let mut stream = x.raw_stream()?;
        let mut drip = (0, Duration::ZERO);
        if self.has_reset() {
            stream.set_write_timeout(RESET_PATIENCE);
        }
        for step in &self.0 {
            match step {
                Step::Bytes(bytes) => match write(&mut stream, bytes, drip, shared) {
                    // The client's window is full, so the reset comes now.
                    Err(error) if self.has_reset() && is_timeout(&error) => {
                        let sent = stream.written();
                        return self.reset(x, sent, shared);
                    }
                    result => result?,
                },
                Step::Drip(bytes, every) => drip = (*bytes, *every),
                Step::Action(Action(Kind::Close)) => {
                    // Immediately, whatever the handler does next.
                    stream.shutdown_write();
                    return Ok(());
                }
                Step::Action(Action(Kind::Hang)) => return await_end(&mut stream),
                Step::Action(Action(Kind::Reset)) => {
                    let sent = stream.written();
                    return self.reset(x, sent, shared);
                }
                Step::Action(act) => act.wait(shared, &asker)?,
            }
        }
        Ok(())
    }

    fn has_reset(&self) -> bool {
        self.0.iter().any(Step::is_reset)
    }

    /// Number of bytes that must arrive before the reset.
    fn bytes_before_reset(&self) -> u64 {
        let before = self.0.iter().take_while(|step| !step.is_reset());
        let sizes = before.map(|step| match step {
            Step::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        });
        sizes.sum()
    }

    /// Resets the connection after `sent` bytes.
    fn reset(&self, x: &mut Exchange<'_>, sent: u64, shared: Option<&Recording>) -> Result<()> {
        let (client, server) = (x.client_address, x.server.server_address);
        let mut is_over = false;
        let channel = x.channel();
        let nap = |time| match channel.wait_beside(&mut Vec::new(), false, Some(time)) {
            Ok(client) => !client.is_gone,
            // The server is stopping.
            Err(_) => {
                is_over = true;
                false
            }
        };
        let taken = delivery::wait_until_taken(server, client, RESET_PATIENCE, nap);
        let left = taken.err().unwrap_or(0);
        let (got, all) = (sent.saturating_sub(left), self.bytes_before_reset());
        if got < all
            && !is_over
            && let Some(shared) = shared
        {
            shared.note(format!(
                "`{}` was reset early: the client read only about {got} of {all} bytes",
                x.requestline
            ));
        }
        // This fails in memory, where a client sees only the end of the bytes.
        let _ = x.raw_stream()?.reset_on_close();
        // Dropping the last owner of the socket closes it, without a FIN before.
        let _ = x.detach();
        Ok(())
    }
}

impl Step<'_> {
    fn is_reset(&self) -> bool {
        matches!(self, Step::Action(Action(Kind::Reset)))
    }
}

/// Writes the bytes at once, or a number at a time with a pause between two writes.
fn write(
    stream: &mut RawStream<'_>,
    bytes: &[u8],
    (drip, every): (usize, Duration),
    shared: Option<&Recording>,
) -> Result<()> {
    if drip == 0 {
        return Ok(stream.write_all(bytes)?);
    }
    for piece in bytes.chunks(drip) {
        if stream.written() > 0 {
            pause(every).wait(shared, "")?;
        }
        stream.write_all(piece)?;
    }
    Ok(())
}

fn is_timeout(error: &Error) -> bool {
    error.fault() == Some(&Fault::SlowReader)
}

/// Reads and discards bytes until the client closes the connection.
fn await_end(stream: &mut RawStream<'_>) -> Result<()> {
    let mut waste = [0; 4096];
    loop {
        match stream.read(&mut waste) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
