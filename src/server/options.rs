//! What a builder sets: limits, and socketserver's hooks as closures.

use std::fmt;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::poller::Access;
use crate::Error;
use crate::base::log_text;
use crate::info::Peer;
use crate::limits::Limits;

type VerifyRequest = dyn Fn(&Peer) -> bool + Send + Sync;
type HandleError = dyn Fn(&Error, &Peer) + Send + Sync;
type Hook = dyn Fn() + Send + Sync;

pub(super) struct Options {
    pub(super) limits: Arc<Limits>,
    /// One thread serves all connections.
    pub(super) is_single: bool,
    pub(super) request_queue_size: u32,
    pub(super) timeout: Option<Duration>,
    pub(super) verify_request: Option<Box<VerifyRequest>>,
    /// Clients that `verify_request` turns away are reset.
    #[cfg(feature = "testing")]
    pub(super) resets_refused: bool,
    pub(super) handle_error: Option<Box<HandleError>>,
    pub(super) service_actions: Option<Box<Hook>>,
    pub(super) handle_timeout: Option<Box<Hook>>,
    /// It lives for a test: what most of those don't need is made when it is needed.
    pub(super) is_brief: bool,
    /// The poller of the first lane, if it is lent: whoever has it brings it along.
    pub(super) access: Option<Access>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Arc::new(Limits::default()),
            is_single: false,
            request_queue_size: 1024,
            timeout: None,
            verify_request: None,
            #[cfg(feature = "testing")]
            resets_refused: false,
            handle_error: None,
            service_actions: None,
            handle_timeout: None,
            is_brief: false,
            access: None,
        }
    }
}

impl Options {
    pub(super) fn accepts(&self, peer: &Peer) -> bool {
        let Some(verify) = &self.verify_request else {
            return true;
        };
        // A panic there costs this client its connection, and not the server its poller.
        catch_unwind(AssertUnwindSafe(|| verify(peer))).unwrap_or_else(|payload| {
            self.report(&Error::panic(&*payload), peer);
            false
        })
    }

    /// A connection ended by an error that no response could report.
    pub(super) fn report(&self, error: &Error, peer: &Peer) {
        if error.is_client_fault() {
            return;
        }
        match &self.handle_error {
            // A panic there must not end the thread.
            Some(handle) => drop(catch_unwind(AssertUnwindSafe(|| handle(error, peer)))),
            None => {
                let error = error.to_string();
                let line = format!("servette: {peer}: {}\n", log_text::escape(&error));
                // There is no place to report that stderr can't be written.
                let _ = std::io::stderr().write_all(line.as_bytes());
            }
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("limits", &self.limits)
            .field("request_queue_size", &self.request_queue_size)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
