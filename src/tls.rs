//! [`Tls`]: the certificates and keys of a server.
//!
//! The module `connection::tls` uses them on connections.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;

#[cfg(feature = "tls")]
pub use self::builder::{ClientAuth, TlsBuilder};
pub use self::info::TlsInfo;
#[cfg(feature = "self-signed")]
pub use self::self_signed::SelfSigned;
pub(crate) use self::server_name::take_server_name;
#[cfg(feature = "tls")]
use crate::Error;
#[cfg(feature = "tls")]
use crate::Result;
#[cfg(all(feature = "testing", feature = "self-signed"))]
use crate::testing::HttpsFault;

#[cfg(feature = "tls")]
mod builder;
#[cfg(feature = "tls")]
mod by_name;
mod info;
#[cfg(feature = "tls-password")]
mod password;
#[cfg(feature = "tls")]
mod pem;
#[cfg(feature = "self-signed")]
pub(crate) mod self_signed;
mod server_name;

/// The TLS configuration of a server: its certificates and keys; set by
/// [`Builder::tls`](crate::server::Builder::tls). (Feature `tls`. With `tls-config` alone, make it from a
/// [`rustls::ServerConfig`](https://docs.rs/rustls/0.23/rustls/server/struct.ServerConfig.html).)
///
/// ```no_run
/// # #[cfg(feature = "tls")]
/// # fn example() -> servette::Result<()> {
/// use servette::{SimpleHandler, ThreadingHttpServer, Tls};
///
/// let tls = Tls::from_files("cert.pem", "key.pem")?;
/// let server = ThreadingHttpServer::builder(SimpleHandler::new("public"))
///     .tls(tls.clone())
///     .bind("[::]:8443")?;
/// std::thread::spawn(move || server.serve_forever());
/// // Later, when the files were replaced:
/// tls.reload()?;
/// # Ok(())
/// # }
/// ```
///
/// By default it speaks TLS 1.2 and 1.3 with the cipher suites of [ring](https://docs.rs/ring), and the application
/// protocol `http/1.1` (ALPN). Sessions can be resumed with tickets for up to 12 hours. Early data (0-RTT) is not
/// accepted.
///
/// Clones share the configuration: `reload` and [`replace`](Self::replace) apply to all of them.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Current>>);

#[derive(Clone)]
struct Current {
    config: Arc<ServerConfig>,
    /// The builder that made it, to read the files again; `None` if it was not made from files or PEM.
    #[cfg(feature = "tls")]
    source: Option<TlsBuilder>,
    #[cfg(all(feature = "testing", feature = "self-signed"))]
    fault: Option<HttpsFault>,
}

impl Tls {
    /// Reads certificates and a key from PEM files. The certificate of the server comes first, followed by the
    /// intermediate certificates. If one file contains certificates and key, pass its path twice.
    ///
    /// # Errors
    /// An error with the path, if a file can't be read or has no certificate or key, or if the key does not match the
    /// certificate.
    #[cfg(feature = "tls")]
    pub fn from_files(
        certificates: impl AsRef<std::path::Path>,
        key: impl AsRef<std::path::Path>,
    ) -> Result<Self> {
        Tls::builder().add_files(certificates, key).build()
    }

    /// Reads certificates and a key from PEM in memory; see [`from_files`](Self::from_files).
    ///
    /// # Errors
    /// If the PEM has no certificate or key, or if the key does not match the certificate.
    #[cfg(feature = "tls")]
    pub fn from_pem(certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Result<Self> {
        Tls::builder().add_pem(certificates, key).build()
    }

    /// Returns a builder: for several certificates, client certificates, or encrypted keys.
    #[cfg(feature = "tls")]
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// Makes a self-signed certificate for these DNS names and IP addresses, and a configuration with it: for
    /// development and tests. (Feature `self-signed`.)
    ///
    /// The certificate is valid for 397 days from yesterday. Clients reject it unless they are told to trust it.
    ///
    /// ```
    /// use servette::Tls;
    ///
    /// let (tls, made) = Tls::self_signed(["localhost", "127.0.0.1"])?;
    /// std::fs::write(std::env::temp_dir().join("trusted-by-clients.pem"), &made.pem)?;
    /// println!("SHA-256 {}", made.fingerprint());
    /// # Ok::<(), servette::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a name is not valid in a certificate.
    #[cfg(feature = "self-signed")]
    pub fn self_signed<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
    ) -> Result<(Self, SelfSigned)> {
        let names = names.into_iter().map(Into::into).collect();
        let made = self_signed::make(names, self_signed::USUAL)?;
        Ok((made.tls()?, made.certificate))
    }

    /// Reads the files again. New connections use the new certificates, and open connections continue. Tickets of
    /// earlier sessions are no longer accepted.
    ///
    /// # Errors
    /// Errors of [`from_files`](Self::from_files), and an error if the configuration was not made from files or PEM.
    /// The old configuration stays in use then.
    #[cfg(feature = "tls")]
    pub fn reload(&self) -> Result<()> {
        let source = self.current().source;
        let source = source.ok_or_else(|| {
            Error::other(
                "this TLS configuration was not loaded from files, so it can't be reloaded",
            )
        })?;
        self.replace(source.build()?);
        Ok(())
    }

    /// Replaces the configuration for all new connections.
    pub fn replace(&self, other: impl Into<Tls>) {
        let other = other.into().current();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.config.clone()
    }

    /// Returns the fault of the connections of a test fixture.
    #[cfg(all(feature = "testing", feature = "self-signed"))]
    pub(crate) fn fault(&self) -> Option<HttpsFault> {
        self.current().fault
    }

    #[cfg(all(feature = "testing", feature = "self-signed"))]
    pub(crate) fn with_fault(self, fault: Option<HttpsFault>) -> Tls {
        let mut current = self.current();
        if fault == Some(HttpsFault::Alert) {
            let mut config = (*current.config).clone();
            config.cert_resolver = Arc::new(rustls::server::ResolvesServerCertUsingSni::new());
            current.config = Arc::new(config);
        }
        current.fault = fault;
        Tls::of(current)
    }

    fn current(&self) -> Current {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    fn of(current: Current) -> Self {
        Tls(Arc::new(RwLock::new(current)))
    }
}

impl From<Arc<ServerConfig>> for Tls {
    /// Makes a configuration from rustls's own: for another cryptography provider, other TLS versions, or another
    /// source of certificates. Its `alpn_protocols` should be empty or `http/1.1`. Early data is turned off.
    fn from(config: Arc<ServerConfig>) -> Self {
        let mut config = (*config).clone();
        config.max_early_data_size = 0;
        config.cert_resolver = server_name::noting(config.cert_resolver);
        Tls::of(Current {
            config: Arc::new(config),
            #[cfg(feature = "tls")]
            source: None,
            #[cfg(all(feature = "testing", feature = "self-signed"))]
            fault: None,
        })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_crosses_threads() {
        fn check<T: Send + Sync + 'static>() {}
        check::<Tls>();
        check::<TlsInfo>();
    }
}
