//! Dropping the rest of a body that no handler reads.

use std::io::{self, BufRead};

use super::RequestBody;
use crate::connection::state::SHARE;
use crate::connection::stream::WASTE;
use crate::error::Fault;

/// The result of [`RequestBody::drop_available`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum Dropped {
    /// The body is read to its end.
    All,
    /// More must come first.
    Some,
    /// The limit is reached, and there is more.
    TooMuch,
}

impl RequestBody<'_> {
    /// Reads and drops the rest of the body. Returns the number of bytes.
    ///
    /// # Errors
    /// Those of a read.
    pub fn discard(&mut self) -> io::Result<u64> {
        let mut total = 0;
        loop {
            let direct = usize::try_from(self.direct()).unwrap_or(usize::MAX);
            let most = direct.min(WASTE);
            let wire = &self.channel.wire;
            // Who looks on wants to see it.
            let is_dropped = wire.stream.drops_in_kernel() && !wire.observed.is_active();
            let count = match most > 0 && is_dropped {
                true => self.read_past(most, |wire, min_rate, allowance, before_wait| {
                    wire.discard(most, min_rate, allowance, before_wait)
                })?,
                false => {
                    let count = self.available()?;
                    self.consume(count);
                    count
                }
            };
            if count == 0 {
                return Ok(total);
            }
            total += count as u64;
        }
    }

    /// Returns true if there is a rest whose end is known. A rest that is too large does not count.
    pub(in crate::connection) fn can_be_dropped(&mut self) -> bool {
        if let Some(Fault::TooLarge) = self.body.failure {
            self.body.failure = None;
            self.body.is_dropped = true;
        }
        self.body.failure.is_none() && self.remaining() != Some(0)
    }

    /// Drops the received part of the rest, at most `left` bytes and [`SHARE`] at once, without waiting.
    pub(in crate::connection) fn drop_available(&mut self, left: &mut u64) -> io::Result<Dropped> {
        self.body.is_dropped = true;
        let stream = &self.channel.wire.stream;
        let mut share = SHARE;
        // What was read already has no event of its own.
        while share > 0 || !self.ahead.unread().is_empty() || stream.holds_bytes() {
            let Some(count) = self.try_next()? else { break };
            if count == 0 {
                return Ok(Dropped::All);
            }
            self.consume(count);
            *left = left.saturating_sub(count as u64);
            share = share.saturating_sub(count as u64);
            if *left == 0 && self.remaining() != Some(0) {
                return Ok(Dropped::TooMuch);
            }
        }
        Ok(match self.remaining() {
            Some(0) => Dropped::All,
            _ => Dropped::Some,
        })
    }
}
