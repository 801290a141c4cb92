//! [`ShutdownHandle`]: stopping a server. Its event loops, handlers and handles share this state.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::tails::Tails;

pub(crate) use self::tails::{ItIsOver, TailGuard};
use crate::sys::{self, BorrowedSocket, SignalEnd};

mod tails;

/// The time that handlers get to end after their sockets were closed, before they are counted.
const UNWINDING: Duration = Duration::from_millis(500);
/// The time that `shutdown` yields before it sleeps on the condition variable. Without handlers, the server ends as
/// soon as one thread is awake, and sleeping would double the time.
const AWAKE: Duration = Duration::from_micros(100);
/// The time that a loop gets on a busy machine to close its port while handlers still run.
#[cfg(feature = "testing")]
const CLOSING: Duration = Duration::from_secs(2);

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
    /// are sent. A [`ResponseStream`](crate::ResponseStream) or a [`Deferred`](crate::Deferred) is notified. After the
    /// time `deadline`, the remaining sockets are closed, so handlers that wait for their client fail.
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
    pub fn shutdown(&self, deadline: Duration) -> usize {
        let control = &*self.0;
        control.stop();
        if control.is_serving_here() {
            return control.running().max(1);
        }
        if control.wait_until_over(deadline) {
            return 0;
        }
        let handed = control.handed();
        control.cut();
        match control.wait_until_over(UNWINDING) {
            true => handed,
            // A loop that is blocked in a hook of the server counts too.
            false => handed + control.running().max(1),
        }
    }

    /// Stops the server and closes its sockets at once. Then waits for the handlers, and returns the number of handlers
    /// that still run at the deadline. The port is closed when it returns.
    #[cfg(feature = "testing")]
    pub(crate) fn cut(&self, deadline: Duration) -> usize {
        let control = &*self.0;
        control.stop();
        control.cut();
        if !control.wait_until_over(deadline) {
            // If a handler blocks its loop, another thread takes the loop over. Otherwise the handler is about to end.
            let only_handlers = || control.is_closed() && control.running() > 0;
            control.wait_until(CLOSING, |loops| only_handlers() || loops == 0);
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
    /// The address of the control of the server that this thread serves.
    static SERVING: Cell<usize> = const { Cell::new(0) };
}

/// Draining: responses end their connections.
const DRAINING: u8 = 1;
/// Stopping: no connection is accepted.
const STOPPING: u8 = 2;

/// The state behind the handles.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// The stage of the shutdown: 0, `DRAINING` or `STOPPING`.
    stage: AtomicU8,
    cut: AtomicBool,
    /// Becomes readable when `cut_trigger` is shut, for every thread that polls it. It is made under the lock of
    /// `cut_trigger`.
    cut_signal: OnceLock<SignalEnd>,
    cut_trigger: Mutex<Option<SignalEnd>>,
    /// Whether a handler runs, for each thread that serves now.
    threads: Mutex<Vec<Arc<AtomicBool>>>,
    /// Number of loops that serve now.
    loops: Mutex<usize>,
    /// Whether the port and the idle connections are closed.
    closed: AtomicBool,
    over: Condvar,
    wakers: OnceLock<Vec<Arc<mio::Waker>>>,
    tails: Tails,
}

impl Control {
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
        // One wake-up is enough, because the loops do not wait again.
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
        self.stage.load(Ordering::Relaxed) >= DRAINING
    }

    /// Returns true if the sockets of running requests must be closed.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    fn cut(&self) {
        let mut trigger = lock(&self.cut_trigger);
        self.cut.store(true, Ordering::SeqCst);
        if let Some(trigger) = trigger.take() {
            // It can't fail, because both ends are open.
            let _ = sys::signal(&trigger);
        }
        drop(trigger);
        // The loops must give up their tails.
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

    /// Counts a loop until the guard is dropped, on any thread.
    pub(crate) fn enter_loop(self: &Arc<Self>) -> LoopGuard {
        *lock(&self.loops) += 1;
        LoopGuard(self.clone())
    }

    /// Marks this thread as one of the server until the guard is dropped.
    pub(crate) fn enter_thread(self: &Arc<Self>) -> ThreadGuard {
        let runs = Arc::<AtomicBool>::default();
        lock(&self.threads).push(runs.clone());
        ThreadGuard {
            before: SERVING.replace(self.address()),
            runs,
            control: self.clone(),
            _here: PhantomData,
        }
    }

    fn is_serving_here(&self) -> bool {
        SERVING.get() == self.address()
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn running(&self) -> usize {
        let threads = lock(&self.threads);
        let runs = |runs: &&Arc<AtomicBool>| runs.load(Ordering::SeqCst);
        threads.iter().filter(runs).count()
    }

    pub(crate) fn note_port_closed(&self) {
        self.closed.store(true, Ordering::SeqCst);
        drop(lock(&self.loops));
        self.over.notify_all();
    }

    #[cfg(feature = "testing")]
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn wait_until_over(&self, deadline: Duration) -> bool {
        // Each handler runs inside a loop.
        self.wait_until(deadline, |loops| loops == 0)
    }

    /// Waits until `is_so` is true for the number of loops. Returns false at the deadline.
    fn wait_until(&self, deadline: Duration, is_so: impl Fn(usize) -> bool) -> bool {
        let start = Instant::now();
        let until = start.checked_add(deadline);
        let mut loops = lock(&self.loops);
        while !is_so(*loops) {
            let now = Instant::now();
            let left = match until {
                Some(until) => until.saturating_duration_since(now),
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return false;
            }
            if now.duration_since(start) < AWAKE {
                drop(loops);
                thread::yield_now();
                loops = lock(&self.loops);
                continue;
            }
            loops = match self.over.wait_timeout(loops, left) {
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
            self.0.over.notify_all();
        }
    }
}

/// A guard of a serving thread; it can't leave its thread.
#[derive(Debug)]
pub(crate) struct ThreadGuard {
    before: usize,
    runs: Arc<AtomicBool>,
    control: Arc<Control>,
    _here: PhantomData<*const ()>,
}

impl ThreadGuard {
    /// Counts a handler until the guard is dropped. Every thread has its own counter, so that none waits for another.
    pub(crate) fn enter_handler(&self) -> HandlerGuard<'_> {
        self.runs.store(true, Ordering::Relaxed);
        HandlerGuard(self)
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        SERVING.set(self.before);
        lock(&self.control.threads).retain(|runs| !Arc::ptr_eq(runs, &self.runs));
    }
}

#[derive(Debug)]
pub(crate) struct HandlerGuard<'t>(&'t ThreadGuard);

impl Drop for HandlerGuard<'_> {
    fn drop(&mut self) {
        self.0.runs.store(false, Ordering::Release);
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
