//! The end of a response: it is sent, and what the socket does not take becomes the tail.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::Channel;
use crate::connection::min_rate::MinRate;
use crate::connection::state::SHARE;
use crate::connection::tail::{self, MOST_HELD, Progress, Range, Tail};
use crate::error::Fault;

impl Channel {
    /// Sends the end of a response. If the socket takes no more and little is left, the rest becomes the tail.
    pub(super) fn send_or_leave(
        &self,
        mut first: &[u8],
        mut second: &[u8],
        more: bool,
        min_rate: &mut MinRate,
    ) -> io::Result<()> {
        while !self
            .wire
            .send_now(&mut first, &mut second, more, min_rate)?
        {
            let left = first.len() + second.len();
            let counted = match left <= MOST_HELD {
                true => self
                    .wire
                    .control
                    .enter_tail(left, false, self.limits.total_queue),
                false => None,
            };
            if let Some(counted) = counted {
                let bytes = [first, second].concat();
                let tail = Tail::new(bytes, None, Progress::Full, counted);
                self.rest.borrow_mut().tail = Some(tail);
                return Ok(());
            }
            self.wire.wait_writable(min_rate, self.write_allowance())?;
        }
        Ok(())
    }

    /// Returns true if `count` bytes are all that is left of the response, and they may become its tail.
    pub(in crate::connection) fn may_end_with(&self, count: u64) -> bool {
        let is_all = self.out.borrow().left() == Some(count) && usize::try_from(count).is_ok();
        is_all && self.may_leave.get() && !self.has_tail()
    }

    /// Ends the response with a file from `offset`, which is advanced. What is not sent at once becomes the tail, with a
    /// file handle of its own. If no tail is possible, a part of the file is left.
    pub(in crate::connection) fn end_with_file(
        &self,
        file: &File,
        own: impl FnOnce() -> io::Result<Arc<File>>,
        offset: &mut u64,
        end: u64,
        is_bulk: bool,
    ) -> io::Result<()> {
        self.send_some_ready(true)?;
        let mut out = self.out.borrow_mut();
        let start = *offset;
        let mut progress = Progress::Full;
        if out.buffer.is_empty() {
            let mut min_rate = self.write_rate.get();
            let sent = tail::send_range(&self.wire, file, offset, end, SHARE, &mut min_rate);
            self.write_rate.set(min_rate);
            out.write_through((*offset - start) as usize);
            progress = sent.inspect_err(|error| {
                self.broken
                    .set(error.kind() != io::ErrorKind::UnexpectedEof);
            })?;
        }
        if progress == Progress::All {
            return Ok(());
        }
        let Ok(file) = own() else { return Ok(()) };
        let held = out.buffer.len();
        let most = self.limits.total_queue;
        let Some(counted) = self.wire.control.enter_tail(held, true, most) else {
            return Ok(());
        };
        out.write_through((end - *offset) as usize);
        let range = Range {
            file,
            offset: *offset,
            end,
            is_bulk,
        };
        let tail = Tail::new(out.buffer.to_vec(), Some(range), progress, counted);
        self.rest.borrow_mut().tail = Some(tail);
        out.sent(held);
        *offset = end;
        Ok(())
    }

    #[inline]
    pub(in crate::connection) fn has_tail(&self) -> bool {
        self.rest.borrow().tail.is_some()
    }

    /// Returns true if the tail waits for room in the socket, and not only for its turn.
    pub(in crate::connection) fn tail_is_full(&self) -> bool {
        self.rest
            .borrow()
            .tail
            .as_ref()
            .is_some_and(|tail| tail.is_full())
    }

    /// Drops the tail. Returns true if there was one.
    pub(in crate::connection) fn drop_tail(&self) -> bool {
        self.rest.borrow_mut().tail.take().is_some()
    }

    /// The number of bytes of the response that the socket has taken.
    pub(in crate::connection) fn written(&self) -> u64 {
        self.write_rate.get().bytes()
    }

    /// Sends the tail and waits until it is sent, because something else is to be sent, or because no event loop would
    /// send it.
    #[inline]
    pub(crate) fn finish_tail(&self) -> io::Result<()> {
        match self.has_tail() {
            true => self.finish_tail_that_is_there(),
            false => Ok(()),
        }
    }

    #[cold]
    fn finish_tail_that_is_there(&self) -> io::Result<()> {
        let Some(mut tail) = self.rest.borrow_mut().tail.take() else {
            return Ok(());
        };
        let mut min_rate = self.write_rate.get();
        let result = tail.finish(&self.wire, &mut min_rate, self.write_allowance());
        self.write_rate.set(min_rate);
        result.inspect_err(|_| self.broken.set(true))
    }

    /// Sends more of the tail, without waiting. Returns true if all of it is sent.
    ///
    /// # Errors
    /// Those of a write and of the file. The tail is dropped then.
    pub(in crate::connection) fn send_tail(&self) -> io::Result<bool> {
        let Some(mut tail) = self.rest.borrow_mut().tail.take() else {
            return Ok(true);
        };
        let mut min_rate = self.write_rate.get();
        let progress = tail.send(&self.wire, &mut min_rate);
        self.write_rate.set(min_rate);
        match progress.inspect_err(|_| self.broken.set(true))? {
            Progress::All => return Ok(true),
            _ if min_rate.next_wait(self.write_allowance()).is_zero() => {
                self.broken.set(true);
                return Err(Fault::SlowReader.into());
            }
            _ => self.rest.borrow_mut().tail = Some(tail),
        }
        Ok(false)
    }
}
