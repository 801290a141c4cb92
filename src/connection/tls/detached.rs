//! [`DetachedTls`]: a blocking session that was taken out of its server.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::Tls;
use crate::sys::{self, BorrowedSocket, OwnedSocket};

/// The socket stays non-blocking: a thread waits for it in `poll`.
#[derive(Debug)]
pub(crate) struct DetachedTls {
    waiter: OwnedSocket,
    /// In a mutex only so that threads may share what has it.
    tls: Mutex<Box<Tls>>,
}

impl DetachedTls {
    /// Takes the session over, with a second descriptor of its socket.
    pub(crate) fn new(tls: &Tls, socket: OwnedSocket) -> io::Result<Self> {
        let waiter = socket.try_clone()?;
        let socket = tls.socket().same_with(socket);
        Ok(DetachedTls {
            waiter,
            tls: Mutex::new(Box::new(tls.leave_to(socket))),
        })
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait_for(PollFlags::IN, |tls| tls.recv(buffer))
    }

    /// Writes everything, because encrypted bytes can't be taken back.
    pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut left = data;
        while !left.is_empty() {
            let count = self.wait_for(PollFlags::OUT, |tls| tls.send(left, &[], false))?;
            left = left.get(count..).unwrap_or_default();
        }
        Ok(data.len())
    }

    fn wait_for(
        &mut self,
        what: PollFlags,
        mut attempt: impl FnMut(&Tls) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let tls = self.tls.get_mut().unwrap_or_else(PoisonError::into_inner);
        loop {
            match attempt(tls) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            let mut polled = [PollFd::from_borrowed_fd(sys::socket(&self.waiter), what)];
            match poll(&mut polled, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl DetachedTls {
    pub(crate) fn socket(&self) -> BorrowedSocket<'_> {
        sys::socket(&self.waiter)
    }
}

impl Drop for DetachedTls {
    fn drop(&mut self) {
        let tls = self.tls.get_mut().unwrap_or_else(PoisonError::into_inner);
        tls.close_notify(false);
    }
}
