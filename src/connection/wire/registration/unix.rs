//! On Unix a poller reports edges: each arrival once.

use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::Wire;
use crate::connection::WaitsFor;

/// What a poller was told.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// It reports what comes.
    is_registered: Cell<bool>,
    /// It reports room to write as well.
    reports_room: Cell<bool>,
}

impl Wire {
    pub(crate) fn is_registered(&self) -> bool {
        self.registration.is_registered.get()
    }

    /// Has a poller report what the connection waits for from now on, as it is about to be parked.
    ///
    /// For an unfinished answer that is room, which the poller reports once. What there is when it is told to, it reports
    /// too, so a connection that does not wait, as others had their turn, has its next one.
    #[inline]
    pub(crate) fn watch(
        &mut self,
        registry: &Registry,
        token: Token,
        _waits_for: WaitsFor,
        is_unfinished: bool,
        is_waiting: bool,
    ) -> io::Result<()> {
        let is_registered = match is_unfinished {
            true => self.registration.reports_room.get() && is_waiting,
            false => self.registration.is_registered.get(),
        };
        match is_registered {
            true => Ok(()),
            false => self.register(registry, token, is_unfinished),
        }
    }

    /// Has it report the next arrival, on a connection that was parked before and whose answer is finished.
    #[inline]
    pub(crate) fn watch_on(&mut self, _: &Registry, _: Token) -> io::Result<()> {
        Ok(())
    }

    /// Has a poller report what comes, from what is there now on, and if it `wants_room` also when the socket takes
    /// more. Once that was asked for, it is reported until the poller reports nothing more.
    pub(crate) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        wants_room: bool,
    ) -> io::Result<()> {
        let interest = match wants_room {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        if let Some(fd) = self.stream.fd() {
            let fd = fd.as_raw_fd();
            // What is there now is reported once more.
            match self.registration.is_registered.get() {
                true => SourceFd(&fd).reregister(registry, token, interest)?,
                false => SourceFd(&fd).register(registry, token, interest)?,
            }
        }
        self.registration.is_registered.set(true);
        self.registration.reports_room.set(wants_room);
        Ok(())
    }

    /// Has the poller report nothing more. (It fails only for one that does not.)
    pub(crate) fn deregister(&self, registry: &Registry) {
        let fd = self
            .stream
            .fd()
            .filter(|_| self.registration.is_registered.get());
        if fd.is_some_and(|fd| SourceFd(&fd.as_raw_fd()).deregister(registry).is_ok()) {
            self.registration.is_registered.set(false);
            self.registration.reports_room.set(false);
        }
    }
}
