//! [`Queue`]: the queue of a [`ResponseStream`](super::response_stream::ResponseStream).
//!
//! The writer sends directly to the socket as long as the socket takes everything. Bytes that it does not take are queued,
//! and the event loop sends them when the poller reports room. The lock of the [`Link`] keeps the order.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::{mem, thread};

use super::chunk::Chunk;
use super::link::{Link, LinkState};
use super::min_rate::{Allowance, MinRate};
use super::state::SHARE;
use super::stream::Socket;
use crate::clock::Moment;
use crate::error::Fault;
use crate::limits::Limits;
use crate::shutdown::Control;

/// Maximum number of chunks that are sent in one call.
const AT_ONCE: usize = 32;
/// The end of a chunked body.
const LAST: &[u8] = b"0\r\n\r\n";

/// The framing of the rest of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestFraming {
    /// A declared length, of which this number of bytes is left.
    Length(u64),
    Chunked,
    UntilClose,
}

/// The result of sending from the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The body has ended, and all of it is sent.
    All,
    /// The socket takes no more.
    Full,
    /// Other connections have their turn.
    Share,
    /// The queue is empty, and the body has not ended.
    Waits,
}

/// The state of a stream, as of the last look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) progress: Progress,
    /// Number of bytes that were sent.
    pub(super) written: u64,
    /// There are keep-alive bytes.
    pub(super) is_kept_alive: bool,
}

/// The rest of a body on its way to the client.
#[derive(Debug)]
pub(crate) struct Queue {
    framing: RestFraming,
    pieces: VecDeque<Piece>,
    /// Number of bytes of the first one that are sent.
    sent: usize,
    /// Number of unsent bytes in all of them.
    length: usize,
    /// The socket to which the writer sends directly; `None` before the handler has returned, and in memory.
    socket: Option<Arc<Socket>>,
    /// The queue is limited; false in memory, where no client is slow.
    is_bounded: bool,
    /// The keep-alive bytes.
    keep_alive: Option<Chunk>,
    rate: MinRate,
    /// The time at which the socket became full.
    full_since: Option<Moment>,
    limits: Arc<Limits>,
    control: Arc<Control>,
}

#[derive(Debug)]
enum Piece {
    Framed(Chunk),
    Plain(Chunk),
    Last,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Framed(chunk) => chunk.framed(),
            Piece::Plain(chunk) => chunk.as_bytes(),
            Piece::Last => LAST,
        }
    }
}

impl Queue {
    pub(super) fn new(
        framing: RestFraming,
        is_bounded: bool,
        limits: Arc<Limits>,
        control: Arc<Control>,
    ) -> Self {
        Queue {
            framing,
            pieces: VecDeque::new(),
            sent: 0,
            length: 0,
            socket: None,
            is_bounded,
            keep_alive: None,
            rate: MinRate::default(),
            full_since: None,
            limits,
            control,
        }
    }

    /// Frames a chunk. Returns `None` if nothing is to be sent.
    fn frame(&mut self, chunk: Chunk) -> io::Result<Option<Piece>> {
        let length = chunk.as_bytes().len() as u64;
        if length == 0 {
            return Ok(None);
        }
        Ok(Some(match &mut self.framing {
            RestFraming::Chunked => Piece::Framed(chunk),
            RestFraming::UntilClose => Piece::Plain(chunk),
            RestFraming::Length(left) => {
                *left = left.checked_sub(length).ok_or(Fault::Overlong)?;
                Piece::Plain(chunk)
            }
        }))
    }

    /// The bytes that end the body, or the fault if it can't be completed.
    fn end(&self) -> Result<Option<Piece>, Fault> {
        match self.framing {
            _ if thread::panicking() => Err(Fault::Incomplete),
            RestFraming::Length(1..) => Err(Fault::Incomplete),
            RestFraming::Chunked => Ok(Some(Piece::Last)),
            RestFraming::Length(0) | RestFraming::UntilClose => Ok(None),
        }
    }

