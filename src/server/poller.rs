//! [`Poller`]: mio's poll, with busy polling for a moment before it sleeps.

use std::io;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Registry, Token};

use super::busy_poll::{BusyPoll, MOMENT};

pub(super) const LISTENER: Token = Token(0);
pub(super) const WAKER: Token = Token(1);
/// The token of slot 0.
pub(super) const FIRST_SLOT: usize = 2;

#[derive(Debug)]
pub(super) struct Poller {
    poll: Poll,
    events: Events,
    busy_poll: BusyPoll,
}

impl Poller {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Poller {
            poll: Poll::new()?,
            events: Events::with_capacity(256),
            busy_poll: BusyPoll::default(),
        })
    }

    /// Returns a registry for threads that do not poll.
    pub(super) fn registry(&self) -> io::Result<Registry> {
        self.poll.registry().try_clone()
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.events.iter()
    }

    /// Waits for events. While waits are short, polls for a moment before it sleeps.
    pub(super) fn wait(&mut self, timeout: Option<Duration>, start: Instant) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return self.poll.poll(&mut self.events, timeout);
        }
        while self.busy_poll.pays() {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                self.learn(start.elapsed());
                return Ok(());
            }
            if start.elapsed() >= MOMENT {
                self.busy_poll.was_in_vain();
            }
        }
        self.poll.poll(&mut self.events, timeout)?;
        self.learn(start.elapsed());
        Ok(())
    }

    /// Notes that the last requests were large, after which busy polling does not pay.
    pub(super) fn expect_long_waits(&mut self) {
        self.busy_poll.expect_long_waits();
    }

    fn learn(&mut self, waited: Duration) {
        let mut tokens = self.events.iter().map(|event| event.token());
        let on_connection = tokens.any(|token| token != LISTENER && token != WAKER);
        self.busy_poll.learn(waited, on_connection);
    }
}
