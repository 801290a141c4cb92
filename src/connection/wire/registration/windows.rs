//! The registration with a poller on Windows: mio reports an event once, and again only after the socket was registered
//! again, which each parking does.

use std::cell::Cell;
use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};

use super::Wire;
use crate::connection::WaitsFor;

/// The registration of a socket.
#[derive(Debug, Default)]
pub(super) struct Registration {
    /// The poller has the socket.
    is_known: Cell<bool>,
    is_registered: Cell<bool>,
    /// The last registration was for the end of the client's stream.
    awaits_end: Cell<bool>,
}

impl Wire {
    pub(crate) fn is_registered(&self) -> bool {
        self.registration.is_registered.get()
    }

    /// Registers a connection for what it waits for, before it is parked. An event that has happened already is reported.
    ///
    /// A connection that waits for room is registered for nothing else, because bytes of the client would be reported again
    /// and again. While a stream is open or a request is deferred, an arrival is reported once, because it is not read.
    pub(crate) fn watch(
        &mut self,
        registry: &Registry,
        token: Token,
        waits_for: WaitsFor,
        is_unfinished: bool,
        _is_waiting: bool,
    ) -> io::Result<()> {
        let is_with_program = matches!(waits_for, WaitsFor::Silence | WaitsFor::Program);
        if is_with_program
            && self.registration.is_registered.get()
            && self.registration.awaits_end.get()
        {
            return Ok(());
        }
        let wants_room = is_unfinished && !is_with_program;
        self.register(registry, token, wants_room)?;
        self.registration.awaits_end.set(is_with_program);
        Ok(())
    }

    /// Registers a connection for the next arrival that was parked before and whose response is finished.
    pub(crate) fn watch_on(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.registration.awaits_end.set(false);
        self.register(registry, token, false)
    }

    /// Registers the socket for arrivals, or with `wants_room` for room to write.
    ///
    /// If the end of the stream came with the last bytes that were read, nothing more arrives. Room to write, which is
    /// reported at once, stands for the end then.
    pub(crate) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        wants_room: bool,
    ) -> io::Result<()> {
        let interest = match wants_room {
            true => Interest::WRITABLE,
            false if self.stream.end_is_read() => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        if let Some(socket) = self.stream.source() {
            match self.registration.is_known.replace(true) {
                true => socket.reregister(registry, token, interest)?,
                false => socket.register(registry, token, interest)?,
            }
        }
        self.registration.is_registered.set(true);
        Ok(())
    }

    /// Does nothing: nothing is reported before the connection is parked again.
    pub(crate) fn deregister(&self, _: &Registry) {
        self.registration.is_registered.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Arc;
    use std::time::Duration;

    use mio::{Events, Poll};

    use super::*;
    use crate::connection::stream::Stream;
    use crate::sys;

    #[test]
    fn what_is_there_is_reported_again_whenever_a_connection_is_parked() {
        const TOKEN: Token = Token(7);
        let (ours, theirs) = sys::signal_pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut wire = Wire::new(Stream::of_pair(ours), Arc::default());
        let mut poll = Poll::new().unwrap();
        let registry = poll.registry().try_clone().unwrap();
        let mut is_reported = || {
            // A poll ends without an event, too, where what is waited for has changed.
            (0..5).any(|_| {
                let mut events = Events::with_capacity(4);
                poll.poll(&mut events, Some(Duration::from_millis(200)))
                    .unwrap();
                events.iter().any(|event| event.token() == TOKEN)
            })
        };
        (&theirs).write_all(b"some").unwrap();
        wire.register(&registry, TOKEN, false).unwrap();
        assert!(is_reported());
        assert!(!is_reported(), "then the test shows nothing");
        wire.watch_on(&registry, TOKEN).unwrap();
        assert!(is_reported());
        for (waits_for, is_unfinished) in [(WaitsFor::Room, true), (WaitsFor::NextHead, false)] {
            wire.watch(&registry, TOKEN, waits_for, is_unfinished, true)
                .unwrap();
            assert!(is_reported(), "{waits_for:?}");
        }
    }
}
