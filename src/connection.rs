//! [`Connection`]: a client's connection, with its buffers and deadlines. It knows no handler.
//!
//! Reading order: [`stream`] (the socket), [`pace`] and [`wire`] (deadlines and waits), [`input`] and
//! [`outgoing`] (bytes in, bytes out), [`channel`] (what `rfile` and `wfile` share), `turn` (one exchange), then
//! [`request_body`], [`response_writer`] and [`raw`], which handlers see.

use std::fmt;
use std::sync::Arc;

use self::attendant::Attendant;
use self::channel::Channel;
use self::input::Input;
use self::pace::{Allowance, Pace};
use self::request_body::Body;
use self::stream::Stream;
use self::wire::Wire;
use crate::http1::Refusal;
use crate::http1::head::{Found, LastHead};
use crate::info::{Peer, ServerInfo};
use crate::limits::Limits;
use crate::shutdown::ThreadGuard;
use crate::{Error, Result};

pub(crate) mod attendant;
pub(crate) mod channel;
pub(crate) mod input;
pub(crate) mod outgoing;
pub(crate) mod pace;
pub(crate) mod raw;
pub(crate) mod request_body;
pub(crate) mod response_writer;
pub(crate) mod stream;
mod turn;
pub(crate) mod wire;
pub(crate) mod witness;

/// A client's connection, as a server parks it between requests.
///
/// It is owned and `Send`, and belongs to no thread and no handler: a server takes it out of its poller
/// when there is something to read, has [`RequestHandler::handle`](crate::RequestHandler::handle)
/// called, and puts it back. While it waits it owns no buffer.
pub struct Connection {
    channel: Channel,
    input: Input,
    body: Body,
    peer: Peer,
    server: Arc<ServerInfo>,
    /// Where the next head stands in the unread bytes.
    found: Option<Found>,
    /// The next request is refused before anything of it is handled.
    refusal: Option<Refusal>,
    /// A request was refused, so nobody knows what of the input belongs to it.
    refused: bool,
    /// The client said that the present request is its last one.
    client_ends: bool,
    /// The handler that runs may take its time: who is told what it does hears of its end.
    takes_time: bool,
    /// Requests that were answered.
    answered: u64,
    /// `handle` stops after a request even if another one is there.
    one_at_a_time: bool,
    /// The thread that serves is the only one: no other client may wait for what this one leaves unsaid.
    is_alone: bool,
    ending: Ending,
}

/// What a connection waits for when [`RequestHandler::handle`](crate::RequestHandler::handle) returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another request is already there: call again.
    Again,
    /// The next request, or more of it: park until there is something to read.
    Park,
    /// Nothing: the connection ends.
    Close,
}

/// What there is to do on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// A whole head, or a refusal, is there.
    Request,
    /// More must be read first, and there is nothing to read now.
    Pending,
    /// The client will send nothing more.
    Ended,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It does not, yet.
    Open,
    /// At once: nobody is there any more, or a reset is to be sent.
    Close,
    /// The sending direction now, the rest at once too, unless the client sends on: it said that it would not.
    Last,
    /// The sending direction now, the rest when the client has read the answer (RFC 9112, 9.6).
    Linger,
}

/// A thread's buffers, lent to the connection that it serves.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    input: Vec<u8>,
    last_head: LastHead,
    output: Vec<u8>,
    /// The thread, if it is one of a server.
    pub(crate) thread: Option<ThreadGuard>,
    /// Who is told what the connection is about to do.
    pub(crate) attendant: Option<Box<dyn Attendant>>,
}

