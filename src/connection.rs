//! [`Connection`]: a client's connection, with its buffers and deadlines. It knows no handler.
//!
//! Reading order: [`stream`] (the socket), [`proxy_header`] and `tls` (what may lie on it), [`min_rate`] and [`wire`] (deadlines and waits), [`input`] and
//! [`outgoing`] (bytes in, bytes out), `tail` (what goes on without a thread), [`channel`] (what `rfile` and `wfile`
//! share), `cycle` (one request and its response), `state` (where a connection stands between two of them), then [`request_body`], [`response_writer`] and [`raw`], which
//! handlers see. What outlives a handler is in [`response_stream`] and [`deferred`], with [`link`], [`stream_queue`] and
//! `handed` below them.

#[cfg(feature = "tls-config")]
use std::cell::RefCell;
use std::sync::Arc;
use std::{fmt, io, mem};

use mio::{Registry, Token};

use self::channel::Channel;
use self::input::{Input, Socket};
use self::min_rate::{Allowance, MinRate};
use self::request_body::Body;
use self::state::State;
pub(crate) use self::state::{Ending, Lingers, WaitsFor};
use self::stream::Stream;
use self::wait_hook::WaitHook;
use self::wire::Wire;
use crate::http1::head::Places;
use crate::info::{Peer, ServerInfo};
use crate::limits::Limits;
use crate::shutdown::{TailGuard, ThreadGuard};
use crate::{Error, Result};

pub(crate) mod channel;
pub(crate) mod chunk;
pub(crate) mod cycle;
pub(crate) mod deferred;
pub(crate) mod handed;
pub(crate) mod input;
pub(crate) mod link;
pub(crate) mod min_rate;
pub(crate) mod observer;
pub(crate) mod outgoing;
pub(crate) mod proxy_header;
pub(crate) mod raw;
pub(crate) mod request_body;
pub(crate) mod response_stream;
pub(crate) mod response_writer;
mod state;
pub(crate) mod stream;
pub(crate) mod stream_queue;
mod sync;
mod tail;
#[cfg(feature = "tls-config")]
pub(crate) mod tls;
pub(crate) mod wait_hook;
pub(crate) mod wire;

/// A client's connection, as a server parks it between requests.
///
/// It is owned and `Send`, and belongs to no thread and no handler: a server takes it out of its poller
/// when there is something to read, has [`RequestHandler::handle`](crate::RequestHandler::handle)
/// called, and puts it back. While it waits it owns no buffer.
///
/// ```
/// use servette::{Connection, Next, RequestHandler, Result, base};
///
/// struct Polite;
///
/// impl RequestHandler for Polite {
///     fn handle(&self, conn: &mut Connection) -> Result<Next> {
///         let next = base::handle(self, conn); // serves the requests that are there
///         println!("{:?}", next);
///         next
///     }
/// }
/// ```
pub struct Connection {
    channel: Channel,
    input: Input,
    body: Body,
    peer: Peer,
    /// A proxy has announced its client without an address: the peer is not whose requests come.
    is_unnamed: bool,
    server: Arc<ServerInfo>,
    state: State,
    /// Requests that were answered.
    answered: u64,
    /// Finished answers that wait for the rest of a body, while the connection is parked.
    held_answers: Box<[u8]>,
    /// `handle` stops after a request even if another one is there.
    one_at_a_time: bool,
    /// The server drains, and answers its first request even if it stops meanwhile.
    pub(crate) first_request: Option<Box<TailGuard>>,
}

/// What a connection waits for when [`RequestHandler::handle`](crate::RequestHandler::handle) returns.
///
/// ```
/// use servette::{Connection, Next, RequestHandler, Result, base};
///
/// /// Ends every connection after the requests that came together.
/// struct Brief;
///
/// impl RequestHandler for Brief {
///     fn handle(&self, conn: &mut Connection) -> Result<Next> {
///         match base::handle(self, conn)? {
///             Next::Again => Ok(Next::Again),
///             Next::Park | Next::Close => Ok(Next::Close),
///         }
///     }
/// }
/// ```
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

