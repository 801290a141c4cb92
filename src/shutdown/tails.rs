//! How many answers go on without a thread, and whether any may.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::{Control, lock};

/// As much may all tails of a server hold in memory. Beyond that, who sends waits itself.
const MOST_BYTES: usize = 64 << 20;

/// The tails of a server.
#[derive(Debug, Default)]
pub(super) struct Tails {
    count: AtomicUsize,
    /// Those that hold an open file.
    files: AtomicUsize,
    bytes: AtomicUsize,
    /// The event loops carry no more of them.
    is_over: AtomicBool,
    /// Is held to decide that.
    decision: Mutex<()>,
}

impl Control {
    /// Counts a tail that holds so many bytes in memory, and perhaps a file, until the guard is dropped. `None` where
    /// nobody would carry it, or too much is held already: then it is to be sent at once.
    pub(crate) fn enter_tail(self: &Arc<Self>, bytes: usize, has_file: bool) -> Option<TailGuard> {
        let tails = &self.tails;
        // Counted first, so that either this sees that the loops are over, or who ends them sees the tail.
        tails.count.fetch_add(1, SeqCst);
        tails.files.fetch_add(usize::from(has_file), Relaxed);
        let held = tails.bytes.fetch_add(bytes, Relaxed);
        let guard = TailGuard {
            control: self.clone(),
            bytes,
            has_file,
        };
        let may_go = held.saturating_add(bytes) <= MOST_BYTES && !tails.is_over.load(SeqCst);
        may_go.then_some(guard)
    }

    /// Whether the event loops of a server that stops may end: no tail is left, or they are given up. From then on no
    /// other one is begun.
    pub(crate) fn tails_are_over(&self) -> bool {
        let tails = &self.tails;
        let _decision = lock(&tails.decision);
        let may_end = || self.is_cut() || tails.count.load(SeqCst) == 0;
        if tails.is_over.load(SeqCst) || !may_end() {
            return tails.is_over.load(SeqCst);
        }
        tails.is_over.store(true, SeqCst);
        // One may have begun before that.
        let is_over = may_end();
        tails.is_over.store(is_over, SeqCst);
        is_over
    }

    /// Whether an event loop of a server that stops still carries a tail.
    pub(crate) fn carries_tails(&self) -> bool {
        let _decision = lock(&self.tails.decision);
        !self.tails.is_over.load(SeqCst)
    }

    /// The event loops can't go on.
    pub(crate) fn give_up_tails(&self) {
        let _decision = lock(&self.tails.decision);
        self.tails.is_over.store(true, SeqCst);
    }

    /// Files that are held open by tails.
    pub(crate) fn files_of_tails(&self) -> usize {
        self.tails.files.load(Relaxed)
    }
}

/// A tail that counts.
#[derive(Debug)]
pub(crate) struct TailGuard {
    control: Arc<Control>,
    bytes: usize,
    has_file: bool,
}

impl Drop for TailGuard {
    fn drop(&mut self) {
        let tails = &self.control.tails;
        tails.bytes.fetch_sub(self.bytes, Relaxed);
        tails.files.fetch_sub(usize::from(self.has_file), Relaxed);
        // Sequentially consistent on both sides, as in `enter_tail`.
        let was_last = tails.count.fetch_sub(1, SeqCst) == 1;
        if was_last && self.control.stopping.load(SeqCst) {
            self.control.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loops_end_when_no_tail_is_left_and_none_begins_after_that() {
        let control = Arc::new(Control::default());
        let tail = control.enter_tail(1, true);
        assert!(tail.is_some() && control.files_of_tails() == 1);
        assert!(!control.tails_are_over());
        let second = control.enter_tail(1, false);
        assert!(second.is_some(), "the loops go on");
        drop((tail, second));
        assert!(control.tails_are_over() && control.files_of_tails() == 0);
        let late = control.enter_tail(1, false);
        assert!(late.is_none() && control.tails_are_over());
    }

    #[test]
    fn tails_are_given_up_at_the_cut() {
        let control = Arc::new(Control::default());
        let _tail = control.enter_tail(1, false);
        assert!(!control.tails_are_over());
        control.cut();
        assert!(control.tails_are_over());
    }

    #[test]
    fn all_tails_together_hold_a_bounded_number_of_bytes() {
        let control = Arc::new(Control::default());
        let most = control.enter_tail(MOST_BYTES, false);
        assert!(most.is_some());
        assert!(control.enter_tail(1, false).is_none());
        assert!(control.enter_tail(0, true).is_some(), "a file needs none");
        drop(most);
        assert!(control.enter_tail(1, false).is_some());
        assert_eq!(control.tails.bytes.load(Relaxed), 0);
        assert_eq!(control.tails.count.load(Relaxed), 0);
    }
}
