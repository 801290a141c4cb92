//! [`Channel`]: the state that `rfile` and `wfile` of one exchange share: the socket, the responses on their way out, and
//! the framing of both bodies.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::PollFd;

use super::handed::Handed;
use super::min_rate::{Allowance, MinRate};
use super::observer::Observed;
use super::outgoing::{BUFFER, HeadKind, Outgoing, Taken, Terms, misuse};
use super::report::Report;
use super::tail::Tail;
use super::wire::{Client, Wire};
use crate::error::Fault;
use crate::limits::Limits;

mod tails;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) wire: Wire,
    pub(crate) out: RefCell<Outgoing>,
    pub(crate) limits: Arc<Limits>,
    /// Python's `close_connection`.
    pub(super) close: Cell<bool>,
    /// The connection ends, whatever a handler sets `close` to.
    doomed: Cell<bool>,
    /// The client waits for `100 Continue`.
    pub(super) awaits_continue: Cell<bool>,
    /// Number of unread bytes of a body of known length.
    pub(super) body_left: Cell<u64>,
    /// The stream has another owner now.
    pub(super) detached: Cell<bool>,
    /// The connection is to end with a reset.
    pub(super) resets: Cell<bool>,
    /// A write failed: nothing more is sent.
    broken: Cell<bool>,
    write_rate: Cell<MinRate>,
    pub(super) rest: RefCell<Rest>,
    /// An event loop would send a tail.
    pub(super) may_leave: Cell<bool>,
}

/// The parts of a response that continue without a handler.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The unsent end of finished responses.
    pub(super) tail: Option<Box<Tail>>,
    /// The stream or the deferred request of the last exchange.
    pub(super) handed: Option<Box<Handed>>,
    /// The exchange whose outcome is reported when both are over.
    pub(super) report: Option<Box<Report>>,
}

impl Channel {
    pub(super) fn new(wire: Wire, limits: Arc<Limits>) -> Self {
        Channel {
            may_leave: Cell::new(wire.stream.fd().is_some()),
            rest: RefCell::default(),
            wire,
            out: RefCell::new(Outgoing::new()),
            limits,
            close: Cell::new(false),
            doomed: Cell::new(false),
            awaits_continue: Cell::new(false),
            body_left: Cell::new(0),
            detached: Cell::new(false),
            resets: Cell::new(false),
            broken: Cell::new(false),
            write_rate: Cell::default(),
        }
    }

    /// Begins the response to a new request. If it is `doomed`, the connection ends after it.
    pub(super) fn begin(&self, terms: Terms, doomed: bool, body_left: u64) {
        self.out.borrow_mut().begin(terms);
        self.close.set(doomed);
        self.doomed.set(doomed);
        self.awaits_continue.set(false);
        self.body_left.set(body_left);
        self.write_rate.set(MinRate::default());
    }

    /// Returns true if the connection will end after the current response, as far as is known now. A head that is written
    /// now says so.
    pub(crate) fn is_closing(&self) -> bool {
        self.can_not_be_kept() || self.wire.control().is_draining()
    }

    /// Returns true if the connection ends, whatever the head of the response said. (A server that began to drain after
    /// that head does not end a connection that was announced as kept: the client may be sending its next request.)
    fn can_not_be_kept(&self) -> bool {
        self.close.get()
            || self.doomed.get()
            || self.awaits_continue.get()
            || self.body_left.get() > self.limits.discard
            || self.wire.control().is_stopping()
    }

    /// Makes the connection end after this response, whatever the handler does.
    pub(crate) fn doom(&self) {
        self.close.set(true);
        self.doomed.set(true);
    }

    /// Returns true if the connection ends, after the response.
    pub(super) fn must_close(&self) -> bool {
        self.can_not_be_kept() || self.broken.get() || self.out.borrow().must_close()
    }

    /// Returns true if the connection has TLS.
    pub(crate) fn has_tls(&self) -> bool {
        #[cfg(feature = "tls-config")]
        return self.tls().is_some();
        #[cfg(not(feature = "tls-config"))]
        false
    }

    /// The parameters of the TLS session, if there is one.
    #[cfg(feature = "tls-config")]
    pub(crate) fn tls(&self) -> Option<&crate::TlsInfo> {
        self.wire.stream.tls()?.info()
    }

    /// The observer of a test fixture, if there is one.
    pub(crate) fn observed(&self) -> &Observed {
        &self.wire.observed
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    #[inline]
    pub(crate) fn end_fields(&self) -> io::Result<()> {
        let kind = self.out.borrow_mut().end_fields(self.is_closing())?;
        if kind == HeadKind::Interim {
            self.awaits_continue.set(false);
            return self.send_ready(false);
        }
        Ok(())
    }

    /// Writes bytes of the body, and returns how many were taken.
    #[inline]
    pub(super) fn write_body(&self, data: &[u8]) -> io::Result<usize> {
        let taken = self.out.borrow_mut().body(data, || self.is_closing())?;
        match taken {
            Taken::Buffered(count) => Ok(count),
            Taken::Refused => Err(Fault::Overlong.into()),
            Taken::Through(count) => {
                let suffix = self.out.borrow_mut().write_through(count);
                // Of a body of this length nothing more follows.
                let is_end = self.out.borrow().left() == Some(0);
                self.send(data.get(..count).unwrap_or_default(), is_end)?;
                self.out.borrow_mut().buffer.extend_from_slice(suffix);
                Ok(count)
            }
        }
    }

    /// Sends everything written so far. The framing of a response that was held is decided now. An incomplete head stays.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let closing = self.is_closing();
        self.out.borrow_mut().ready_all(closing);
        self.finish_tail()?;
        self.send_ready(false)
    }

