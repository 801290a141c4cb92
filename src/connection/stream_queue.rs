//! [`Queue`]: the rest of a body between its writer, a [`ResponseStream`](super::response_stream::ResponseStream), and its
//! client.
//!
//! The writer sends by itself as long as the socket takes all of it. What it does not take is queued, and the event loop
//! sends that when the poller reports room. The lock of the [`Link`] keeps both in order.

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

/// Chunks that are sent with one call.
const AT_ONCE: usize = 32;
/// The end of a chunked body.
const LAST: &[u8] = b"0\r\n\r\n";

/// How the rest of a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestFraming {
    /// So many bytes are still to come.
    Length(u64),
    Chunked,
    UntilClose,
}

/// What the event loop finds when it sends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The body has ended, and all of it is sent.
    All,
    /// The socket takes no more.
    Full,
    /// Others have their turn.
    Share,
    /// The writer has to go on.
    Waits,
}

/// How a stream stands, as of the last look at it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) progress: Progress,
    /// Bytes that were sent.
    pub(super) written: u64,
    /// Something is to be written when nothing else is for a while.
    pub(super) is_kept_alive: bool,
}

/// The rest of a body on its way to the client.
#[derive(Debug)]
pub(crate) struct Queue {
    framing: RestFraming,
    pieces: VecDeque<Piece>,
    /// So many bytes of the first one are sent.
    sent: usize,
    /// Bytes that are left in all of them.
    length: usize,
    /// From where on the writer sends by itself; `None` before the handler has returned, and in memory.
    socket: Option<Arc<Socket>>,
    /// In memory there is no client that could be too slow.
    is_bounded: bool,
    /// Is written when nothing else was for a while.
    keep_alive: Option<Chunk>,
    rate: MinRate,
    /// Since when the socket takes no more.
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

    /// Frames what is written; `None` if that adds nothing.
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

    /// What ends the body; the fault, if it can't be ended.
    fn end(&self) -> Result<Option<Piece>, Fault> {
        match self.framing {
            _ if thread::panicking() => Err(Fault::Incomplete),
            RestFraming::Length(1..) => Err(Fault::Incomplete),
            RestFraming::Chunked => Ok(Some(Piece::Last)),
            RestFraming::Length(0) | RestFraming::UntilClose => Ok(None),
        }
    }

    /// Sends a piece, or queues what the socket does not take of it.
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

    /// Sends on, no more than a share.
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

    /// So many bytes are sent.
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

    /// Gives up what is queued.
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
    /// Nothing more can be sent.
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
            self.tell(&mut state);
        }
        Ok(result?)
    }

    /// This is to be written whenever nothing else was for a while.
    pub(super) fn keep_alive(&self, chunk: Chunk) {
        let mut state = self.state();
        state.content.keep_alive = Some(chunk);
        self.tell(&mut state);
    }

    /// The writer has done.
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
            self.tell(&mut state);
        }
        drop(state);
        drop(notify);
    }
}

/// The connection's side.
impl Link<Queue> {
    /// From now on the writer sends by itself.
    pub(super) fn open(&self, socket: Arc<Socket>) {
        let queue = &mut self.state().content;
        queue.full_since = None;
        queue.socket = Some(socket);
    }

    /// Sends on of what is queued, without waiting.
    ///
    /// # Errors
    /// If the client has gone or is too slow, or the writer can't complete the body.
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

    /// Nothing has been sent for a while, unless more than so many bytes have been by now.
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

    /// The connection is over.
    pub(super) fn give_up(&self, fault: Fault) {
        self.state().fail(fault);
    }

    /// How long the client may be waited for, and what was waited.
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

    /// There is something to do for who sends.
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
