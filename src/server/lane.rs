//! The poller: accepts, waits for connections that have something to read, keeps their deadlines.
//!
//! Whoever holds the *lead* ([`Lane::lead`]) may poll and pick; what was picked has one owner and is
//! served without any lock. A connection that waits is parked in its slot, costs no thread and no
//! system call, and is registered with the poller once, edge-triggered: an event means "read until
//! there is nothing left", and nothing else. How threads share the lead is [`super::crew`]'s business.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Registry, Token, Waker};

use super::client::{Client, Phase};
use super::listener::{Acceptor, Listener};
use super::options::Options;
use super::table::{Parked, Table};
use crate::base::RequestHandler;
use crate::connection::{Buffers, Connection, Ending, Next, Readiness};
use crate::http1::Refusal;
use crate::info::ServerInfo;
use crate::shutdown::{Control, ShutdownHandle, lock};
use crate::{Error, Result};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// The token of slot 0.
const FIRST_SLOT: usize = 2;
/// Connections accepted between two polls; without a bound the parked ones would starve.
const ACCEPTS: u32 = 32;
/// How long accepting rests when the process has run out of descriptors or memory.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How often `service_actions` runs, as in Python.
const SERVICE_INTERVAL: Duration = Duration::from_millis(500);

/// The poller of a server, and its connections.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) options: Options,
    pub(super) info: Arc<ServerInfo>,
    pub(super) control: Arc<Control>,
    max_connections: usize,
    registry: Registry,
    table: Mutex<Table>,
    lead: Mutex<Lead>,
}

/// What only the one who leads touches.
#[derive(Debug)]
pub(super) struct Lead {
    poll: Poll,
    events: Events,
    /// Connections that were put back with more to do.
    unfinished: VecDeque<Job>,
    /// Slots to look at, and whether their sockets may be at their end.
    ready: VecDeque<(usize, bool)>,
    /// `None` once the server has stopped.
    acceptor: Option<Acceptor>,
    /// How many connections may be accepted before the next poll; 0 while nobody waits.
    accepts: u32,
    accept_again: Option<Instant>,
    next_actions: Option<Instant>,
}

/// A connection to serve, and its slot, if it was parked before.
#[derive(Debug)]
pub(super) struct Job {
    client: Box<Client>,
    slot: Option<usize>,
    /// A read that is not full does not mean that nothing is left: the end may follow.
    thorough: bool,
}

impl Job {
    fn new(client: Box<Client>, slot: Option<usize>, thorough: bool) -> Self {
        Job {
            client,
            slot,
            thorough,
        }
    }

    /// Gives the buffers back while the job waits for a thread.
    pub(super) fn set_aside(&mut self, buffers: &mut Buffers) {
        self.client.conn.reclaim(buffers);
    }

    /// Takes buffers again.
    pub(super) fn take_up(&mut self, buffers: &mut Buffers) {
        self.client.conn.lend(buffers, true);
    }
}

impl Lead {
    /// Puts a connection back that has more to do.
    pub(super) fn put_back(&mut self, job: Job) {
        self.unfinished.push_back(job);
    }
}

/// What the one who leads is to do.
#[derive(Debug)]
pub(super) enum Step {
    Serve(Job),
    Stop,
    TimedOut,
}

impl Lane {
    pub(super) fn new(listener: Listener, options: Options) -> Result<Self> {
        let error = |error| Error::context("cannot set up the server", error);
        Lane::set_up(listener, options).map_err(error)
    }

    fn set_up(listener: Listener, options: Options) -> io::Result<Self> {
        let (mut acceptor, address) = Acceptor::new(listener)?;
        let (handle, control) = ShutdownHandle::new()?;
        let poll = Poll::new()?;
        let registry = poll.registry().try_clone()?;
        acceptor.register(&registry, LISTENER)?;
        control.set_waker(Waker::new(&registry, WAKER)?);
        Ok(Lane {
            max_connections: options.limits.max_connections.min(spare_descriptors()),
            info: Arc::new(ServerInfo::new(address, handle)),
            control,
            registry,
            table: Mutex::new(Table::new()),
            lead: Mutex::new(Lead {
                poll,
                events: Events::with_capacity(256),
                unfinished: VecDeque::new(),
                ready: VecDeque::new(),
                acceptor: Some(acceptor),
                accepts: 0,
                accept_again: None,
                next_actions: None,
            }),
            options,
        })
    }