impl Buffers {
    pub(crate) fn of(thread: ThreadGuard) -> Self {
        Buffers {
            thread: Some(thread),
            ..Buffers::default()
        }
    }
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        peer: Peer,
        server: Arc<ServerInfo>,
        limits: Arc<Limits>,
    ) -> Self {
        let control = server.shutdown.control().clone();
        Connection {
            channel: Channel::new(Wire::new(stream, control), limits),
            input: Input::default(),
            body: Body::default(),
            peer,
            server,
            found: None,
            refusal: None,
            refused: false,
            client_ends: false,
            takes_time: false,
            answered: 0,
            one_at_a_time: false,
            is_alone: false,
            ending: Ending::Open,
        }
    }

    /// Who the client is.
    pub fn client_address(&self) -> Peer {
        self.peer
    }

    /// The server that accepted the connection.
    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// How many requests were answered on this connection.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.channel.wire
    }

    /// The stream has left for an owner of its own.
    pub(crate) fn is_detached(&self) -> bool {
        self.channel.detached.get()
    }

    /// Lets a fixture look on. It is told at once what came before.
    #[cfg(feature = "testing")]
    pub(crate) fn watch_with(&mut self, witness: impl FnOnce() -> Box<dyn witness::Witness>) {
        let watch = &mut self.channel.wire.watch;
        if watch.witness.is_none() {
            watch.witness = Some(witness());
            watch.tell(witness::Event::Received(self.input.unread()));
        }
    }

    /// Says to who looks on that the exchange is over.
    pub(crate) fn note_over(&self) {
        let pending = self.input.pending();
        self.channel.wire.watch.tell(witness::Event::Over(pending));
    }

    /// The version that the server speaks, for a handler that says this one.
    pub(crate) fn version<'v>(&self, own: &'v str) -> &'v str {
        self.channel.wire.watch.version(own)
    }

    pub(crate) fn set_alone(&mut self, is_alone: bool) {
        self.is_alone = is_alone;
    }

    pub(crate) fn set_one_at_a_time(&mut self, one: bool) {
        self.one_at_a_time = one;
    }

    pub(crate) fn is_one_at_a_time(&self) -> bool {
        self.one_at_a_time
    }

    /// Something of a request is here, so the deadline of a head runs, not that of an idle connection.
    pub(crate) fn has_partial_head(&self) -> bool {
        self.input.pending() > 0
    }

    /// Nothing is unread, neither here nor, as far as the last read has shown, in the socket.
    pub(crate) fn is_spent(&self) -> bool {
        self.input.drained && self.input.pending() == 0 && self.refusal.is_none()
    }

    /// Takes a thread's buffers for the time of serving. There may be something new to read; if
    /// `thorough`, even behind a read that is not full, where the end of the stream may follow.
    pub(crate) fn lend(&mut self, buffers: &mut Buffers, thorough: bool) {
        self.input.lend(&mut buffers.input, &mut buffers.last_head);
        self.input.drained = false;
        self.input.thorough = thorough;
        std::mem::swap(&mut self.channel.wire.attendant, &mut buffers.attendant);
        std::mem::swap(&mut self.channel.out.get_mut().buffer, &mut buffers.output);
    }

    /// Gives the buffers back; what is unread is kept. Unsent output is dropped: it was flushed before.
    pub(crate) fn reclaim(&mut self, buffers: &mut Buffers) {
        self.input
            .reclaim(&mut buffers.input, &mut buffers.last_head);
        if self.found.take().is_some() {
            // It is found again.
            self.input.reset_scan();
        }
        std::mem::swap(&mut self.channel.wire.attendant, &mut buffers.attendant);
        let out = self.channel.out.get_mut();
        out.drop_all();
        std::mem::swap(&mut out.buffer, &mut buffers.output);
        if buffers.output.capacity() > 4 * outgoing::BUFFER {
            buffers.output = Vec::new();
        }
    }

    /// The next request will be answered with this error, unread.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
    }

    /// Looks for a whole head, reading what is there without waiting. Before the first read that finds
    /// nothing buffered, the finished responses are sent.
    #[inline]
    pub(crate) fn poll_request(&mut self) -> Result<Readiness> {
        match self.found {
            Some(_) => Ok(Readiness::Request),
            None => self.look_for_request(),
        }
    }

    fn look_for_request(&mut self) -> Result<Readiness> {
        loop {
            if self.refusal.is_some() {
                return Ok(Readiness::Request);
            }
            if !self.input.unread().is_empty() {
                match self.input.find_head(&self.channel.limits) {
                    Ok(Some(found)) => {
                        self.found = Some(found);
                        return Ok(Readiness::Request);
                    }
                    Ok(None) => {}
                    Err(refusal) => {
                        self.refusal = Some(refusal);
                        continue;
                    }
                }
            }
            if !self.channel.is_idle() {
                self.channel.send_ready(false)?;
            }
            if self.input.eof {
                return Ok(Readiness::Ended);
            }
            if self.input.drained {
                return Ok(Readiness::Pending);
            }
            let room = self.input.room_for_head();
            let asked = room.len();
            match self.channel.wire.try_recv(room)? {
                None => self.input.drained = true,
                Some(0) => self.input.eof = true,
                Some(count) => {
                    self.input.end += count;
                    self.input.drained = count < asked && !self.input.thorough;
                }
            }
        }
    }

    /// As [`poll_request`](Self::poll_request), but waits for the request until the deadline for heads.
    pub(crate) fn wait_request(&mut self) -> Result<Readiness> {
        let mut pace = Pace::default();
        let allowance = Allowance {
            patience: self.channel.limits.head_deadline,
            rate: u64::MAX,
        };
        loop {
            match self.poll_request()? {
                Readiness::Pending => {}
                ready => return Ok(ready),
            }
            self.channel.wire.wait_readable(&mut pace, allowance)?;
            self.input.drained = false;
        }
    }

    /// How the connection ends, as far as exchanges have decided it.
    pub(crate) fn ending(&self) -> Ending {
        self.ending
    }

    /// Sends what is finished. The last of it waits in the socket for the end of the stream, which follows as
    /// soon as `handle` returns, and goes in one segment with it. (Before a reset it would be lost, also before
    /// that which the system sends for a socket that is closed with something unread.)
    pub(crate) fn flush(&mut self) -> Result<()> {
        let end_follows = matches!(self.ending, Ending::Last | Ending::Linger);
        match self.channel.is_idle() {
            true => Ok(()),
            false => self.channel.send_ready(end_follows).map_err(Error::from),
        }
    }

    /// The last response is out: says so to the client.
    pub(crate) fn shutdown_write(&mut self) {
        if !self.channel.detached.get() {
            self.channel.wire.stream.shutdown_write();
        }
    }

    /// Reads and drops what is there; the number of bytes, `None` at the end of the stream.
    pub(crate) fn drop_input(&mut self) -> Option<u64> {
        let mut total = 0;
        let mut waste = [0; 16 << 10];
        loop {
            match self.channel.wire.try_recv(&mut waste) {
                Ok(None) => return Some(total),
                Ok(Some(0)) | Err(_) => return None,
                Ok(Some(count)) => total += count as u64,
            }
            if total >= self.channel.limits.linger {
                return Some(total);
            }
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("client_address", &self.peer)
            .field("answered", &self.answered)
            .finish_non_exhaustive()
    }
}
