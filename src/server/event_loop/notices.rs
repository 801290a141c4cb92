//! [`Notices`]: pending calls of code of the program: its closures (`notify`), and `end_request` for connections that are
//! closed. They are collected where something happens to a connection, often under a lock, and made when no lock is held.

use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};

use super::{EventLoop, Shared};
use crate::base::RequestHandler;
use crate::connection::Buffers;
use crate::connection::link::Call;
use crate::server::task::Task;
use crate::shutdown::lock;

/// Pending calls of code of the program.
#[derive(Debug, Default)]
pub(super) struct Notices {
    pending: Mutex<Pending>,
    has_any: AtomicBool,
}

#[derive(Debug, Default)]
struct Pending {
    calls: Vec<Call>,
    /// Closed connections whose last outcome is to be reported, by a thread that has the handler.
    closed: VecDeque<Box<Task>>,
}

impl Notices {
    pub(super) fn add(&self, call: Option<Call>) {
        if let Some(call) = call {
            self.change(|pending| pending.calls.push(call));
        }
    }

    pub(super) fn add_closed(&self, task: Box<Task>) {
        self.change(|pending| pending.closed.push_back(task));
    }

    pub(super) fn has_any(&self) -> bool {
        self.has_any.load(Relaxed)
    }

    pub(super) fn take_closed(&self) -> Option<Box<Task>> {
        self.change(|pending| pending.closed.pop_front())
    }

    fn take_calls(&self) -> Vec<Call> {
        self.change(|pending| mem::take(&mut pending.calls))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Pending) -> T) -> T {
        let mut pending = lock(&self.pending);
        let result = change(&mut pending);
        let has_any = !(pending.calls.is_empty() && pending.closed.is_empty());
        self.has_any.store(has_any, SeqCst);
        result
    }
}

impl Shared {
    /// Makes the pending calls of closures.
    pub(in crate::server) fn run_notices(&self) {
        if !self.notices.has_any() {
            return;
        }
        let calls = self.notices.take_calls();
        // At the end of a server this thread serves no more; a closure that shuts the server down must not wait for it.
        let _thread = self.control.enter_thread();
        for call in calls {
            if let Err(error) = call.run() {
                self.options.report(&error, &self.info.server_address);
            }
        }
    }
}

impl EventLoop {
    /// Makes all pending calls, at the end of a server.
    pub(in crate::server) fn run_last_notices<H: RequestHandler + ?Sized>(&self, handler: &H) {
        self.shared.run_notices();
        let mut buffers = Buffers::of(self.shared.control.enter_thread());
        while let Some(task) = self.shared.notices.take_closed() {
            if let Some(task) = self.prepare(task, &mut buffers) {
                self.run_handler(handler, task, &mut buffers);
            }
        }
    }

    /// Wakes a polling thread to make the pending calls, if there are any.
    pub(super) fn run_notices_soon(&self) {
        if self.shared.notices.has_any() {
            self.wake();
        }
    }
}
