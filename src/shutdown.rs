//! [`ShutdownHandle`]: stopping a server. Its handles, event loops and handlers share one [`Control`].
//!
//! A server that stops is *over* when all event loops have ended. Until the deadline of the shutdown, handlers run on
//! and [tails](self::tails) are sent. At the deadline the server is *cut*: all sockets are closed, so that handlers that
//! wait for their clients fail.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::tails::Tails;

pub(crate) use self::tails::{LoopsEnded, TailGuard};
use crate::sys::{self, BorrowedSocket, SignalEnd};

mod tails;

/// The time that handlers get to end after their sockets were closed, before `shutdown` counts them.
const END_OF_HANDLERS: Duration = Duration::from_millis(500);
/// The time that `shutdown` yields before it sleeps on the condition variable. Without handlers, the server ends as
/// soon as one thread is awake, and sleeping would double the time.
const YIELD_FIRST: Duration = Duration::from_micros(100);
/// The time that an event loop gets on a busy machine to close its port while handlers still run.
#[cfg(feature = "testing")]
const END_OF_LOOPS: Duration = Duration::from_secs(2);

/// A handle that stops a server gracefully from anywhere: another thread, a signal handler's thread, a request handler.
///
/// It is cheap to clone, and it does not keep the server alive.
///
/// ```
/// use servette::{HttpServer, SimpleHandler};
/// use std::time::Duration;
///
/// let server = HttpServer::bind("127.0.0.1:0", SimpleHandler::new("."))?;
/// let handle = server.shutdown_handle();
/// std::thread::spawn(move || handle.shutdown(Duration::from_secs(2)));
/// server.serve_forever()?;
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Clone)]
pub struct ShutdownHandle(Arc<Control>);

impl ShutdownHandle {
    /// Shuts the server down gracefully, and waits until it has stopped or the deadline has passed.
    ///
    /// The server closes its port and its idle connections at once. Running requests may complete, and their responses
    /// are sent. A [`ResponseStream`](crate::ResponseStream) or a [`Deferred`](crate::Deferred) is notified. The
    /// deadline is `timeout` after the call. Then the remaining sockets are closed, so handlers that wait for their
    /// client fail.
    ///
    /// Returns the number of handlers that still run after the deadline, because they wait for something other than
    /// their client, plus the number of streams and deferred requests that were cut. 0 means that everything ended and
    /// the port is free.
    ///
    /// If it is called on a thread of this server (in a handler or another hook), it requests the stop and returns at
    /// once, with the number of running handlers including the caller. (Python's `shutdown` deadlocks there.)
    ///
    /// A stopped server can't be restarted: `serve_forever` returns at once. A server that is not serving keeps its
    /// port until it is asked to serve or is dropped.
    #[doc(alias = "server_close")]
    pub fn shutdown(&self, timeout: Duration) -> usize {
        let control = &*self.0;
        control.stop();
        if control.is_serving_here() {
            return control.running().max(1);
        }
        if control.wait_until_over(timeout) {
            return 0;
        }
        let with_program = control.streams_and_deferred();
        control.cut();
        match control.wait_until_over(END_OF_HANDLERS) {
            true => with_program,
            // An event loop that is blocked in a hook of the server counts too.
            false => with_program + control.running().max(1),
        }
    }

    /// Stops the server and closes its sockets at once. Then waits for the handlers, and returns the number of handlers
    /// that still run after `timeout`. The port is closed when it returns.
    #[cfg(feature = "testing")]
    pub(crate) fn cut(&self, timeout: Duration) -> usize {
        let control = &*self.0;
        control.stop();
        control.cut();
        if !control.wait_until_over(timeout) {
            // If a handler blocks its loop, another thread takes the loop over. Otherwise the handler is about to end.
            let only_handlers = || control.is_closed() && control.running() > 0;
            control.wait_until(END_OF_LOOPS, |loops| only_handlers() || loops == 0);
        }
        control.running()
    }

    /// Starts draining: from now on every response has `Connection: close` and ends its connection. The server still
    /// accepts and serves new connections, and idle ones stay open, so no client and no load balancer loses a request.
    /// [`shutdown`](Self::shutdown) ends the draining. Until its deadline, connections that were accepted while
    /// draining may still send their first request and get the response.
    ///
    /// Call it on SIGTERM behind a load balancer: answer health checks with 503 while
    /// [`is_draining`](Self::is_draining), wait until the balancer has noticed, then call `shutdown`.
    #[doc(alias = "graceful shutdown")]
    pub fn drain(&self) {
        self.0.drain();
    }

