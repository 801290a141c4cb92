//! Waiting in the poller: what is due before, the timeout, and the events that were found.

use std::io;
use std::time::{Duration, Instant};

use mio::Token;

use super::accept::ACCEPTS;
use super::{EventLoop, LoopState};
use crate::clock::Moment;
use crate::server::poller::{FIRST_SLOT, LISTENER, WAKER};
use crate::shutdown::lock;

impl EventLoop {
    /// Does what is due, and waits for something to pick, until `until` or something else is due.
    ///
    /// # Errors
    /// If polling fails; the server has stopped then.
    pub(in crate::server) fn wait(
        &self,
        state: &mut LoopState,
        until: Option<Instant>,
    ) -> io::Result<()> {
        let now = Instant::now();
        let timeout = self.prepare_wait(state, until, now);
        match state.poller.wait(timeout, now) {
            Ok(()) => self.take_events(state),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.shared.control.stop();
                self.shared.control.give_up_tails();
                self.stop(state);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Does what is due before a wait. Returns the maximum duration of the wait.
    fn prepare_wait(
        &self,
        state: &mut LoopState,
        until: Option<Instant>,
        now: Instant,
    ) -> Option<Duration> {
        self.park_all(state);
        let moment = Moment::now();
        loop {
            let expired = self.table().take_expired(moment);
            let Some(task) = expired else { break };
            if let Some(task) = self.expire(task) {
                state.unfinished.push_back(task);
            }
        }
        let accepts_again = state.accepts_again(now);
        let actions = match self.has_actions() {
            true => *lock(&self.shared.next_actions),
            false => None,
        };
        let due = [until, state.accept_again, actions];
        let due = due.into_iter().flatten().min();
        let deadline = self.table().next_deadline();
        state.turns = state.unfinished.len();
        if accepts_again || !state.unfinished.is_empty() || self.shared.notices.has_any() {
            return Some(Duration::ZERO);
        }
        let waits = [
            due.map(|due| due.saturating_duration_since(now)),
            deadline.map(|deadline| deadline.since(moment)),
        ];
        // Rounded up: a poll that ends too early would spin.
        let timeout = waits.into_iter().flatten().min();
        timeout.map(|wait| wait.saturating_add(Duration::from_millis(1)))
    }

    /// Takes the connections for which the poller has found something.
    fn take_events(&self, state: &mut LoopState) {
        let mut table = self.table();
        for event in state.poller.events() {
            match event.token() {
                LISTENER => state.accepts = ACCEPTS,
                WAKER => {
                    for slot in self.mailbox.take() {
                        if let Some(mut task) = table.take(slot) {
                            task.end_may_follow = false;
                            state.ready.push_back(task);
                        }
                    }
                }
                Token(token) => {
                    let slot = token.wrapping_sub(FIRST_SLOT);
                    // One that is being served is marked, and comes back by itself.
                    if let Some(mut task) = table.take(slot) {
                        task.end_may_follow = event.is_read_closed();
                        state.ready.push_back(task);
                    }
                }
            }
        }
    }
}
