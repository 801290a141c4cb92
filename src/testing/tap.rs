//! [`Tap`]: records the requests of one connection.

use std::sync::{Arc, Mutex};

use super::recording::{Entry, Recording};
use super::request::Request;
use crate::connection::observer::{BodyRest, Observation, Observer};
use crate::exchange::Exchange;
use crate::http1::Refusal;
use crate::shutdown::lock;

/// Maximum number of recorded bytes of a request besides its body: head, chunk sizes.
const MOST_BESIDES_BODY: usize = 64 << 10;

/// Observes one connection.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) shared: Arc<Recording>,
    connection: u64,
    state: Mutex<TapState>,
}

#[derive(Debug, Default)]
struct TapState {
    /// The request that is being answered.
    current: Option<u64>,
    /// Whether the current request is counted as complete.
    is_counted: bool,
    /// Whether its exchange is over. The rest of its body may still arrive.
    is_over: bool,
    /// Whether the current request was rejected. Its end is unknown, so all bytes that arrived belong to it.
    is_refused: bool,
    requestline: String,
    /// Recorded bytes that do not belong to a finished request.
    received: Vec<u8>,
    /// Number of further bytes, which are not recorded.
    beyond: usize,
}

impl Tap {
    pub(super) fn new(shared: Arc<Recording>) -> Self {
        Tap {
            connection: shared.connected(),
            shared,
            state: Mutex::default(),
        }
    }

    fn begun(&self, x: &Exchange<'_>, refusal: Option<&Refusal>) {
        let mut request = Request::of(x);
        request.connection = self.connection;
        request.refusal = refusal.map(|refusal| {
            crate::Status::new(refusal.code)
                .with_message(&refusal.message)
                .to_string()
        });
        let mut state = lock(&self.state);
        state.requestline.clone_from(&request.requestline);
        state.is_refused = refusal.is_some();
        state.is_over = false;
        request.bytes = state.so_far(x.rfile.read_ahead().len()).to_vec();
        let is_whole = x.rfile.remaining() == Some(0) && refusal.is_none();
        let id = self.shared.begin(request);
        state.current = Some(id);
        state.is_counted = is_whole;
        drop(state);
        if is_whole {
            self.shared.complete(id, |_| {});
        }
    }

    fn body(&self, bytes: &[u8]) {
        let Some(id) = lock(&self.state).current else {
            return;
        };
        let most = self.shared.bounds.body;
        self.shared.change(id, |Entry { request, .. }| {
            let room = most.saturating_sub(request.body.len());
            request.is_body_cut |= bytes.len() > room;
            request.is_truncated |= request.is_body_cut;
            request.body.extend(bytes.iter().take(room));
        });
    }

    /// Notes that the exchange is over. The handler may not have read the body; then the server discards its rest, which is
    /// recorded too. With [`BodyRest::Awaited`], the finished response waits for the rest, and so does the count of complete
    /// requests; if it waits no longer, this is called again. Otherwise the request is counted now.
    fn over(&self, unread: usize, rest: BodyRest) {
        let mut state = lock(&self.state);
        let Some(id) = state.current else {
            return;
        };
        state.is_over = true;
        drop(state);
        self.shared.over(id);
        match rest {
            BodyRest::Awaited => {}
            BodyRest::Discarded => self.count(unread),
            BodyRest::None => self.body_end(unread),
        }
    }

    /// Notes that no more of the body arrives.
    fn body_end(&self, unread: usize) {
        self.count(unread);
        let mut state = lock(&self.state);
        if state.is_over {
            state.current = None;
            state.forget(unread);
        }
    }

    /// Records the bytes of the request so far, and counts it as complete.
    fn count(&self, unread: usize) {
        let mut state = lock(&self.state);
        let Some(id) = state.current else {
            return;
        };
        let bytes = state.so_far(unread).to_vec();
        let is_cut = state.is_cut(unread);
        let was_counted = std::mem::replace(&mut state.is_counted, true);
        drop(state);
        let change = |entry: &mut Entry| {
            entry.request.bytes = bytes;
            entry.request.is_truncated |= is_cut;
        };
        match was_counted {
            true => self.shared.change(id, change),
            false => self.shared.complete(id, change),
        }
    }
}

impl Drop for Tap {
    /// The connection has ended.
    fn drop(&mut self) {
        self.over(0, BodyRest::None);
    }
}

impl TapState {
    /// Number of the `unread` bytes that belong to the next request.
    fn of_next(&self, unread: usize) -> usize {
        if self.is_refused { 0 } else { unread }
    }

    /// Whether some bytes of this request are not recorded.
    fn is_cut(&self, unread: usize) -> bool {
        self.beyond > self.of_next(unread)
    }

    /// The recorded bytes before those of the next request.
    fn so_far(&self, unread: usize) -> &[u8] {
        let unread = self.of_next(unread).saturating_sub(self.beyond);
        let count = self.received.len().saturating_sub(unread);
        self.received.get(..count).unwrap_or_default()
    }

    fn forget(&mut self, unread: usize) {
        let done = self.so_far(unread).len();
        self.received.drain(..done);
        // Bytes of the next request that were not recorded stay with it.
        self.beyond = self.beyond.min(self.of_next(unread));
    }
}

impl Observer for Tap {
    fn see(&self, event: Observation<'_>) -> bool {
        match event {
            Observation::Received(bytes) => {
                let mut state = lock(&self.state);
                let most = self.shared.bounds.body.saturating_add(MOST_BESIDES_BODY);
                let room = most.saturating_sub(state.received.len());
                state.received.extend(bytes.iter().take(room));
                state.beyond += bytes.len().saturating_sub(room);
            }
            Observation::Begun(x, refusal) => self.begun(x, refusal),
            Observation::Body(bytes) => self.body(bytes),
            Observation::BodyEnd(unread) => self.body_end(unread),
            Observation::Over(unread, rest) => self.over(unread, rest),
            Observation::Panic(message) => {
                let requestline = lock(&self.state).requestline.clone();
                self.shared.problem(format!(
                    "a handler panicked while it answered `{requestline}`: {message}"
                ));
            }
            Observation::Log(line) => {
                self.shared.log(line);
                return true;
            }
        }
        false
    }

    fn protocol_version(&self) -> Option<&'static str> {
        self.shared.protocol_version
    }
}

/// The fixture that an exchange belongs to; `None` in memory, and with other servers.
pub(super) fn fixture_of(x: &Exchange<'_>) -> Option<Arc<Recording>> {
    let witness: &dyn std::any::Any = &**x.channel().observed().observer.as_ref()?;
    Some(witness.downcast_ref::<Tap>()?.shared.clone())
}
