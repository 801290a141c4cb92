//! On Windows a poller (of mio) reports each thing once, and again only after it was told to: whenever a connection is
//! parked.

use std::cell::Cell;
use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};

use super::Wire;
use crate::connection::WaitsFor;

/// What a poller was told.
#[derive(Debug, Default)]
pub(super) struct Registration {
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

    /// Has a poller report what comes, or (`wants_room`) that the socket takes more.
    pub(crate) fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        wants_room: bool,
    ) -> io::Result<()> {
        let interest = match wants_room {
            true => Interest::WRITABLE,
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
