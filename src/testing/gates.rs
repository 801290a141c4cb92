//! Gates: an answer waits at a gate until the test opens it. Gates replace timers when a test needs a certain
//! order of events.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use super::server::TestServer;
use crate::shutdown::lock;

/// All gates of a server, by name. The first use of a name creates a closed gate.
#[derive(Debug, Default)]
pub(super) struct Gates {
    state: Mutex<State>,
    changed: Condvar,
    /// Whether the exchange runs in memory: no test can open a gate, and time does not pass.
    is_in_memory: bool,
}

#[derive(Debug, Default)]
struct State {
    gates: BTreeMap<String, GateState>,
    /// Whether the server is stopping: nothing waits any more.
    over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct GateState {
    is_open: bool,
    /// Number of answers that may pass although the gate is closed.
    passes: usize,
    /// Number of answers that have reached the gate, including those that passed.
    arrived: usize,
    /// Whether the test has used the name, not only an answer.
    is_of_test: bool,
}

/// The result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// The gate was opened, or the time is over.
    GoOn,
    /// The gate was not opened in time.
    TooLong,
    /// The server is stopping.
    Over,
}

impl Gates {
    /// Creates the gates of an exchange without a server.
    pub(super) fn in_memory() -> Self {
        Gates {
            is_in_memory: true,
            ..Gates::default()
        }
    }

    /// Waits at a gate until it is open.
    pub(super) fn pass(&self, name: &str, deadline: Duration) -> Waited {
        if self.is_in_memory {
            return Waited::TooLong;
        }
        let mut state = lock(&self.state);
        state.gate(name).arrived += 1;
        self.changed.notify_all();
        let waited = self.wait(state, deadline, |state| {
            let gate = state.gate(name);
            let goes = gate.is_open || gate.passes > 0;
            if goes {
                gate.passes = gate.passes.saturating_sub(usize::from(!gate.is_open));
            }
            goes
        });
        waited.unwrap_or(Waited::TooLong)
    }

    /// Waits for this time, or until the server stops.
    pub(super) fn pause(&self, time: Duration) -> Waited {
        if self.is_in_memory {
            return Waited::GoOn;
        }
        self.wait(lock(&self.state), time, |_| false)
            .unwrap_or(Waited::GoOn)
    }

    /// Waits until `goes` returns true. Returns `None` at the deadline.
    fn wait(
        &self,
        mut state: std::sync::MutexGuard<'_, State>,
        deadline: Duration,
        mut goes: impl FnMut(&mut State) -> bool,
    ) -> Option<Waited> {
        let start = Instant::now();
        loop {
            if state.over {
                return Some(Waited::Over);
            }
            if goes(&mut state) {
                return Some(Waited::GoOn);
            }
            let left = deadline
                .checked_sub(start.elapsed())
                .filter(|left| !left.is_zero())?;
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Ends all waits, now and later.
    pub(super) fn end(&self) {
        lock(&self.state).over = true;
        self.changed.notify_all();
    }

    /// The message about `asker`, which did not get through the gate.
    pub(super) fn why_closed(&self, name: &str, deadline: Duration, asker: &str) -> String {
        if self.is_in_memory {
            return format!("gate {name:?}: only a TestServer has gates; `{asker}` waited there");
        }
        let named = match self.others(name, |gate| gate.is_of_test) {
            named if named.is_empty() => "the test uses no other gate".to_owned(),
            named => format!("gates that the test uses: {named:?}"),
        };
        format!(
            "the gate {name:?} was not opened within {deadline:?}; `{asker}` waited at it ({named})"
        )
    }

    /// Notes that the test has used this name.
    pub(super) fn name(&self, name: &str) {
        lock(&self.state).gate(name).is_of_test = true;
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut GateState)) {
        let mut state = lock(&self.state);
        change(state.gate(name));
        self.changed.notify_all();
    }

    fn wait_for_arrivals(&self, name: &str, count: usize, deadline: Duration) -> Result<(), usize> {
        let state = lock(&self.state);
        match self.wait(state, deadline, |state| state.gate(name).arrived >= count) {
            Some(Waited::GoOn) => Ok(()),
            _ => Err(lock(&self.state).gate(name).arrived),
        }
    }

    /// The names of the other gates, for messages.
    fn others(&self, name: &str, is_shown: impl Fn(&GateState) -> bool) -> Vec<String> {
        let state = lock(&self.state);
        let others = state.gates.iter();
        let others = others.filter(|(own, gate)| *own != name && is_shown(gate));
        others.map(|(own, _)| own.clone()).collect()
    }
}

impl State {
    fn gate(&mut self, name: &str) -> &mut GateState {
        self.gates.entry(name.to_owned()).or_default()
    }
}

/// A gate of a [`TestServer`](super::TestServer), where responses wait until the test opens it: made by
/// [`TestServer::gate`](super::TestServer::gate).
///
/// A response waits at a gate with the action [`gate`](super::gate()). If it waits longer than the [gate
/// deadline](super::TestServerBuilder::gate_deadline) (10 s by default), its connection is closed and the test
/// fails. The message names this gate and the gates that the test used.
///
/// ```
/// use servette::testing::{TestServer, gate, status};
/// use std::time::Duration;
///
/// let server = TestServer::start(status(200).body("done").at(0, gate("go")));
/// std::thread::scope(|scope| {
///     let client = scope.spawn(|| ureq::get(server.url("/")).call().unwrap().status());
///     server.gate("go").wait_for_arrivals(1, Duration::from_secs(10));
///     // The client waits here.
///     server.gate("go").open();
///     assert_eq!(client.join().unwrap(), 200);
/// });
/// ```
#[derive(Clone, Copy)]
pub struct Gate<'s> {
    pub(super) server: &'s TestServer,
    pub(super) name: &'s str,
}