    /// The lead. It is held while polling and picking, never while a handler runs.
    pub(super) fn lead(&self) -> MutexGuard<'_, Lead> {
        lock(&self.lead)
    }

    /// Finds the next connection with something to do, waiting for it until `until`.
    pub(super) fn next(&self, lead: &mut Lead, until: Option<Instant>) -> io::Result<Step> {
        loop {
            if self.control.is_stopping() {
                self.stop(lead);
                return Ok(Step::Stop);
            }
            if let Some(job) = lead.unfinished.pop_front() {
                return Ok(Step::Serve(job));
            }
            if let Some((slot, thorough)) = lead.ready.pop_front() {
                let taken = lock(&self.table).take(slot);
                match taken {
                    Some(client) => return Ok(Step::Serve(Job::new(client, Some(slot), thorough))),
                    None => continue,
                }
            }
            if let Some(job) = self.accept(lead) {
                return Ok(Step::Serve(job));
            }
            let now = Instant::now();
            let expired = lock(&self.table).take_expired(now);
            if let Some((slot, mut client)) = expired {
                if client.phase == Phase::Head {
                    client.conn.refuse(Refusal::new(408, ""));
                    return Ok(Step::Serve(Job::new(client, Some(slot), false)));
                }
                self.close(client, Some(slot));
                continue;
            }
            self.run_service_actions(lead, now);
            if until.is_some_and(|until| until <= now) {
                return Ok(Step::TimedOut);
            }
            self.poll(lead, until, now)?;
        }
    }

    /// Waits for events, until something else is due.
    fn poll(&self, lead: &mut Lead, until: Option<Instant>, now: Instant) -> io::Result<()> {
        let due = [
            until,
            lead.accept_again,
            lead.next_actions,
            lock(&self.table).next_look(),
        ];
        let mut timeout = due.into_iter().flatten().min().map(|due| {
            // Rounded up: a poll that ends too early would spin.
            due.saturating_duration_since(now) + Duration::from_millis(1)
        });
        if lead.accept_again.is_some_and(|again| again <= now) {
            lead.accept_again = None;
            lead.accepts = ACCEPTS;
            timeout = Some(Duration::ZERO);
        }
        match lead.poll.poll(&mut lead.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        for event in &lead.events {
            match event.token() {
                LISTENER => lead.accepts = ACCEPTS,
                WAKER => {}
                Token(token) => lead
                    .ready
                    .push_back((token.wrapping_sub(FIRST_SLOT), event.is_read_closed())),
            }
        }
        Ok(())
    }

    fn run_service_actions(&self, lead: &mut Lead, now: Instant) {
        let Some(actions) = &self.options.service_actions else {
            return;
        };
        if lead.next_actions.is_none_or(|due| due <= now) {
            lead.next_actions = Some(now + SERVICE_INTERVAL);
            // A panic there must not end the server.
            let _ = catch_unwind(AssertUnwindSafe(actions));
        }
    }

    /// Accepts a connection, if one waits and it is not turned away.
    fn accept(&self, lead: &mut Lead) -> Option<Job> {
        while lead.accepts > 0 {
            lead.accepts -= 1;
            let acceptor = lead.acceptor.as_ref()?;
            let (stream, peer) = match acceptor.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    lead.accepts = 0;
                    return None;
                }
                Err(error) if is_transient(&error) => continue,
                Err(_) => {
                    // Out of descriptors or memory: make room, and try again a little later.
                    lead.accepts = 0;
                    lead.accept_again = Some(Instant::now() + ACCEPT_REST);
                    self.evict();
                    return None;
                }
            };
            if lead.accepts == 0 {
                // There may be more: the poller reports them once only.
                lead.accept_again = Some(Instant::now());
            }
            if !self.options.accepts(&peer) {
                #[cfg(feature = "testing")]
                if self.options.resets_refused {
                    stream.reset_on_close();
                }
                continue;
            }
            let limits = &self.options.limits;
            let conn = Connection::new(stream, peer, self.info.clone(), limits.clone());
            let mut client = Box::new(Client::new(conn, limits, Instant::now()));
            let is_full = lock(&self.table).open() >= self.max_connections;
            if is_full && !self.evict() {
                client.conn.refuse(Refusal::new(503, ""));
            }
            lock(&self.table).opened();
            return Some(Job::new(client, None, false));
        }
        None
    }

    /// Closes the parked connection that is nearest to its deadline.
    fn evict(&self) -> bool {
        let taken = lock(&self.table).take_longest_parked();
        match taken {
            Some((slot, client)) => {
                self.close(client, Some(slot));
                true
            }
            None => false,
        }
    }

    /// Stops accepting, and closes whatever is parked.
    fn stop(&self, lead: &mut Lead) {
        lead.acceptor = None;
        lead.ready.clear();
        for job in std::mem::take(&mut lead.unfinished) {
            self.close(job.client, job.slot);
        }
        let parked = lock(&self.table).take_all();
        for (slot, client) in parked {
            self.close(client, Some(slot));
        }
    }

    /// Reads what is there, without waiting. The job is returned if a handler is to run; else the
    /// connection was parked or closed.
    pub(super) fn prepare(&self, job: Job, buffers: &mut Buffers) -> Option<Job> {
        let Job {
            mut client,
            mut slot,
            mut thorough,
        } = job;
        loop {
            if let Phase::Lingering(_) = client.phase {
                if !client.lingers_on(&self.options.limits) {
                    self.close(client, slot);
                    return None;
                }
            } else {
                client.conn.lend(buffers, thorough);
                match client.conn.poll_request() {
                    Ok(Readiness::Request) => return Some(Job::new(client, slot, thorough)),
                    Ok(Readiness::Pending) => {
                        client.note_head(&self.options.limits, Instant::now());
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
    pub(super) fn serve<H: RequestHandler + ?Sized>(
        &self,
        handler: &H,
        job: Job,
        buffers: &mut Buffers,
        one: bool,
    ) -> Served {
        let Job {
            mut client, slot, ..
        } = job;
        client.conn.set_one_at_a_time(one);
        let before = client.conn.answered();
        let next = self.handle(handler, &mut client.conn);
        let answered = client.conn.answered() > before;
        client.was_served(&self.options.limits, Instant::now());
        client.note_head(&self.options.limits, Instant::now());
        client.conn.reclaim(buffers);
        let again = match next {
            _ if client.conn.ending() != Ending::Open => {
                self.end(client, slot);
                None
            }
            Next::Close => {
                self.close(client, slot);
                None
            }
            Next::Again => Some((client, slot)),
            Next::Park => self.park(client, slot),
        };
        Served {
            answered,
            again: again.map(|(client, slot)| Job::new(client, slot, true)),
        }
    }

    /// Calls the handler. Whatever it does, the connection comes to a decision.
    fn handle<H: RequestHandler + ?Sized>(&self, handler: &H, conn: &mut Connection) -> Next {
        let running = self.control.enter_handler();
        let result = catch_unwind(AssertUnwindSafe(|| {
            let next = handler.handle(conn)?;
            conn.flush()?;
            Ok(next)
        }));
        drop(running);
        let result = result.unwrap_or_else(|payload| Err(Error::panic(&*payload)));
        result.unwrap_or_else(|error| {
            let report = || self.options.report(&error, &conn.client_address());
            // A panic there must not end the thread.
            let _ = catch_unwind(AssertUnwindSafe(report));
            Next::Close
        })
    }

    /// Ends a connection: at once, or when the client has read its answer.
    fn end(&self, mut client: Box<Client>, slot: Option<usize>) {
        if client.conn.ending() != Ending::Linger || self.control.is_stopping() {
            return self.close(client, slot);
        }
        client.starts_to_linger(&self.options.limits, Instant::now());
        let mut next = Some((client, slot));
        while let Some((mut client, slot)) = next {
            if !client.lingers_on(&self.options.limits) {
                return self.close(client, slot);
            }
            next = self.park(client, slot);
        }
    }

    /// Puts a connection back until there is something to read. It comes back at once, with its slot,
    /// if something has come meanwhile.
    fn park(
        &self,
        mut client: Box<Client>,
        slot: Option<usize>,
    ) -> Option<(Box<Client>, Option<usize>)> {
        let mut table = lock(&self.table);
        let slot = match slot {
            Some(slot) => slot,
            None => {
                let slot = table.reserve();
                let token = Token(slot + FIRST_SLOT);
                if client
                    .conn
                    .stream_mut()
                    .register(&self.registry, token)
                    .is_err()
                {
                    drop(table);
                    self.close(client, Some(slot));
                    return None;
                }
                slot
            }
        };
        if self.control.is_stopping() {
            drop(table);
            self.close(client, Some(slot));
            return None;
        }
        match table.park(slot, client) {
            Parked::Again(client) => Some((client, Some(slot))),
            Parked::Waits { sooner } => {
                drop(table);
                if sooner {
                    self.control.wake();
                }
                None
            }
        }
    }

    /// Closes a connection and frees its slot.
    fn close(&self, mut client: Box<Client>, slot: Option<usize>) {
        if slot.is_some() && client.conn.is_detached() {
            // The socket lives on, so closing alone does not do it. It can't fail: it is registered.
            let _ = client.conn.stream_mut().deregister(&self.registry);
        }
        drop(client);
        lock(&self.table).closed(slot);
    }
}

/// What came of serving.
#[derive(Debug)]
pub(super) struct Served {
    /// A request was answered.
    pub(super) answered: bool,
    /// There is more to do on the connection.
    pub(super) again: Option<Job>,
}

/// An accepted connection that was gone again, or a signal: the next one may be fine.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::Interrupted
            | Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::PermissionDenied
    )
}

/// How many connections the process's limit of descriptors leaves room for.
fn spare_descriptors() -> usize {
    /// For files, listeners, the poller, and what the program itself has open.
    const OTHERS: u64 = 64;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let spare = limit
        .unwrap_or(u64::MAX)
        .saturating_sub(OTHERS)
        .max(OTHERS / 2);
    usize::try_from(spare).unwrap_or(usize::MAX)
}
