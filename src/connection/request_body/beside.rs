//! Reading a body without waiting, for callers that wait for something else as well: a CGI script.

use std::io;
use std::time::Duration;

use super::RequestBody;
use crate::connection::min_rate::Allowance;
use crate::error::Fault;

impl RequestBody<'_> {
    /// Returns how many bytes of the body are at the front of the buffer, without waiting: 0 only at the end of the body,
    /// `None` if the client has to send more first.
    pub(crate) fn try_available(&mut self) -> io::Result<Option<usize>> {
        let available = self.try_next()?;
        if available.is_none() {
            self.channel.before_wait()?;
        }
        Ok(available)
    }

    /// The maximum wait for callers of [`try_available`](Self::try_available).
    pub(crate) fn patience(&self) -> Duration {
        let allowance = Allowance::of_body(&self.channel.limits);
        self.body.min_rate.next_wait(allowance)
    }

    /// Notes a wait of such a caller.
    ///
    /// # Errors
    /// `TimedOut` if the client has used up its time.
    pub(crate) fn waited(&mut self, time: Duration) -> io::Result<()> {
        self.body.min_rate.waited(time);
        match self.patience().is_zero() {
            true => Err(self.fail(Fault::SlowBody)),
            false => Ok(()),
        }
    }
}
