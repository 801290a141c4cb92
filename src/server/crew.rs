//! The threads of a [`ThreadingHttpServer`](crate::ThreadingHttpServer), and how the lead passes
//! between them.
//!
//! One thread leads: it polls, and reads heads without blocking. When a request is complete it hands
//! the lead to another thread and runs the handler itself, so a handler may block as it likes. At the
//! limit of threads the one that leads goes on leading, and requests wait for a thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{Builder, Scope, Thread};
use std::time::{Duration, Instant};
use std::{io, thread};

use super::lane::{Job, Lane, Step};
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::shutdown::lock;

/// The threads that serve one lane.
#[derive(Debug)]
pub(super) struct Crew<'env, H: ?Sized> {
    lane: &'env Lane,
    handler: &'env H,
    max_threads: usize,
    idle: Duration,
    roll: Mutex<Roll>,
}

#[derive(Debug, Default)]
struct Roll {
    /// Somebody leads, or was told to.
    led: bool,
    threads: usize,
    /// Threads without work, the one that was busy last on top: so the others can end.
    standbys: Vec<Standby>,
    /// Requests that wait for a thread.
    waiting: VecDeque<Job>,
    stopped: bool,
    failure: Option<io::Error>,
}

#[derive(Debug)]
struct Standby {
    thread: Thread,
    called: Arc<AtomicBool>,
}

/// What a thread does next.
enum Post {
    Lead,
    Serve(Job),
    Leave,
}

impl<'env, H: RequestHandler + Sync + ?Sized> Crew<'env, H> {
    pub(super) fn new(lane: &'env Lane, handler: &'env H) -> Self {
        let limits = &lane.options.limits;
        Crew {
            lane,
            handler,
            max_threads: limits.max_threads.max(1),
            idle: limits.thread_idle,
            roll: Mutex::default(),
        }
    }

    /// Serves until the server is stopped, this thread included.
    pub(super) fn run(&self) -> io::Result<()> {
        lock(&self.roll).threads = 1;
        thread::scope(|scope| self.work(scope, true, None));
        let failure = lock(&self.roll).failure.take();
        failure.map_or(Ok(()), Err)
    }

    /// The life of a thread. The `first` one stays to the end; another starts with the lead, or leaves
    /// after a time without work.
    fn work<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, 'env>,
        first: bool,
        mut post: Option<Post>,
    ) where
        'env: 'scope,
    {
        let _thread = self.lane.control.enter_thread();
        let mut buffers = Buffers::default();
        loop {
            match post.take().unwrap_or_else(|| self.next_post(first)) {
                Post::Leave => return,
                Post::Lead => {
                    if let Some(job) = self.lead(scope, &mut buffers) {
                        self.serve(job, &mut buffers);
                    }
                }
                Post::Serve(mut job) => {
                    job.take_up(&mut buffers);
                    self.serve(job, &mut buffers);
                }
            }
        }
    }

    /// Leads until there is a request to handle, and passes the lead on; without a request, the server
    /// has stopped.
    fn lead<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, 'env>,
        buffers: &mut Buffers,
    ) -> Option<Job>
    where
        'env: 'scope,
    {
        let mut lead = self.lane.lead();
        loop {
            match self.lane.next(&mut lead, None) {
                Ok(Step::Serve(job)) => {
                    let Some(mut job) = self.lane.prepare(job, buffers) else {
                        continue;
                    };
                    match self.pass(scope) {
                        Passed::On => return Some(job),
                        Passed::Alone => {
                            let served = self.lane.serve(self.handler, job, buffers, false);
                            served.again.into_iter().for_each(|job| lead.put_back(job));
                        }
                        Passed::NoThread(mut roll) => {
                            job.set_aside(buffers);
                            roll.waiting.push_back(job);
                        }
                    }
                }
                Ok(Step::TimedOut) => {}
                Ok(Step::Stop) => {
                    self.stop(None);
                    return None;
                }
                Err(error) => {
                    self.stop(Some(error));
                    return None;
                }
            }
        }
    }

    fn stop(&self, failure: Option<io::Error>) {
        let mut roll = lock(&self.roll);
        roll.stopped = true;
        roll.failure = failure;
        for standby in roll.standbys.drain(..) {
            standby.called.store(true, Ordering::Release);
            standby.thread.unpark();
        }
    }

    /// Runs the handler as long as there is something to do on the connection.
    fn serve(&self, job: Job, buffers: &mut Buffers) {
        let mut next = Some(job);
        while let Some(job) = next {
            let again = self.lane.serve(self.handler, job, buffers, false).again;
            next = again.and_then(|job| self.lane.prepare(job, buffers));
        }
    }

    /// Calls another thread to the lead.
    fn pass<'scope>(&'scope self, scope: &'scope Scope<'scope, 'env>) -> Passed<'scope>
    where
        'env: 'scope,
    {
        let mut roll = lock(&self.roll);
        if let Some(standby) = roll.standbys.pop() {
            drop(roll);
            standby.called.store(true, Ordering::Release);
            standby.thread.unpark();
            return Passed::On;
        }
        if roll.threads < self.max_threads {
            let work = move || self.work(scope, false, Some(Post::Lead));
            let name = format!("servette-{}", roll.threads);
            if Builder::new().name(name).spawn_scoped(scope, work).is_ok() {
                roll.threads += 1;
                return Passed::On;
            }
        }
        match roll.threads {
            1 => Passed::Alone,
            _ => Passed::NoThread(roll),
        }
    }

    /// Waits for something to do.
    fn next_post(&self, first: bool) -> Post {
        let mut roll = lock(&self.roll);
        if self.lane.control.is_cut() {
            // What no thread has begun by now is given up.
            for job in roll.waiting.drain(..) {
                self.lane.give_up(job);
            }
        }
        if let Some(job) = roll.waiting.pop_front() {
            return Post::Serve(job);
        }
        if roll.stopped {
            roll.threads -= 1;
            return Post::Leave;
        }
        if !roll.led {
            roll.led = true;
            return Post::Lead;
        }
        let called = Arc::new(AtomicBool::new(false));
        roll.standbys.push(Standby {
            thread: thread::current(),
            called: called.clone(),
        });
        drop(roll);
        let start = Instant::now();
        while !called.load(Ordering::Acquire) {
            if first {
                thread::park();
                continue;
            }
            let left = self.idle.saturating_sub(start.elapsed());
            if !left.is_zero() {
                thread::park_timeout(left);
            } else if self.leave(&called) {
                return Post::Leave;
            } else {
                // It was taken off the roll, and is about to be called.
                thread::park();
            }
        }
        let mut roll = lock(&self.roll);
        if roll.stopped {
            roll.threads -= 1;
            return Post::Leave;
        }
        Post::Lead
    }

    /// Takes this thread off the roll, if nobody has called it meanwhile.
    fn leave(&self, called: &Arc<AtomicBool>) -> bool {
        let mut roll = lock(&self.roll);
        let before = roll.standbys.len();
        roll.standbys
            .retain(|standby| !Arc::ptr_eq(&standby.called, called));
        let left = roll.standbys.len() < before;
        roll.threads -= usize::from(left);
        left
    }
}

/// Who leads now.
enum Passed<'a> {
    /// Another thread.
    On,
    /// Still this one: there are no more threads, but some will be free. The roll stays locked until the
    /// request stands on it, else a thread that becomes free meanwhile would miss it.
    NoThread(MutexGuard<'a, Roll>),
    /// Still this one, and there is no other.
    Alone,
}
