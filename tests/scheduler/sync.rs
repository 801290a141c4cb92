//! The model checker's locks, atomics and threads, where the scheduler's files look for `server::sync`.

use std::cell::Cell;
use std::io;
use std::sync::PoisonError;
use std::time::Duration;

pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, atomic};
pub(crate) use shuttle::thread::Scope;

pub(crate) use self::thread::Thread;
use crate::dice::one_in;
use crate::time;
use crate::world::World;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition
        .wait(guard)
        .unwrap_or_else(PoisonError::into_inner)
}

/// Nobody waits for the program itself here.
pub(crate) fn wait_until<'a, T>(
    _: &Condvar,
    _: MutexGuard<'a, T>,
    _: Duration,
    _: impl Fn(&T) -> bool,
) -> MutexGuard<'a, T> {
    unreachable!()
}

/// Wakes the poller of an event loop.
#[derive(Debug)]
pub(crate) struct Waker(Arc<World>, usize);

impl Waker {
    pub(crate) fn new(world: &Arc<World>, number: usize) -> Self {
        Waker(world.clone(), number)
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        self.0.pollers[self.1].wake();
        Ok(())
    }
}

/// Whether threads can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Starts {
    Always,
    Sometimes,
    Never,
}

thread_local! {
    /// In the schedule that is being run: all of its threads share one of the system's.
    static STARTS: Cell<Starts> = const { Cell::new(Starts::Always) };
}

pub(crate) fn set_starts(starts: Starts) {
    STARTS.set(starts);
}

/// Starts a thread that ends before `scope` does, if it can be started; the monitor can.
pub(crate) fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() + Send + 'scope,
) -> io::Result<()> {
    let fails = match STARTS.get() {
        _ if name.ends_with("-monitor") => false,
        Starts::Always => false,
        Starts::Sometimes => !one_in(8),
        Starts::Never => true,
    };
    if fails {
        thread::yield_now();
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    scope.spawn(work);
    Ok(())
}

/// A ticker for a thread that others wake by `unpark` meanwhile. It is what time goes by.
#[derive(Debug)]
pub(crate) struct Ticker;

impl Ticker {
    pub(crate) fn new(_tick: Duration) -> Self {
        thread::drives_time(true);
        Ticker
    }

    pub(crate) fn wait(&mut self) -> bool {
        // Mostly several ticks pass before others go on, or the monitor would never fall asleep while they are busy.
        if one_in(16) {
            thread::yield_now();
        }
        time::tick();
        // As a park does that is over.
        thread::take_token();
        !one_in(8)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        thread::drives_time(false);
        time::stands_still(true);
    }
}

/// How long a thread has been idle.
#[derive(Debug)]
pub(crate) struct IdleTime;

impl IdleTime {
    pub(crate) fn begin() -> Self {
        IdleTime
    }

    /// Nobody may rely on it that an idle thread looks after a time: it may as well be parked for ever.
    pub(crate) fn park(&self, _most: Duration) -> bool {
        match one_in(2) {
            true => thread::park(),
            false => thread::yield_now(),
        }
        !one_in(4)
    }
}

/// Parking without wake-ups for nothing, which would hide that one is missing.
pub(crate) mod thread {
    pub(crate) use shuttle::thread::yield_now;

    use std::cell::Cell;

    use super::{Arc, Condvar, Mutex, Scope, lock, wait};
    use crate::time;

    shuttle::thread_local! {
        static CURRENT: Thread = Thread::default();
        static DRIVES_TIME: Cell<bool> = Cell::new(false);
    }

    #[derive(Clone, Debug, Default)]
    pub(crate) struct Thread(Arc<Token>);

    #[derive(Debug, Default)]
    struct Token {
        is_there: Mutex<bool>,
        came: Condvar,
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            *lock(&self.0.is_there) = true;
            self.0.came.notify_one();
        }
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(super) fn drives_time(drives_time: bool) {
        DRIVES_TIME.with(|it| it.set(drives_time));
    }

    pub(crate) fn park() {
        match DRIVES_TIME.with(Cell::get) {
            true => {
                time::stands_still(true);
                wait_for_token();
                time::stands_still(false);
            }
            false => wait_for_token(),
        }
    }

    fn wait_for_token() {
        let Thread(token) = current();
        let mut is_there = lock(&token.is_there);
        while !*is_there {
            is_there = wait(&token.came, is_there);
        }
        *is_there = false;
    }

    pub(super) fn take_token() {
        *lock(&current().0.is_there) = false;
    }

    /// The thread that waits for the others of a scope may do nothing else, as the checker would wake it for them.
    pub(crate) fn scope<'env, T: Send + 'env>(
        work: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T + Send + 'env,
    ) -> T {
        shuttle::thread::scope(|scope| {
            let first = scope.spawn(|| work(scope));
            match first.join() {
                Ok(value) => value,
                Err(payload) => std::panic::resume_unwind(payload),
            }
        })
    }
}
