//! The poller: accepts, waits for connections that have something to read, keeps their deadlines.
//!
//! Whoever holds the *lead* ([`Lane::lead`]) may poll and pick; what was picked has one owner and is
//! served without any lock. A connection that waits is parked in its slot, costs no thread and no
//! system call, and is registered with the poller once, edge-triggered: an event means "read until
//! there is nothing left", and nothing else. Only one whose handler waits for it itself is taken off
//! meanwhile. How threads share the lead is [`super::crew`]'s business.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{
    AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use mio::{Registry, Token, Waker};

use self::accept::{ACCEPTS, spare_descriptors};
pub(super) use self::serve::Left;
use super::client::{Client, Phase};
use super::listener::{Acceptor, Listener};
use super::options::Options;
use super::poller::{Access, FIRST_SLOT, LISTENER, Poller, WAKER};
use super::table::Table;
use crate::clock::Moment;
use crate::http1::Refusal;
use crate::info::ServerInfo;
use crate::shutdown::{Control, ShutdownHandle, lock};
use crate::{Error, Result};

mod accept;
mod serve;

/// How often `service_actions` runs, as in Python.
const SERVICE_INTERVAL: Duration = Duration::from_millis(500);

/// What the lanes of a server share.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) options: Options,
    pub(super) info: Arc<ServerInfo>,
    pub(super) control: Arc<Control>,
    max_connections: usize,
    /// Connections that exist, in all lanes.
    open: AtomicUsize,
    /// Over how many lanes new connections are dealt: those that have been led.
    dealt: AtomicUsize,
    /// Those that are parked or were, by lane.
    tables: Vec<Mutex<Table>>,
}

/// A poller, and the connections that are parked in it.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) hub: Arc<Hub>,
    pub(super) number: usize,
    pub(super) registry: Arc<Registry>,
    waker: Arc<Waker>,
    lead: Mutex<Lead>,
    /// Threads that want the lead while another holds it.
    claims: AtomicUsize,
}

/// What only the one who leads touches.
#[derive(Debug)]
pub(super) struct Lead {
    /// None while it is lent to another server, or waited at without the lead.
    pub(super) poller: Option<Poller>,
    /// Connections that were put back with more to do.
    unfinished: VecDeque<Job>,
    /// How many of them get their turn before the next poll, so that none keeps the others waiting.
    turns: usize,
    /// Connections that were served, and are to be parked before the next poll.
    resting: Vec<Job>,
    /// Connections that have something to read, taken from their slots.
    ready: VecDeque<Job>,
    /// The first lane has it, until the server stops.
    acceptor: Option<Acceptor>,
    /// The lane that got the last connection.
    next_home: usize,
    /// How many connections may be accepted before the next poll; 0 while nobody waits.
    accepts: u32,
    accept_again: Option<Instant>,
    next_actions: Option<Instant>,
    /// When it was reported that connections run short.
    complained: Option<Instant>,
}

/// A connection to serve.
pub(super) type Job = Box<Client>;

impl Lead {
    /// Puts a connection back that has more to do.
    pub(super) fn put_back(&mut self, job: Job) {
        self.unfinished.push_back(job);
    }

    /// New connections may be picked.
    pub(super) fn accepts(&self) -> bool {
        self.accepts > 0
    }

    /// There is nothing to pick before the next poll.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
            && self.unfinished.is_empty()
            && self.accepts == 0
            && self.accept_again.is_none()
    }

    /// The last requests were large ones, after which looking again costs more than it brings.
    pub(super) fn is_not_hurried(&mut self) {
        if let Some(poller) = &mut self.poller {
            poller.is_not_hurried();
        }
    }

    /// Takes back what was served: to be parked, or behind the others, if it has more to do.
    pub(super) fn take_back(&mut self, left: Left) {
        match left {
            Left::Nothing => {}
            Left::Rests(job) => self.resting.push(job),
            Left::GoesOn(job) => self.unfinished.push_back(job),
        }
    }
}

/// What the one who leads is to do.
#[derive(Debug)]
pub(super) enum Step {
    Serve(Job),
    Stop,
}

