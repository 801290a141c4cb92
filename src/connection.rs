//! [`Connection`]: a client's connection, with its buffers and deadlines. It does not know the handler.
//!
//! Reading order: [`stream`] (the socket), [`proxy_header`] and `tls` (layers on it), [`min_rate`] and [`wire`] (deadlines
//! and waits), [`input`] and [`outgoing`] (bytes in, bytes out), `tail` (the unsent end of a response), [`channel`] (what
//! `rfile` and `wfile` share), `cycle` (one request and its response), `state` (between two requests), then
//! [`request_body`], [`response_writer`] and [`raw`], which handlers see. [`response_stream`] and [`deferred`] outlive the
//! handler; [`link`], [`stream_queue`] and `handed` are below them. [`kept`] and `report` end their exchanges.

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
pub(crate) mod detached;
pub(crate) mod handed;
pub(crate) mod input;
pub(crate) mod kept;
pub(crate) mod link;
pub(crate) mod min_rate;
pub(crate) mod observer;
pub(crate) mod outcome;
pub(crate) mod outgoing;
pub(crate) mod proxy_header;
pub(crate) mod raw;
mod report;
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

/// A client's connection, which an override of [`RequestHandler::handle`](crate::RequestHandler::handle) gets.
///
/// It is `Send` and belongs to no thread. When the client has sent something, the server calls `handle`; between requests
/// it parks the connection, which then needs no thread and no buffer.
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
    /// A proxy announced its client without an address: the peer is not the client.
    is_unnamed: bool,
    server: Arc<ServerInfo>,
    state: State,
    /// The number of answered requests.
    answered: u64,
    /// Finished responses that wait for the rest of a request body, while the connection is parked.
    held_responses: Box<[u8]>,
    /// The start of a PROXY header whose rest has not come.
    #[expect(
        clippy::box_collection,
        reason = "one word in each idle connection, not three"
    )]
    partial_header: Option<Box<Vec<u8>>>,
    /// `handle` returns after each request, even if another one is there.
    one_at_a_time: bool,
    /// The connection was accepted while draining: its first request is answered even if the server stops meanwhile.
    pub(crate) first_request: Option<Box<TailGuard>>,
}

/// The result of [`RequestHandler::handle`](crate::RequestHandler::handle): what the server does with the connection.
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
    /// Calls `handle` again: another request is already there.
    Again,
    /// Parks the connection until the client sends something.
    Park,
    /// Closes the connection.
    Close,
}

/// The result of looking for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// There is a complete head, or a refusal.
    Request,
    /// The head is incomplete, and there is nothing to read now.
    Pending,
    /// The client will send nothing more.
    Ended,
}

