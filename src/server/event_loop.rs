//! An event loop: accepts connections, waits until they are readable, and enforces their deadlines.
//!
//! The thread that holds the loop's lock ([`EventLoop::lock`]) may poll and pick a connection. A picked connection has one
//! owner and is served without a lock. A parked connection is in its slot and costs no thread and no system call. It is
//! registered with the poller once, edge-triggered: an event means "read until there is nothing left". Only while a
//! handler waits for its client, that connection is off the poller. [`super::worker_pool`] says how workers share a loop.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant};

use mio::{Registry, Waker};

use self::accept::spare_descriptors;
use self::notices::Notices;
pub(super) use self::serve::Left;
use super::listener::{Acceptor, Listener};
use super::options::Options;
use super::poller::{LISTENER, Poller, WAKER};
use super::table::{Patience, Table};
use super::task::{Speaks, Task};
use crate::connection::Connection;
use crate::connection::link::Mailbox;
use crate::info::ServerInfo;
use crate::shutdown::{Control, ShutdownHandle, lock};
use crate::{Error, Result};

mod accept;
mod announced;
mod notices;
mod serve;
mod wait;

/// How often `service_actions` runs, as in Python.
const SERVICE_INTERVAL: Duration = Duration::from_millis(500);

/// The state that all event loops of a server share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) info: Arc<ServerInfo>,
    pub(super) control: Arc<Control>,
    max_connections: usize,
    /// Maximum number of descriptors for connections and for files that are being sent.
    descriptors: usize,
    /// Number of loops that had a leader: new connections are spread over these.
    led: AtomicUsize,
    /// A thread serves.
    is_serving: AtomicBool,
    /// When `service_actions` runs next, in the first loop; `None` while it runs.
    next_actions: Mutex<Option<Instant>>,
    /// When it was last reported that connections run short.
    complained: Mutex<Option<Instant>>,
    /// The tables of connections, one for each loop.
    tables: Vec<Mutex<Table>>,
    notices: Notices,
}

/// A poller, and the connections that are parked in it.
#[derive(Debug)]
pub(super) struct EventLoop {
    pub(super) shared: Arc<Shared>,
    pub(super) number: usize,
    pub(super) registry: Arc<Registry>,
    waker: Arc<Waker>,
    /// Slots to look at, because the program did something with a stream or a deferred request.
    mailbox: Arc<Mailbox>,
    state: Mutex<LoopState>,
}

/// The state behind the loop's lock.
#[derive(Debug)]
pub(super) struct LoopState {
    poller: Poller,
    /// Connections that have something to read, taken from their slots.
    ready: VecDeque<Box<Task>>,
    /// Connections that were put back with more to do.
    unfinished: VecDeque<Box<Task>>,
    /// Number of these that are served before the next poll, so that none keeps others waiting.
    turns: usize,
    /// Connections that were served, and are parked before the next poll.
    #[expect(
        clippy::vec_box,
        reason = "a task is boxed once, and moves as a pointer"
    )]
    to_park: Vec<Box<Task>>,
    /// `None` after the server has stopped.
    acceptor: Option<Arc<Acceptor>>,
    /// The home loop of the last accepted connection.
    next_home: usize,
    /// Number of connections that may be accepted before the next poll; 0 while none waits.
    accepts: u32,
    accept_again: Option<Instant>,
}

impl LoopState {
    /// Returns true if new connections may be picked.
    pub(super) fn accepts(&self) -> bool {
        self.accepts > 0
    }

    /// Returns true if there is nothing to pick before the next poll.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
            && self.unfinished.is_empty()
            && self.accepts == 0
            && self.accept_again.is_none()
    }

    /// Notes that the last requests were large, after which busy polling does not pay.
    pub(super) fn expect_long_waits(&mut self) {
        self.poller.expect_long_waits();
    }

    /// Takes back a connection that was served: to be parked, or to be served again after the others.
    pub(super) fn put_back(&mut self, left: Left) {
        match left {
            Left::Nothing => {}
            Left::Waits(task) => self.to_park.push(task),
            Left::GoesOn(task) => self.unfinished.push_back(task),
        }
    }
}

/// The next step of the loop's leader.
#[derive(Debug)]
pub(super) enum Step {
    Serve(Box<Task>),
    /// Reports that connections run short.
    Report(Error),
    /// Runs the program's `service_actions`.
    ServiceActions,
    /// Calls the program's closures of `notify`.
    Notices,
    Stop,
}

