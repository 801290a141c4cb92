//! [`Observed`]: the observer of a connection, for test fixtures. Without the feature `testing` it is empty, and its calls
//! do nothing.

use crate::exchange::Exchange;
use crate::http1::Refusal;

/// An event that an observer gets, on the thread that serves the connection.
#[derive(Debug)]
#[cfg_attr(not(feature = "testing"), expect(dead_code))]
pub(crate) enum Observation<'e> {
    /// These bytes came from the client.
    Received(&'e [u8]),
    /// A request, or what was refused as one, is about to be answered.
    Begun(&'e Exchange<'e>, Option<&'e Refusal>),
    /// These bytes of the body were read, or discarded.
    Body(&'e [u8]),
    /// The body was read or discarded to its end. The number is that of the unread bytes behind it.
    BodyEnd(usize),
    /// A hook has panicked.
    Panic(&'e str),
    /// A line for the log.
    Log(&'e str),
    /// The exchange is over. The number is that of the unread bytes.
    Over(usize, BodyRest),
}

/// The rest of the body of an exchange that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRest {
    /// There is none, or it is not read.
    None,
    /// It is discarded when it arrives.
    Discarded,
    /// The same, and the finished response waits for it, at most for a moment (`State::Discarding`).
    Awaited,
}

/// An observer of a connection.
#[cfg(feature = "testing")]
pub(crate) trait Observer: std::any::Any + std::fmt::Debug + Send {
    /// Notes an event. Returns true if the usual action is to be left out.
    fn see(&self, event: Observation<'_>) -> bool;

    /// The HTTP version of the server, if it replaces that of the handler.
    fn protocol_version(&self) -> Option<&'static str>;
}

/// An observer, or none.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    #[cfg(feature = "testing")]
    pub(crate) observer: Option<Box<dyn Observer>>,
}

#[cfg(feature = "testing")]
impl Observed {
    /// Returns true if there is an observer.
    pub(crate) fn is_active(&self) -> bool {
        self.observer.is_some()
    }

    pub(crate) fn tell(&self, event: Observation<'_>) -> bool {
        self.observer
            .as_ref()
            .is_some_and(|observer| observer.see(event))
    }

    /// The HTTP version to use for a handler with this version.
    pub(crate) fn version<'v>(&self, own: &'v str) -> &'v str {
        let told = self.observer.as_ref().and_then(|w| w.protocol_version());
        told.unwrap_or(own)
    }
}

#[cfg(not(feature = "testing"))]
#[expect(clippy::unused_self)]
impl Observed {
    pub(crate) fn is_active(&self) -> bool {
        false
    }

    pub(crate) fn tell(&self, _: Observation<'_>) -> bool {
        false
    }

    pub(crate) fn version<'v>(&self, own: &'v str) -> &'v str {
        own
    }
}