/// A thread's buffers, lent to the connection that it serves.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    input: Vec<u8>,
    places: Places,
    output: Vec<u8>,
    /// The thread, if it is one of a server.
    pub(crate) thread: Option<ThreadGuard>,
    /// Is told what the connection is about to do.
    pub(crate) hook: Option<Box<dyn WaitHook>>,
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
            is_unnamed: false,
            server,
            state: State::Open,
            answered: 0,
            held_answers: Box::default(),
            one_at_a_time: false,
            first_request: None,
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

    /// Has a poller report what the connection waits for, as it is about to be parked.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let waits_for = self.waits_for();
        let is_unfinished = self.is_unfinished();
        let is_waiting = is_unfinished && self.is_waiting();
        let wire = &mut self.channel.wire;
        wire.watch(registry, token, waits_for, is_unfinished, is_waiting)
    }

    /// The same where it was parked before, and its answer is finished.
    pub(crate) fn watch_on(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.channel.wire.watch_on(registry, token)
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.channel.wire
    }

    /// Puts TLS on the stream of a new connection.
    #[cfg(feature = "tls-config")]
    pub(crate) fn secure(&mut self, tls: &crate::Tls) -> Result<(), tls::Failure> {
        let stream = &mut self.channel.wire.stream;
        let none = Stream::Memory(RefCell::default());
        let socket = mem::replace(stream, none);
        let session = tls::Tls::new(socket, tls.config())?;
        #[cfg(all(feature = "testing", feature = "self-signed"))]
        session.fail_with(tls.fault());
        *stream = Stream::Tls(Box::new(session));
        Ok(())
    }

    /// Why TLS has failed; once.
    #[cfg(feature = "tls-config")]
    pub(crate) fn take_tls_failure(&self) -> Option<Box<tls::Failure>> {
        self.channel.wire.stream.tls()?.take_failure()
    }

    /// The stream has left for an owner of its own.
    pub(crate) fn is_detached(&self) -> bool {
        self.channel.detached.get()
    }

    /// Lets a fixture look on. It is told at once what came before.
    #[cfg(feature = "testing")]
    pub(crate) fn observe_with(&mut self, observer: impl FnOnce() -> Box<dyn observer::Observer>) {
        let observed = &mut self.channel.wire.observed;
        if observed.observer.is_none() {
            observed.observer = Some(observer());
            observed.tell(observer::Observation::Received(self.input.unread()));
        }
    }

    /// The version that the server speaks, for a handler that says this one.
    pub(crate) fn version<'v>(&self, own: &'v str) -> &'v str {
        self.channel.wire.observed.version(own)
    }

    pub(crate) fn set_one_at_a_time(&mut self, one: bool) {
        self.one_at_a_time = one;
        // Nobody would send on behind the one request.
        let may_leave = !one && self.channel.wire.stream.fd().is_some();
        self.channel.may_leave.set(may_leave);
    }

    pub(crate) fn is_one_at_a_time(&self) -> bool {
        self.one_at_a_time
    }

    /// Something of a request is here, so the deadline of a head runs, not that of an idle connection.
    pub(crate) fn has_partial_head(&self) -> bool {
        self.input.pending() > 0
    }

    /// The client has sent all that it sends, and nothing of that is unread.
    pub(crate) fn has_ended(&self) -> bool {
        self.input.socket == Socket::Ended && self.input.pending() == 0
    }

    /// Nothing is unread, neither here nor, as far as the last read has shown, in the socket.
    pub(crate) fn is_spent(&self) -> bool {
        let is_read = self.input.socket.is_read() && self.input.pending() == 0;
        is_read && !self.is_refused()
    }

    /// Takes a thread's buffers for the time of serving. There may be something new to read; if
    /// `end_may_follow`, even behind a read that is not full.
    pub(crate) fn lend(&mut self, buffers: &mut Buffers, end_may_follow: bool) {
        self.input.lend(&mut buffers.input, &mut buffers.places);
        self.input.socket.has_news(end_may_follow);
        mem::swap(&mut self.channel.wire.hook, &mut buffers.hook);
        let out = self.channel.out.get_mut();
        mem::swap(&mut out.buffer, &mut buffers.output);
        if !self.held_answers.is_empty() {
            out.put_back(&mem::take(&mut self.held_answers));
        }
    }

    /// Gives the buffers back; what is unread is kept, and so are answers that wait for a body. Other unsent output
    /// is dropped: it was flushed before.
    pub(crate) fn reclaim(&mut self, buffers: &mut Buffers) {
        self.input.reclaim(&mut buffers.input, &mut buffers.places);
        if matches!(self.state, State::Found(_)) {
            // It is found again.
            self.state = State::Open;
            self.input.reset_scan();
        }
        mem::swap(&mut self.channel.wire.hook, &mut buffers.hook);
        let holds = self.holds_answers();
        let out = self.channel.out.get_mut();
        if holds {
            self.held_answers = out.buffer.as_slice().into();
        }
        out.drop_all();
        mem::swap(&mut out.buffer, &mut buffers.output);
        if buffers.output.capacity() > 4 * outgoing::BUFFER {
            buffers.output = Vec::new();
        }
    }

    /// Looks for a whole head, reading what is there without waiting. Before the first read that finds
    /// nothing buffered, the finished responses are sent.
    #[inline]
    pub(crate) fn poll_request(&mut self) -> Result<Readiness> {
        match self.state {
            State::Found(_) => Ok(Readiness::Request),
            _ => self.look_for_request(),
        }
    }

    fn look_for_request(&mut self) -> Result<Readiness> {
        loop {
            if self.is_unfinished() {
                return Ok(Readiness::Pending);
            }
            match self.state {
                State::Open => {}
                State::Found(_) | State::Refused(_) | State::Late(_) => {
                    return Ok(Readiness::Request);
                }
                State::Draining(drain) => {
                    if !drain.holds_answer && !self.channel.is_idle() {
                        self.channel.send_finished(false)?;
                        continue;
                    }
                    match self.drain() {
                        true => continue,
                        false => return Ok(Readiness::Pending),
                    }
                }
                State::Ending(_) | State::Lingering(_) => return Ok(Readiness::Ended),
            }
            if !self.input.unread().is_empty() {
                match self.input.find_head(&self.channel.limits) {
                    Ok(Some(found)) => self.state = State::Found(found),
                    Ok(None) => {}
                    Err(refusal) => self.state = State::Refused(refusal),
                }
                if !matches!(self.state, State::Open) {
                    continue;
                }
            }
            if !self.channel.is_idle() {
                self.channel.send_finished(false)?;
                if self.is_unfinished() {
                    return Ok(Readiness::Pending);
                }
            }
            match self.input.socket {
                Socket::Ended => return Ok(Readiness::Ended),
                Socket::Read => return Ok(Readiness::Pending),
                _ => {}
            }
            let room = self.input.room_for_head(self.channel.limits.head);
            let asked = room.len();
            let count = match self.channel.wire.try_recv(room) {
                Ok(count) => count,
                Err(error) => return Err(self.reading_failed(error)),
            };
            self.input.socket.note(asked, count);
            self.input.end += count.unwrap_or(0);
            if self.channel.wire.stream.lacks_tls() {
                self.refuse_plain_http();
            }
        }
    }

    /// As [`poll_request`](Self::poll_request), but waits for the request until the deadline for heads.
    pub(crate) fn wait_request(&mut self) -> Result<Readiness> {
        let mut min_rate = MinRate::default();
        let allowance = Allowance {
            patience: self.channel.limits.head_deadline,
            rate: u64::MAX,
        };
        loop {
            self.channel.finish_tail()?;
            self.finish_handed(None)?;
            match self.poll_request()? {
                Readiness::Pending if self.is_unfinished() => continue,
                Readiness::Pending => {}
                ready => return Ok(ready),
            }
            self.flush_all()?;
            self.channel.wire.wait_readable(&mut min_rate, allowance)?;
            self.input.socket.has_news(true);
        }
    }

    /// Sends what is finished, unless it waits for the rest of a body.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.flush_with(false)
    }

    /// Sends all that is finished.
    pub(crate) fn flush_all(&mut self) -> Result<()> {
        self.release_answers();
        self.flush_with(false)
    }

    /// Sends what is finished, when the server has nothing else to do for the connection: of a connection that ends,
    /// the last answer waits in the socket for the end of the stream, which follows at once, and goes in one segment
    /// with it. (Before a reset it would be lost, also before that which the system sends for a socket that is closed
    /// with something unread.)
    pub(crate) fn flush_last(&mut self) -> Result<()> {
        let is_ending = matches!(self.ending(), Some(Ending::Last | Ending::Linger));
        let end_follows = is_ending && !self.is_handed();
        self.flush_with(end_follows)
    }

    fn flush_with(&mut self, more: bool) -> Result<()> {
        match self.channel.is_idle() || self.holds_answers() {
            true => Ok(()),
            false => self.channel.send_finished(more).map_err(Error::from),
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
