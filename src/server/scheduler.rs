//! [`Scheduler`]: decides what each worker does.
//!
//! A worker leads an event loop, runs a handler, or is idle. When it is done it asks the scheduler for more work: first a
//! loop without a leader, then a task that waits for a worker. One rule decides about waking: at least as many workers are
//! on their way as there is work that no worker does. While leaders keep their loops, the scheduler is not used.

use std::collections::VecDeque;
use std::io;

use super::leadership::{Epoch, Leadership};
use super::predictor::Predictor;
use super::sync::atomic::{AtomicBool, Ordering};
use super::sync::{Arc, Mutex, MutexGuard, Thread, lock, thread};

#[derive(Debug)]
pub(super) struct Scheduler<T> {
    /// One for each event loop.
    pub(super) leaderships: Vec<Leadership>,
    pub(super) predictor: Predictor,
    /// Maximum number of workers: one for each handler that may run at the same time, and one to lead each loop.
    max_threads: usize,
    state: Mutex<PoolState<T>>,
    /// Leaders may run handlers themselves, because there are workers to replace all of them.
    may_run_inline: AtomicBool,
    /// Tasks wait for a worker.
    has_waiting: AtomicBool,
    /// The last worker could not be started.
    is_short: AtomicBool,
    /// The monitor sleeps, and has no timer.
    monitor_sleeps: AtomicBool,
}

#[derive(Debug)]
struct PoolState<T> {
    /// Event loops without a leader.
    vacant: Vec<usize>,
    /// Tasks that wait for a worker.
    waiting: VecDeque<T>,
    /// Idle workers, the most recently busy one on top, so that the others can end.
    idle: Vec<Idle>,
    /// Number of workers that were woken or started and have not asked for work yet.
    coming: usize,
    /// Number of workers.
    threads: usize,
    monitor: Option<Thread>,
    is_stopped: bool,
    failure: Option<io::Error>,
}

/// An idle worker, and whether it was woken for work.
#[derive(Clone, Debug)]
pub(super) struct Idle {
    thread: Thread,
    is_called: Arc<AtomicBool>,
}

impl Idle {
    pub(super) fn is_called(&self) -> bool {
        self.is_called.load(Ordering::Acquire)
    }
}

/// The next work of a worker.
#[derive(Debug)]
pub(super) enum Work<T> {
    Lead(usize),
    Run(T),
    /// Wait for a call.
    Wait(Idle),
    /// The server has stopped.
    Exit,
}

impl<T> Scheduler<T> {
    /// Creates a scheduler for `loops` event loops and at most `handlers` concurrent handlers. The calling worker counts
    /// as the first worker.
    pub(super) fn new(loops: usize, handlers: usize) -> Self {
        let scheduler = Scheduler {
            leaderships: (0..loops).map(|_| Leadership::vacant()).collect(),
            predictor: Predictor::new(),
            max_threads: handlers.max(1).saturating_add(loops),
            state: Mutex::new(PoolState {
                vacant: (0..loops).rev().collect(),
                waiting: VecDeque::new(),
                idle: Vec::new(),
                coming: 1,
                threads: 1,
                monitor: None,
                is_stopped: false,
                failure: None,
            }),
            may_run_inline: AtomicBool::new(false),
            has_waiting: AtomicBool::new(false),
            is_short: AtomicBool::new(false),
            monitor_sleeps: AtomicBool::new(false),
        };
        scheduler.count_reserves(&scheduler.state());
        scheduler
    }