impl Gate<'_> {
    fn gates(&self) -> &Gates {
        &self.server.shared.gates
    }

    /// Opens the gate: all responses that wait at it continue, and no later response waits.
    pub fn open(&self) {
        self.gates().change(self.name, |gate| gate.is_open = true);
    }

    /// Lets one response pass the closed gate: one that waits at it, or else the next one that reaches it.
    pub fn let_one_through(&self) {
        self.gates().change(self.name, |gate| gate.passes += 1);
    }

    /// Blocks the thread until `count` responses have reached the gate since the server started.
    ///
    /// # Panics
    /// At the deadline. The message has the names of the other gates, and the requests.
    #[track_caller]
    #[allow(clippy::panic)] // It is an assertion.
    pub fn wait_for_arrivals(&self, count: usize, deadline: Duration) {
        let (gates, name) = (self.gates(), self.name);
        let Err(arrived) = gates.wait_for_arrivals(name, count, deadline) else {
            return;
        };
        let named = match gates.others(name, |_| true) {
            named if named.is_empty() => "no other gate is used".to_owned(),
            named => format!("gates that are used: {named:?}"),
        };
        let problem =
            format!("gate {name:?}: {arrived} of {count} arrived within {deadline:?} ({named})");
        panic!("{}", self.server.failure(&[problem]));
    }
}

impl fmt::Debug for Gate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("name", &self.name)
            .field("state", lock(&self.gates().state).gate(self.name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::status;
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn who_waits_goes_on_when_the_gate_opens_and_not_before() {
        let server = TestServer::start(status(200));
        let (gate, gates) = (server.gate("go"), &server.shared.gates);
        std::thread::scope(|scope| {
            let one = scope.spawn(|| gates.pass("go", LONG));
            gate.wait_for_arrivals(1, LONG);
            assert!(!one.is_finished());
            gate.let_one_through();
            assert_eq!(one.join().unwrap(), Waited::GoOn);
            let two = scope.spawn(|| gates.pass("go", LONG));
            gate.wait_for_arrivals(2, LONG);
            gates.end();
            assert_eq!(two.join().unwrap(), Waited::Over);
        });
    }

    #[test]
    fn a_gate_that_nobody_opens_ends_at_its_deadline() {
        let gates = Gates::default();
        assert_eq!(gates.pass("no", Duration::from_millis(1)), Waited::TooLong);
        assert_eq!(gates.pause(Duration::from_millis(1)), Waited::GoOn);
        gates.change("no", |gate| gate.is_open = true);
        assert_eq!(gates.pass("no", Duration::ZERO), Waited::GoOn);
    }
}
