//! [`ByName`]: selects the certificate for the host name that a client requests (SNI).

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Certificates with their keys. The first one is for clients that request no name, or an unknown one.
#[derive(Debug)]
pub(super) struct ByName(pub(super) Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let [only] = &*self.0 {
            return Some(only.clone());
        }
        let name = hello.server_name();
        let name = name.and_then(|name| ServerName::try_from(name).ok());
        let schemes = hello.signature_schemes();
        let is_usable = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(schemes).is_some();
        let is_asked_for = |key: &&Arc<CertifiedKey>| {
            let name = name.as_ref();
            name.is_some_and(|name| is_for(key, name))
        };
        // A name may have two certificates with different types of keys.
        let usable = || self.0.iter().filter(is_usable);
        let chosen = usable().find(is_asked_for).or_else(|| usable().next());
        chosen.or(self.0.first()).cloned()
    }
}

fn is_for(key: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let own = key.end_entity_cert();
    let parsed = own.and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|certificate| verify_server_name(&certificate, name).is_ok())
}
