//! Which handlers are known to block: a table of counters, like a branch predictor's.
//!
//! A handler that blocks unexpectedly keeps its lane waiting until the watch notices. Once is a hiccup;
//! two hundred clients of such a handler, one after the other, would stall the lane for good. So the
//! route of a handler that lost the lead is remembered, and next time the lead passes before it runs.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::http1::bytes;

/// A handler that runs for longer than this counts as one that blocks.
const SLOW: Duration = Duration::from_micros(500);
/// How often a route is trusted less after it cost the lead.
const PENALTY: u8 = 64;
/// How many requests of any route are treated with care after that.
const CAUTION: u32 = 32;

/// Method and path of a request, folded into an index of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route(u8);

impl Route {
    /// The route of a method and a path, whose query does not count.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let path = path.as_bytes();
        let path = path.get(..path.len().min(64)).unwrap_or_default();
        let path = match bytes::find(path, b'?') {
            Some(query) => path.get(..query).unwrap_or_default(),
            None => path,
        };
        let (words, tail) = path.as_chunks::<8>();
        let tail = tail.iter().fold(method.len() as u64, |word, &byte| {
            (word << 8) | u64::from(byte)
        });
        let first = method.as_bytes().first().copied().unwrap_or_default();
        let hash = words.iter().fold(u64::from(first), |hash, &word| {
            fold(hash, u64::from_le_bytes(word))
        });
        Route((fold(hash, tail) >> 56) as u8)
    }
}

fn fold(hash: u64, word: u64) -> u64 {
    let hash = (hash.rotate_left(29) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

impl From<u8> for Route {
    fn from(index: u8) -> Self {
        Route(index)
    }
}

impl From<Route> for u8 {
    fn from(route: Route) -> Self {
        route.0
    }
}

/// What a lane has learned of its handlers.
#[derive(Debug)]
pub(crate) struct Predictor {
    routes: [AtomicU8; 256],
    /// Requests that are still to be treated with care, whatever their route.
    caution: AtomicU32,
    /// Something was ever learned: without it, nothing is looked up and no clock is read.
    wary: AtomicBool,
}

impl Predictor {
    pub(crate) fn new() -> Self {
        Predictor {
            routes: [const { AtomicU8::new(0) }; 256],
            caution: AtomicU32::new(0),
            wary: AtomicBool::new(false),
        }
    }

    /// Whether there is anything to be careful about at all.
    pub(crate) fn is_wary(&self) -> bool {
        self.wary.load(Relaxed)
    }

    /// Whether a handler of this route is expected to block.
    pub(crate) fn expects_block(&self, route: Route) -> bool {
        if !self.is_wary() {
            return false;
        }
        let caution = self.caution.load(Relaxed);
        if caution > 0 {
            self.caution.store(caution - 1, Relaxed);
            return true;
        }
        self.counter(route).load(Relaxed) > 0
    }

    /// A handler of this route cost the lane its leader.
    pub(crate) fn cost_the_lead(&self, route: Route) {
        let counter = self.counter(route);
        counter.store(counter.load(Relaxed).saturating_add(PENALTY), Relaxed);
        let caution = self.caution.load(Relaxed);
        self.caution
            .store(caution.saturating_add(CAUTION).min(8 * CAUTION), Relaxed);
        self.wary.store(true, Relaxed);
    }

    /// A handler that was expected to block ran for so long.
    pub(crate) fn ran(&self, route: Route, time: Duration) {
        let counter = self.counter(route);
        let value = match time > SLOW {
            true => u8::MAX,
            false => counter.load(Relaxed).saturating_sub(1),
        };
        counter.store(value, Relaxed);
    }

    fn counter(&self, route: Route) -> &AtomicU8 {
        let [first, ..] = &self.routes;
        self.routes.get(usize::from(route.0)).unwrap_or(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_and_what_follows_does_not_make_another_route() {
        assert_eq!(Route::of("GET", "/a?x=1"), Route::of("GET", "/a?y"));
        assert_eq!(Route::of("GET", "/a"), Route::of("GET", "/a?y"));
        let routes = [
            ("GET", "/a"),
            ("GET", "/b"),
            ("POST", "/a"),
            ("GET", "/sleep"),
            ("GET", "/sleep/longer"),
            ("GET", "/hello"),
            ("", ""),
        ]
        .map(|(method, path)| Route::of(method, path));
        for (i, one) in routes.iter().enumerate() {
            assert!(routes.iter().skip(i + 1).all(|other| other != one));
        }
    }

    #[test]
    fn a_route_that_blocked_is_remembered_and_forgiven() {
        let predictor = Predictor::new();
        let (slow, quick) = (Route(1), Route(2));
        assert!(!predictor.expects_block(slow) && !predictor.is_wary());
        predictor.cost_the_lead(slow);
        // For a while everything is suspect, then only the route itself.
        assert_eq!(
            (0..100).filter(|_| predictor.expects_block(quick)).count(),
            CAUTION as usize
        );
        assert!(predictor.expects_block(slow));
        predictor.ran(slow, Duration::from_millis(100));
        for _ in 0..usize::from(u8::MAX) {
            assert!(predictor.expects_block(slow));
            predictor.ran(slow, Duration::ZERO);
        }
        assert!(!predictor.expects_block(slow));
    }
}