    /// Sends a piece, and queues what the socket does not take.
    fn put(&mut self, piece: Piece, is_bounded: bool) -> Result<(), Fault> {
        let bytes = piece.bytes();
        let mut sent = 0;
        if let Some(socket) = self.socket.as_deref().filter(|_| self.pieces.is_empty()) {
            sent = match socket.send(bytes) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(_) => return Err(Fault::Gone),
            };
            self.rate.moved(sent);
            if sent >= bytes.len() {
                return Ok(());
            }
        }
        let left = bytes.len().saturating_sub(sent);
        let limits = &self.limits;
        let length = self.length.saturating_add(left);
        // Before anything was tried to send, the client may be as fast as can be.
        let is_full = self.socket.is_some() || self.full_since.is_some();
        if is_bounded && is_full && length > limits.stream_queue {
            return Err(Fault::SlowReader);
        }
        if !self.control.hold(left, limits.total_queue) && is_bounded {
            self.control.release(left);
            return Err(Fault::SlowReader);
        }
        if self.pieces.is_empty() {
            self.sent = sent;
            self.full_since = self.socket.is_some().then(Moment::now);
        }
        self.length = length;
        self.pieces.push_back(piece);
        Ok(())
    }

    /// Sends from the queue, at most one share.
    fn send_some(
        &mut self,
        send: impl Fn(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        let mut share = SHARE as usize;
        while !self.pieces.is_empty() && share > 0 {
            let mut skip = self.sent;
            let mut slices = [IoSlice::new(&[]); AT_ONCE];
            let mut used = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                let bytes = piece.bytes().get(mem::take(&mut skip)..);
                *slice = IoSlice::new(bytes.unwrap_or_default());
                used += 1;
            }
            let count = send(slices.get(..used).unwrap_or_default())?;
            self.rate.moved(count);
            share = share.saturating_sub(count);
            self.advance(count);
        }
        if self.pieces.is_empty() {
            self.pieces = VecDeque::new();
        }
        Ok(self.pieces.is_empty())
    }

    /// Notes that this number of bytes was sent.
    fn advance(&mut self, count: usize) {
        self.length = self.length.saturating_sub(count);
        self.control.release(count);
        let mut sent = self.sent.saturating_add(count);
        while let Some(first) = self.pieces.front() {
            let length = first.bytes().len();
            if sent < length {
                break;
            }
            sent -= length;
            self.pieces.pop_front();
        }
        self.sent = sent;
    }

    /// Drops the queue.
    fn clear(&mut self) {
        self.control.release(mem::take(&mut self.length));
        self.pieces = VecDeque::new();
        self.socket = None;
    }

    fn allowance(&self) -> Allowance {
        Allowance::of_writes(&self.limits)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.control.release(self.length);
    }
}

impl LinkState<Queue> {
    /// Ends the stream with a fault.
    fn fail(&mut self, fault: Fault) -> Fault {
        self.content.clear();
        self.fault.get_or_insert(fault).clone()
    }
}

/// The writer's side.
impl Link<Queue> {
    pub(super) fn write(&self, chunk: Chunk) -> io::Result<()> {
        let mut state = self.state();
        if let Some(fault) = &state.fault {
            return Err(fault.clone().into());
        }
        let Some(piece) = state.content.frame(chunk)? else {
            return Ok(());
        };
        let was_empty = state.content.pieces.is_empty();
        let is_bounded = state.content.is_bounded;
        let put = state.content.put(piece, is_bounded);
        let result = put.map_err(|fault| state.fail(fault));
        if result.is_err() || (was_empty && !state.content.pieces.is_empty()) {
            self.hint(&mut state);
        }
        Ok(result?)
    }

    /// Sets the keep-alive bytes.
    pub(super) fn keep_alive(&self, chunk: Chunk) {
        let mut state = self.state();
        state.content.keep_alive = Some(chunk);
        self.hint(&mut state);
    }

    /// Ends the body. `is_whole`: the writer has not given it up.
    pub(super) fn end(&self, is_whole: bool) {
        let mut state = self.state();
        if mem::replace(&mut state.is_done, true) {
            return;
        }
        let notify = state.take_notify();
        if state.fault.is_none() {
            let end = match is_whole {
                true => state.content.end(),
                false => Err(Fault::Incomplete),
            };
            let ended = end.and_then(|last| match last {
                Some(last) => state.content.put(last, false),
                None => Ok(()),
            });
            if let Err(fault) = ended {
                state.fail(fault);
            }
            self.hint(&mut state);
        }
        drop(state);
        drop(notify);
    }
}

/// The connection's side.
impl Link<Queue> {
    /// Lets the writer send directly to the socket.
    pub(super) fn open(&self, socket: Arc<Socket>) {
        let queue = &mut self.state().content;
        queue.full_since = None;
        queue.socket = Some(socket);
    }