    /// Returns true if there is nothing to send.
    #[inline]
    pub(super) fn is_idle(&mut self) -> bool {
        self.out.get_mut().buffer.is_empty()
    }

    /// Sends what is ready, without a response that is held.
    pub(super) fn send_ready(&self, more: bool) -> io::Result<()> {
        self.send_all_ready(more, false)
    }

    /// Sends finished responses. What the socket does not take becomes the tail.
    pub(super) fn send_finished(&self, more: bool) -> io::Result<()> {
        self.send_all_ready(more, true)
    }

    fn send_all_ready(&self, more: bool, is_end: bool) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        let count = out.sendable();
        if count == 0 {
            return Ok(());
        }
        let ready = out.buffer.get(..count).unwrap_or_default();
        let result = self.send_bytes(ready, &[], more, is_end);
        self.note_sent(&mut out, count, result)
    }

    /// Sends as much of what is ready as the socket takes, without waiting.
    pub(super) fn send_some_ready(&self, more: bool) -> io::Result<()> {
        self.finish_tail()?;
        if self.broken.get() {
            return Err(Fault::Gone.into());
        }
        let mut out = self.out.borrow_mut();
        let count = out.sendable();
        let mut left = out.buffer.get(..count).unwrap_or_default();
        let mut min_rate = self.write_rate.get();
        let result = self
            .wire
            .send_now(&mut left, &mut &[][..], more, &mut min_rate);
        self.write_rate.set(min_rate);
        let sent = match result {
            Ok(true) => count,
            _ => count - left.len(),
        };
        if sent == 0 && result.is_ok() {
            return Ok(());
        }
        self.note_sent(&mut out, sent, result.map(drop))
    }

    /// Sends the whole buffer, then `data`.
    fn send(&self, data: &[u8], is_end: bool) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        let count = out.buffer.len();
        let result = self.send_bytes(&out.buffer, data, false, is_end);
        self.note_sent(&mut out, count.max(1), result)
    }

    fn send_bytes(&self, first: &[u8], second: &[u8], more: bool, is_end: bool) -> io::Result<()> {
        self.finish_tail()?;
        if self.broken.get() {
            return Err(Fault::Gone.into());
        }
        let mut min_rate = self.write_rate.get();
        let result = match is_end && self.may_leave.get() {
            true => self.send_or_leave(first, second, more, &mut min_rate),
            false => self
                .wire
                .send(first, second, more, &mut min_rate, self.write_allowance()),
        };
        self.write_rate.set(min_rate);
        result
    }

    fn note_sent(
        &self,
        out: &mut Outgoing,
        count: usize,
        result: io::Result<()>,
    ) -> io::Result<()> {
        out.sent(count);
        result.inspect_err(|_| self.broken.set(true))
    }

    /// Sends the buffer, then a part of a file. Returns `None` if the file must be copied instead.
    pub(super) fn send_file(
        &self,
        file: &File,
        offset: &mut u64,
        count: usize,
    ) -> io::Result<Option<usize>> {
        self.finish_tail()?;
        if self.broken.get() {
            return Err(Fault::Gone.into());
        }
        let mut min_rate = self.write_rate.get();
        let allowance = self.write_allowance();
        let result = self
            .wire
            .send_file(file, offset, count, &mut min_rate, allowance);
        self.write_rate.set(min_rate);
        if let Ok(Some(sent)) = result {
            self.out.borrow_mut().write_through(sent);
        }
        result.inspect_err(|_| self.broken.set(true))
    }

    /// Sends what the client may be waiting for, before a thread waits for the client: the responses to earlier requests,
    /// `100 Continue`, the response so far.
    pub(super) fn before_wait(&self) -> io::Result<()> {
        self.finish_tail()?;
        if self.awaits_continue.get() {
            self.awaits_continue.set(false);
            let mut out = self.out.borrow_mut();
            if !out.has_begun() {
                out.insert_interim(CONTINUE);
            }
        }
        if self.out.borrow().has_head() {
            return self.flush();
        }
        self.send_ready(false)
    }

    /// Gives up the framing of the response: the complete part is sent, and nothing is added.
    pub(crate) fn surrender(&self) -> io::Result<()> {
        if self.is_handed() {
            return Err(misuse(
                "the exchange is deferred, or a ResponseStream sends its body: there is no raw stream",
            ));
        }
        if self.detached.get() {
            return Err(misuse("the connection was detached before"));
        }
        self.doom();
        self.out.borrow_mut().prepare_surrender();
        let result = self.finish_tail().and_then(|()| self.send_ready(false));
        self.out.borrow_mut().surrender();
        result
    }

    /// Waits for the client and for other descriptors at once; see [`Wire::wait_beside`].
    pub(crate) fn wait_beside<'f>(
        &'f self,
        others: &mut Vec<PollFd<'f>>,
        wants_read: bool,
        timeout: Option<Duration>,
    ) -> io::Result<Client> {
        self.finish_tail()?;
        self.wire.wait_beside(others, wants_read, timeout)
    }

    /// Completes the response.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let closing = self.is_closing();
        let mut out = self.out.borrow_mut();
        out.finish(closing)?;
        if out.buffer.len() > BUFFER {
            drop(out);
            return self.send_finished(false);
        }
        Ok(())
    }

    /// Checks that there is a response, or that it is deferred.
    pub(crate) fn check_answered(&self) -> crate::Result<()> {
        match self.out.borrow().has_head() || self.is_deferred() {
            true => Ok(()),
            false => Err(misuse("the handler sent no response").into()),
        }
    }

    fn write_allowance(&self) -> Allowance {
        Allowance::of_writes(&self.limits)
    }
}
