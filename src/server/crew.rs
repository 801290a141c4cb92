//! The threads of a [`ThreadingHttpServer`](crate::ThreadingHttpServer), and how leads pass between
//! them.
//!
//! The thread that leads a lane polls, picks a ready connection, and runs its handler *itself*. As long
//! as handlers return quickly, that is all there is: no other thread, no queue, no wake-up. The lead
//! passes to another thread in three cases, and this one then goes on with its handler as long as it
//! takes:
//!
//! - the handler is about to wait for its client (the [`seat`](super::seat) is told before);
//! - the route is known to block (the lane's [`predictor`](super::predictor) remembers);
//! - the watch sees that nothing has moved for a tick, and takes the lead.
//!
//! [`super::baton`] says who leads, [`super::shift`] who does what.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, Builder, Scope};
use std::time::{Duration, Instant};
use std::{io, mem};

use super::baton::{Baton, Term, Turn};
use super::lane::{Job, Lane, Lead, Left, Step};
use super::seat::Seat;
use super::shift::{Call, Post, Shift};
use crate::base::RequestHandler;
use crate::connection::Buffers;

/// How long a lane may stand still before its lead is taken: between one and two ticks.
const TICK: Duration = Duration::from_millis(4);
/// Ticks without anything to watch before the watch sleeps for good.
const QUIET_TICKS: u32 = 10;

/// The threads that serve a server's lanes.
#[derive(Debug)]
pub(super) struct Crew<'env, H: ?Sized> {
    lanes: &'env [Lane],
    handler: &'env H,
    idle: Duration,
    shift: Arc<Shift>,
}

impl<'env, H: RequestHandler + Sync + ?Sized> Crew<'env, H> {
    pub(super) fn new(
        lanes: &'env [Lane],
        handler: &'env H,
        max_threads: usize,
        idle: Duration,
    ) -> Self {
        Crew {
            lanes,
            handler,
            idle,
            shift: Arc::new(Shift::new(lanes.len(), max_threads)),
        }
    }

    /// Serves until the server is stopped, this thread included.
    pub(super) fn run(&self) -> io::Result<()> {
        thread::scope(|scope| self.work(scope, true, None));
        let failure = self.shift.roll().failure.take();
        failure.map_or(Ok(()), Err)
    }

