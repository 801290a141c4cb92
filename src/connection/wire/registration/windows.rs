//! On Windows a poller (of mio) reports each thing once, and again only after it was told to: whenever a connection is
//! parked.

use std::cell::Cell;
use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};

use super::super::Wire;
use crate::connection::WaitsFor;

/// What a poller was told.
#[derive(Debug, Default)]
pub(in crate::connection::wire) struct Registration {
    /// It has the socket, for good.
    is_known: Cell<bool>,
    is_registered: Cell<bool>,
    /// What was asked for last is the end of what the client sends.
    awaits_end: Cell<bool>,
}

impl Wire {
    pub(crate) fn is_registered(&self) -> bool {
        self.registration.is_registered.get()
    }

    /// Has a poller report what the connection waits for from now on, be it there already, as it is about to be parked.
    ///
    /// For room, nothing else is asked for: what the client has sent meanwhile would be reported again and again. And
    /// while the program has the answer in its hands, an arrival is reported once, for nobody reads it.
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

    /// Has it report the next arrival, on a connection that was parked before and whose answer is finished.
    pub(crate) fn watch_on(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.registration.awaits_end.set(false);
        self.register(registry, token, false)
    }

    /// Has a poller report what comes, or (`wants_room`) that the socket takes more. Where the end has come, with the last
    /// bytes that were read, there is nothing more to report; that the socket takes more is reported instead, at once.
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

    /// Nothing is reported before the connection is parked again.
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
