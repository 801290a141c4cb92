//! The hook of the thread that leads, as in `server::handoff`, for handlers and clients without sockets.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use crate::dice::{one_in, rest};
use crate::event_loop::EventLoop;
use crate::leadership::{Epoch, Leadership};
use crate::route::Route;
use crate::scheduler::Scheduler;
use crate::sync::Arc;
use crate::task::Task;

shuttle::thread_local! {
    /// As what this thread leads, or has led last.
    static TERM: RefCell<Option<(Arc<Scheduler<Box<Task>>>, Epoch)>> = RefCell::new(None);
}

/// Nobody else picks or polls; a leader does not lose its loop meanwhile.
pub(crate) fn assert_leads(number: usize) {
    let term = TERM.with(|term| term.borrow().clone());
    let leads = term.is_some_and(|(of, epoch)| of.leaderships[number].is_held(epoch));
    assert!(leads, "a thread polls that does not lead");
}

#[derive(Debug)]
pub(crate) struct HandoffHook {
    scheduler: Arc<Scheduler<Box<Task>>>,
    number: usize,
    epoch: Epoch,
    leads: Cell<bool>,
    timed: Cell<Option<Route>>,
}

impl HandoffHook {
    pub(crate) fn new(
        scheduler: Arc<Scheduler<Box<Task>>>,
        event_loop: &EventLoop,
        epoch: Epoch,
    ) -> Self {
        TERM.with(|term| *term.borrow_mut() = Some((scheduler.clone(), epoch)));
        HandoffHook {
            scheduler,
            number: event_loop.number,
            epoch,
            leads: Cell::new(true),
            timed: Cell::new(None),
        }
    }

    fn leadership(&self) -> &Leadership {
        &self.scheduler.leaderships[self.number]
    }

    fn pass(&self) {
        if self.leads.replace(false) {
            self.scheduler.pass(self.number, self.epoch);
        }
    }

    pub(crate) fn before_handler(&self, path: &str) {
        if self.leads.get() {
            let suspicion = &self.leadership().suspicion;
            let suspected = self.scheduler.predictor.begins(suspicion, "GET", path);
            if suspected.is_some() {
                self.timed.set(suspected);
                self.pass();
            }
        }
    }

    pub(crate) fn after_handler(&self) {
        if let Some(route) = self.timed.take() {
            let time = match one_in(2) {
                true => Duration::ZERO,
                false => Duration::MAX,
            };
            self.scheduler.predictor.ran(route, time);
        }
    }

    pub(crate) fn waits_briefly(&self, has_come: impl Fn() -> bool) -> bool {
        let leadership = self.leadership();
        if !self.leads.get() || leadership.others_wait() {
            return false;
        }
        let Some(paused) = leadership.pauses(self.epoch) else {
            return false;
        };
        rest();
        let found = has_come();
        leadership.resumes(paused);
        self.scheduler.wake_monitor();
        found
    }

    pub(crate) fn before_wait(&self) {
        self.pass();
    }
}
