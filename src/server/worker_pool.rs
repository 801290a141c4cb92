//! The thread pool of a [`ThreadingHttpServer`](crate::ThreadingHttpServer): its workers, and how they pass the event
//! loops on.
//!
//! The leader of an event loop, a worker, polls, picks a ready connection, and runs its handler *itself*. As long as
//! handlers return quickly, that is all there is: no other worker, no queue, no wake-up. Another worker becomes the
//! leader in three cases, and this one then stays with its handler as long as it takes:
//!
//! - the handler is about to wait for its client (the [`handoff`](super::handoff) hook is told before), and another
//!   connection of the loop is ready, or the wait lasts longer than some milliseconds;
//! - the route is known to block (the [`predictor`](super::predictor) remembers);
//! - the [`monitor`](super::monitor) sees that the leader has made no progress for a tick.
//!
//! [`super::leadership`] says who leads, [`super::scheduler`] what each worker does. `tests/scheduler` runs this
//! file, and those that it uses, under a model checker.

use std::time::Duration;
use std::{io, mem};

use super::event_loop::{EventLoop, Left, LoopState, Step};
use super::handoff::HandoffHook;
use super::leadership::{Epoch, Leadership};
use super::scheduler::{Idle, Scheduler, Work};
use super::sync::{self, Arc, IdleTime, MutexGuard, thread};
use super::task::Task;
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::error::guarded;

/// The thread pool that serves the event loops of a server.
#[derive(Debug)]
pub(super) struct WorkerPool<'env, H: ?Sized> {
    pub(super) loops: &'env [EventLoop],
    handler: &'env H,
    thread_idle_timeout: Duration,
    pub(super) scheduler: Arc<Scheduler<Box<Task>>>,
}

/// A guard of a leader: when it stops or unwinds, another worker takes the loop.
struct Led<'a> {
    scheduler: &'a Scheduler<Box<Task>>,
    number: usize,
    epoch: Epoch,
}

impl Drop for Led<'_> {
    fn drop(&mut self) {
        self.scheduler.pass(self.number, self.epoch);
    }
}

impl<'env, H: RequestHandler + Sync + ?Sized> WorkerPool<'env, H> {
    /// Makes a pool that runs at most `handlers` handlers at the same time.
    pub(super) fn new(
        loops: &'env [EventLoop],
        handler: &'env H,
        handlers: usize,
        thread_idle_timeout: Duration,
    ) -> Self {
        WorkerPool {
            loops,
            handler,
            thread_idle_timeout,
            scheduler: Arc::new(Scheduler::new(loops.len(), handlers)),
        }
    }

    /// Serves on this thread and others until the server is stopped.
    ///
    /// # Errors
    /// If polling fails, or the monitor's thread can't be started.
    pub(super) fn run(&self) -> io::Result<()> {
        thread::scope(|scope| {
            sync::start(scope, "servette-monitor", || self.monitor(scope))?;
            self.work(true);
            io::Result::Ok(())
        })?;
        self.scheduler.take_failure().map_or(Ok(()), Err)
    }

    /// Runs a worker. The `first` one stays to the end; the others end after an idle timeout.
    pub(super) fn work(&self, first: bool) {
        let Some(any) = self.loops.first() else {
            return;
        };
        let mut buffers = Buffers::of(any.shared.control.enter_thread());
        let (mut arrived, mut is_over) = (true, false);
        while !is_over {
            let work = self.next_work(mem::take(&mut arrived));
            // Whatever goes wrong, the worker lives on, and its loop has another leader.
            let _ = guarded(|| {
                match work {
                    Work::Lead(number) => self.lead(number, &mut buffers),
                    Work::Run(task) => self.take_over(task, &mut buffers),
                    Work::Wait(idle) => match self.wait(&idle, first) {
                        true => arrived = true,
                        false => is_over = true,
                    },
                    Work::Exit => is_over = true,
                }
                Ok(())
            });
            buffers.hook = None;
        }
    }

    /// Serves a connection that waited for a worker.
    fn take_over(&self, mut task: Box<Task>, buffers: &mut Buffers) {
        // Nothing was read from a new connection yet, so it has no buffers to take up.
        let task = match task.is_new {
            true => Some(task),
            false => {
                task.take_up(buffers);
                self.run_handler(task, buffers)
            }
        };
        if let Some(task) = task {
            self.serve_on(task, buffers);
        }
    }

    /// Returns the next work of this worker, which has `arrived` if it was started or woken and has not asked since.
    fn next_work(&self, arrived: bool) -> Work<Box<Task>> {
        if self
            .loops
            .first()
            .is_some_and(|any| any.shared.control.is_cut())
        {
            // What no worker has begun by now is given up.
            while let Some(task) = self.scheduler.take_waiting() {
                self.home(&task).close(task);
            }
        }
        self.scheduler.next_work(arrived)
    }

    /// Waits for a call. Returns false if the idle timeout is over and the worker ends.
    fn wait(&self, idle: &Idle, first: bool) -> bool {
        let time = IdleTime::begin();
        while !idle.is_called() {
            if first {
                thread::park();
            } else if !time.park(self.thread_idle_timeout) && self.scheduler.leave(idle) {
                return false;
            }
        }
        true
    }

