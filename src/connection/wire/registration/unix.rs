//! The registration with a poller on Unix, which is edge-triggered: it reports each arrival once.

use std::cell::Cell;
use std::io;
use std::os::fd::AsRawFd;

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::Wire;
use crate::connection::WaitsFor;

/// The registration of a socket.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// The poller reports arrivals.
    is_registered: Cell<bool>,
    /// The poller reports room to write, too.
    reports_room: Cell<bool>,
}

impl Wire {
    pub(crate) fn is_registered(&self) -> bool {
        self.registration.is_registered.get()
    }

    /// Registers a connection for what it waits for, before it is parked.
    ///
    /// For an unfinished response that is room to write, which the poller reports once. The poller also reports room that is
    /// there already, so a connection that only waits for its turn gets its next one.
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

    /// Registers a connection for the next arrival that was parked before and whose response is finished.
    #[inline]
    pub(crate) fn watch_on(&mut self, _: &Registry, _: Token) -> io::Result<()> {
        Ok(())
    }

    /// Registers the socket for arrivals, including bytes that are there already, and with `wants_room` also for room to
    /// write. Room is reported until the socket is deregistered.
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

    /// Deregisters the socket.
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