    /// Sends from the queue, without waiting.
    ///
    /// # Errors
    /// If the client has left or is too slow, or if the body can't be completed.
    pub(super) fn send_on(
        &self,
        send: impl Fn(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Look> {
        let mut state = self.look();
        let progress = state.send_on(send).map_err(|fault| state.fail(fault))?;
        Ok(Look {
            progress,
            written: state.content.rate.bytes(),
            is_kept_alive: state.content.keep_alive.is_some()
                && !state.content.limits.stream_keep_alive.is_zero(),
        })
    }

    /// Writes the keep-alive bytes, unless more than `written` bytes were sent meanwhile.
    pub(super) fn note_silence(&self, written: u64) {
        let mut state = self.state();
        let is_over = state.is_done || state.fault.is_some();
        let queue = &mut state.content;
        if is_over || queue.rate.bytes() != written || !queue.pieces.is_empty() {
            return;
        }
        let piece = queue.keep_alive.take().map(|chunk| {
            let piece = queue.frame(chunk.clone());
            // One that does not fit is not tried again.
            queue.keep_alive = matches!(piece, Ok(Some(_))).then_some(chunk);
            piece
        });
        if let Some(Ok(Some(piece))) = piece
            && let Err(fault) = queue.put(piece, true)
        {
            state.fail(fault);
        }
    }

    /// The number of bytes that were sent.
    pub(super) fn written(&self) -> u64 {
        self.state().content.rate.bytes()
    }

    /// The connection is over.
    pub(super) fn give_up(&self, fault: Fault) {
        self.state().fail(fault);
    }

    /// Calls `wait` with the minimum rate and the limits of the waits.
    pub(super) fn with_rate<T>(&self, wait: impl FnOnce(&mut MinRate, Allowance) -> T) -> T {
        let (mut rate, allowance) = {
            let queue = &self.state().content;
            (queue.rate, queue.allowance())
        };
        let result = wait(&mut rate, allowance);
        self.state().content.rate = rate;
        result
    }
}

impl LinkState<Queue> {
    fn send_on(
        &mut self,
        send: impl Fn(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Result<Progress, Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let queue = &mut self.content;
        if let Some(since) = queue.full_since.take() {
            queue.rate.waited(Moment::now().since(since));
        }
        match queue.send_some(send) {
            Ok(true) if self.is_done => Ok(Progress::All),
            Ok(true) => Ok(Progress::Waits),
            Ok(false) => Ok(Progress::Share),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                queue.full_since = Some(Moment::now());
                match queue.rate.next_wait(queue.allowance()).is_zero() {
                    true => Err(Fault::SlowReader),
                    false => Ok(Progress::Full),
                }
            }
            Err(_) => Err(Fault::Gone),
        }
    }

    /// Returns true if there is something to send or to end.
    pub(super) fn has_news(&self) -> bool {
        self.is_done || self.fault.is_some() || !self.content.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::link::{Notice, Notify};

    #[test]
    fn nothing_is_written_to_keep_a_body_alive_that_has_ended() {
        let limits = Arc::new(Limits::default());
        let queue = Queue::new(RestFraming::UntilClose, true, limits, Arc::default());
        let link = Link::new(queue);
        link.keep_alive(Chunk::from("still here"));
        link.end(true);
        link.note_silence(0);
        assert!(link.state().content.pieces.is_empty());
    }

    /// The notices of two threads may come in any order.
    #[test]
    fn nothing_is_told_after_the_end() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let noted = told.clone();
        let link = Link::new(());
        link.notify(Notify::new(move |notice| {
            noted.lock().unwrap().push(notice)
        }));
        let stopping = link.note_stop().unwrap();
        let closed = link.close(Fault::Gone).unwrap();
        closed.run().unwrap();
        stopping.run().unwrap();
        assert_eq!(*told.lock().unwrap(), [Notice::Closed]);
    }

    #[test]
    fn a_closure_that_comes_behind_the_end_takes_the_place_of_the_one_before() {
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let link = Link::new(());
        for name in ["first", "second"] {
            let noted = told.clone();
            link.notify(Notify::new(move |notice| {
                noted.lock().unwrap().push((name, notice))
            }));
            link.state().fault = Some(Fault::SlowReader);
        }
        assert!(link.close(Fault::Gone).is_none());
        assert_eq!(*told.lock().unwrap(), [("second", Notice::Closed)]);
    }
}
