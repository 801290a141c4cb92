//! Serving on a thread that serves one server after the other, until a handler is about to wait; then
//! the usual threads take over.
//!
//! For handlers that are known to return at once, or to say before that they won't: the canned answers
//! of a fixture. While nobody waits there is nothing to watch over, and nobody has to stand by. So most
//! fixtures need one thread, where the [`crew`](super::crew) starts with two.
//!
//! The thread comes with its [`Poller`], and waits with nothing of the server in its hands. So whoever
//! stops the server then need not wake it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use mio::Registry;

use super::lane::{Job, Lane, Left, Step};
use super::poller::Poller;
use super::{ThreadingHttpServer, first};
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::connection::attendant::Attendant;
use crate::connection::wire::Wire;

/// How a turn of serving has ended.
pub(crate) enum Turn {
    /// There is nothing to do until something comes, or for so long.
    Waits(Poller, Option<Duration>),
    /// The server was stopped, and everything is closed.
    Stopped(Poller),
    /// Other threads serve from now on, with the poller.
    Relieved,
}

impl<H: RequestHandler + Sync> ThreadingHttpServer<H> {
    /// Serves what this poller has found, without waiting, on this thread. If a handler is about to wait,
    /// `relieve` has another thread [serve](Self::serve_forever), and this one returns with its handler.
    /// False from there: there is no other thread, and all wait for this one.
    pub(crate) fn serve_turn(
        &self,
        poller: Poller,
        buffers: &mut Buffers,
        relieve: impl Fn() -> bool + Send + 'static,
    ) -> Turn {
        let control = &self.hub().control;
        buffers.thread = Some(control.enter_thread());
        let lane = first(&self.lanes);
        let is_relieved = Arc::new(AtomicBool::new(false));
        buffers.attendant = Some(Box::new(Relief {
            relieve,
            is_relieved: is_relieved.clone(),
            registry: lane.registry.clone(),
        }));
        let turn = self.turn(lane, poller, buffers, &is_relieved);
        (buffers.thread, buffers.attendant) = (None, None);
        turn
    }

    fn turn(
        &self,
        lane: &Lane,
        poller: Poller,
        buffers: &mut Buffers,
        is_relieved: &AtomicBool,
    ) -> Turn {
        let mut last = Left::Nothing;
        let mut lead = lane.lead();
        lead.poller = Some(poller);
        lane.take_events(&mut lead);
        loop {
            lead.take_back(last);
            let step = lane.pick(&mut lead);
            let Some(Step::Serve(job)) = step else {
                let timeout = match step {
                    None => Some(lane.settle(&mut lead, None, Instant::now())),
                    Some(_) => None,
                };
                return match (lead.poller.take(), timeout) {
                    (Some(poller), Some(timeout)) => Turn::Waits(poller, timeout),
                    (Some(poller), None) => Turn::Stopped(poller),
                    (None, _) => Turn::Relieved,
                };
            };
            // Who relieves this thread needs it.
            drop(lead);
            last = match lane.prepare(job, buffers) {
                Some(job) => lane.serve(&self.handler, job, buffers, false).0,
                None => Left::Nothing,
            };
            if is_relieved.load(Ordering::Relaxed) {
                break;
            }
            lead = lane.lead();
        }
        // Nobody else comes back to this connection.
        let mut next = rest(lane, last);
        while let Some(job) = next.and_then(|job| lane.prepare(job, buffers)) {
            let (left, _) = lane.serve(&self.handler, job, buffers, false);
            next = rest(lane, left);
        }
        Turn::Relieved
    }
}

/// The port of a server, for whoever stops it and does not wait for its threads.
#[derive(Debug)]
pub(crate) struct Port(Weak<[Lane]>);

impl Port {
    pub(crate) fn of<H>(server: &ThreadingHttpServer<H>) -> Self {
        Port(Arc::downgrade(&server.lanes))
    }

    /// Closes the port and what is parked, once the server was told to stop: as its own threads do, but they
    /// may be held up in handlers.
    pub(crate) fn close(&self) {
        let lanes = self.0.upgrade();
        for lane in lanes.iter().flat_map(|lanes| lanes.iter()) {
            lane.stop(&mut lane.claim_lead());
        }
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
