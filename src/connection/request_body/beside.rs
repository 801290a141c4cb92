//! Reading without waiting, by code that waits for something else as well: for a script.

use std::io;
use std::time::Duration;

use super::RequestBody;
use crate::connection::min_rate::Allowance;
use crate::error::Fault;

impl RequestBody<'_> {
    /// How many bytes of the body stand at the front of the buffer, without waiting: 0 only at its end, `None` if the client
    /// has to send more first.
    pub(crate) fn try_available(&mut self) -> io::Result<Option<usize>> {
        let available = self.try_next()?;
        if available.is_none() {
            self.channel.before_wait()?;
        }
        Ok(available)
    }

    /// How long to wait for the client at most.
    pub(crate) fn patience(&self) -> Duration {
        let allowance = Allowance::of_body(&self.channel.limits);
        self.body.min_rate.next_wait(allowance)
    }

    /// Counts a wait for the client, whose fault it is if no patience is left.
    ///
    /// # Errors
    /// `TimedOut`.
    pub(crate) fn waited(&mut self, time: Duration) -> io::Result<()> {
        self.body.min_rate.waited(time);
        match self.patience().is_zero() {
            true => Err(self.fail(Fault::SlowBody)),
            false => Ok(()),
        }
    }
}