    /// The life of a thread. The `first` one stays to the end; another leaves after a time without
    /// work.
    fn work<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, 'env>,
        first: bool,
        call: Option<Call>,
    ) where
        'env: 'scope,
    {
        if let Some(call) = call {
            self.shift.arrive(&call);
        }
        let Some(first_lane) = self.lanes.first() else {
            return;
        };
        let mut buffers = Buffers::of(first_lane.hub.control.enter_thread());
        let mut post = self.next_post();
        loop {
            post = match post {
                Post::Lead(lane) => {
                    if let Some(term) = self.baton(lane).and_then(|baton| baton.take()) {
                        self.lead(scope, lane, term, &mut buffers);
                    }
                    self.next_post()
                }
                Post::Serve(mut job) => {
                    // It may have been the watch.
                    self.staff(scope);
                    job.take_up(&mut buffers);
                    if let Some(job) = self.serve(job, &mut buffers) {
                        self.serve_on(job, &mut buffers);
                    }
                    self.next_post()
                }
                Post::Watch => {
                    if let Some((lane, term)) = self.watch() {
                        self.lead(scope, lane, term, &mut buffers);
                    }
                    self.next_post()
                }
                Post::StandBy(call) => match self.stand_by(&call, first) {
                    true => self.next_post(),
                    false => return,
                },
                Post::Leave => return,
            }
        }
    }

    fn next_post(&self) -> Post {
        if self.lanes.iter().any(|lane| lane.hub.control.is_cut()) {
            // What no thread has begun by now is given up.
            while let Some(job) = self.shift.take_waiting() {
                self.home(&job).close(job);
            }
        }
        self.shift.next_post()
    }

    fn baton(&self, lane: usize) -> Option<&Arc<Baton>> {
        self.shift.batons.get(lane)
    }

    /// Leads a lane until the lead is lost or the server stops.
    fn lead<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, 'env>,
        number: usize,
        term: Term,
        buffers: &mut Buffers,
    ) where
        'env: 'scope,
    {
        let (Some(lane), Some(baton)) = (self.lanes.get(number), self.baton(number)) else {
            return;
        };
        lane.is_led();
        let seat = Seat::new(self.shift.clone(), lane, baton.clone(), term);
        buffers.attendant = Some(Box::new(seat));
        if !self.staff(scope) {
            self.help(buffers);
        }
        // What was served last goes on in the lane, under a lock that is taken anyway.
        let mut last = Left::Nothing;
        // First ask, then lock: a new leader holds the lock while it waits for events.
        while baton.is_held(term) {
            let mut lead = lane.claim_lead();
            if !baton.is_held(term) {
                break;
            }
            lead.take_back(mem::take(&mut last));
            let step = match self.pick(lane, baton, &mut lead) {
                Some(step) => step,
                None if lane.is_claimed() => {
                    drop(lead);
                    thread::yield_now();
                    continue;
                }
                None => {
                    baton.rests();
                    if baton.has_waited() {
                        lead.is_not_hurried();
                    }
                    let waited = lane.wait(&mut lead, None);
                    baton.rises();
                    self.shift.rouse_watch();
                    match waited {
                        Ok(()) => continue,
                        Err(error) => {
                            drop(lead);
                            self.stop(Some(error));
                            break;
                        }
                    }
                }
            };
            baton.picked(lead.is_empty());
            match step {
                Step::Stop => {
                    drop(lead);
                    self.stop(None);
                    break;
                }
                Step::Serve(job) => {
                    drop(lead);
                    last = self.take_on(scope, job, buffers);
                }
            }
        }
        buffers.attendant = None;
        // Nobody comes back to it here.
        if let Some(job) = self.rest(last) {
            self.serve_on(job, buffers);
        }
    }

    /// Picks what is next in a lane that is led.
    fn pick(&self, lane: &Lane, baton: &Baton, lead: &mut Lead) -> Option<Step> {
        if !lead.accepts() {
            return lane.pick(lead);
        }
        // The system may block here, to make its table of descriptors larger. A thief could not go on either,
        // for the lead is locked, and no handler is to blame.
        baton.rests();
        let step = lane.pick(lead);
        baton.rises();
        self.shift.rouse_watch();
        step
    }

    /// Ends the work of all threads. The other lanes stop too, for their leaders may be lost in
    /// handlers.
    fn stop(&self, failure: Option<io::Error>) {
        for lane in self.lanes {
            lane.stop(&mut lane.claim_lead());
        }
        self.shift.stop(failure);
    }

    /// Reads a connection, and runs its handler, or sets it aside for another thread.
    fn take_on<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, 'env>,
        job: Job,
        buffers: &mut Buffers,
    ) -> Left
    where
        'env: 'scope,
    {
        let Some(mut job) = self.home(&job).prepare(job, buffers) else {
            return Left::Nothing;
        };
        if !self.shift.may_run_inline.load(Ordering::Relaxed) {
            if !self.staff(scope) {
                job.set_aside(buffers);
                self.help(buffers);
                job.take_up(buffers);
            }
            if !self.shift.may_run_inline.load(Ordering::Relaxed) {
                job.set_aside(buffers);
                let Some(returned) = self.shift.set_aside(job) else {
                    return Left::Nothing;
                };
                // It came back: all threads lead.
                job = returned;
                job.take_up(buffers);
            }
        }
        self.handle(job, buffers)
    }

    /// Serves what was set aside for a thread that could not be started.
    fn help(&self, buffers: &mut Buffers) {
        while let Some(mut job) = self.shift.take_stranded() {
            job.take_up(buffers);
            if let Some(job) = self.serve(job, buffers) {
                self.serve_on(job, buffers);
            }
        }
    }

    /// Runs the handler of a connection that was read.
    fn handle(&self, job: Job, buffers: &mut Buffers) -> Left {
        self.home(&job).serve(self.handler, job, buffers, false).0
    }

    /// The same where nobody leads: the connection is parked, or comes back if there is more to do.
    fn serve(&self, job: Job, buffers: &mut Buffers) -> Option<Job> {
        let left = self.handle(job, buffers);
        self.rest(left)
    }

    fn rest(&self, left: Left) -> Option<Job> {
        match left {
            Left::Nothing => None,
            Left::Rests(job) => self.home(&job).put_to_rest(job),
            Left::GoesOn(job) => Some(job),
        }
    }

    /// Reads and serves a connection until there is nothing to do on it.
    fn serve_on(&self, job: Job, buffers: &mut Buffers) {
        let mut next = Some(job);
        while let Some(job) = next.and_then(|job| self.home(&job).prepare(job, buffers)) {
            next = self.serve(job, buffers);
        }
    }

    /// The lane in which a connection is parked.
    #[expect(clippy::indexing_slicing, reason = "homes are numbers of these lanes")]
    fn home(&self, job: &Job) -> &'env Lane {
        &self.lanes[job.home]
    }

    /// Has threads started for the posts that are to be kept; false if one could not be.
    fn staff<'scope>(&'scope self, scope: &'scope Scope<'scope, 'env>) -> bool
    where
        'env: 'scope,
    {
        while let Some(call) = self.shift.needs_thread() {
            let its_call = call.clone();
            let work = move || self.work(scope, false, Some(its_call));
            let thread = Builder::new().name("servette".into());
            if thread.spawn_scoped(scope, work).is_err() {
                self.shift.has_no_thread(&call);
                return false;
            }
            self.shift.has_thread();
        }
        true
    }

    /// Watches over the leads, until one is taken (its lane and term) or there is something else to do.
    fn watch(&self) -> Option<(usize, Term)> {
        let shift = &*self.shift;
        let mut seen: Vec<Turn> = vec![Turn::default(); self.lanes.len()];
        let mut quiet = 0;
        loop {
            if shift.end_watch_if_needed() {
                return None;
            }
            let mut moves = false;
            for (lane, (baton, seen)) in shift.batons.iter().zip(&mut seen).enumerate() {
                let turn = baton.turn();
                if turn.is_serving()
                    && turn == *seen
                    && let Some(term) = baton.steal()
                {
                    shift.end_watch(&mut shift.roll());
                    return Some((lane, term));
                }
                moves |= turn != *seen || turn.is_serving();
                *seen = turn;
            }
            quiet = if moves { 0 } else { quiet + 1 };
            if quiet < QUIET_TICKS {
                thread::park_timeout(TICK);
                continue;
            }
            shift.watch_sleeps.store(true, Ordering::SeqCst);
            let has_moved = |(baton, seen): (&Arc<Baton>, &Turn)| baton.turn() != *seen;
            if !shift.batons.iter().zip(&seen).any(has_moved) && !shift.needs_the_watch() {
                thread::park();
            }
            shift.watch_sleeps.store(false, Ordering::SeqCst);
            quiet = 0;
        }
    }

    /// Waits to be called; false if nobody did for so long that this thread has left the roll.
    fn stand_by(&self, call: &Call, first: bool) -> bool {
        let mut since = Instant::now();
        while !call.has_come() {
            if first {
                thread::park();
                continue;
            }
            let waited = since.elapsed();
            if waited >= self.idle {
                if self.shift.leave(call) {
                    return false;
                }
                since = Instant::now();
                continue;
            }
            thread::park_timeout(self.idle - waited);
        }
        self.shift.arrive(call);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::OnceLock;

    use super::super::options::Options;
    use super::*;
    use crate::handler_fn;

    #[test]
    fn while_a_leader_accepts_there_is_nothing_to_take() {
        let baton = Arc::new(OnceLock::<Arc<Baton>>::new());
        let known = baton.clone();
        let options = Options {
            verify_request: Some(Box::new(move |_| !known.get().unwrap().turn().is_serving())),
            ..Options::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let lanes = Lane::all(listener.into(), options, 1).unwrap();
        let handler = handler_fn(|_, _| Ok(()));
        let crew = Crew::new(&lanes, &handler, 5, Duration::from_secs(10));
        let baton = baton.get_or_init(|| crew.shift.batons[0].clone());
        let mut lead = lanes[0].lead();
        while !lead.accepts() {
            lanes[0].wait(&mut lead, None).unwrap();
        }
        baton.rises();
        let step = crew.pick(&lanes[0], baton, &mut lead);
        assert!(matches!(step, Some(Step::Serve(_))));
        assert!(baton.turn().is_serving());
    }
}
