//! [`Link`]: the state that a connection shares with a handle of the program, a
//! [`ResponseStream`](super::response_stream::ResponseStream) or a [`Deferred`](super::deferred::Deferred).
//!
//! The program changes the link from any thread, and tells the event loop to look at the connection. This is only a hint: a
//! look retries whatever the connection waits for, so a superfluous hint does no harm. No hint is lost: the link has the
//! slot of the connection before the first look, and a hint during a look leaves a mark in the slot, like every event.

use std::time::Duration;
use std::{fmt, mem};

use super::sync::{self, Arc, Condvar, Mutex, MutexGuard, Waker, lock};
use crate::error::{Fault, guarded};

/// The state that the connection and the program's handle share.
#[derive(Debug)]
pub(crate) struct Link<T> {
    state: Mutex<LinkState<T>>,
    /// Signals a change while the connection is not in an event loop.
    changed: Condvar,
}

#[derive(Debug)]
pub(crate) struct LinkState<T> {
    /// The queue of a stream, or the closure that answers a deferred request.
    pub(super) content: T,
    /// The slot in which the connection is parked.
    place: Option<Place>,
    /// The event loop was already told to look.
    is_told: bool,
    /// Why the connection is over; `None` while it is not.
    pub(super) fault: Option<Fault>,
    /// The program has done its part, or has dropped its handle.
    pub(super) is_done: bool,
    notify: Option<Notify>,
    knows_of_stop: bool,
    /// A half-close by the client does not count as leaving.
    allows_half_close: bool,
}

/// A slot of an event loop.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) slot: usize,
}

/// The slots that an event loop is to look at.
#[derive(Debug)]
pub(crate) struct Mailbox {
    slots: Mutex<Vec<usize>>,
    waker: Arc<Waker>,
}

impl Mailbox {
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        Mailbox {
            slots: Mutex::new(Vec::new()),
            waker,
        }
    }

    fn put(&self, slot: usize) {
        let mut slots = lock(&self.slots);
        let was_empty = slots.is_empty();
        slots.push(slot);
        drop(slots);
        if was_empty {
            // It fails only when the poller is gone.
            let _ = self.waker.wake();
        }
    }

    /// Takes all slots. The loop was woken for the first one.
    pub(crate) fn take(&self) -> Vec<usize> {
        mem::take(&mut lock(&self.slots))
    }
}

/// The event that a closure of [`ResponseStream::notify`](crate::ResponseStream::notify) or
/// [`Deferred::notify`](crate::Deferred::notify) is called with.
///
/// ```
/// use servette::{Notice, events, handler_fn};
///
/// let handler = handler_fn(|_, x| {
///     let stream = events::begin(x)?;
///     stream.notify(|notice| match notice {
///         Notice::Closed => println!("the client has left"),
///         Notice::Stopping => println!("the server shuts down"),
///         _ => {}
///     });
///     std::thread::spawn(move || stream.send(events::Event::new("hello")));
///     Ok(())
/// });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// The connection is closed: the client has left or was disconnected, or the server has stopped. Nothing more can be
    /// sent.
    Closed,
    /// The server is shutting down. At the shutdown's deadline the connection is dropped.
    Stopping,
}

/// A closure of the program, and whether it was told that the connection is closed.
#[derive(Clone)]
pub(super) struct Notify(Arc<(Mutex<bool>, Box<Notified>)>);

type Notified = dyn Fn(Notice) + Send + Sync;

impl Notify {
    pub(super) fn new(closure: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Notify(Arc::new((Mutex::new(false), Box::new(closure))))
    }

    /// Calls the closure. Calls from several threads follow one another, and none comes after `Closed`.
    fn tell(&self, notice: Notice) {
        let (is_over, closure) = &*self.0;
        let mut is_over = lock(is_over);
        if !mem::replace(&mut *is_over, notice == Notice::Closed) {
            closure(notice);
        }
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notify")
    }
}

/// A pending call of the program's closure. No lock of the server may be held during the call.
#[derive(Debug)]
#[must_use]
pub(crate) struct Call(Notify, Notice);

impl Call {
    pub(crate) fn run(self) -> crate::Result<()> {
        guarded(|| {
            self.0.tell(self.1);
            // The closure may be dropped with it.
            drop(self);
            Ok(())
        })
    }
}

impl<T> LinkState<T> {
    /// Takes the closure, so that it is not called again. The caller drops it after the lock is free.
    pub(super) fn take_notify(&mut self) -> Option<Notify> {
        self.notify.take()
    }
}

impl<T> Link<T> {
    pub(super) fn new(content: T) -> Arc<Self> {
        Arc::new(Link {
            state: Mutex::new(LinkState {
                content,
                place: None,
                is_told: false,
                fault: None,
                is_done: false,
                notify: None,
                knows_of_stop: false,
                allows_half_close: false,
            }),
            changed: Condvar::new(),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LinkState<T>> {
        lock(&self.state)
    }

    /// Tells the event loop to look at the connection.
    pub(super) fn hint(&self, state: &mut LinkState<T>) {
        match &state.place {
            None => self.changed.notify_all(),
            Some(place) if !state.is_told => {
                place.mailbox.put(place.slot);
                state.is_told = true;
            }
            Some(_) => {}
        }
    }

    /// Begins a look at the connection: later changes cause another hint.
    pub(super) fn look(&self) -> MutexGuard<'_, LinkState<T>> {
        let mut state = self.state();
        state.is_told = false;
        state
    }

    /// Sets the slot of the connection.
    pub(super) fn place(&self, place: Place) {
        self.state().place = Some(place);
    }

    /// Waits for a change, at most for this time, where there is no event loop.
    pub(super) fn wait(&self, is_there: impl Fn(&LinkState<T>) -> bool, most: Duration) {
        drop(sync::wait_until(
            &self.changed,
            self.state(),
            most,
            is_there,
        ));
    }

    /// Notes that the connection is over. Returns the call that tells the program, unless the program is done.
    pub(super) fn close(&self, fault: Fault) -> Option<Call> {
        let mut state = self.state();
        state.place = None;
        let notify = state.notify.take();
        state.fault.get_or_insert(fault);
        drop(state);
        notify.map(|notify| Call(notify, Notice::Closed))
    }

    /// Notes that the server stops. Returns the call that tells the program, once.
    pub(super) fn note_stop(&self) -> Option<Call> {
        let mut state = self.state();
        if state.knows_of_stop || state.is_done {
            return None;
        }
        state.knows_of_stop = true;
        let notify = state.notify.clone()?;
        Some(Call(notify, Notice::Stopping))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().fault.is_some()
    }

    /// Sets the closure that is called when the connection ends or the server stops; at once if that has happened.
    pub(super) fn notify(&self, notify: Notify) {
        let mut state = self.state();
        let happened = match state.fault {
            Some(_) => Some(Notice::Closed),
            None => state.knows_of_stop.then_some(Notice::Stopping),
        };
        // The one before is not told any more.
        let before = match happened {
            Some(Notice::Closed) => state.notify.take(),
            _ => state.notify.replace(notify.clone()),
        };
        // No lock is held over what the program drops or does.
        drop(state);
        drop(before);
        if let Some(notice) = happened {
            notify.tell(notice);
        }
    }

    pub(super) fn allow_half_close(&self) {
        self.state().allows_half_close = true;
    }

    pub(super) fn allows_half_close(&self) -> bool {
        self.state().allows_half_close
    }
}
