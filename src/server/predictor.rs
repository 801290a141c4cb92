//! Which handlers are known to block: a table of counters, like a branch predictor's.
//!
//! A handler that blocks unexpectedly keeps its lane waiting until the watch notices. Once is a hiccup;
//! two hundred clients of such a handler, one after the other, would stall the lane for good. So the
//! route of a handler that lost the lead is remembered, and next time the lead passes before it runs.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use crate::http1::bytes;

/// A handler that runs for longer than this counts as one that blocks.
const SLOW: Duration = Duration::from_micros(500);
/// How often a route is trusted less after it cost the lead.
const PENALTY: u8 = 64;
/// How many requests of any route are treated with care after that.
const CAUTION: u32 = 32;
/// No route.
const UNKNOWN: u16 = u16::MAX;

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
        // More of a method tells no others apart.
        let first = method.as_bytes().first().copied().unwrap_or_default();
        let mut hash = DefaultHasher::new();
        hash.write_usize((path.len() << 16) | (method.len() << 8) | usize::from(first));
        hash.write(path);
        Route((hash.finish() >> 56) as u8)
    }
}

/// What a lane has learned of its handlers.
#[derive(Debug)]
pub(crate) struct Predictor {
    routes: [AtomicU8; 256],
    /// The route of the handler that runs under the lead, if it was looked at.
    doing: AtomicU16,
    /// Requests that are still to be treated with care, whatever their route.
    caution: AtomicU32,
    /// A handler has ever cost the lead: until then, nothing is looked up and no clock is read.
    wary: AtomicBool,
}

impl Predictor {
    pub(crate) fn new() -> Self {
        Predictor {
            routes: [const { AtomicU8::new(0) }; 256],
            doing: AtomicU16::new(UNKNOWN),
            caution: AtomicU32::new(0),
            wary: AtomicBool::new(false),
        }
    }

    /// A handler is about to run under the lead: its route, if it is expected to block.
    pub(crate) fn begins(&self, method: &str, path: &str) -> Option<Route> {
        if !self.wary.load(Relaxed) {
            return None;
        }
        let route = Route::of(method, path);
        self.doing.store(u16::from(route.0), Relaxed);
        self.expects_block(route).then_some(route)
    }

    fn expects_block(&self, route: Route) -> bool {
        let caution = self.caution.load(Relaxed);
        if caution > 0 {
            self.caution.store(caution - 1, Relaxed);
            return true;
        }
        self.counter(route).load(Relaxed) > 0
    }

    /// The handler that runs has cost the lane its leader.
    pub(crate) fn cost_the_lead(&self) {
        // The first time nobody knows which one that is; caution finds it, if it comes again soon.
        if let Ok(doing) = u8::try_from(self.doing.load(Relaxed)) {
            let counter = self.counter(Route(doing));
            counter.store(counter.load(Relaxed).saturating_add(PENALTY), Relaxed);
        }
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
        let blocks = |path| predictor.begins("GET", path);
        let suspects = || (0..100).filter(|_| blocks("/quick").is_some()).count();
        assert_eq!(blocks("/slow"), None);
        predictor.cost_the_lead();
        // For a while everything is suspect, then what was found.
        assert_eq!(suspects(), CAUTION as usize);
        assert_eq!(blocks("/slow"), None);
        predictor.cost_the_lead();
        assert_eq!(suspects(), CAUTION as usize);
        let slow = blocks("/slow").unwrap();
        predictor.ran(slow, Duration::from_millis(100));
        for _ in 0..usize::from(u8::MAX) {
            assert_eq!(blocks("/slow"), Some(slow));
            predictor.ran(slow, Duration::ZERO);
        }
        assert_eq!(blocks("/slow"), None);
    }

    #[test]
    fn a_route_is_found_while_everything_is_suspect() {
        let predictor = Predictor::new();
        predictor.cost_the_lead();
        let slow = predictor.begins("GET", "/slow").unwrap();
        predictor.ran(slow, Duration::from_millis(100));
        let quick = (0..100).filter_map(|_| predictor.begins("GET", "/quick"));
        quick.for_each(|quick| predictor.ran(quick, Duration::ZERO));
        assert_eq!(predictor.begins("GET", "/slow"), Some(slow));
        assert_eq!(predictor.begins("GET", "/quick"), None);
    }
}