    /// Returns true while the server is [draining](Self::drain) or stopping.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining()
    }

    /// Returns true as soon as a shutdown was requested.
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping()
    }

    /// Makes a handle for a server that does not run yet, or for an exchange in memory.
    pub(crate) fn new() -> Self {
        ShutdownHandle(Arc::default())
    }

    pub(crate) fn control(&self) -> &Arc<Control> {
        &self.0
    }
}

impl fmt::Debug for ShutdownHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownHandle")
            .field("is_stopping", &self.is_stopping())
            .field("running", &self.0.running())
            .finish()
    }
}

thread_local! {
    /// The address of the [`Control`] of the server that this thread serves; 0 for none.
    static SERVED_HERE: Cell<usize> = const { Cell::new(0) };
}

/// Serving as usual; the default of `Control::stage`.
const SERVING: u8 = 0;
/// Draining: responses end their connections.
const DRAINING: u8 = 1;
/// Stopping: no connection is accepted.
const STOPPING: u8 = 2;

/// The state that the handles, the event loops and the handlers of one server share.
///
/// Memory orders: requests load the flags `Relaxed`, because they may see a change late; `stop` and `cut` wake the event
/// loops, which then look again. `SeqCst` is needed for `stage` and the counters of [`Tails`], because two threads that
/// each change one and read the other must not both miss the change. The other `SeqCst` operations happen once in the
/// life of a server, so their cost does not matter. A handler's end is a `Release`, so that the thread that sees it also
/// sees the handler's effects.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// The stage of the shutdown: `SERVING`, `DRAINING` or `STOPPING`. It only grows.
    stage: AtomicU8,
    /// Whether the deadline of the shutdown has passed.
    is_cut: AtomicBool,
    /// One end of a pair of sockets. It becomes readable for every thread that polls it when `cut` shuts the other end,
    /// `cut_trigger`, down. The pair is made under the lock of `cut_trigger`.
    cut_signal: OnceLock<SignalEnd>,
    cut_trigger: Mutex<Option<SignalEnd>>,
    /// For each thread that serves now: whether it runs a handler.
    threads: Mutex<Vec<Arc<AtomicBool>>>,
    /// Number of event loops that serve now.
    loops: Mutex<usize>,
    /// Whether the port and the idle connections are closed.
    closed: AtomicBool,
    /// Notified when `loops` becomes 0, and when `closed` becomes true. Its mutex is `loops`.
    changed: Condvar,
    wakers: OnceLock<Vec<Arc<mio::Waker>>>,
    tails: Tails,
    /// Number of open connections, including detached ones.
    pub(crate) open: AtomicUsize,
}

/// A detached connection, which counts in [`Control::open`] until this is dropped.
#[derive(Debug)]
pub(crate) struct DetachedGuard(Arc<Control>);

impl Drop for DetachedGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Control {
    /// Returns a guard for an open connection that is detached. From then on the guard counts it.
    pub(crate) fn enter_detached(self: &Arc<Self>) -> DetachedGuard {
        DetachedGuard(self.clone())
    }

    pub(crate) fn set_wakers(&self, wakers: Vec<Arc<mio::Waker>>) {
        // A server has its pollers for life, so this is called once.
        let _ = self.wakers.set(wakers);
    }

    /// Wakes the pollers.
    fn wake(&self) {
        for waker in self.wakers.get().into_iter().flatten() {
            // It fails only when the poller is gone.
            let _ = waker.wake();
        }
    }

    pub(crate) fn stop(&self) {
        // One wake-up is enough, because the event loops do not wait again.
        if self.stage.swap(STOPPING, Ordering::SeqCst) != STOPPING {
            self.wake();
        }
    }

    fn drain(&self) {
        self.stage.fetch_max(DRAINING, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == STOPPING
    }

    /// Returns true if connections are closed after their current request.
    pub(crate) fn is_draining(&self) -> bool {
        self.stage.load(Ordering::Relaxed) != SERVING
    }

    /// Returns true if the sockets of running requests must be closed.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    fn cut(&self) {
        let mut trigger = lock(&self.cut_trigger);
        self.is_cut.store(true, Ordering::SeqCst);
        if let Some(trigger) = trigger.take() {
            // It can't fail, because both ends are open.
            let _ = sys::signal(&trigger);
        }
        drop(trigger);
        // The event loops must give up their tails.
        self.wake();
    }