impl EventLoop {
    /// Makes this number of event loops, which share the listeners.
    pub(super) fn all(
        listeners: Vec<(Listener, Speaks)>,
        options: Options,
        count: usize,
    ) -> Result<Vec<Self>> {
        let error = |error| Error::context("cannot set up the server", error);
        EventLoop::set_up(listeners, options, count.max(1)).map_err(error)
    }

    fn set_up(
        listeners: Vec<(Listener, Speaks)>,
        mut options: Options,
        count: usize,
    ) -> io::Result<Vec<Self>> {
        let (acceptor, addresses) = Acceptor::new(listeners)?;
        let acceptor = Arc::new(acceptor);
        let handle = ShutdownHandle::new();
        let control = handle.control().clone();
        control.cut_signal()?;
        let patience = Patience::of(&options.limits);
        let spare = spare_descriptors();
        let info = ServerInfo {
            log: options.log.clone(),
            proxies: mem::take(&mut options.trusted_proxies),
            ..ServerInfo::new(addresses, handle, options.speaks_tls())
        };
        let shared = Arc::new(Shared {
            max_connections: options.limits.max_connections.min(spare),
            descriptors: spare,
            info: Arc::new(info),
            control,
            led: AtomicUsize::new(1),
            is_serving: AtomicBool::new(false),
            next_actions: Mutex::new(options.service_actions.as_ref().map(|_| Instant::now())),
            complained: Mutex::new(None),
            tables: (0..count)
                .map(|_| Mutex::new(Table::new(patience)))
                .collect(),
            notices: Notices::default(),
            options,
        });
        let new = |number| EventLoop::new(shared.clone(), number, acceptor.clone());
        let loops = (0..count).map(new).collect::<io::Result<Vec<_>>>()?;
        let wakers = loops.iter().map(|of| of.waker.clone()).collect();
        shared.control.set_wakers(wakers);
        Ok(loops)
    }

    fn new(shared: Arc<Shared>, number: usize, acceptor: Arc<Acceptor>) -> io::Result<Self> {
        let poller = Poller::new()?;
        let registry = Arc::new(poller.registry()?);
        let waker = Arc::new(Waker::new(&registry, WAKER)?);
        acceptor.register(&registry, LISTENER, number)?;
        Ok(EventLoop {
            number,
            mailbox: Arc::new(Mailbox::new(waker.clone())),
            waker,
            registry,
            state: Mutex::new(LoopState {
                poller,
                ready: VecDeque::new(),
                unfinished: VecDeque::new(),
                turns: 0,
                to_park: Vec::new(),
                acceptor: Some(acceptor),
                next_home: number,
                accepts: 0,
                accept_again: None,
            }),
            shared,
        })
    }

