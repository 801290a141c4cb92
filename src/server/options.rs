//! [`Options`]: the settings of a builder, with socketserver's hooks as closures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::error::guarded;
use crate::info::{Peer, ServerInfo};
use crate::limits::Limits;
use crate::log::text::report_line;
use crate::log::{self, Log};
use crate::proxies::TrustedProxies;

type VerifyRequest = dyn Fn(&Peer) -> bool + Send + Sync;
type HandleError = dyn Fn(&Error, &Peer) + Send + Sync;
type Hook = dyn Fn() + Send + Sync;

pub(super) struct Options {
    pub(super) limits: Arc<Limits>,
    pub(super) request_queue_size: u32,
    pub(super) timeout: Option<Duration>,
    pub(super) trusted_proxies: TrustedProxies,
    /// The PROXY protocol is required.
    pub(super) proxy_protocol: bool,
    pub(super) verify_request: Option<Box<VerifyRequest>>,
    /// Clients that `verify_request` rejects are reset.
    #[cfg(feature = "testing")]
    pub(super) resets_refused: bool,
    pub(super) handle_error: Option<Box<HandleError>>,
    /// `None`: Python's format, on stderr.
    pub(super) log: Option<Log>,
    pub(super) service_actions: Option<Box<Hook>>,
    pub(super) handle_timeout: Option<Box<Hook>>,
    #[cfg(feature = "tls-config")]
    pub(super) tls: Option<crate::Tls>,
    #[cfg(feature = "tls-config")]
    pub(super) handle_tls_error: Option<Box<HandleError>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            limits: Arc::new(Limits::default()),
            request_queue_size: 1024,
            timeout: None,
            trusted_proxies: TrustedProxies::default(),
            proxy_protocol: false,
            verify_request: None,
            #[cfg(feature = "testing")]
            resets_refused: false,
            handle_error: None,
            log: None,
            service_actions: None,
            handle_timeout: None,
            #[cfg(feature = "tls-config")]
            tls: None,
            #[cfg(feature = "tls-config")]
            handle_tls_error: None,
        }
    }
}

/// Calls of the program's closures. A panic in one of them is reported, and ends at most one connection.
impl Options {
    pub(super) fn accepts(&self, peer: &Peer) -> bool {
        let Some(verify) = &self.verify_request else {
            return true;
        };
        let accepts = guarded(|| Ok(verify(peer)));
        accepts.unwrap_or_else(|error| {
            self.report(&error, peer);
            false
        })
    }

    pub(super) fn run_service_actions(&self, info: &ServerInfo) {
        self.run(self.service_actions.as_deref(), info);
    }

    pub(super) fn run_handle_timeout(&self, info: &ServerInfo) {
        self.run(self.handle_timeout.as_deref(), info);
    }

    fn run(&self, hook: Option<&Hook>, info: &ServerInfo) {
        let ran = guarded(|| {
            hook.inspect(|hook| hook());
            Ok(())
        });
        if let Err(error) = ran {
            self.report(&error, &info.server_address);
        }
    }

    /// Reports an error that no response could report, or a panic of a closure.
    pub(super) fn report(&self, error: &Error, peer: &Peer) {
        if error.is_client_fault() {
            return;
        }
        let Some(handle) = &self.handle_error else {
            return match &self.log {
                Some(log) => log.message(peer, format_args!("{error}")),
                None => log::write_stderr(&report_line(error, peer)),
            };
        };
        // There is nobody to tell that this one panics.
        let _ = guarded(|| {
            handle(error, peer);
            Ok(())
        });
    }
}

impl Options {
    pub(super) fn speaks_tls(&self) -> bool {
        #[cfg(feature = "tls-config")]
        return self.tls.is_some();
        #[cfg(not(feature = "tls-config"))]
        false
    }

    /// Reports that TLS failed on a connection.
    #[cfg(feature = "tls-config")]
    pub(super) fn report_tls(&self, failure: &crate::connection::tls::Failure, peer: &Peer) {
        let Some(tell) = &self.handle_tls_error else {
            return;
        };
        let told = guarded(|| {
            tell(&Error::other(failure.clone()), peer);
            Ok(())
        });
        if let Err(error) = told {
            self.report(&error, peer);
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
