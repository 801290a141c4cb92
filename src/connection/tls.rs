//! TLS below a connection: decrypts received records, and encrypts what is sent.
//!
//! To the layers above, [`Tls`] behaves like a socket:
//!
//! - A read that does not fill its buffer has taken everything; for later bytes the poller has an event.
//! - [`Tls::send`] reports only bytes that are out. Bytes that are encrypted but not taken by the socket are not reported
//!   yet; the caller passes them again, as with a socket that is full.
//!
//! Each read drives the handshake; before its end there is nothing to read. A parked connection has no buffers: ciphertext
//! passes through buffers of the thread. Only an incomplete record and unsent ciphertext are kept.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem;
use std::sync::Arc;

use rustls::ServerConfig;

pub(crate) use self::detached::DetachedTls;
pub(crate) use self::failure::Failure;
use self::output::Output;
use self::session::Session;
use self::state::{Phase, State};
use super::stream::Stream;
#[cfg(all(feature = "testing", feature = "self-signed"))]
use crate::testing::HttpsFault;
use crate::tls::TlsInfo;

mod detached;
mod failure;
mod output;
mod session;
mod state;

/// Maximum size of the plaintext that is encrypted for one send.
const CHUNK: usize = 64 << 10;

/// A socket, and the session on it.
pub(crate) struct Tls {
    pub(super) socket: Stream,
    state: RefCell<State>,
    info: OnceCell<Box<TlsInfo>>,
    /// The response is truncated, so the session ends without `close_notify`.
    is_cut: Cell<bool>,
}

/// Buffers of the thread.
#[derive(Default)]
struct Scratch {
    incoming: Vec<u8>,
    outgoing: Output,
    /// Head and body side by side, or a block of a file.
    block: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The first `length` bytes of a buffer that keeps its length.
fn grown(buffer: &mut Vec<u8>, length: usize) -> &mut [u8] {
    if buffer.len() < length {
        buffer.resize(length, 0);
    }
    buffer.get_mut(..length).unwrap_or_default()
}

impl Tls {
    pub(crate) fn new(socket: Stream, config: Arc<ServerConfig>) -> Result<Self, Failure> {
        Ok(Tls::of(
            socket,
            State::new(Session::new(config)?, Phase::Fresh),
        ))
    }

    /// Makes a fixture's connection fail in this way.
    #[cfg(all(feature = "testing", feature = "self-signed"))]
    pub(crate) fn fail_with(&self, fault: Option<HttpsFault>) {
        match fault {
            Some(HttpsFault::Silent) => self.state.borrow_mut().phase = Phase::Over,
            Some(HttpsFault::Reset) => self.state.borrow_mut().resets = true,
            Some(HttpsFault::NoCloseNotify) => self.is_cut.set(true),
            _ => {}
        }
    }

    fn of(socket: Stream, state: State) -> Self {
        Tls {
            socket,
            state: RefCell::new(state),
            info: OnceCell::new(),
            is_cut: Cell::new(false),
        }
    }

    pub(crate) fn socket(&self) -> &Stream {
        &self.socket
    }

    /// Returns true if the client has ended the session.
    #[cfg(windows)]
    pub(crate) fn has_ended(&self) -> bool {
        self.state.borrow().has_ended()
    }

    /// The parameters of the session; `None` before the end of the handshake.
    pub(crate) fn info(&self) -> Option<&TlsInfo> {
        if self.info.get().is_none() {
            let made = self.state.borrow().info()?;
            // It is not there yet.
            let _ = self.info.set(Box::new(made));
        }
        self.info.get().map(|info| &**info)
    }

    /// Returns true if the client sends plain HTTP.
    pub(crate) fn is_plain(&self) -> bool {
        self.state.borrow().phase == Phase::Plain
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state.borrow().failure.is_some()
    }

    /// Takes the reason why TLS has failed, if it has.
    pub(crate) fn take_failure(&self) -> Option<Box<Failure>> {
        self.state.borrow_mut().failure.take()
    }

    /// Returns true if there are decrypted bytes, which the poller does not know of.
    pub(crate) fn holds_plaintext(&self) -> bool {
        self.state.borrow().holds_plaintext()
    }

    /// Reads the available bytes. Returns 0 at the end, and fails with `WouldBlock` if there are none.
    pub(crate) fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let state = &mut *self.state.borrow_mut();
        SCRATCH.with_borrow_mut(|scratch| state.recv(&self.socket, buffer, scratch))
    }

    /// Writes as much of both slices as the socket takes; `more` says that more bytes follow at once.
    pub(crate) fn send(&self, first: &[u8], second: &[u8], more: bool) -> io::Result<usize> {
        let state = &mut *self.state.borrow_mut();
        if state.phase == Phase::Plain {
            return self.socket.send(first, second, more);
        }
        let total = first.len() + second.len();
        if state.owed > 0 {
            return state.send_on(&self.socket, total, more);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let Scratch {
                outgoing, block, ..
            } = scratch;
            let data = match (first, second) {
                (data, []) | ([], data) => data.get(..CHUNK).unwrap_or(data),
                // One record for head and body.
                _ => join(first, second, grown(block, total.min(CHUNK))),
            };
            state.seal(&self.socket, data, more, outgoing)
        })
    }

    /// Writes as much of all slices as the socket takes.
    pub(crate) fn send_all(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut joined = Vec::new();
        for slice in slices {
            let room = CHUNK - joined.len();
            joined.extend_from_slice(slice.get(..room).unwrap_or(slice));
        }
        self.send(&joined, &[], false)
    }

    /// Sends up to `count` bytes of `file` from `offset` on.
    pub(crate) fn send_file(
        &self,
        file: &File,
        offset: &mut u64,
        count: usize,
    ) -> io::Result<Option<usize>> {
        let state = &mut *self.state.borrow_mut();
        let sent = match state.owed {
            0 => SCRATCH.with_borrow_mut(|scratch| {
                let Scratch {
                    outgoing, block, ..
                } = scratch;
                let room = grown(block, count.min(CHUNK));
                let read = crate::sys::read_at(file, room, *offset)?;
                match room.get(..read).unwrap_or_default() {
                    [] => Ok(0),
                    data => state.seal(&self.socket, data, false, outgoing),
                }
            }),
            _ => state.send_on(&self.socket, count, false),
        }?;
        *offset += sent as u64;
        Ok(Some(sent))
    }

    /// Sends `close_notify`, without waiting, unless the response was truncated. `more` says that the end of the stream
    /// follows at once.
    pub(crate) fn close_notify(&self, more: bool) {
        let state = &mut *self.state.borrow_mut();
        let is_complete = !self.is_cut.get() && state.owed == 0;
        let is_said = mem::replace(&mut state.has_said_end, true);
        if state.phase == Phase::Open && is_complete && !is_said {
            SCRATCH.with_borrow_mut(|scratch| state.close_notify(&self.socket, more, scratch));
        }
    }

    /// Suppresses `close_notify`, because the response is truncated.
    pub(crate) fn cut_end(&self) {
        self.is_cut.set(true);
    }

    /// Moves the session to this socket.
    fn leave_to(&self, socket: Stream) -> Tls {
        let over = State::new(Session::none(), Phase::Over);
        Tls::of(socket, self.state.replace(over))
    }
}

/// As much of both as there is room for.
fn join<'r>(first: &[u8], second: &[u8], room: &'r mut [u8]) -> &'r [u8] {
    let (one, two) = room.split_at_mut(first.len().min(room.len()));
    one.copy_from_slice(first.get(..one.len()).unwrap_or_default());
    two.copy_from_slice(second.get(..two.len()).unwrap_or_default());
    room
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}
