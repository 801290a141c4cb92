//! Serving: what was picked is read, handled, and parked again or closed. No lock is held over a
//! handler.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mio::Token;

use super::{Job, Lane, Lead};
use crate::Error;
use crate::base::RequestHandler;
use crate::clock::Moment;
use crate::connection::{Buffers, Connection, Ending, Next, Readiness};
use crate::server::client::Phase;
use crate::server::poller::FIRST_SLOT;
use crate::server::table::Parked;
use crate::shutdown::ThreadGuard;

/// What is left to do of a connection that was served.
#[derive(Debug, Default)]
pub(in crate::server) enum Left {
    /// It was parked or closed.
    #[default]
    Nothing,
    /// It waits, and is to be parked.
    Rests(Job),
    /// There is more to do on it.
    GoesOn(Job),
}

impl Lane {
    /// Reads what is there, without waiting. The job is returned if a handler is to run; else the
    /// connection was parked or closed.
    pub(in crate::server) fn prepare(&self, mut job: Job, buffers: &mut Buffers) -> Option<Job> {
        loop {
            if let Phase::Lingering(_) = job.phase {
                if !job.lingers_on(&self.hub.options.limits) {
                    self.close(job);
                    return None;
                }
            } else {
                let thorough = job.thorough;
                job.conn.lend(buffers, thorough);
                match job.conn.poll_request() {
                    Ok(Readiness::Request) => return Some(job),
                    Ok(Readiness::Pending) => {
                        job.note_head(&self.hub.options.limits, Moment::now());
                        job.conn.reclaim(buffers);
                    }
                    Ok(Readiness::Ended) | Err(_) => {
                        job.conn.reclaim(buffers);
                        self.close(job);
                        return None;
                    }
                }
            }
            job = self.park(job)?;
        }
    }

    /// Has a prepared connection handled, and then parks or closes it. `one` stops after one request. True:
    /// a request was answered.
    pub(in crate::server) fn serve<H: RequestHandler + ?Sized>(
        &self,
        handler: &H,
        mut job: Job,
        buffers: &mut Buffers,
        one: bool,
    ) -> (Left, bool) {
        let conn = &mut job.conn;
        conn.set_one_at_a_time(one);
        conn.set_alone(self.hub.options.is_single);
        let before = conn.answered();
        let running = buffers.thread.as_ref().map(ThreadGuard::enter_handler);
        let next = self.handle(handler, conn);
        drop(running);
        let answered = conn.answered() > before;
        let is_spent = conn.is_spent();
        conn.reclaim(buffers);
        let is_open = conn.ending() == Ending::Open;
        job.thorough = true;
        job.answered = answered;
        let left = match next {
            Next::Close => {
                job.conn.leave();
                self.end(job);
                Left::Nothing
            }
            _ if !is_open => {
                self.end(job);
                Left::Nothing
            }
            Next::Again => Left::GoesOn(self.goes_on(job)),
            // No event will tell of what has come already.
            Next::Park if answered && !is_spent => Left::GoesOn(self.goes_on(job)),
            // For the first time.
            Next::Park if job.slot.is_none() => {
                self.put_to_rest(job).map_or(Left::Nothing, Left::GoesOn)
            }
            Next::Park => Left::Rests(job),
        };
        (left, answered)
    }

    /// The connection has not begun to wait, but would from now on.
    fn goes_on(&self, mut job: Job) -> Job {
        job.note_wait(&self.hub.options.limits, Moment::now());
        job
    }

    /// Parks a connection that was served. It comes back if something has come meanwhile.
    pub(in crate::server) fn put_to_rest(&self, mut job: Job) -> Option<Job> {
        job.note_wait(&self.hub.options.limits, Moment::now());
        self.park(job)
    }

    /// Parks those that the leader has served since the last poll, under one lock and by one clock.
    pub(super) fn put_all_to_rest(&self, lead: &mut Lead) {
        if lead.resting.is_empty() {
            return;
        }
        let now = Moment::now();
        let mut table = self.table();
        for mut job in lead.resting.drain(..) {
            // They have been parked before, in this lane. Only who gives the lead up has one taken off the
            // poller.
            debug_assert!(job.slot.is_some() && job.conn.wire().is_registered());
            job.note_wait(&self.hub.options.limits, now);
            // Whether the poller must wake up sooner does not matter: this is its thread.
            if let Parked::Again(job) = table.park(job) {
                lead.unfinished.push_back(job);
            }
        }
    }

    /// Calls the handler. Whatever it does, the connection comes to a decision.
    fn handle<H: RequestHandler + ?Sized>(&self, handler: &H, conn: &mut Connection) -> Next {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let next = handler.handle(conn)?;
            conn.flush()?;
            Ok(next)
        }));
        let result = result.unwrap_or_else(|payload| Err(Error::panic(&*payload)));
        result.unwrap_or_else(|error| {
            self.hub.options.report(&error, &conn.client_address());
            // The answers to earlier requests are finished; if this fails too, nobody is there.
            let _ = conn.flush();
            Next::Close
        })
    }

    /// Ends a connection: at once, or when the client has read its answer.
    fn end(&self, mut job: Job) {
        if job.conn.ending() == Ending::Close {
            return self.close(job);
        }
        // A server that stops does the same, as far as it goes without waiting: see `park`.
        job.starts_to_linger(&self.hub.options.limits, Moment::now());
        let mut next = Some(job);
        while let Some(mut job) = next {
            if !job.lingers_on(&self.hub.options.limits) {
                return self.close(job);
            }
            next = self.park(job);
        }
    }

    /// Puts a connection back until there is something to read. It comes back at once, with its slot,
    /// if something has come meanwhile.
    fn park(&self, mut job: Job) -> Option<Job> {
        let mut table = self.table();
        let slot = *job.slot.get_or_insert_with(|| table.reserve());
        let wire = job.conn.wire();
        let token = Token(slot + FIRST_SLOT);
        let is_registered = wire.is_registered() || wire.register(&self.registry, token).is_ok();
        if !is_registered || self.hub.control.is_stopping() {
            drop(table);
            self.close(job);
            return None;
        }
        match table.park(job) {
            Parked::Again(job) => Some(job),
            Parked::Waits { sooner } => {
                drop(table);
                if sooner {
                    // It fails only when the poller is gone.
                    let _ = self.waker.wake();
                }
                None
            }
        }
    }

    /// Closes a connection and frees its slot.
    pub(in crate::server) fn close(&self, job: Job) {
        if job.slot.is_some() && job.conn.is_detached() {
            // The socket lives on, so closing alone does not do it.
            job.conn.wire().deregister(&self.registry);
        }
        self.hub.close(job);
    }
}