    fn state(&self) -> MutexGuard<'_, PoolState<T>> {
        lock(&self.state)
    }

    /// Returns true if a leader may run a handler itself.
    pub(super) fn may_run_inline(&self) -> bool {
        self.may_run_inline.load(Ordering::SeqCst)
    }

    /// Gives up the loop of a leader. Returns false if it was lost before.
    pub(super) fn pass(&self, number: usize, epoch: Epoch) -> bool {
        let leadership = self.leaderships.get(number);
        let gave_up = leadership.is_some_and(|leadership| leadership.give_up(epoch));
        if gave_up {
            self.add_vacancy(self.state(), number);
        }
        gave_up
    }

    /// Takes a loop from its leader, for the monitor.
    pub(super) fn revoke(&self, number: usize) {
        // The leader that sees this, and asks for work, must find the loop among the vacant ones: where no worker can
        // be started, it would leave its connections behind for a loop that was never led.
        let state = self.state();
        if let Some(leadership) = self.leaderships.get(number)
            && leadership.revoke()
        {
            self.predictor.blocked(&leadership.suspicion);
            self.add_vacancy(state, number);
        }
    }

    fn add_vacancy(&self, mut state: MutexGuard<'_, PoolState<T>>, number: usize) {
        state.vacant.push(number);
        self.call(state);
    }

    /// Queues a task for a worker. Returns the task if there are only leaders and no more workers can be started.
    pub(super) fn enqueue(&self, task: T) -> Option<T> {
        let mut state = self.state();
        if self.all_lead(&state) {
            return Some(task);
        }
        state.waiting.push_back(task);
        self.call(state);
        None
    }

    /// Wakes a worker for new work; the monitor starts one if none is idle.
    fn call(&self, mut state: MutexGuard<'_, PoolState<T>>) {
        let called = state.call_idle();
        let monitor = match called.is_none() && self.wants_thread(&state) {
            true => state.monitor.clone(),
            false => None,
        };
        self.count_reserves(&state);
        // Woken any sooner, it would run into the lock.
        drop(state);
        if let Some(thread) = called.or(monitor) {
            thread.unpark();
        }
    }

    /// Returns the next work of the calling worker. It has `arrived` if it was woken or started for work.
    pub(super) fn next_work(&self, arrived: bool) -> Work<T> {
        let mut state = self.state();
        state.coming -= usize::from(arrived);
        // A server that has stopped needs no leaders.
        let vacant = match state.is_stopped {
            true => None,
            false => state.vacant.pop(),
        };
        let work = if let Some(number) = vacant {
            Work::Lead(number)
        } else if (state.is_stopped || self.may_start(&state))
            && let Some(task) = state.waiting.pop_front()
        {
            Work::Run(task)
        } else if state.is_stopped {
            state.threads -= 1;
            Work::Exit
        } else {
            let idle = Idle {
                thread: thread::current(),
                is_called: Arc::new(AtomicBool::new(false)),
            };
            state.idle.push(idle.clone());
            Work::Wait(idle)
        };
        self.count_reserves(&state);
        work
    }

    /// Removes the calling worker, which is idle and ends. Returns false if it was called meanwhile.
    pub(super) fn leave(&self, own: &Idle) -> bool {
        let mut state = self.state();
        let before = state.idle.len();
        let is_other = |idle: &Idle| !Arc::ptr_eq(&idle.is_called, &own.is_called);
        state.idle.retain(is_other);
        let has_left = state.idle.len() < before;
        state.threads -= usize::from(has_left);
        self.count_reserves(&state);
        has_left
    }

    /// Returns true if a worker should be started; it is counted already.
    pub(super) fn needs_thread(&self) -> bool {
        let mut state = self.state();
        let needs = self.wants_thread(&state);
        if needs {
            state.threads += 1;
            state.coming += 1;
        }
        self.count_reserves(&state);
        needs
    }

    fn wants_thread(&self, state: &PoolState<T>) -> bool {
        let may_start = state.threads < self.max_threads && !state.is_stopped;
        state.lacks_threads() && state.idle.is_empty() && may_start
    }

    /// Notes whether the worker was started.
    pub(super) fn thread_started(&self, is_there: bool) {
        let mut state = self.state();
        let mut called = None;
        if !is_there {
            state.threads -= 1;
            state.coming -= 1;
            // Others may have become idle, and nobody was called as this one was on its way.
            called = state.call_idle();
        }
        self.is_short.store(!is_there, Ordering::Relaxed);
        self.count_reserves(&state);
        drop(state);
        if let Some(thread) = called {
            thread.unpark();
        }
        self.call_for_waiting(self.state());
    }

    /// Takes a task that waits for a worker.
    pub(super) fn take_waiting(&self) -> Option<T> {
        self.state().waiting.pop_front()
    }

    /// Takes a task for which there is no worker: all workers lead, and no more can be started.
    pub(super) fn take_stranded(&self) -> Option<T> {
        if !self.is_short.load(Ordering::Relaxed) {
            return None;
        }
        let mut state = self.state();
        match self.all_lead(&state) {
            true => state.waiting.pop_front(),
            false => None,
        }
    }

    fn all_lead(&self, state: &PoolState<T>) -> bool {
        let leaders = self.leaderships.len().saturating_sub(state.vacant.len());
        self.is_short.load(Ordering::Relaxed) && state.threads <= leaders
    }

    /// Updates whether all leaders may run handlers, and lose their loops, at the same time.
    fn count_reserves(&self, state: &PoolState<T>) {
        // What waits for a worker takes one of them away.
        let wanted = self.leaderships.len() + state.vacant.len() + state.waiting.len();
        // Sequentially consistent, as is the progress of the leaders: either a leader sees this, or it is seen that the
        // leader serves.
        self.may_run_inline
            .store(self.reserves(state) >= wanted, Ordering::SeqCst);
        self.has_waiting
            .store(!state.waiting.is_empty(), Ordering::SeqCst);
    }

    /// Returns true if a worker may run a waiting task: there must be another worker for each leader that may be running a
    /// handler and so may lose its loop.
    fn may_start(&self, state: &PoolState<T>) -> bool {
        let is_serving = |of: &&Leadership| of.progress().is_serving();
        self.reserves(state) >= self.leaderships.iter().filter(is_serving).count()
    }

    /// The number of workers that are idle or can be started.
    fn reserves(&self, state: &PoolState<T>) -> usize {
        let startable = match self.is_short.load(Ordering::Relaxed) {
            true => 0,
            false => self.max_threads.saturating_sub(state.threads),
        };
        startable + state.idle.len() + state.coming
    }

    /// Notes that a leader is about to poll and runs no handler: a waiting task may be started now.
    pub(super) fn leader_rests(&self) {
        if self.has_waiting.load(Ordering::SeqCst) {
            self.call_for_waiting(self.state());
        }
    }

    /// Wakes a worker for a waiting task, if the task may be started.
    fn call_for_waiting(&self, state: MutexGuard<'_, PoolState<T>>) {
        if !state.waiting.is_empty() && self.may_start(&state) {
            self.call(state);
        }
    }

    /// Registers the calling thread as the monitor.
    pub(super) fn monitor_starts(&self) {
        self.state().monitor = Some(thread::current());
    }

    /// Lets the monitor sleep without a timer, if `is_quiet` says that nothing has happened since its last tick.
    pub(super) fn park_monitor(&self, is_quiet: impl FnOnce() -> bool) {
        self.monitor_sleeps.store(true, Ordering::SeqCst);
        let state = self.state();
        let must_look = state.is_stopped || self.wants_thread(&state);
        drop(state);
        if !must_look && is_quiet() {
            thread::park();
        }
        self.monitor_sleeps.store(false, Ordering::SeqCst);
    }

    /// Wakes the monitor, because a leader works.
    pub(super) fn wake_monitor(&self) {
        if self.monitor_sleeps.load(Ordering::SeqCst)
            && let Some(monitor) = &self.state().monitor
        {
            monitor.unpark();
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.state().is_stopped
    }

    /// Ends all workers, because the server has stopped.
    pub(super) fn stop(&self, failure: Option<io::Error>) {
        let mut state = self.state();
        state.is_stopped = true;
        state.failure = state.failure.take().or(failure);
        let mut called = Vec::new();
        while let Some(thread) = state.take_idle() {
            called.push(thread);
        }
        called.extend(state.monitor.clone());
        drop(state);
        for thread in called {
            thread.unpark();
        }
    }

    pub(super) fn take_failure(&self) -> Option<io::Error> {
        self.state().failure.take()
    }
}

impl<T> PoolState<T> {
    /// There is work for which no worker is on its way.
    fn lacks_threads(&self) -> bool {
        self.vacant.len() + self.waiting.len() > self.coming
    }

    /// Calls an idle worker, which must be woken, if there is work for it.
    fn call_idle(&mut self) -> Option<Thread> {
        match self.lacks_threads() {
            true => self.take_idle(),
            false => None,
        }
    }

    /// Calls an idle worker, which must be woken.
    fn take_idle(&mut self) -> Option<Thread> {
        let idle = self.idle.pop()?;
        self.coming += 1;
        idle.is_called.store(true, Ordering::Release);
        Some(idle.thread)
    }
}
