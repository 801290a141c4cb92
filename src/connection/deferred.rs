//! [`Deferred`]: a request whose response is made later, by any thread.

use std::fmt;
use std::sync::Arc;

use super::link::{Link, Notice, Notify};
use crate::base::RequestHandler;
use crate::error::guarded;
use crate::exchange::Exchange;
use crate::shutdown::Control;
use crate::{Result, Status};

/// The closure of the program that answers a deferred request. `None` once it was called or dropped.
pub(crate) struct Answer(Option<Box<Closure>>);

type Closure = dyn FnOnce(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send;

impl Answer {
    fn new(
        closure: impl FnOnce(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + 'static,
    ) -> Self {
        Answer(Some(Box::new(closure)))
    }

    /// Calls the closure.
    pub(crate) fn run(mut self, h: &dyn RequestHandler, x: &mut Exchange<'_>) -> Result<()> {
        self.0.take().map_or(Ok(()), |closure| closure(h, x))
    }
}

impl Drop for Answer {
    /// Drops the closure, guarded against panics: dropping its captured values runs code of the program. An event loop
    /// drops it when the client has left.
    fn drop(&mut self) {
        let closure = self.0.take();
        let _ = guarded(|| {
            drop(closure);
            Ok(())
        });
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// A request that any thread may answer later, for long polling or job queues; returned by [`Exchange::defer`]. Until then
/// it occupies no thread.
///
/// If it is dropped without a response, the client gets 503. (`defer` itself fails with 503 beyond
/// [`Limits::total_queue`](crate::Limits::total_queue).) There is no timeout: the request waits until it is answered, the
/// client leaves, or the server stops.
///
/// ```
/// use servette::{Deferred, Status, handler_fn, respond};
/// use std::sync::mpsc;
///
/// let (queue, jobs) = mpsc::channel::<(String, Deferred)>();
/// let worker = std::thread::spawn(move || {
///     for (name, deferred) in jobs {
///         let text = format!("hello {name}");
///         deferred.answer(move |_, x| x.send_content(Status::OK, "text/plain", text.as_bytes()));
///     }
/// });
/// let handler = handler_fn(move |_, x| {
///     let job = (x.path.to_owned(), x.defer()?);
///     queue.send(job).map_err(servette::Error::other)
/// });
/// let answer = respond(&handler, "GET /you HTTP/1.0\r\n\r\n");
/// assert!(answer.ends_with(b"\r\n\r\nhello /you"));
/// # drop(handler);
/// # worker.join().unwrap();
/// ```
pub struct Deferred {
    /// What the connection and this handle share: the closure, as soon as there is one.
    pub(super) link: Arc<Link<Option<Answer>>>,
    /// The state of the server's shutdown.
    pub(super) control: Arc<Control>,
}

impl Deferred {
    /// Answers the request with a closure, and returns at once. A thread of the server calls the closure like a handler, with
    /// the handler and an exchange that has the request's fields and the unread rest of its body. Errors and panics are treated
    /// as those of a handler. If the client has left, the closure is dropped and not called.
    pub fn answer(
        self,
        closure: impl FnOnce(&dyn RequestHandler, &mut Exchange<'_>) -> Result<()> + Send + 'static,
    ) {
        self.resolve(Answer::new(closure));
    }

    /// Leaves the closure in the link, and tells the event loop to look at the connection. Only the first call has an
    /// effect: the one of `drop` comes after that of [`answer`](Self::answer).
    fn resolve(&self, answer: Answer) {
        let mut state = self.link.state();
        if std::mem::replace(&mut state.is_done, true) {
            return;
        }
        let notify = state.take_notify();
        // With a fault the connection is over, and nobody would call the closure.
        if state.fault.is_none() {
            state.content = Some(answer);
            self.link.hint(&mut state);
        }
        // Dropping the closure of `notify` runs code of the program, so the lock is released first.
        drop(state);
        drop(notify);
    }

    /// Returns true if the connection is closed: the client has left, or the server has stopped.
    pub fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Returns true if the server is shutting down. At the shutdown's deadline the connection is dropped.
    pub fn is_stopping(&self) -> bool {
        self.control.is_stopping()
    }

    /// Sets a closure that is called when the client leaves, and when the server begins to shut down. If that has happened
    /// already, it is called at once, on the calling thread. It replaces the closure of an earlier call. A response does not
    /// call it.
    ///
    /// Later calls are made on a thread of the server, so the closure should return quickly. Calls do not overlap, and
    /// [`Notice::Closed`] is the last one.
    pub fn notify(&self, closure: impl Fn(Notice) + Send + Sync + 'static) {
        self.link.notify(Notify::new(closure));
    }

    /// Keeps waiting when the client shuts down its sending side (half-close). By default such a client counts as having
    /// left, because a client that closes the connection looks the same. (A handler that answers at once still answers such a
    /// client.)
    pub fn allow_half_close(&self) {
        self.link.allow_half_close();
    }
}

impl Drop for Deferred {
    fn drop(&mut self) {
        self.resolve(Answer::new(|_, _| Err(Status::SERVICE_UNAVAILABLE.into())));
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