impl Lane {
    /// As many lanes as asked for; the first one accepts.
    pub(super) fn all(listener: Listener, options: Options, count: usize) -> Result<Vec<Self>> {
        let error = |error| Error::context("cannot set up the server", error);
        Lane::set_up(listener, options, count.max(1)).map_err(error)
    }

    fn set_up(listener: Listener, mut options: Options, count: usize) -> io::Result<Vec<Self>> {
        let (acceptor, address) = Acceptor::new(listener)?;
        let handle = ShutdownHandle::new();
        let control = handle.control().clone();
        if !options.is_brief {
            control.cut_signal()?;
        }
        let mut lent = options.access.take();
        let hub = Arc::new(Hub {
            max_connections: options.limits.max_connections.min(spare_descriptors()),
            info: Arc::new(ServerInfo::new(address, handle)),
            control,
            open: AtomicUsize::new(0),
            dealt: AtomicUsize::new(1),
            tables: (0..count).map(|_| Mutex::new(Table::new())).collect(),
            options,
        });
        let mut acceptor = Some(acceptor);
        let lanes = (0..count).map(|number| {
            let (poller, access) = match lent.take() {
                Some(access) => (None, access),
                None => Poller::new().map(|(poller, access)| (Some(poller), access))?,
            };
            Lane::new(hub.clone(), number, acceptor.take(), poller, access)
        });
        let lanes = lanes.collect::<io::Result<Vec<_>>>()?;
        let wakers = lanes.iter().map(|lane| lane.waker.clone());
        hub.control.set_wakers(wakers.collect());
        Ok(lanes)
    }

    fn new(
        hub: Arc<Hub>,
        number: usize,
        mut acceptor: Option<Acceptor>,
        poller: Option<Poller>,
        Access { registry, waker }: Access,
    ) -> io::Result<Self> {
        if let Some(acceptor) = &mut acceptor {
            acceptor.register(&registry, LISTENER)?;
        }
        Ok(Lane {
            hub,
            number,
            waker,
            registry,
            lead: Mutex::new(Lead {
                poller,
                unfinished: VecDeque::new(),
                turns: 0,
                resting: Vec::new(),
                ready: VecDeque::new(),
                acceptor,
                next_home: 0,
                accepts: 0,
                accept_again: None,
                next_actions: None,
                complained: None,
            }),
            claims: AtomicUsize::new(0),
        })
    }