    /// Locks the table of the connections that park in this loop.
    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.shared.table(self.number)
    }

    /// Takes the loop's lock. It is held while polling and picking, never while code of the program runs.
    pub(super) fn lock(&self) -> MutexGuard<'_, LoopState> {
        lock(&self.state)
    }

    /// Takes the loop's lock if it is free.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, LoopState>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Wakes the poller.
    pub(super) fn wake(&self) {
        // It fails only when the poller is gone.
        let _ = self.waker.wake();
    }

    /// Notes that the loop has a leader, so it may get connections.
    pub(super) fn note_led(&self) {
        self.shared.led.fetch_max(self.number + 1, Relaxed);
    }

    /// Finds the next connection with something to do, without waiting.
    pub(super) fn pick(&self, state: &mut LoopState) -> Option<Step> {
        if self.shared.control.is_stopping() && self.stop(state) {
            return Some(Step::Stop);
        }
        if self.shared.notices.has_any() {
            let closed = self.shared.notices.take_closed();
            return Some(closed.map_or(Step::Notices, Step::Serve));
        }
        if let Some(task) = state.ready.pop_front() {
            return Some(Step::Serve(task));
        }
        if state.accepts > 0 {
            // One of them may have to make room.
            self.park_all(state);
            if let Some(step) = self.accept(state) {
                return Some(step);
            }
        }
        if self.has_actions() {
            let mut next = lock(&self.shared.next_actions);
            if next.take_if(|due| *due <= Instant::now()).is_some() {
                return Some(Step::ServiceActions);
            }
        }
        state.turns = state.turns.checked_sub(1)?;
        state.unfinished.pop_front().map(Step::Serve)
    }

    fn has_actions(&self) -> bool {
        self.number == 0 && self.shared.options.service_actions.is_some()
    }

    /// Runs a step that calls code of the program, without the lock. A task is returned as it is.
    pub(super) fn run_hook(&self, step: Step) -> Option<Box<Task>> {
        match step {
            Step::Serve(task) => return Some(task),
            Step::Report(error) => self.complain(&error),
            Step::ServiceActions => {
                self.shared.options.run_service_actions(&self.shared.info);
                *lock(&self.shared.next_actions) = Instant::now().checked_add(SERVICE_INTERVAL);
                // Another thread may be polling without a timer.
                self.wake();
            }
            Step::Notices => self.shared.run_notices(),
            Step::Stop => {}
        }
        None
    }

    /// Stops accepting, and closes the waiting connections that have nothing to send. Returns true if this loop is over:
    /// no loop has a response left to send, or what is left was given up.
    pub(super) fn stop(&self, state: &mut LoopState) -> bool {
        let acceptor = state.acceptor.take();
        let is_first = acceptor.is_some();
        if acceptor.and_then(Arc::into_inner).map(drop).is_some() {
            self.shared.control.note_port_closed();
        }
        (state.accepts, state.accept_again) = (0, None);
        let is_over = self.shared.control.tails_are_over();
        let mut picked: Vec<_> = state.unfinished.drain(..).collect();
        if is_first || is_over {
            // Later on only those with something to send are parked, and so picked.
            picked.extend(state.ready.drain(..));
        }
        for task in picked {
            match !is_over && task.conn.outlasts_stop() {
                true => state.ready.push_back(task),
                false => self.close(task),
            }
        }
        for task in state.to_park.drain(..) {
            self.close(task);
        }
        if is_first || is_over {
            let parked = self
                .table()
                .take_all(|conn| is_over || !conn.outlasts_stop());
            for task in parked {
                self.close(task);
            }
            // The program is told of the stop.
            state
                .ready
                .extend(self.table().take_all(Connection::is_handed));
        }
        is_over
    }
}

impl Drop for EventLoop {
    /// Closes the connections of a server that is dropped, so that no unfinished response looks complete.
    fn drop(&mut self) {
        let mut state = self.lock();
        let mut left: Vec<_> = state.ready.drain(..).collect();
        left.extend(state.unfinished.drain(..));
        left.append(&mut state.to_park);
        drop(state);
        left.extend(self.table().take_all(|_| true));
        for task in left {
            self.shared.close(task);
        }
        self.shared.run_notices();
    }
}

/// A guard: the server serves until this is dropped.
#[derive(Debug)]
pub(super) struct Serving<'s>(&'s Shared);

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        self.0.is_serving.store(false, SeqCst);
    }
}

impl Shared {
    /// Begins `serve_forever` or `handle_request`, which only one thread at a time may call.
    ///
    /// # Errors
    /// If another thread is in one of them.
    pub(super) fn begin_serving(&self) -> Result<Serving<'_>> {
        match self.is_serving.swap(true, SeqCst) {
            true => Err(Error::other(
                "the server already runs in another call of serve_forever or handle_request",
            )),
            false => Ok(Serving(self)),
        }
    }

    /// The maximum number of connections, given the files that are being sent.
    fn most_connections(&self) -> usize {
        let files = self.control.files_of_tails();
        self.max_connections
            .min(self.descriptors.saturating_sub(files))
    }

    #[expect(clippy::indexing_slicing, reason = "there is one for each event loop")]
    fn table(&self, number: usize) -> MutexGuard<'_, Table> {
        lock(&self.tables[number])
    }

    /// Closes a connection. If an outcome is to be reported, the task without its socket waits for a thread that has the
    /// handler.
    fn close(&self, mut task: Box<Task>) {
        if task.is_closed {
            // No thread has begun to report it.
            return self.notices.add_closed(task);
        }
        task.conn.send_held_responses();
        task.conn.say_end();
        let (home, slot) = (task.home(), task.slot.take());
        task.conn.cut_tail();
        self.notices.add(task.conn.close_handed());
        let is_detached = task.conn.is_detached();
        if task.conn.close_before_report() {
            task.is_closed = true;
            self.notices.add_closed(task);
        } else {
            drop(task);
        }
        // A detached connection stays open until its stream is dropped.
        if !is_detached {
            self.control.open.fetch_sub(1, Relaxed);
        }
        if let Some(slot) = slot {
            self.table(home).free(slot);
        }
    }
}