    /// Leads an event loop until the leadership is lost, or the server stops.
    fn lead(&self, number: usize, buffers: &mut Buffers) {
        let (Some(event_loop), Some(leadership)) = (
            self.loops.get(number),
            self.scheduler.leaderships.get(number),
        ) else {
            return;
        };
        let Some(epoch) = leadership.take() else {
            return;
        };
        let scheduler = &*self.scheduler;
        let led = Led {
            scheduler,
            number,
            epoch,
        };
        event_loop.note_led();
        let hook = HandoffHook::new(self.scheduler.clone(), event_loop, epoch);
        buffers.hook = Some(Box::new(hook));
        // The connection that was served last. It is put back into the loop at the next turn, under the lock that is taken
        // there anyway: `state.put_back`.
        let mut last = Left::Nothing;
        while leadership.is_held(epoch) {
            // Do not block on the lock: if this worker lost the loop, the new leader holds the lock for as long as it
            // polls.
            let Some(mut state) = event_loop.try_lock() else {
                thread::yield_now();
                continue;
            };
            if !leadership.is_held(epoch) {
                break;
            }
            state.put_back(mem::take(&mut last));
            let Some(step) = self.pick(event_loop, leadership, &mut state) else {
                if let Err(error) = self.poll(event_loop, leadership, state) {
                    self.stop(Some(error));
                    break;
                }
                continue;
            };
            leadership.picked(!state.is_empty());
            drop(state);
            if matches!(step, Step::Stop) {
                self.stop(None);
                break;
            }
            if let Some(task) = event_loop.run_hook(step) {
                last = self.serve(number, task, buffers);
            }
        }
        buffers.hook = None;
        drop(led);
        // This worker does not come back to it.
        if let Some(task) = self.finish(last) {
            self.serve_on(task, buffers);
        }
    }

    /// Picks the next step.
    fn pick(
        &self,
        event_loop: &EventLoop,
        leadership: &Leadership,
        state: &mut LoopState,
    ) -> Option<Step> {
        if !state.accepts() {
            return event_loop.pick(state);
        }
        // The system may block here for some milliseconds, to make its table of descriptors larger. Another worker
        // could not go on either, for the loop is locked, and no handler is to blame.
        leadership.rests();
        let step = event_loop.pick(state);
        leadership.rises();
        self.scheduler.wake_monitor();
        step
    }

    /// Polls until there is something to pick.
    fn poll(
        &self,
        event_loop: &EventLoop,
        leadership: &Leadership,
        mut state: MutexGuard<'_, LoopState>,
    ) -> io::Result<()> {
        // If all workers lead and no more can be started, a leader also serves the tasks that wait for a worker.
        if let Some(task) = self.scheduler.take_stranded() {
            state.put_back(Left::GoesOn(task));
        }
        leadership.rests();
        self.scheduler.leader_rests();
        // After a handler that waited for its client, events come at longer intervals: busy polling would be in vain.
        if leadership.take_has_waited() {
            state.expect_long_waits();
        }
        let waited = event_loop.wait(&mut state, None);
        leadership.rises();
        drop(state);
        self.scheduler.wake_monitor();
        waited
    }

    /// Ends all workers. It also stops the other loops, because their leaders may be busy with handlers.
    fn stop(&self, failure: Option<io::Error>) {
        // Who polls holds the lock.
        self.loops.iter().for_each(EventLoop::wake);
        for event_loop in self.loops {
            event_loop.stop(&mut event_loop.lock());
        }
        self.scheduler.stop(failure);
    }

    /// Serves a connection, as far as that needs no other worker. The result can be put back into the loop of this number,
    /// which the worker leads.
    fn serve(&self, number: usize, mut task: Box<Task>, buffers: &mut Buffers) -> Left {
        // `verify_request` is called for a new connection, and may block like a handler.
        if task.is_new && self.home(&task).asks() {
            match self.keep(task, buffers) {
                Some(kept) => task = kept,
                None => return Left::Nothing,
            }
        }
        let task = self.home(&task).prepare(task, buffers);
        let Some(task) = task.and_then(|task| self.keep(task, buffers)) else {
            return Left::Nothing;
        };
        let (left, _) = self.home(&task).run_handler(self.handler, task, buffers);
        match left {
            // This leader has served a task of another loop (`take_stranded`): park it in its home loop.
            Left::Waits(task) if task.home() != number => {
                let back = self.home(&task).park(task);
                back.map_or(Left::Nothing, Left::GoesOn)
            }
            left => left,
        }
    }

    /// Returns the task if a leader may run code of the program, such as its handler, itself. Otherwise the task waits for
    /// another worker, and the result is `None`.
    fn keep(&self, mut task: Box<Task>, buffers: &mut Buffers) -> Option<Box<Task>> {
        if self.scheduler.may_run_inline() {
            return Some(task);
        }
        // A new connection has no buffers yet. `enqueue` returns the task if all workers lead and no more can be started;
        // then this leader serves it.
        if task.is_new {
            return self.scheduler.enqueue(task);
        }
        task.set_aside(buffers);
        let mut task = self.scheduler.enqueue(task)?;
        task.take_up(buffers);
        Some(task)
    }

    /// Runs the handler of a prepared connection. Returns the connection if there is more to do.
    fn run_handler(&self, task: Box<Task>, buffers: &mut Buffers) -> Option<Box<Task>> {
        let (left, _) = self.home(&task).run_handler(self.handler, task, buffers);
        self.finish(left)
    }

    fn finish(&self, left: Left) -> Option<Box<Task>> {
        match left {
            Left::Nothing => None,
            Left::Waits(task) => self.home(&task).park(task),
            Left::GoesOn(task) => Some(task),
        }
    }

    /// Reads and serves a connection until nothing is left to do.
    fn serve_on(&self, task: Box<Task>, buffers: &mut Buffers) {
        let mut next = Some(task);
        while let Some(task) = next.and_then(|task| self.home(&task).prepare(task, buffers)) {
            next = self.run_handler(task, buffers);
        }
    }

    /// The home loop of a connection.
    #[expect(clippy::indexing_slicing, reason = "homes are numbers of these loops")]
    fn home(&self, task: &Task) -> &'env EventLoop {
        &self.loops[task.home()]
    }
}
