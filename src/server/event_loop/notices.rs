//! [`Notices`]: pending calls of the program's closures (`notify`). They are collected where something happens to a
//! connection, often under a lock, and made when no lock is held.

use std::mem;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};

use super::{EventLoop, Shared};
use crate::connection::link::Call;
use crate::shutdown::lock;

/// Pending calls of closures of the program.
#[derive(Debug, Default)]
pub(super) struct Notices {
    calls: Mutex<Vec<Call>>,
    has_any: AtomicBool,
}

impl Notices {
    pub(super) fn add(&self, call: Option<Call>) {
        if let Some(call) = call {
            lock(&self.calls).push(call);
            self.has_any.store(true, SeqCst);
        }
    }

    pub(super) fn has_any(&self) -> bool {
        self.has_any.load(Relaxed)
    }

    fn take(&self) -> Vec<Call> {
        let mut calls = lock(&self.calls);
        self.has_any.store(false, SeqCst);
        mem::take(&mut *calls)
    }
}

impl Shared {
    /// Makes the pending calls.
    pub(in crate::server) fn run_notices(&self) {
        let calls = self.notices.take();
        if calls.is_empty() {
            return;
        }
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
    /// Wakes a polling thread to make the pending calls, if there are any.
    pub(super) fn run_notices_soon(&self) {
        if self.shared.notices.has_any() {
            self.wake();
        }
    }
}