    /// The connections of this lane.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.hub.table(self.number)
    }

    /// The lead. It is held while polling and picking, never while a handler runs.
    pub(super) fn lead(&self) -> MutexGuard<'_, Lead> {
        lock(&self.lead)
    }

    /// The lead, for one of several threads: another one that holds it may be waiting for events, and is
    /// woken then.
    pub(super) fn claim_lead(&self) -> MutexGuard<'_, Lead> {
        match self.lead.try_lock() {
            Ok(lead) => return lead,
            Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {}
        }
        self.claims.fetch_add(1, SeqCst);
        // It fails only when the poller is gone.
        let _ = self.waker.wake();
        let lead = self.lead();
        self.claims.fetch_sub(1, SeqCst);
        lead
    }

    /// Somebody waits for the lead: whoever holds it must not go and wait for events. Either this sees
    /// the claim, or the poller is woken after it.
    pub(super) fn is_claimed(&self) -> bool {
        self.claims.load(SeqCst) > 0
    }

    /// Finds the next connection with something to do, without waiting.
    pub(super) fn pick(&self, lead: &mut Lead) -> Option<Step> {
        if self.hub.control.is_stopping() {
            self.stop(lead);
            return Some(Step::Stop);
        }
        if let Some(job) = lead.ready.pop_front() {
            return Some(Step::Serve(job));
        }
        if lead.accepts > 0 {
            // One of them may have to make room.
            self.put_all_to_rest(lead);
        }
        if let Some(job) = self.accept(lead) {
            return Some(Step::Serve(job));
        }
        lead.turns = lead.turns.checked_sub(1)?;
        lead.unfinished.pop_front().map(Step::Serve)
    }

    /// From now on somebody leads this lane, so it may have connections.
    pub(super) fn is_led(&self) {
        self.hub.dealt.fetch_max(self.number + 1, Relaxed);
    }

    /// Does what is due, and waits for something to pick, until `until` or something else is due.
    ///
    /// # Errors
    /// If polling fails; the server has stopped then.
    pub(super) fn wait(&self, lead: &mut Lead, until: Option<Instant>) -> io::Result<()> {
        let now = Instant::now();
        let timeout = self.settle(lead, until, now);
        let Some(poller) = &mut lead.poller else {
            return Err(io::Error::other("the poller is with somebody else"));
        };
        match poller.sleep(timeout, now) {
            Ok(()) => self.take_events(lead),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.hub.control.stop();
                self.stop(lead);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Does what is due before a wait; how long that may take, so that nothing is missed.
    pub(super) fn settle(
        &self,
        lead: &mut Lead,
        until: Option<Instant>,
        now: Instant,
    ) -> Option<Duration> {
        self.put_all_to_rest(lead);
        let moment = Moment::now();
        loop {
            let expired = self.table().take_expired(moment);
            let Some(mut client) = expired else {
                break;
            };
            if client.phase == Phase::Head {
                client.phase = Phase::Late;
                client.conn.refuse(Refusal::new(408, ""));
                client.thorough = false;
                lead.put_back(client);
            } else {
                self.close(client);
            }
        }
        self.run_service_actions(lead, now);

        let accepts_again = lead.accepts_again(now);
        let due = [until, lead.accept_again, lead.next_actions];
        let due = due.into_iter().flatten().min();
        let look = self.table().next_look();
        let waits = [
            due.map(|due| due.saturating_duration_since(now)),
            look.map(|look| look.since(moment)),
        ];
        lead.turns = lead.unfinished.len();
        if accepts_again || !lead.unfinished.is_empty() {
            return Some(Duration::ZERO);
        }
        // Rounded up: a poll that ends too early would spin.
        let timeout = waits.into_iter().flatten().min();
        timeout.map(|wait| wait.saturating_add(Duration::from_millis(1)))
    }

    /// Takes in what the poller has found.
    pub(super) fn take_events(&self, lead: &mut Lead) {
        let Some(poller) = &lead.poller else { return };
        let mut table = self.table();
        for event in &poller.events {
            match event.token() {
                LISTENER => lead.accepts = ACCEPTS,
                WAKER => {}
                Token(token) => {
                    let slot = token.wrapping_sub(FIRST_SLOT);
                    // One that is being served is marked, and comes back by itself.
                    if let Some(mut client) = table.take(slot) {
                        client.thorough = event.is_read_closed();
                        lead.ready.push_back(client);
                    }
                }
            }
        }
    }

    fn run_service_actions(&self, lead: &mut Lead, now: Instant) {
        let Some(actions) = &self.hub.options.service_actions else {
            return;
        };
        if lead.next_actions.is_none_or(|due| due <= now) {
            lead.next_actions = Some(now + SERVICE_INTERVAL);
            // A panic there must not end the server.
            let _ = catch_unwind(AssertUnwindSafe(actions));
        }
    }

    /// Stops accepting, and closes whatever is parked.
    pub(super) fn stop(&self, lead: &mut Lead) {
        lead.acceptor = None;
        let Lead {
            resting,
            ready,
            unfinished,
            ..
        } = lead;
        let served = resting.drain(..);
        for job in served.chain(ready.drain(..)).chain(unfinished.drain(..)) {
            self.close(job);
        }
        let parked = self.table().take_all();
        for client in parked {
            self.close(client);
        }
    }
}

impl Hub {
    #[expect(clippy::indexing_slicing, reason = "there is one for each lane")]
    fn table(&self, lane: usize) -> MutexGuard<'_, Table> {
        lock(&self.tables[lane])
    }

    /// Closes a connection.
    fn close(&self, client: Box<Client>) {
        let (home, slot) = (client.home, client.slot);
        drop(client);
        self.open.fetch_sub(1, Relaxed);
        if let Some(slot) = slot {
            self.table(home).free(slot);
        }
    }
}
