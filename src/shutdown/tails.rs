//! [`Tails`]: counts the responses that continue without a handler, and decides when a stopping server is done with
//! them.
//!
//! A *tail* is the unsent rest of a response whose handler has returned; an event loop sends it. Streams and deferred
//! requests, which the program holds, are counted here, too.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use super::{Control, lock};

/// The counters of a server.
#[derive(Debug, Default)]
pub(super) struct Tails {
    count: AtomicUsize,
    /// Number of streams and deferred requests.
    with_program: AtomicUsize,
    /// Number of tails with an open file.
    files: AtomicUsize,
    /// The bytes that tails, streams and deferred requests hold in memory.
    bytes: AtomicUsize,
    /// Whether the event loops have ended. Then no further tail may begin.
    is_over: AtomicBool,
    /// The lock that protects the decision to end.
    decision: Mutex<()>,
}

impl Control {
    /// Counts a tail with this number of bytes in memory, and perhaps a file, until the guard is dropped. Returns
    /// `None` if no event loop would send it, or if more than `most` bytes would be held. Then the caller sends it.
    pub(crate) fn enter_tail(
        self: &Arc<Self>,
        bytes: usize,
        has_file: bool,
        most: usize,
    ) -> Option<TailGuard> {
        self.enter(bytes, has_file, false, most)
    }

    /// Counts a stream or a deferred request with this number of bytes in memory. Returns `None` if no event loop would
    /// continue it, or if more than `most` bytes would be held.
    pub(crate) fn enter_handed(self: &Arc<Self>, bytes: usize, most: usize) -> Option<TailGuard> {
        self.enter(bytes, false, true, most)
    }

    fn enter(
        self: &Arc<Self>,
        bytes: usize,
        has_file: bool,
        is_handed: bool,
        most: usize,
    ) -> Option<TailGuard> {
        let guard = TailGuard {
            control: self.clone(),
            bytes,
            has_file,
            is_handed,
        };
        guard.count();
        let has_room = bytes == 0 || self.hold(bytes, most);
        guard.may_go().then_some(guard).filter(|_| has_room)
    }

    /// Counts a connection that a draining server is about to accept, until its first request is answered. Returns
    /// `None` if the server does not drain.
    ///
    /// # Errors
    /// If the event loops have ended: the connection must not be accepted.
    pub(crate) fn enter_draining(self: &Arc<Self>) -> Result<Option<TailGuard>, LoopsEnded> {
        match self.is_draining() {
            false => Ok(None),
            true => match self.enter_tail(0, false, usize::MAX) {
                None => Err(LoopsEnded),
                guard => Ok(guard),
            },
        }
    }

    /// Returns the number of streams and deferred requests.
    pub(crate) fn streams_and_deferred(&self) -> usize {
        self.tails.with_program.load(SeqCst)
    }

    /// Counts bytes that are held in memory. Returns false if there are more than `most` now.
    pub(crate) fn hold(&self, bytes: usize, most: usize) -> bool {
        let held = self.tails.bytes.fetch_add(bytes, Relaxed);
        held.saturating_add(bytes) <= most
    }

    /// Subtracts bytes that were released.
    pub(crate) fn release(&self, bytes: usize) {
        if bytes > 0 {
            self.tails.bytes.fetch_sub(bytes, Relaxed);
        }
    }

    /// Returns true if the event loops of a stopping server may end: no tail is left, or the tails were given up. From
    /// then on no tail begins.
    pub(crate) fn tails_are_over(&self) -> bool {
        let tails = &self.tails;
        let _decision = lock(&tails.decision);
        let may_end = || self.is_cut() || tails.count.load(SeqCst) == 0;
        if tails.is_over.load(SeqCst) || !may_end() {
            return tails.is_over.load(SeqCst);
        }
        tails.is_over.store(true, SeqCst);
        // A tail may have begun before this store.
        let is_over = may_end();
        tails.is_over.store(is_over, SeqCst);
        is_over
    }

    /// Returns true if a stopping server still has tails to send.
    pub(crate) fn carries_tails(&self) -> bool {
        let _decision = lock(&self.tails.decision);
        !self.tails.is_over.load(SeqCst)
    }

    /// Gives up all tails, because the event loops can't go on.
    pub(crate) fn give_up_tails(&self) {
        let _decision = lock(&self.tails.decision);
        self.tails.is_over.store(true, SeqCst);
    }

    /// Returns the number of files that tails hold open.
    pub(crate) fn files_of_tails(&self) -> usize {
        self.tails.files.load(Relaxed)
    }
}

/// The error that the event loops have ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopsEnded;

/// A guard that counts a tail until it is dropped.
#[derive(Debug)]
pub(crate) struct TailGuard {
    control: Arc<Control>,
    bytes: usize,
    has_file: bool,
    is_handed: bool,
}

impl TailGuard {
    fn count(&self) {
        let tails = &self.control.tails;
        tails.count.fetch_add(1, SeqCst);
        tails.files.fetch_add(usize::from(self.has_file), Relaxed);
        tails
            .with_program
            .fetch_add(usize::from(self.is_handed), SeqCst);
    }

    /// Returns true if the tail may begin. The tail was counted before, so either this call sees that the loops have
    /// ended, or the thread that ends them sees the tail.
    fn may_go(&self) -> bool {
        !self.control.tails.is_over.load(SeqCst)
    }
}

impl Drop for TailGuard {
    fn drop(&mut self) {
        let tails = &self.control.tails;
        self.control.release(self.bytes);
        tails.files.fetch_sub(usize::from(self.has_file), Relaxed);
        tails
            .with_program
            .fetch_sub(usize::from(self.is_handed), SeqCst);
        // Sequentially consistent on both sides, as in `enter_tail`.
        let was_last = tails.count.fetch_sub(1, SeqCst) == 1;
        if was_last && self.control.stage.load(SeqCst) == super::STOPPING {
            self.control.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 1 << 20;

    #[test]
    fn the_loops_end_when_no_tail_is_left_and_none_begins_after_that() {
        let control = Arc::new(Control::default());
        let tail = control.enter_tail(1, true, MOST);
        assert!(tail.is_some() && control.files_of_tails() == 1);
        assert!(!control.tails_are_over());
        let second = control.enter_tail(1, false, MOST);
        assert!(second.is_some(), "the loops go on");
        drop((tail, second));
        assert!(control.tails_are_over() && control.files_of_tails() == 0);
        let late = control.enter_tail(1, false, MOST);
        assert!(late.is_none() && control.tails_are_over());
    }

    #[test]
    fn tails_are_given_up_at_the_cut() {
        let control = Arc::new(Control::default());
        let _tail = control.enter_tail(1, false, MOST);
        assert!(!control.tails_are_over());
        control.cut();
        assert!(control.tails_are_over());
    }

    #[test]
    fn all_tails_together_hold_a_bounded_number_of_bytes() {
        let control = Arc::new(Control::default());
        let most = control.enter_tail(MOST, false, MOST);
        assert!(most.is_some());
        assert!(control.enter_tail(1, false, MOST).is_none());
        assert!(
            control.enter_tail(0, true, MOST).is_some(),
            "a file needs none"
        );
        drop(most);
        assert!(control.enter_tail(1, false, MOST).is_some());
        assert_eq!(control.tails.bytes.load(Relaxed), 0);
        assert_eq!(control.tails.count.load(Relaxed), 0);
    }
}
