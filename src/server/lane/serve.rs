//! Serving: what was picked is read, handled, and parked again or closed. No lock is held over a
//! handler.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mio::Token;

use super::{Job, Lane, Lead};
use crate::Error;
use crate::base::RequestHandler;
use crate::clock::Moment;
use crate::connection::{Buffers, Connection, Ending, Next, Readiness};
use crate::limits::Limits;
use crate::server::client::{Client, Phase};
use crate::server::poller::FIRST_SLOT;
use crate::server::table::Parked;
use crate::shutdown::ThreadGuard;

/// What came of serving.
#[derive(Debug, Default)]
pub(in crate::server) struct Served {
    /// A request was answered.
    pub(in crate::server) answered: bool,
    /// There is more to do on the connection.
    pub(in crate::server) again: Option<Job>,
    /// The connection waits, and is to be parked.
    pub(in crate::server) rests: Option<Job>,
}

impl Job {
    /// It waits from now on.
    fn note_wait(&mut self, limits: &Limits, now: Moment) {
        if mem::take(&mut self.answered) {
            self.client.was_served(limits, now);
        }
        self.client.note_head(limits, now);
    }
}

impl Lane {
    /// Reads what is there, without waiting. The job is returned if a handler is to run; else the
    /// connection was parked or closed.
    pub(in crate::server) fn prepare(&self, job: Job, buffers: &mut Buffers) -> Option<Job> {
        let Job {
            mut client,
            home,
            mut slot,
            mut thorough,
            ..
        } = job;
        loop {
            if let Phase::Lingering(_) = client.phase {
                if !client.lingers_on(&self.hub.options.limits) {
                    self.close(client, slot);
                    return None;
                }
            } else {
                client.conn.lend(buffers, thorough);
                match client.conn.poll_request() {
                    Ok(Readiness::Request) => {
                        return Some(Job::new(client, home, slot, thorough));
                    }
                    Ok(Readiness::Pending) => {
                        client.note_head(&self.hub.options.limits, Moment::now());
                        client.conn.reclaim(buffers);
                    }
                    Ok(Readiness::Ended) | Err(_) => {
                        client.conn.reclaim(buffers);
                        self.close(client, slot);
                        return None;
                    }
                }
            }
            (client, slot) = self.park(client, slot)?;
            thorough = true;
        }
    }

    /// Has a prepared connection handled, and then parks or closes it. `one` stops after one request.
    pub(in crate::server) fn serve<H: RequestHandler + ?Sized>(
        &self,
        handler: &H,
        job: Job,
        buffers: &mut Buffers,
        one: bool,
    ) -> Served {
        let Job {
            mut client,
            home,
            slot,
            ..
        } = job;
        client.conn.set_one_at_a_time(one);
        client.conn.set_alone(self.hub.options.is_single);
        let before = client.conn.answered();
        let running = buffers.thread.as_ref().map(ThreadGuard::enter_handler);
        let next = self.handle(handler, &mut client.conn);
        drop(running);
        let answered = client.conn.answered() > before;
        let is_spent = client.conn.is_spent();
        client.conn.reclaim(buffers);
        let job = Job {
            client,
            home,
            slot,
            thorough: true,
            answered,
        };
        let mut served = Served {
            answered,
            ..Served::default()
        };
        match next {
            _ if job.client.conn.ending() != Ending::Open => self.end(job.client, slot),
            Next::Close => self.close(job.client, slot),
            Next::Again => served.again = Some(self.goes_on(job)),
            // No event will tell of what has come already.
            Next::Park if answered && !is_spent => served.again = Some(self.goes_on(job)),
            // For the first time.
            Next::Park if slot.is_none() => served.again = self.put_to_rest(job),
            Next::Park => served.rests = Some(job),
        }
        served
    }

    /// The connection has not begun to wait, but would from now on.
    fn goes_on(&self, mut job: Job) -> Job {
        job.note_wait(&self.hub.options.limits, Moment::now());
        job
    }

    /// Parks a connection that was served. It comes back if something has come meanwhile.
    pub(in crate::server) fn put_to_rest(&self, mut job: Job) -> Option<Job> {
        job.note_wait(&self.hub.options.limits, Moment::now());
        let (client, slot) = self.park(job.client, job.slot)?;
        Some(Job::new(client, job.home, slot, true))
    }

    /// Parks those that the leader has served since the last poll, under one lock and by one clock.
    pub(super) fn put_all_to_rest(&self, lead: &mut Lead) {
        if lead.resting.is_empty() {
            return;
        }
        let now = Moment::now();
        let mut table = self.table();
        for mut job in lead.resting.drain(..) {
            // They have been parked before, so they have one, and it is of this lane.
            let Some(slot) = job.slot else { continue };
            // Only who gives the lead up has it taken off the poller.
            debug_assert!(job.client.conn.wire().is_registered());
            job.note_wait(&self.hub.options.limits, now);
            // Whether the poller must wake up sooner does not matter: this is its thread.
            if let Parked::Again(client) = table.park(slot, job.client) {
                let job = Job::new(client, job.home, job.slot, true);
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
    fn end(&self, mut client: Box<Client>, slot: Option<usize>) {
        if client.conn.ending() != Ending::Linger {
            return self.close(client, slot);
        }
        // A server that stops does the same, as far as it goes without waiting: see `park`.
        client.starts_to_linger(&self.hub.options.limits, Moment::now());
        let mut next = Some((client, slot));
        while let Some((mut client, slot)) = next {
            if !client.lingers_on(&self.hub.options.limits) {
                return self.close(client, slot);
            }
            next = self.park(client, slot);
        }
    }

    /// Puts a connection back until there is something to read. It comes back at once, with its slot,
    /// if something has come meanwhile.
    fn park(
        &self,
        client: Box<Client>,
        slot: Option<usize>,
    ) -> Option<(Box<Client>, Option<usize>)> {
        let mut table = self.table();
        let slot = slot.unwrap_or_else(|| table.reserve());
        let wire = client.conn.wire();
        let token = Token(slot + FIRST_SLOT);
        let is_registered = wire.is_registered() || wire.register(&self.registry, token).is_ok();
        if !is_registered || self.hub.control.is_stopping() {
            drop(table);
            self.close(client, Some(slot));
            return None;
        }
        match table.park(slot, client) {
            Parked::Again(client) => Some((client, Some(slot))),
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

    /// Closes a connection that was to be served.
    pub(in crate::server) fn give_up(&self, job: Job) {
        self.close(job.client, job.slot);
    }

    /// Closes a connection and frees its slot.
    pub(super) fn close(&self, client: Box<Client>, slot: Option<usize>) {
        if slot.is_some() && client.conn.is_detached() {
            // The socket lives on, so closing alone does not do it.
            client.conn.wire().deregister(&self.registry);
        }
        self.hub.close(client, self.number, slot);
    }
}
