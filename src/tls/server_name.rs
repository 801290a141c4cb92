//! The host name that a client requests (SNI). rustls reports it only to the resolver of certificates.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

thread_local! {
    /// The host name in the last client hello that was processed on this thread.
    static ASKED_FOR: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// A resolver that stores the host name.
#[derive(Debug)]
struct Noting(Arc<dyn ResolvesServerCert>);

pub(super) fn noting(resolver: Arc<dyn ResolvesServerCert>) -> Arc<dyn ResolvesServerCert> {
    Arc::new(Noting(resolver))
}

impl ResolvesServerCert for Noting {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        ASKED_FOR.set(hello.server_name().map(Box::from));
        self.0.resolve(hello)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.0.only_raw_public_keys()
    }
}

/// Takes the host name of the client whose records were processed last on this thread.
pub(crate) fn take_server_name() -> Option<Box<str>> {
    ASKED_FOR.take()
}
