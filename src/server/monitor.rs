//! The monitor: a thread that takes event loops from leaders that make no progress, and starts workers.
//!
//! It never leads and runs no handler, so no handler can delay it: all loops that stand still get another leader within two
//! ticks. It sleeps without a timer while no leader works.

use std::time::Duration;

use super::leadership::{Leadership, WorkDone};
use super::predictor::SLOW;
use super::sync::{self, Scope, Ticker};
use super::worker_pool::WorkerPool;
use crate::base::RequestHandler;

/// Interval of the monitor. A leader that makes no progress loses its loop after one to two ticks.
const TICK: Duration = Duration::from_millis(4);
/// A loop that picks at most this many tasks in a tick is suspected of slow handlers.
const FEW: u64 = (TICK.as_micros() / SLOW.as_micros()) as u64;
/// Ticks without progress before the monitor sleeps.
const QUIET_TICKS: u32 = 10;

impl<'env, H: RequestHandler + Sync + ?Sized> WorkerPool<'env, H> {
    /// Watches the leaders until the server stops.
    pub(super) fn monitor<'scope>(&'scope self, scope: &'scope Scope<'scope, 'env>)
    where
        'env: 'scope,
    {
        let scheduler = &*self.scheduler;
        scheduler.monitor_starts();
        let mut seen = vec![WorkDone::default(); scheduler.leaderships.len()];
        let (mut ticker, mut quiet) = (Ticker::new(TICK), 0);
        while !scheduler.is_stopped() {
            self.start_threads(scope);
            if !ticker.wait() {
                continue;
            }
            quiet = match self.look(&mut seen) {
                true => 0,
                false => quiet + 1,
            };
            if quiet >= QUIET_TICKS {
                let is_same = |(of, seen): (&Leadership, &WorkDone)| of.progress() == *seen;
                scheduler.park_monitor(|| scheduler.leaderships.iter().zip(&seen).all(is_same));
                quiet = 0;
            }
        }
    }

    /// Checks each leader. Returns true if one of them works.
    fn look(&self, seen: &mut [WorkDone]) -> bool {
        let scheduler = &*self.scheduler;
        let mut is_busy = false;
        let loops = self.loops.iter().zip(&scheduler.leaderships).zip(seen);
        for ((event_loop, leadership), seen) in loops {
            let progress = leadership.progress();
            let has_served = progress.is_serving() && seen.is_serving();
            if has_served && progress == *seen {
                // A leader that holds the lock is about to go on, and must not poll when it has lost its loop.
                if let Some(_state) = event_loop.try_lock() {
                    scheduler.revoke(event_loop.number);
                }
            } else if has_served && progress.since(*seen) <= FEW {
                // No handler takes a tick, and yet the others wait for them.
                scheduler.predictor.suspect(&leadership.suspicion);
            }
            is_busy |= progress != *seen || progress.is_serving();
            *seen = progress;
        }
        is_busy
    }

    /// Starts workers for work that no worker does.
    fn start_threads<'scope>(&'scope self, scope: &'scope Scope<'scope, 'env>)
    where
        'env: 'scope,
    {
        while self.scheduler.needs_thread() {
            let started = sync::start(scope, "servette", || self.work(false));
            self.scheduler.thread_started(started.is_ok());
            if started.is_err() {
                // The leaders do the work themselves.
                self.loops.iter().for_each(|event_loop| event_loop.wake());
                return;
            }
        }
    }
}
