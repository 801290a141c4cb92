//! [`Leadership`]: whether an event loop has a leader, and whether the leader makes progress.
//!
//! The leader is the worker that polls it. A number, the epoch, is odd while the loop has a leader and even otherwise. A
//! compare-and-swap of this number decides which thread polls. Connections that were picked under the loop's lock have one
//! owner in any case.

use super::predictor::Suspicion;
use super::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// A period of leadership; the next one has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// The leadership of a loop. It has cache lines of its own, because it changes with every request of its loop.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Leadership {
    epoch: AtomicU64,
    /// Bit 0: the leader serves a connection. The other bits count picked tasks.
    progress: AtomicU64,
    /// Other tasks of the loop are waiting for the leader.
    others_wait: AtomicBool,
    /// The leader's handler has waited for its client.
    has_waited: AtomicBool,
    pub(super) suspicion: Suspicion,
}

/// The progress of a leader at a tick of the monitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct WorkDone(u64);

impl WorkDone {
    pub(super) fn is_serving(self) -> bool {
        self.0 & 1 == 1
    }

    /// The number of tasks that were picked since an earlier tick.
    pub(super) fn since(self, earlier: WorkDone) -> u64 {
        (self.0 >> 1).wrapping_sub(earlier.0 >> 1)
    }
}

impl Leadership {
    /// Makes the leadership of a loop without a leader.
    pub(super) fn vacant() -> Self {
        Leadership {
            epoch: AtomicU64::new(0),
            progress: AtomicU64::new(0),
            others_wait: AtomicBool::new(false),
            has_waited: AtomicBool::new(false),
            suspicion: Suspicion::default(),
        }
    }

    /// Takes the leadership if it is vacant.
    pub(super) fn take(&self) -> Option<Epoch> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let is_vacant = epoch & 1 == 0;
        (is_vacant && self.change(epoch)).then_some(Epoch(epoch + 1))
    }

    /// Gives the leadership up. Returns false if it was lost before.
    pub(super) fn give_up(&self, epoch: Epoch) -> bool {
        self.change(epoch.0)
    }

    /// Revokes the leadership. Returns false if the loop has no leader.
    pub(super) fn revoke(&self) -> bool {
        let epoch = self.epoch.load(Ordering::Acquire);
        epoch & 1 == 1 && self.change(epoch)
    }

    pub(super) fn is_held(&self, epoch: Epoch) -> bool {
        self.epoch.load(Ordering::Acquire) == epoch.0
    }

    fn change(&self, from: u64) -> bool {
        self.epoch
            .compare_exchange(from, from + 1, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Notes that the leader picked a task, and whether other tasks wait. Called under the loop's lock only.
    pub(super) fn picked(&self, others_wait: bool) {
        self.others_wait.store(others_wait, Ordering::Relaxed);
        let progress = self.progress.load(Ordering::Relaxed);
        self.progress.store((progress + 2) | 1, Ordering::Release);
    }

    /// Returns true if other tasks waited when the leader picked.
    pub(super) fn others_wait(&self) -> bool {
        self.others_wait.load(Ordering::Relaxed)
    }

    /// Notes that the leader is about to wait for events. Sequentially consistent, for a task that waits until no leader may be
    /// running a handler: either that is seen, or the leader sees the task.
    pub(super) fn rests(&self) {
        let progress = self.progress.load(Ordering::Relaxed);
        // Another number than before, for a handler that lost the loop and resumes.
        self.progress.swap((progress + 2) & !1, Ordering::SeqCst);
    }

    /// Notes that the leader has events to serve. Sequentially consistent, for the monitor that falls asleep: either it
    /// sees this progress, or the leader sees that it sleeps.
    pub(super) fn rises(&self) {
        let progress = self.progress.load(Ordering::Relaxed);
        self.progress.swap((progress + 2) | 1, Ordering::SeqCst);
    }

    /// Notes that the handler of this epoch is about to wait for its client, without the loop's lock. Until it
    /// [`resumes`](Self::resumes) the monitor does not revoke. Returns `None` if the leadership was lost.
    pub(super) fn pauses(&self, epoch: Epoch) -> Option<WorkDone> {
        // Whoever leads meanwhile makes progress, so that this exchange fails.
        let progress = self.progress.load(Ordering::Acquire);
        let paused = progress & !1;
        (self.is_held(epoch) && self.advance(progress, paused)).then_some(WorkDone(paused))
    }

    /// Notes that the wait is over.
    pub(super) fn resumes(&self, paused: WorkDone) {
        self.has_waited.store(true, Ordering::Relaxed);
        self.advance(paused.0, (paused.0 + 2) | 1);
    }

    fn advance(&self, from: u64, to: u64) -> bool {
        self.progress
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Returns true if a leading handler has waited for its client since the last call.
    pub(super) fn take_has_waited(&self) -> bool {
        self.has_waited.load(Ordering::Relaxed) && self.has_waited.swap(false, Ordering::Relaxed)
    }

    pub(super) fn progress(&self) -> WorkDone {
        WorkDone(self.progress.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_leads_and_a_thread_that_lost_the_leadership_cannot_give_it_up() {
        let leadership = Leadership::vacant();
        let first = leadership.take().unwrap();
        assert_eq!(leadership.take(), None);
        assert!(leadership.revoke());
        assert!(!leadership.is_held(first) && !leadership.give_up(first));
        assert!(!leadership.revoke(), "nobody leads");
        let second = leadership.take().unwrap();
        assert!(leadership.is_held(second) && leadership.give_up(second));
    }

    #[test]
    fn progress_moves_with_each_pick_and_shows_whether_something_is_served() {
        let leadership = Leadership::vacant();
        let at_rest = leadership.progress();
        leadership.rises();
        let risen = leadership.progress();
        assert!(!at_rest.is_serving() && risen.is_serving());
        leadership.picked(false);
        let picked = leadership.progress();
        assert!(picked.is_serving() && picked.since(risen) == 1);
        leadership.rests();
        assert!(!leadership.progress().is_serving());
    }

    #[test]
    fn a_handler_that_pauses_as_the_leader_serves_nothing_until_it_resumes() {
        let leadership = Leadership::vacant();
        let epoch = leadership.take().unwrap();
        leadership.picked(false);
        let picked = leadership.progress();
        let paused = leadership.pauses(epoch).unwrap();
        assert!(!leadership.progress().is_serving() && !leadership.take_has_waited());
        leadership.resumes(paused);
        assert!(leadership.progress() != picked && leadership.progress().is_serving());
        assert!(leadership.take_has_waited() && !leadership.take_has_waited());
    }

    #[test]
    fn a_thread_that_lost_the_leadership_does_not_pause_for_the_next_leader() {
        let leadership = Leadership::vacant();
        let epoch = leadership.take().unwrap();
        leadership.picked(false);
        let paused = leadership.pauses(epoch).unwrap();
        leadership.resumes(paused);
        assert!(leadership.revoke());
        let progress = leadership.progress();
        assert_eq!(leadership.pauses(epoch), None);
        leadership.resumes(paused);
        assert_eq!(leadership.progress(), progress);
    }
}
