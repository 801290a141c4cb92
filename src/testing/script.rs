//! [`Script`]: bytes and [`Action`]s in an order, played on the bare connection.

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

/// How long a client may leave bytes untaken that are to reach it before a reset.
const RESET_PATIENCE: Duration = Duration::from_secs(1);

/// An event on the connection other than bytes: made by [`close`], [`reset`], [`hang`], [`pause`] and
/// [`gate()`].
///
/// It can be a whole answer (the connection ends behind it), or happen at a byte of an
/// [`Answer`](super::Answer) or in a [`Script`]; any handler can [`play`](Self::play) it.
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

/// Ends the connection in order (FIN): the client sees the end of the stream.
pub fn close() -> Action {
    Action(Kind::Close)
}

/// Resets the connection (RST), as soon as the client's system has acknowledged all bytes before it. If the
/// client takes none of them for a second, the reset comes earlier, and [`TestServer::notes`] says how much
/// was missing; so it does when the server is dropped.
///
/// [`TestServer::notes`]: super::TestServer::notes
pub fn reset() -> Action {
    Action(Kind::Reset)
}

/// Sends nothing more, and keeps the connection open until the client closes it or the server is dropped.
pub fn hang() -> Action {
    Action(Kind::Hang)
}

/// Sends nothing for this time. ([`Answer::delay`](super::Answer::delay) delays a whole answer.)
pub fn pause(time: Duration) -> Action {
    Action(Kind::Pause(time))
}

/// Sends nothing until the test opens this gate with `server.gate(name).open()`.
pub fn gate(name: &str) -> Action {
    Action(Kind::Gate(name.into()))
}

impl Action {
    /// Does it in a handler. Bytes that were written before are sent first, if the head is complete.
    /// After [`pause`] and [`gate()`] the handler goes on, still within HTTP. [`close`], [`reset`] and
    /// [`hang`] end the exchange, and the handler should return: further bytes are not sent, and are an
    /// error that only the [log](super::TestServer::log) shows.
    ///
    /// # Errors
    /// Those of writing. The end of the server, and a gate that nobody opened in time; the handler
    /// should return these as they are.
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

    /// Nothing comes behind it.
    pub(super) fn is_end(&self) -> bool {
        matches!(self.0, Kind::Close | Kind::Reset | Kind::Hang)
    }

    /// It is the whole answer.
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
            // In memory nobody sees the time.
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

/// A sequence of bytes and [`Action`]s: an answer that is sent exactly as given. It starts with [`raw`].
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
/// client.read_exact(&mut head)?; // and not a byte more, before
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

/// Sends these bytes in place of a response: the start of a [`Script`]. The connection ends behind them,
/// unless the script ends with [`hang`].
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

    /// Does this next.
    pub fn then(mut self, act: Action) -> Self {
        self.steps.act(act);
        self
    }

    /// Sends `bytes` bytes at a time from here on, with a pause of `every` between two writes. 0 ends the drip.
    pub fn drip(mut self, bytes: usize, every: Duration) -> Self {
        self.steps.drip(bytes, every);
        self
    }

    /// Sends it in a handler, in place of a response. The connection ends with the exchange.
    ///
    /// # Errors
    /// If writing fails, nobody opens a gate, or the script goes on behind a [`close`], [`reset`] or [`hang`].
    pub fn play(&self, x: &mut Exchange<'_>) -> Result<()> {
        match self.impossible() {
            Some(why) => Err(problem(x, &why)),
            None => self.steps.play(x),
        }
    }

    /// Why it can't happen as it says.
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

/// What a [`Script`] is made of; the bytes may be somebody else's.
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
        let mut stream = x.raw()?;
        let mut drip = (0, Duration::ZERO);
        if self.has_reset() {
            stream.set_write_timeout(RESET_PATIENCE);
        }
        for step in &self.0 {
            match step {
                Step::Bytes(bytes) => match write(&mut stream, bytes, drip, shared) {
                    // The window of the client is full, so the reset can't come later than now.
                    Err(error) if self.has_reset() && is_timeout(&error) => {
                        let sent = stream.written();
                        return self.reset(x, sent, shared);
                    }
                    result => result?,
                },
                Step::Drip(bytes, every) => drip = (*bytes, *every),
                Step::Action(Action(Kind::Close)) => {
                    // At once, whatever the handler does then.
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

    /// The bytes that are to arrive before the reset.
    fn bytes_before_reset(&self) -> u64 {
        let before = self.0.iter().take_while(|step| !step.is_reset());
        let sizes = before.map(|step| match step {
            Step::Bytes(bytes) => bytes.len() as u64,
            _ => 0,
        });
        sizes.sum()
    }

    /// Resets the connection, of which so many bytes were `sent`.
    fn reset(&self, x: &mut Exchange<'_>, sent: u64, shared: Option<&Recording>) -> Result<()> {
        let (client, server) = (x.client_address, x.server.server_address);
        let mut is_over = false;
        let channel = x.channel();
        let nap = |time| match channel.wait_beside(&mut Vec::new(), false, Some(time)) {
            Ok(client) => !client.is_gone,
            // The server ends.
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
        // It fails in memory, where the end of the bytes is all there is to see.
        let _ = x.raw()?.reset_on_close();
        // The last owner of the socket closes it, and no orderly end comes before.
        let _ = x.detach();
        Ok(())
    }
}

impl Step<'_> {
    fn is_reset(&self) -> bool {
        matches!(self, Step::Action(Action(Kind::Reset)))
    }
}

/// Writes them all at once, or so many at a time with a pause between.
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

/// Reads and drops what comes until the client leaves.
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