    /// Returns the socket that threads poll beside their client's socket, to notice the shutdown's deadline. It is made
    /// at the first call, by a server before it runs, so that it needs no more descriptors later.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub(crate) fn cut_signal(&self) -> io::Result<BorrowedSocket<'_>> {
        let mut trigger = lock(&self.cut_trigger);
        let signal = match self.cut_signal.get() {
            Some(signal) => signal,
            None => {
                let (signal, other) = sys::signal_pair()?;
                match self.is_cut() {
                    true => sys::signal(&other)?,
                    false => *trigger = Some(other),
                }
                self.cut_signal.get_or_init(|| signal)
            }
        };
        Ok(sys::socket(signal))
    }

    /// Counts an event loop until the guard is dropped, on any thread.
    pub(crate) fn enter_loop(self: &Arc<Self>) -> LoopGuard {
        *lock(&self.loops) += 1;
        LoopGuard(self.clone())
    }

    /// Marks this thread as one of the server until the guard is dropped.
    pub(crate) fn enter_thread(self: &Arc<Self>) -> ThreadGuard {
        let runs_handler = Arc::<AtomicBool>::default();
        lock(&self.threads).push(runs_handler.clone());
        ThreadGuard {
            previous: SERVED_HERE.replace(self.address()),
            runs_handler,
            control: self.clone(),
            _here: PhantomData,
        }
    }

    fn is_serving_here(&self) -> bool {
        SERVED_HERE.get() == self.address()
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Returns the number of handlers that run.
    fn running(&self) -> usize {
        let threads = lock(&self.threads);
        let threads = threads.iter();
        threads.filter(|runs| runs.load(Ordering::SeqCst)).count()
    }

    pub(crate) fn note_port_closed(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // `wait_until` checks its condition under this lock. So it either sees the store, or waits already and is
        // notified.
        drop(lock(&self.loops));
        self.changed.notify_all();
    }

    #[cfg(feature = "testing")]
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Waits until all event loops have ended, at most for `timeout`. Returns false if they have not.
    fn wait_until_over(&self, timeout: Duration) -> bool {
        // Each handler runs inside an event loop.
        self.wait_until(timeout, |loops| loops == 0)
    }

    /// Waits until `condition` is true of the number of event loops, at most for `timeout`. Returns false if it is not.
    fn wait_until(&self, timeout: Duration, condition: impl Fn(usize) -> bool) -> bool {
        let start = Instant::now();
        let until = start.checked_add(timeout);
        let mut loops = lock(&self.loops);
        while !condition(*loops) {
            let now = Instant::now();
            let left = match until {
                Some(until) => until.saturating_duration_since(now),
                // Beyond what the clock can tell, so for ever: an hour, and then again.
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return false;
            }
            if now.duration_since(start) < YIELD_FIRST {
                drop(loops);
                thread::yield_now();
                loops = lock(&self.loops);
                continue;
            }
            loops = match self.changed.wait_timeout(loops, left) {
                Ok((loops, _)) => loops,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }
}

#[derive(Debug)]
pub(crate) struct LoopGuard(Arc<Control>);

impl Drop for LoopGuard {
    fn drop(&mut self) {
        let mut loops = lock(&self.0.loops);
        *loops -= 1;
        if *loops == 0 {
            drop(loops);
            self.0.changed.notify_all();
        }
    }
}

/// A guard that marks a serving thread. `PhantomData` keeps it on this thread: it is not `Send`.
#[derive(Debug)]
pub(crate) struct ThreadGuard {
    /// What `SERVED_HERE` was before: a handler may serve another server on its thread.
    previous: usize,
    runs_handler: Arc<AtomicBool>,
    control: Arc<Control>,
    _here: PhantomData<*const ()>,
}

impl ThreadGuard {
    /// Counts a handler until the guard is dropped. Every thread has its own counter, so that none waits for another.
    pub(crate) fn enter_handler(&self) -> HandlerGuard<'_> {
        self.runs_handler.store(true, Ordering::Relaxed);
        HandlerGuard(self)
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        SERVED_HERE.set(self.previous);
        lock(&self.control.threads).retain(|other| !Arc::ptr_eq(other, &self.runs_handler));
    }
}

#[derive(Debug)]
pub(crate) struct HandlerGuard<'t>(&'t ThreadGuard);

impl Drop for HandlerGuard<'_> {
    fn drop(&mut self) {
        self.0.runs_handler.store(false, Ordering::Release);
    }
}

/// Locks a mutex and ignores poisoning, because the guarded values are consistent between statements.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_cut(control: &Control) -> bool {
        let signal = control.cut_signal().unwrap();
        let now = Timespec::default();
        let mut polled = [PollFd::from_borrowed_fd(signal, PollFlags::IN)];
        poll(&mut polled, Some(&now)).unwrap() == 1
    }

    #[test]
    fn the_cut_is_seen_by_who_asked_for_its_signal_before_and_by_who_asks_after_it() {
        let (before, after) = (Control::default(), Control::default());
        assert!(!is_cut(&before));
        before.cut();
        after.cut();
        assert!(is_cut(&before) && is_cut(&after));
    }
}
