//! The name that a client asks for: rustls tells it only to the resolver of certificates.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

thread_local! {
    /// What the last client asked for whose hello was seen on this thread.
    static ASKED_FOR: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// A resolver that notes the name.
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

/// What the client has asked for whose records were processed last on this thread; once.
pub(crate) fn take_server_name() -> Option<Box<str>> {
    ASKED_FOR.take()
}
