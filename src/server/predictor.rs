//! Which handlers are known to block: a table of counters, like a branch predictor's.
//!
//! A handler that blocks unexpectedly keeps its event loop waiting until the monitor notices. Once is a hiccup;
//! two hundred clients of such a handler, one after the other, would stall the loop for good. So the route of a
//! handler that blocked is remembered, and next time the leadership passes on before it runs.
//!
//! The counters are shared by all loops, so that one loop learns from another; they are written only for routes
//! that are suspected or known to block, where a thread is woken anyway. What a loop suspects is its own.

use std::time::Duration;

use super::route::Route;
use super::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

/// A handler that runs for longer than this counts as one that blocks. A loop that picks fewer tasks than would
/// take so long is suspected.
pub(super) const SLOW: Duration = Duration::from_micros(200);
/// What a route is charged with when it has cost a loop its leader.
const PENALTY: u8 = 64;
/// How many requests of a loop are timed, whatever their route, once it is suspected.
const CAUTION: u32 = 32;
/// No route.
const UNKNOWN: u16 = u16::MAX;

/// What the loops have learned of the handlers.
#[derive(Debug)]
pub(super) struct Predictor {
    routes: [AtomicU8; 256],
    /// Some handler was suspected. Until then nothing is looked up and no clock is read.
    is_wary: AtomicBool,
}

/// What one loop suspects.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// The route of the handler that the leader runs, if it was looked up.
    doing: AtomicU16,
    /// Requests that are still to be timed.
    caution: AtomicU32,
}

impl Default for Suspicion {
    fn default() -> Self {
        Suspicion {
            doing: AtomicU16::new(UNKNOWN),
            caution: AtomicU32::new(0),
        }
    }
}

impl Predictor {
    pub(super) fn new() -> Self {
        Predictor {
            routes: std::array::from_fn(|_| AtomicU8::new(0)),
            is_wary: AtomicBool::new(false),
        }
    }

    /// A leader is about to run a handler: its route, if it is expected to block or is to be timed.
    pub(super) fn begins(&self, own: &Suspicion, method: &str, path: &str) -> Option<Route> {
        if !self.is_wary.load(Relaxed) {
            return None;
        }
        let route = Route::of(method, path);
        own.doing.store(u16::from(route.0), Relaxed);
        let caution = own.caution.load(Relaxed);
        if caution > 0 {
            own.caution.store(caution - 1, Relaxed);
            return Some(route);
        }
        (self.counter(route).load(Relaxed) > 0).then_some(route)
    }

    /// It has returned: what the leader does next is not its fault.
    pub(super) fn ended(&self, own: &Suspicion) {
        if self.is_wary.load(Relaxed) {
            own.doing.store(UNKNOWN, Relaxed);
        }
    }

    /// The handler that runs has cost the loop its leader.
    pub(super) fn blocked(&self, own: &Suspicion) {
        // The first time it is not known which one that is; caution finds it, if it comes again soon.
        if let Ok(doing) = u8::try_from(own.doing.load(Relaxed)) {
            let counter = self.counter(Route(doing));
            counter.store(counter.load(Relaxed).saturating_add(PENALTY), Relaxed);
        }
        self.suspect(own);
    }

    /// The loop makes little progress, though none of its handlers blocks for long.
    pub(super) fn suspect(&self, own: &Suspicion) {
        own.caution.store(CAUTION, Relaxed);
        self.is_wary.store(true, Relaxed);
    }

    /// A handler that was timed ran for so long.
    pub(super) fn ran(&self, route: Route, time: Duration) {
        let counter = self.counter(route);
        let before = counter.load(Relaxed);
        let value = match time > SLOW {
            true => u8::MAX,
            false => before.saturating_sub(1),
        };
        if value != before {
            counter.store(value, Relaxed);
        }
    }

    fn counter(&self, route: Route) -> &AtomicU8 {
        let [first, ..] = &self.routes;
        self.routes.get(usize::from(route.0)).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_millis(100);

    #[test]
    fn a_route_that_blocked_is_remembered_and_forgiven() {
        let (predictor, own) = (Predictor::new(), Suspicion::default());
        let blocks = |path| predictor.begins(&own, "GET", path);
        let suspects = || (0..100).filter(|_| blocks("/quick").is_some()).count();
        assert_eq!(blocks("/slow"), None);
        predictor.blocked(&own);
        // For a while everything is suspected, then what was found.
        assert_eq!(suspects(), CAUTION as usize);
        assert_eq!(blocks("/slow"), None);
        predictor.blocked(&own);
        assert_eq!(suspects(), CAUTION as usize);
        let slow = blocks("/slow").unwrap();
        predictor.ran(slow, LONG);
        for _ in 0..usize::from(u8::MAX) {
            assert_eq!(blocks("/slow"), Some(slow));
            predictor.ran(slow, Duration::ZERO);
        }
        assert_eq!(blocks("/slow"), None);
    }

    #[test]
    fn a_loop_that_moves_slowly_times_what_it_runs_and_others_learn_from_it() {
        let (predictor, own, other) =
            (Predictor::new(), Suspicion::default(), Suspicion::default());
        predictor.suspect(&own);
        let quick = predictor.begins(&own, "GET", "/quick").unwrap();
        predictor.ran(quick, SLOW / 2);
        let slow = predictor.begins(&own, "GET", "/slow").unwrap();
        predictor.ran(slow, SLOW * 2);
        assert_eq!(predictor.begins(&other, "GET", "/slow"), Some(slow));
        assert_eq!(predictor.begins(&other, "GET", "/quick"), None);
    }
}
