//! The locks, atomics and threads of the scheduler: those of the standard library.
//!
//! `tests/scheduler` compiles the scheduler's own files against a model checker's in their place.

pub(super) use std::sync::atomic;
pub(super) use std::sync::{Arc, Mutex, MutexGuard};
pub(super) use std::thread::{self, Scope, Thread};

use std::io;
use std::time::{Duration, Instant};

pub(super) use crate::shutdown::lock;

/// Starts a thread that ends before `scope` does.
pub(super) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn_scoped(scope, work).map(drop)
}

/// A ticker for a thread that other threads may wake with `unpark`.
#[derive(Debug)]
pub(super) struct Ticker {
    tick: Duration,
    last: Instant,
}

impl Ticker {
    pub(super) fn new(tick: Duration) -> Self {
        Ticker {
            tick,
            last: Instant::now(),
        }
    }

    /// Waits for the end of the tick. Returns false if the thread was woken before.
    pub(super) fn wait(&mut self) -> bool {
        let left = self.tick.saturating_sub(self.last.elapsed());
        if !left.is_zero() {
            thread::park_timeout(left);
        }
        let is_over = self.last.elapsed() >= self.tick;
        if is_over {
            self.last = Instant::now();
        }
        is_over
    }
}

/// The idle time of a thread.
#[derive(Debug)]
pub(super) struct IdleTime(Instant);

impl IdleTime {
    pub(super) fn begin() -> Self {
        IdleTime(Instant::now())
    }

    /// Parks the thread until it is woken or has been idle for `most`. Returns false in the second case.
    pub(super) fn park(&self, most: Duration) -> bool {
        let left = most.saturating_sub(self.0.elapsed());
        if left.is_zero() {
            return false;
        }
        thread::park_timeout(left);
        true
    }
}
