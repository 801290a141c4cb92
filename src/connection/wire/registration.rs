//! Whether, and of what, a poller reports: edges, so once for each arrival.

use std::io;
use std::os::fd::AsRawFd;

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use super::Wire;

impl Wire {
    pub(crate) fn is_registered(&self) -> bool {
        self.is_registered.get()
    }

    /// Has a poller report what comes, from what is there now on, and if it `wants_room` also when the socket takes
    /// more. Once that was asked for, it is reported until the poller reports nothing more.
    pub(crate) fn register(
        &self,
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
            match self.is_registered.get() {
                true => SourceFd(&fd).reregister(registry, token, interest)?,
                false => SourceFd(&fd).register(registry, token, interest)?,
            }
        }
        self.is_registered.set(true);
        self.reports_room.set(wants_room);
        Ok(())
    }

    /// A poller reports when the socket takes more.
    pub(crate) fn reports_room(&self) -> bool {
        self.reports_room.get()
    }

    /// Has the poller report nothing more. (It fails only for one that does not.)
    pub(crate) fn deregister(&self, registry: &Registry) {
        let fd = self.stream.fd().filter(|_| self.is_registered.get());
        if fd.is_some_and(|fd| SourceFd(&fd.as_raw_fd()).deregister(registry).is_ok()) {
            self.is_registered.set(false);
            self.reports_room.set(false);
        }
    }
}
