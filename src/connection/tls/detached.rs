//! [`DetachedTls`]: a blocking session that was taken out of its server.

use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::Timeout;

use super::Tls;
use crate::connection::wire::timespec;
use crate::shutdown::lock;
use crate::sys::{self, BorrowedSocket, OwnedSocket};

/// The socket stays non-blocking: a thread waits for it in `poll`, without a lock, so that another thread can use the
/// session meanwhile.
#[derive(Debug)]
pub(crate) struct DetachedTls {
    waiter: OwnedSocket,
    tls: Mutex<Tls>,
    /// The turn to write: encrypted bytes of one write must not be taken for those of another.
    writing: Mutex<()>,
    read_timeout: Mutex<Option<Duration>>,
    write_timeout: Mutex<Option<Duration>>,
}

impl DetachedTls {
    /// Takes the session over, with a second descriptor of its socket.
    pub(crate) fn new(tls: &Tls, socket: OwnedSocket) -> io::Result<Self> {
        let waiter = socket.try_clone()?;
        let socket = tls.socket().same_with(socket);
        Ok(DetachedTls {
            waiter,
            tls: Mutex::new(tls.leave_to(socket)),
            writing: Mutex::default(),
            read_timeout: Mutex::default(),
            write_timeout: Mutex::default(),
        })
    }

    pub(crate) fn set_timeout(&self, which: Timeout, timeout: Option<Duration>) {
        let place = match which {
            Timeout::Recv => &self.read_timeout,
            Timeout::Send => &self.write_timeout,
        };
        *lock(place) = timeout;
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait_for(PollFlags::IN, &self.read_timeout, |tls| tls.recv(buffer))
    }

    /// Writes everything, because encrypted bytes can't be taken back, or as much as was sent before the timeout.
    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        let _turn = lock(&self.writing);
        let mut left = data;
        while !left.is_empty() {
            let sent = self.wait_for(PollFlags::OUT, &self.write_timeout, |tls| {
                tls.send(left, &[], false)
            });
            match sent {
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(error)
                    if error.kind() == io::ErrorKind::TimedOut && left.len() < data.len() =>
                {
                    return Ok(data.len() - left.len());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(data.len())
    }

    fn wait_for(
        &self,
        what: PollFlags,
        timeout: &Mutex<Option<Duration>>,
        mut attempt: impl FnMut(&Tls) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let timeout = *lock(timeout);
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            match attempt(&lock(&self.tls)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut polled = [PollFd::from_borrowed_fd(sys::socket(&self.waiter), what)];
            match poll(&mut polled, left.map(timespec).as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends `close_notify`, unless a write waits: then the end of the stream comes without it.
    pub(crate) fn close_notify(&self) {
        lock(&self.tls).close_notify(true);
    }

    pub(crate) fn socket(&self) -> BorrowedSocket<'_> {
        sys::socket(&self.waiter)
    }
}

impl Drop for DetachedTls {
    fn drop(&mut self) {
        lock(&self.tls).close_notify(false);
    }
}
