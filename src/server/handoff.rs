//! [`HandoffHook`]: passes the event loop on to another worker before a handler blocks. The connection calls it before the
//! handler runs and before it waits.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use mio::Registry;
use rustix::event::Timespec;

use super::event_loop::EventLoop;
use super::leadership::{Epoch, Leadership};
use super::route::Route;
use super::scheduler::Scheduler;
use super::task::Task;
use crate::connection::wait_hook::{Coming, WaitHook};
use crate::connection::wire::Wire;
use crate::sys::{self, BorrowedSocket};

/// How long, and how many times, a handler waits for its client before it passes the loop on. The loop's deadlines wait
/// meanwhile.
const BRIEF: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 10_000_000,
};
const BRIEF_WAITS: u32 = 16;

#[derive(Debug)]
pub(super) struct HandoffHook {
    scheduler: Arc<Scheduler<Box<Task>>>,
    number: usize,
    /// The registry of the loop's poller.
    registry: Arc<Registry>,
    epoch: Epoch,
    /// This worker has passed the loop on. (The monitor may have taken it, too.)
    has_passed: Cell<bool>,
    /// The handler that is timed, and the start of the measurement.
    timed: Cell<Option<(Route, Instant)>>,
    /// The route of the last request, if others had come with it.
    last: Cell<Option<Route>>,
    /// Number of brief waits that this handler has left.
    brief_waits: Cell<u32>,
}

impl HandoffHook {
    pub(super) fn new(
        scheduler: Arc<Scheduler<Box<Task>>>,
        event_loop: &EventLoop,
        epoch: Epoch,
    ) -> Self {
        HandoffHook {
            scheduler,
            number: event_loop.number,
            registry: event_loop.registry.clone(),
            epoch,
            has_passed: Cell::new(false),
            timed: Cell::new(None),
            last: Cell::new(None),
            brief_waits: Cell::new(0),
        }
    }

    fn leadership(&self) -> Option<&Leadership> {
        self.scheduler.leaderships.get(self.number)
    }

    fn leads(&self) -> bool {
        let leadership = self.leadership();
        !self.has_passed.get() && leadership.is_some_and(|of| of.is_held(self.epoch))
    }

    fn pass(&self) {
        if !self.has_passed.replace(true) {
            self.scheduler.pass(self.number, self.epoch);
        }
    }
}

impl WaitHook for HandoffHook {
    fn before_handler(&self, method: &str, path: &str, coming: Coming) -> bool {
        let route = match coming {
            Coming::Alone => None,
            Coming::First | Coming::Behind => Some(Route::of(method, path)),
        };
        // Another handler than that which has just been quick.
        let is_other = coming == Coming::Behind && self.last.get() != route;
        self.last.set(route);
        if self.has_passed.get() {
            return true;
        }
        self.brief_waits.set(BRIEF_WAITS);
        let predictor = &self.scheduler.predictor;
        let suspected = self
            .leadership()
            .and_then(|of| predictor.begins(&of.suspicion, method, path));
        if let Some(route) = suspected {
            self.timed.set(Some((route, Instant::now())));
            self.pass();
        }
        is_other || suspected.is_some() || (coming == Coming::Behind && !self.leads())
    }

    fn after_handler(&self) {
        if let Some((route, start)) = self.timed.take() {
            self.scheduler.predictor.ran(route, start.elapsed());
        }
        if let Some(leadership) = self.leadership().filter(|_| !self.has_passed.get()) {
            self.scheduler.predictor.ended(&leadership.suspicion);
        }
    }

    fn waits_briefly(&self, socket: BorrowedSocket<'_>) -> bool {
        // A client in the middle of its body sends the next part at once: to pass the loop on for it would cost more.
        // But no other connection may wait for that.
        let left = match sys::POLLS_POLLERS {
            true => self.brief_waits.get(),
            false => 0,
        };
        let leadership = self
            .leadership()
            .filter(|_| !self.has_passed.get() && left > 0);
        let Some(leadership) = leadership.filter(|of| !of.others_wait()) else {
            return false;
        };
        let Some(paused) = leadership.pauses(self.epoch) else {
            return false;
        };
        self.brief_waits.set(left - 1);
        let has_come = sys::wait_beside_poller(socket, &self.registry, &BRIEF);
        leadership.resumes(paused);
        self.scheduler.wake_monitor();
        has_come
    }

    fn before_read(&self, wire: &Wire) {
        // Else each arrival would wake the new leader, beside this worker. The poller reports what is there
        // when the connection is parked.
        wire.deregister(&self.registry);
    }

    fn before_wait(&self) {
        self.pass();
    }
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::io::Write;
    use std::net::TcpListener;

    use super::super::options::Options;
    use super::super::task::Speaks;
    use super::*;

    /// An event loop, and the hook of its leader.
    fn hook() -> (EventLoop, HandoffHook) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut loops = EventLoop::all(
            vec![(listener.into(), Speaks::AsTheServer)],
            Options::default(),
            1,
        )
        .unwrap();
        let scheduler = Arc::new(Scheduler::new(1, 5));
        let epoch = scheduler.leaderships[0].take().unwrap();
        scheduler.leaderships[0].picked(false);
        let event_loop = loops.remove(0);
        let hook = HandoffHook::new(scheduler, &event_loop, epoch);
        assert!(!hook.before_handler("POST", "/", Coming::Alone));
        (event_loop, hook)
    }

    #[cfg(unix)]
    #[test]
    fn a_handler_that_waits_briefly_keeps_the_loop() {
        let (ours, mut theirs) = sys::signal_pair().unwrap();
        let (_event_loop, hook) = hook();
        assert!(!hook.waits_briefly(sys::socket(&ours)), "nothing comes");
        theirs.write_all(b"x").unwrap();
        for _ in 1..BRIEF_WAITS {
            assert!(hook.waits_briefly(sys::socket(&ours)));
        }
        assert!(!hook.waits_briefly(sys::socket(&ours)), "not for ever");
        assert!(hook.leads() && hook.leadership().unwrap().progress().is_serving());
        hook.before_handler("POST", "/", Coming::Alone);
        assert!(hook.waits_briefly(sys::socket(&ours)), "the next one");
        hook.before_wait();
        assert!(!hook.leads() && !hook.waits_briefly(sys::socket(&ours)));
    }

    #[cfg(unix)]
    #[test]
    fn no_other_connection_waits_for_a_handler_that_waits_briefly() {
        let (ours, mut theirs) = sys::signal_pair().unwrap();
        theirs.write_all(b"x").unwrap();
        let (_event_loop, hook) = hook();
        hook.leadership().unwrap().picked(true);
        assert!(!hook.waits_briefly(sys::socket(&ours)));
        hook.leadership().unwrap().picked(false);
        assert!(hook.waits_briefly(sys::socket(&ours)));
    }

    #[test]
    fn complete_responses_wait_only_for_a_handler_that_has_just_been_quick() {
        let (_event_loop, hook) = hook();
        assert!(!hook.before_handler("GET", "/a", Coming::First));
        assert!(!hook.before_handler("GET", "/a?x", Coming::Behind));
        assert!(
            hook.before_handler("GET", "/b", Coming::Behind),
            "another route"
        );
        assert!(!hook.before_handler("GET", "/b", Coming::Behind));
        assert!(!hook.before_handler("GET", "/b", Coming::Alone));
        assert!(
            hook.before_handler("GET", "/b", Coming::Behind),
            "of another client"
        );
        hook.before_wait();
        assert!(
            hook.before_handler("GET", "/b", Coming::Behind),
            "the loop was passed on"
        );
    }
}
