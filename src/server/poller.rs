//! What a lane polls with. It belongs to the lane, or is lent to one lane after the other.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token, Waker};

use super::spin::{SPIN, Spin};

pub(super) const LISTENER: Token = Token(0);
pub(super) const WAKER: Token = Token(1);
/// The token of slot 0.
pub(super) const FIRST_SLOT: usize = 2;

#[derive(Debug)]
pub(crate) struct Poller {
    poll: Poll,
    pub(super) events: Events,
    spin: Spin,
}

/// How those reach a poller who do not poll.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) registry: Arc<Registry>,
    pub(crate) waker: Arc<Waker>,
}

impl Poller {
    pub(crate) fn new() -> io::Result<(Self, Access)> {
        let poll = Poll::new()?;
        let registry = Arc::new(poll.registry().try_clone()?);
        let waker = Arc::new(Waker::new(&registry, WAKER)?);
        let poller = Poller {
            poll,
            events: Events::with_capacity(256),
            spin: Spin::default(),
        };
        Ok((poller, Access { registry, waker }))
    }

    /// Waits for events; where waits are short, by looking for a moment before sleeping.
    pub(crate) fn sleep(&mut self, timeout: Option<Duration>, start: Instant) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return self.poll.poll(&mut self.events, timeout);
        }
        while self.spin.pays() {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                self.learn(start.elapsed());
                return Ok(());
            }
            if start.elapsed() >= SPIN {
                self.spin.was_vain();
            }
        }
        self.poll.poll(&mut self.events, timeout)?;
        self.learn(start.elapsed());
        Ok(())
    }

    /// The last wait has ended with something.
    #[cfg(feature = "testing")]
    pub(crate) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// The last requests were large ones, after which looking again costs more than it brings.
    pub(super) fn is_not_hurried(&mut self) {
        self.spin.ends();
    }

    fn learn(&mut self, waited: Duration) {
        let mut tokens = self.events.iter().map(|event| event.token());
        let on_connection = tokens.any(|token| token != LISTENER && token != WAKER);
        self.spin.learn(waited, on_connection);
    }
}
