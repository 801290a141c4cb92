//! The waits of handlers for the socket: as long as the minimum rate allows, beside other descriptors, and until the
//! server's shutdown closes its sockets.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::Wire;
use crate::connection::min_rate::{Allowance, MinRate};
use crate::error::Fault;
use crate::sys;

/// The state of the client as [`Wire::wait_beside`] found it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// It has closed or reset the connection.
    pub(crate) is_gone: bool,
}

/// The event that a wait is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Wire {
    /// Blocks this thread until the socket is ready, the client's time is used up, or a shutdown closes the sockets.
    pub(super) fn wait(
        &self,
        direction: Direction,
        min_rate: &mut MinRate,
        allowance: Allowance,
    ) -> io::Result<()> {
        let (flags, late) = match direction {
            Direction::Read => (PollFlags::IN, Fault::SlowBody),
            Direction::Write => (PollFlags::OUT, Fault::SlowReader),
        };
        let Some(socket) = self.stream.fd() else {
            // In memory there is no more to wait for: all is there, and the end behind it.
            return Ok(());
        };
        let start = Instant::now();
        if let Some(hook) = &self.hook {
            if direction == Direction::Read {
                if hook.waits_briefly(socket) {
                    min_rate.waited(start.elapsed());
                    return Ok(());
                }
                hook.before_read(self);
            }
            hook.before_wait();
        }
        let patience = min_rate.next_wait(allowance);
        let cut = self.control.cut_signal()?;
        loop {
            let left = patience.saturating_sub(start.elapsed());
            if left.is_zero() {
                min_rate.waited(patience);
                if direction == Direction::Write {
                    // Else the kernel would go on offering what is unsent, for minutes.
                    self.stream.end_with_reset();
                }
                return Err(late.into());
            }
            let is_ready = sys::wait(socket, flags, cut, &timespec(left))?;
            self.check_cut()?;
            if is_ready {
                min_rate.waited(start.elapsed());
                return Ok(());
            }
        }
    }

    /// Waits until one of `others` is ready, the client has left, or (if `wants_read`) has sent something; at most for
    /// `timeout`. A half-close by the client does not count as leaving.
    ///
    /// # Errors
    /// If a shutdown closes the sockets.
    pub(crate) fn wait_beside<'f>(
        &'f self,
        others: &mut Vec<PollFd<'f>>,
        wants_read: bool,
        timeout: Option<Duration>,
    ) -> io::Result<Client> {
        if let Some(hook) = &self.hook {
            if wants_read {
                hook.before_read(self);
            }
            hook.before_wait();
        }
        let own = others.len();
        let interest = match wants_read {
            true => PollFlags::IN,
            // Errors and hang-ups are reported in any case.
            false => PollFlags::empty(),
        };
        if let Some(socket) = self.stream.fd() {
            others.push(PollFd::from_borrowed_fd(socket, interest));
            let cut = self.control.cut_signal()?;
            others.push(PollFd::from_borrowed_fd(cut, PollFlags::IN));
        }
        match rustix::event::poll(others, timeout.map(timespec).as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.check_cut()?;
        let client = match self.stream.fd() {
            Some(_) => others.get(own).map_or(PollFlags::empty(), PollFd::revents),
            None => PollFlags::empty(),
        };
        others.truncate(own);
        Ok(Client {
            is_gone: client.intersects(sys::GONE),
        })
    }
}

/// Rounds a time up to whole milliseconds, so that a wait never ends early and spins.
pub(in crate::connection) fn timespec(time: Duration) -> Timespec {
    let millis = time.as_millis().min(i32::MAX as u128) as i64 + 1;
    Timespec {
        tv_sec: millis / 1000,
        // Its type differs from system to system.
        tv_nsec: ((millis % 1000) * 1_000_000) as _,
    }
}
