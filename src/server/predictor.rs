//! [`Predictor`]: remembers which routes block, in a table of counters like a branch predictor's.
//!
//! A handler that blocks unexpectedly keeps its event loop waiting until the monitor notices. Two hundred clients of such a
//! handler, one after the other, would stall the loop for good. So the route of a handler that blocked is remembered, and
//! the next time the leadership passes on before the handler runs.
//!
//! All loops share the counters, so one loop learns from another. They are written only for routes that are suspected or
//! known to block, where a thread is woken anyway. Each loop has its own [`Suspicion`].

use std::time::Duration;

use super::route::Route;
use super::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

/// A handler that runs longer than this counts as blocking. A loop is suspected if it picks so few tasks in a tick that
/// each must take longer than this.
pub(super) const SLOW: Duration = Duration::from_micros(200);
/// The increment of a route's counter when it has cost a loop its leader.
const PENALTY: u8 = 64;
/// Number of requests, of any route, that are timed after a loop was suspected.
const CAUTION: u32 = 32;
/// No route.
const UNKNOWN: u16 = u16::MAX;

/// The counters of all routes.
#[derive(Debug)]
pub(super) struct Predictor {
    routes: [AtomicU8; 256],
    /// True after the first suspicion. Until then no counter and no clock is read.
    is_wary: AtomicBool,
}

/// The suspicion of one loop.
#[derive(Debug)]
pub(super) struct Suspicion {
    /// The route of the handler that the leader runs, if it was looked up.
    doing: AtomicU16,
    /// Number of requests that are still to be timed.
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

    /// Notes that a leader is about to run a handler. Returns the route if it is expected to block or is to be timed.
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

    /// Notes that the handler has returned.
    pub(super) fn ended(&self, own: &Suspicion) {
        if self.is_wary.load(Relaxed) {
            own.doing.store(UNKNOWN, Relaxed);
        }
    }

    /// Notes that the running handler has cost the loop its leader.
    pub(super) fn blocked(&self, own: &Suspicion) {
        // The first time it is not known which one that is; caution finds it, if it comes again soon.
        if let Ok(doing) = u8::try_from(own.doing.load(Relaxed)) {
            let counter = self.counter(Route(doing));
            counter.store(counter.load(Relaxed).saturating_add(PENALTY), Relaxed);
        }
        self.suspect(own);
    }

    /// Notes that the loop makes little progress, although none of its handlers blocks for a whole tick.
    pub(super) fn suspect(&self, own: &Suspicion) {
        own.caution.store(CAUTION, Relaxed);
        self.is_wary.store(true, Relaxed);
    }

    /// Notes how long a timed handler ran.
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
