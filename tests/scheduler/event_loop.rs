//! An event loop as in `server::event_loop`, of connections without sockets.

use std::collections::VecDeque;
use std::io;
use std::panic::resume_unwind;
use std::sync::TryLockError;
use std::time::{Duration, Instant};

use crate::base::RequestHandler;
use crate::clock::Moment;
use crate::connection::{Buffers, Connection, Readiness};
use crate::dice::one_in;
use crate::error::Planned;
use crate::handoff::assert_leads;
use crate::limits::Limits;
use crate::link::{Mailbox, Place};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, Waker, lock, wait};
use crate::table::{Patience, Table};
use crate::task::{Speaks, Task};
use crate::world::World;

/// What the poller of a loop has to report.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    news: Mutex<News>,
    came: Condvar,
}

#[derive(Debug, Default)]
struct News {
    slots: Vec<usize>,
    has_connections: bool,
    is_woken: bool,
}

impl Poller {
    pub(crate) fn report(&self, slot: usize) {
        self.change(|news| {
            if !news.slots.contains(&slot) {
                news.slots.push(slot);
            }
        });
    }

    pub(crate) fn forget(&self, slot: usize) {
        self.change(|news| news.slots.retain(|&other| other != slot));
    }

    pub(crate) fn report_connections(&self) {
        self.change(|news| news.has_connections = true);
    }

    pub(crate) fn wake(&self) {
        self.change(|news| news.is_woken = true);
    }

    fn change(&self, change: impl FnOnce(&mut News)) {
        change(&mut lock(&self.news));
        self.came.notify_one();
    }

    fn wait(&self, may_block: bool) -> News {
        let mut news = lock(&self.news);
        while may_block && news.slots.is_empty() && !news.has_connections && !news.is_woken {
            news = wait(&self.came, news);
        }
        std::mem::take(&mut news)
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) control: Arc<World>,
    tables: Vec<Mutex<Table>>,
    led: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct EventLoop {
    pub(crate) shared: Arc<Shared>,
    pub(crate) number: usize,
    mailbox: Arc<Mailbox>,
    state: Mutex<LoopState>,
}

#[derive(Debug)]
pub(crate) struct LoopState {
    ready: VecDeque<Box<Task>>,
    unfinished: VecDeque<Box<Task>>,
    turns: usize,
    to_park: Vec<Box<Task>>,
    acceptor: Option<Arc<()>>,
    accepts: bool,
    next_home: usize,
}

impl LoopState {
    pub(crate) fn accepts(&self) -> bool {
        self.accepts
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.unfinished.is_empty() && !self.accepts
    }

    pub(crate) fn expect_long_waits(&mut self) {}

