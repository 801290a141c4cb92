//! [`TlsBuilder`]: a TLS configuration from PEM certificates and keys.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{Ticketer, default_provider};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

use super::by_name::ByName;
use super::pem::{Kind, Pem};
use super::{Current, Tls};
use crate::{Error, Result};

/// Whether clients must send a certificate; see [`TlsBuilder::client_ca_file`].
///
/// ```
/// use servette::{ClientAuth, Tls};
///
/// fn with_client_certificates() -> servette::Result<Tls> {
///     Tls::builder()
///         .add_files("cert.pem", "key.pem")
///         .client_ca_file("clients-ca.pem", ClientAuth::Required)
///         .build()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAuth {
    /// The handshake fails for a client without a valid certificate: Python's `ssl.CERT_REQUIRED`.
    Required,
    /// A client may send no certificate; then [`TlsInfo::peer_certificates`](crate::TlsInfo) is empty. The handshake
    /// fails for a client with an invalid certificate: Python's `ssl.CERT_OPTIONAL`.
    Optional,
}

/// A builder of a [`Tls`] with several certificates, client certificates or encrypted keys; returned by
/// [`Tls::builder`].
///
/// ```no_run
/// use servette::{ClientAuth, Tls};
///
/// let tls = Tls::builder()
///     .add_files("example.org.pem", "example.org.key")
///     .add_files("example.net.pem", "example.net.key")
///     .client_ca_file("clients-ca.pem", ClientAuth::Required)
///     .build()?;
/// # Ok::<(), servette::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "nothing is read before `build`"]
pub struct TlsBuilder {
    pairs: Vec<(Pem, Pem)>,
    password: Option<Vec<u8>>,
    clients: Option<(Pem, ClientAuth)>,
}

impl TlsBuilder {
    /// Adds certificates and their key from PEM files; see [`Tls::from_files`].
    ///
    /// Call it several times to serve several host names. Each client gets the certificates for the host name that it
    /// requests (SNI), or the first ones if none match. A name may have two certificates with different types of keys:
    /// the client gets the first one that it supports.
    pub fn add_files(mut self, certificates: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.pairs.push((Pem::file(certificates), Pem::file(key)));
        self
    }

    /// Adds certificates and their key from PEM in memory; see [`add_files`](Self::add_files).
    pub fn add_pem(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let memory = Pem::Memory;
        self.pairs
            .push((memory(certificates.into()), memory(key.into())));
        self
    }

    /// Sets the password of encrypted keys, in PKCS #8 (`BEGIN ENCRYPTED PRIVATE KEY`). It is ignored for keys that are
    /// not encrypted. (Feature `tls-password`.)
    #[cfg(feature = "tls-password")]
    pub fn password(mut self, password: impl Into<Vec<u8>>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Requests a certificate from each client, signed by one of the authorities in this PEM file. By default no
    /// certificate is requested.
    pub fn client_ca_file(mut self, authorities: impl AsRef<Path>, auth: ClientAuth) -> Self {
        self.clients = Some((Pem::file(authorities), auth));
        self
    }

    /// Requests a certificate from each client, signed by one of these authorities in PEM; see
    /// [`client_ca_file`](Self::client_ca_file).
    pub fn client_ca_pem(mut self, authorities: impl Into<Vec<u8>>, auth: ClientAuth) -> Self {
        self.clients = Some((Pem::Memory(authorities.into()), auth));
        self
    }

    /// Reads the files and returns the configuration.
    ///
    /// # Errors
    /// Errors of [`Tls::from_files`], and an error if no certificate was added.
    pub fn build(self) -> Result<Tls> {
        let provider = Arc::new(default_provider());
        let mut keys = Vec::new();
        for (certificates, key) in &self.pairs {
            let key = certified(certificates, key, self.password.as_deref(), &provider)?;
            keys.push(Arc::new(key));
        }
        if keys.is_empty() {
            return Err(Error::other(
                "TLS requires a certificate: add one with add_files or add_pem",
            ));
        }
        let config = config(keys, self.clients.as_ref(), provider)?;
        Ok(made_from(config, Some(self)))
    }
}

/// Makes a configuration with one certificate.
#[cfg(feature = "self-signed")]
pub(super) fn single(
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: rustls::pki_types::PrivateKeyDer<'static>,
) -> Result<Tls> {
    let provider = Arc::new(default_provider());
    let key = CertifiedKey::from_der(chain, key, &provider).map_err(Error::other)?;
    let config = config(vec![Arc::new(key)], None, provider)?;
    Ok(made_from(config, None))
}

fn made_from(config: ServerConfig, source: Option<TlsBuilder>) -> Tls {
    let tls = Tls::from(Arc::new(config));
    Tls::of(Current {
        source,
        ..tls.current()
    })
}

fn certified(
    certificates: &Pem,
    key: &Pem,
    password: Option<&[u8]>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey> {
    let chain = certificates.certificates(Kind::Certificates)?;
    let secret = key.key(password)?;
    CertifiedKey::from_der(chain, secret, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let own = certificates.name(Kind::Certificates);
            key.wrong(
                Kind::Key,
                format_args!("it does not match the certificate in {own}"),
            )
        }
        rustls::Error::InvalidCertificate(error) => certificates.wrong(
            Kind::Certificates,
            format_args!("the first certificate is not usable ({error})"),
        ),
        error => key.wrong(Kind::Key, format_args!("the key is not usable ({error})")),
    })
}

fn config(
    keys: Vec<Arc<CertifiedKey>>,
    clients: Option<&(Pem, ClientAuth)>,
    provider: Arc<CryptoProvider>,
) -> Result<ServerConfig> {
    // The provider is explicit: rustls panics if the program contains two providers and has not chosen one.
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some((authorities, auth)) => {
            let wrong = |error: &dyn fmt::Display| {
                authorities.wrong(
                    Kind::Authorities,
                    format_args!("it is not usable for client certificates ({error})"),
                )
            };
            let mut roots = RootCertStore::empty();
            for authority in authorities.certificates(Kind::Authorities)? {
                roots.add(authority).map_err(|error| wrong(&error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier = match auth {
                ClientAuth::Required => verifier,
                ClientAuth::Optional => verifier.allow_unauthenticated(),
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| wrong(&error))?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(ByName(keys)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A ticket contains the verified certificate of its client, so each configuration has its own tickets.
    config.ticketer = Ticketer::new().map_err(Error::other)?;
    config.send_tls13_tickets = 1;
    Ok(config)
}

impl fmt::Debug for TlsBuilder {
    /// Hides keys and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsBuilder").finish_non_exhaustive()
    }
}