/// The buffers of a thread, which are lent to the connection that it serves.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    input: Vec<u8>,
    places: Places,
    output: Vec<u8>,
    /// The thread, if it is one of a server.
    pub(crate) thread: Option<ThreadGuard>,
    /// The hook that is called before the connection runs a handler and before it waits.
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
            held_responses: Box::default(),
            partial_header: None,
            one_at_a_time: false,
            first_request: None,
        }
    }

    /// Returns the address of the client.
    pub fn client_address(&self) -> Peer {
        self.peer
    }

    /// Returns the server that accepted the connection.
    pub fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// Returns the number of requests that were answered on this connection.
    pub fn answered(&self) -> u64 {
        self.answered
    }

    /// Registers the connection with a poller for what it waits for, before it is parked.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let waits_for = self.waits_for();
        let is_unfinished = self.is_unfinished();
        let is_waiting = is_unfinished && self.is_waiting();
        let wire = &mut self.channel.wire;
        wire.watch(registry, token, waits_for, is_unfinished, is_waiting)
    }

    /// Registers a connection that was parked before and whose response is finished.
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

    /// Takes the reason why TLS has failed.
    #[cfg(feature = "tls-config")]
    pub(crate) fn take_tls_failure(&self) -> Option<Box<tls::Failure>> {
        self.channel.wire.stream.tls()?.take_failure()
    }

    /// Returns true if the stream was detached.
    pub(crate) fn is_detached(&self) -> bool {
        self.channel.detached.get()
    }

    /// Sets the observer of a fixture. It gets the bytes that were received before at once.
    #[cfg(feature = "testing")]
    pub(crate) fn observe_with(&mut self, observer: impl FnOnce() -> Box<dyn observer::Observer>) {
        let observed = &mut self.channel.wire.observed;
        if observed.observer.is_none() {
            observed.observer = Some(observer());
            observed.tell(observer::Observation::Received(self.input.unread()));
        }
    }

    /// The HTTP version of the server, for a handler with this version.
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

    /// Returns true if bytes of a request were received, so the head deadline applies, and not the idle timeout.
    pub(crate) fn has_partial_head(&self) -> bool {
        self.input.pending() > 0
    }

    /// Returns true if the client has shut down its sending side and nothing is unread.
    pub(crate) fn has_ended(&self) -> bool {
        self.input.socket == Socket::Ended && self.input.pending() == 0
    }

    /// Returns true if nothing is unread, neither in the buffer nor, as of the last read, in the socket.
    pub(crate) fn is_spent(&self) -> bool {
        let is_read = self.input.socket.is_read() && self.input.pending() == 0;
        is_read && !self.is_refused()
    }

    /// Takes a thread's buffers to be served. There may be bytes to read; if `end_may_follow`, also after a read that does
    /// not fill its buffer.
    pub(crate) fn lend(&mut self, buffers: &mut Buffers, end_may_follow: bool) {
        self.input.lend(&mut buffers.input, &mut buffers.places);
        self.input.socket.has_news(end_may_follow);
        mem::swap(&mut self.channel.wire.hook, &mut buffers.hook);
        let out = self.channel.out.get_mut();
        mem::swap(&mut out.buffer, &mut buffers.output);
        if !self.held_responses.is_empty() {
            out.put_back(&mem::take(&mut self.held_responses));
        }
    }

    /// Returns the buffers. Unread bytes and responses that wait for a body are kept. Other unsent output is dropped: it was
    /// flushed before.
    pub(crate) fn reclaim(&mut self, buffers: &mut Buffers) {
        self.input.reclaim(&mut buffers.input, &mut buffers.places);
        if matches!(self.state, State::Found(_)) {
            // It is found again.
            self.state = State::Open;
            self.input.reset_scan();
        }
        mem::swap(&mut self.channel.wire.hook, &mut buffers.hook);
        let holds = self.holds_responses();
        let out = self.channel.out.get_mut();
        if holds {
            self.held_responses = out.buffer.as_slice().into();
        }
        out.drop_all();
        mem::swap(&mut out.buffer, &mut buffers.output);
        if buffers.output.capacity() > 4 * outgoing::BUFFER {
            buffers.output = Vec::new();
        }
    }

    /// Looks for a complete head, and reads the available bytes without waiting. Finished responses are sent before the
    /// first read with an empty buffer.
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
                if self.channel.has_tail() || self.is_handed() {
                    return Ok(Readiness::Pending);
                }
                self.note_over(false);
            }
            match self.state {
                State::Open => {}
                State::Found(_) | State::Refused(_) | State::Late(_) => {
                    return Ok(Readiness::Request);
                }
                State::Discarding(discard) => {
                    if !discard.holds_response && !self.channel.is_idle() {
                        self.channel.send_finished(false)?;
                        continue;
                    }
                    match self.discard() {
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

    /// Looks for a request as [`poll_request`](Self::poll_request) does, but waits for it until the head deadline.
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

    /// Sends the finished responses, unless they wait for the rest of a body.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.flush_with(false)
    }

    /// Sends all finished responses.
    pub(crate) fn flush_all(&mut self) -> Result<()> {
        self.release_responses();
        self.flush_with(false)
    }

    /// Sends the finished responses, when the server has nothing else to do for the connection. If the connection ends, the
    /// last response waits in the socket for the end of the stream, which follows at once, so both share a segment. (A reset
    /// would lose it, also the reset that the system sends when a socket with unread bytes is closed.)
    pub(crate) fn flush_last(&mut self) -> Result<()> {
        let is_ending = matches!(self.ending(), Some(Ending::Last | Ending::Linger));
        let end_follows = is_ending && !self.is_handed();
        self.flush_with(end_follows)
    }

    fn flush_with(&mut self, more: bool) -> Result<()> {
        match self.channel.is_idle() || self.holds_responses() {
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
