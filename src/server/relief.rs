//! Serving on one thread until a handler is about to wait; then the usual threads take over.
//!
//! For handlers that are known to return at once, or to say before that they won't: the canned answers
//! of a fixture. While nobody waits there is nothing to watch over, and nobody has to stand by. So most
//! fixtures need one thread, where the [`crew`](super::crew) starts with two.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mio::Registry;

use super::lane::{Job, Lane, Left, Step};
use super::{ThreadingHttpServer, first, poll_error};
use crate::Result;
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::connection::attendant::Attendant;
use crate::connection::wire::Wire;

impl<H: RequestHandler + Sync> ThreadingHttpServer<H> {
    /// Serves on this thread until the server is shut down, or a handler is about to wait. Then `relieve`
    /// has another thread [serve](Self::serve_forever), and this one returns with its handler. False from
    /// there: there is no other thread, and all wait for this one.
    ///
    /// # Errors
    /// If polling fails.
    pub(crate) fn serve_until_relieved(
        &self,
        relieve: impl Fn() -> bool + Send + 'static,
    ) -> Result<()> {
        let _loop = self.hub().control.enter_loop();
        let mut buffers = Buffers::of(self.hub().control.enter_thread());
        let lane = first(&self.lanes);
        let is_relieved = Arc::new(AtomicBool::new(false));
        buffers.attendant = Some(Box::new(Relief {
            relieve,
            is_relieved: is_relieved.clone(),
            registry: lane.registry.clone(),
        }));
        let mut last = Left::Nothing;
        while !is_relieved.load(Ordering::Relaxed) {
            let mut lead = lane.lead();
            lead.take_back(mem::take(&mut last));
            match lane.pick(&mut lead) {
                None => lane.wait(&mut lead, None).map_err(poll_error)?,
                Some(Step::Serve(job)) => {
                    // Who relieves this thread needs it.
                    drop(lead);
                    if let Some(job) = lane.prepare(job, &mut buffers) {
                        (last, _) = lane.serve(&self.handler, job, &mut buffers, false);
                    }
                }
                Some(Step::Stop) => return Ok(()),
            }
        }
        // Nobody else comes back to this connection.
        let mut next = rest(lane, last);
        while let Some(job) = next.and_then(|job| lane.prepare(job, &mut buffers)) {
            let (left, _) = lane.serve(&self.handler, job, &mut buffers, false);
            next = rest(lane, left);
        }
        Ok(())
    }
}

/// Parks what was served, where it is not known whether it is off the poller.
fn rest(lane: &Lane, left: Left) -> Option<Job> {
    match left {
        Left::Nothing => None,
        Left::Rests(job) => lane.put_to_rest(job),
        Left::GoesOn(job) => Some(job),
    }
}

/// Hears that a handler is about to wait.
struct Relief<R> {
    relieve: R,
    is_relieved: Arc<AtomicBool>,
    registry: Arc<Registry>,
}

impl<R: Fn() -> bool> Relief<R> {
    fn come(&self) -> bool {
        if !self.is_relieved.load(Ordering::Relaxed) && (self.relieve)() {
            self.is_relieved.store(true, Ordering::Relaxed);
        }
        self.is_relieved.load(Ordering::Relaxed)
    }
}

impl<R: Fn() -> bool + Send> Attendant for Relief<R> {
    fn before_handler(&self, _: &str, _: &str) -> bool {
        false
    }

    fn after_handler(&self) {}

    fn before_read(&self, wire: &Wire) {
        // Else each arrival would wake whoever leads then. What is parked in a lane that this thread
        // leads must stay on its poller.
        if self.come() {
            wire.deregister(&self.registry);
        }
    }

    fn before_wait(&self) {
        self.come();
    }

    fn may_wait(&self) {
        self.come();
    }
}

impl<R> fmt::Debug for Relief<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relief")
            .field("is_relieved", &self.is_relieved)
            .finish_non_exhaustive()
    }
}