    pub(crate) fn put_back(&mut self, left: Left) {
        match left {
            Left::Nothing => {}
            Left::Waits(task) => self.to_park.push(task),
            Left::GoesOn(task) => self.unfinished.push_back(task),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) enum Left {
    #[default]
    Nothing,
    Waits(Box<Task>),
    GoesOn(Box<Task>),
}

#[derive(Debug)]
pub(crate) enum Step {
    Serve(Box<Task>),
    /// A hook of the program, which panics.
    Panic,
    Stop,
}

impl EventLoop {
    pub(crate) fn all(world: &Arc<World>) -> Vec<Self> {
        let limits = Limits::default();
        let tables = || Mutex::new(Table::new(Patience::of(&limits)));
        let shared = Arc::new(Shared {
            control: world.clone(),
            tables: world.pollers.iter().map(|_| tables()).collect(),
            led: AtomicUsize::new(1),
        });
        let acceptor = Arc::new(());
        let new = |number| EventLoop {
            shared: shared.clone(),
            number,
            mailbox: Arc::new(Mailbox::new(Arc::new(Waker::new(world, number)))),
            state: Mutex::new(LoopState {
                ready: VecDeque::new(),
                unfinished: VecDeque::new(),
                turns: 0,
                to_park: Vec::new(),
                acceptor: Some(acceptor.clone()),
                accepts: false,
                next_home: number,
            }),
        };
        (0..world.pollers.len()).map(new).collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        lock(&self.shared.tables[self.number])
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, LoopState> {
        lock(&self.state)
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, LoopState>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(state)) => Some(state.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn poller(&self) -> &Poller {
        &self.shared.control.pollers[self.number]
    }

    pub(crate) fn wake(&self) {
        self.poller().wake();
    }

    pub(crate) fn note_led(&self) {
        self.shared
            .led
            .fetch_max(self.number + 1, Ordering::Relaxed);
    }

    pub(crate) fn pick(&self, state: &mut LoopState) -> Option<Step> {
        assert_leads(self.number);
        let world = &self.shared.control;
        if world.is_stopping() {
            self.stop(state);
            return Some(Step::Stop);
        }
        if let Some(task) = state.ready.pop_front() {
            return Some(Step::Serve(task));
        }
        if state.accepts {
            self.park_all(state);
            if let Some(client) = world.accept() {
                state.next_home =
                    (state.next_home + 1) % self.shared.led.load(Ordering::Relaxed).max(1);
                let task = Task::new(
                    Connection::new(client),
                    Speaks::AsTheServer,
                    state.next_home,
                    Moment::now(),
                );
                return Some(Step::Serve(Box::new(task)));
            }
            state.accepts = false;
        }
        if world.panics() {
            match one_in(2) {
                true => resume_unwind(Box::new(Planned)),
                false => return Some(Step::Panic),
            }
        }
        state.turns = state.turns.checked_sub(1)?;
        state.unfinished.pop_front().map(Step::Serve)
    }

    pub(crate) fn wait(&self, state: &mut LoopState, _until: Option<Instant>) -> io::Result<()> {
        assert_leads(self.number);
        self.park_all(state);
        state.turns = state.unfinished.len();
        let news = self.poller().wait(state.turns == 0);
        if self.shared.control.polling_fails() {
            self.shared.control.stop();
            self.stop(state);
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        state.accepts |= news.has_connections;
        let mut table = self.table();
        if news.is_woken {
            for slot in self.mailbox.take() {
                state.ready.extend(table.take(slot));
            }
        }
        for slot in news.slots {
            state.ready.extend(table.take(slot));
        }
        Ok(())
    }

    pub(crate) fn run_hook(&self, step: Step) -> Option<Box<Task>> {
        match step {
            Step::Serve(task) => Some(task),
            Step::Panic => resume_unwind(Box::new(Planned)),
            Step::Stop => None,
        }
    }

    pub(crate) fn stop(&self, state: &mut LoopState) {
        if state.acceptor.take().and_then(Arc::into_inner).is_some() {
            self.shared.control.close_port();
        }
        let served = state.to_park.drain(..);
        let others = state.ready.drain(..).chain(state.unfinished.drain(..));
        for task in served.chain(others) {
            self.close(task);
        }
        let parked = self.table().take_all(|_| true);
        for task in parked {
            self.close(task);
        }
    }

    /// `server::event_loop::serve` from here on.
    /// The program is asked about each connection.
    pub(crate) fn asks(&self) -> bool {
        true
    }

    pub(crate) fn prepare(&self, mut task: Box<Task>, buffers: &mut Buffers) -> Option<Box<Task>> {
        task.is_new = false;
        loop {
            if task.conn.is_unfinished() && !self.go_on(&mut task) {
                task = self.park(task)?;
                continue;
            }
            task.conn.lend(buffers, task.end_may_follow);
            match task.conn.poll_request() {
                Readiness::Request => return Some(task),
                Readiness::Pending => task.conn.reclaim(buffers),
                Readiness::Ended => {
                    task.conn.reclaim(buffers);
                    self.close(task);
                    if self.shared.control.panics() {
                        resume_unwind(Box::new(Planned));
                    }
                    return None;
                }
            }
            task = self.park(task)?;
        }
    }

    fn go_on(&self, task: &mut Task) -> bool {
        if task.conn.wants_place() {
            let slot = *task.slot.get_or_insert_with(|| self.table().reserve());
            let mailbox = self.mailbox.clone();
            task.conn.set_place(Place { mailbox, slot });
        }
        task.conn.go_on()
    }

    pub(crate) fn run_handler<H: RequestHandler + ?Sized>(
        &self,
        handler: &H,
        mut task: Box<Task>,
        buffers: &mut Buffers,
    ) -> (Left, bool) {
        handler.handle(&mut task.conn);
        let is_spent = task.conn.is_spent();
        task.conn.reclaim(buffers);
        let is_registered = task.conn.is_registered();
        let left = match () {
            _ if task.conn.is_unfinished() => match self.go_on(&mut task) {
                true => Left::GoesOn(task),
                false => self.park(task).map_or(Left::Nothing, Left::GoesOn),
            },
            _ if !is_spent => Left::GoesOn(task),
            _ if !is_registered => self.park(task).map_or(Left::Nothing, Left::GoesOn),
            _ => Left::Waits(task),
        };
        (left, true)
    }

    fn park_all(&self, state: &mut LoopState) {
        if state.to_park.is_empty() {
            return;
        }
        let mut table = self.table();
        for task in state.to_park.drain(..) {
            assert!(task.conn.hook.is_none() && task.home() == self.number);
            state.unfinished.extend(table.park(task, Moment::now()));
        }
    }

    pub(crate) fn park(&self, mut task: Box<Task>) -> Option<Box<Task>> {
        assert!(task.conn.hook.is_none() && task.home() == self.number);
        let mut table = self.table();
        let slot = *task.slot.get_or_insert_with(|| table.reserve());
        task.conn.register(self.number, slot);
        if self.shared.control.is_stopping() {
            drop(table);
            self.close(task);
            return None;
        }
        table.park(task, Moment::now())
    }

    pub(crate) fn close(&self, task: Box<Task>) {
        let slot = task.slot;
        drop(task);
        if let Some(slot) = slot {
            self.table().free(slot);
        }
    }
}

/// Long enough for every schedule.
impl Default for Limits {
    fn default() -> Self {
        let long = Duration::from_secs(1 << 20);
        Limits {
            head_deadline: long,
            idle_timeout: long,
            discard_deadline: long,
            linger_deadline: long,
            write_timeout: long,
            stream_keep_alive: long,
        }
    }
}
