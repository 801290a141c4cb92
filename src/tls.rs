//! [`Tls`]: certificates, keys, and what a server does with them.
//!
//! What it does on a connection is in `connection::tls`.

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

/// How a server speaks TLS: its certificates and keys; see
/// [`Builder::tls`](crate::server::Builder::tls). (Feature `tls`; with `tls-config` alone it is made from a
/// [`rustls::ServerConfig`].)
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
/// A configuration made here speaks TLS 1.2 and 1.3 with the cipher suites of [ring](https://docs.rs/ring), and
/// `http/1.1` (ALPN); sessions can be resumed with tickets for up to 12 hours; there is no early data (0-RTT).
///
/// Clones share their certificates: what one of them reloads, all of them have.
#[derive(Clone)]
pub struct Tls(Arc<RwLock<Current>>);

#[derive(Clone)]
struct Current {
    config: Arc<ServerConfig>,
    /// What it was made from, if that can be read again.
    #[cfg(feature = "tls")]
    source: Option<TlsBuilder>,
    #[cfg(all(feature = "testing", feature = "self-signed"))]
    fault: Option<HttpsFault>,
}

impl Tls {
    /// Reads certificates and a key from PEM files. The server's own certificate comes first, followed by those that
    /// lead to the authority that clients trust. The key may be in the same file: name it twice.
    ///
    /// # Errors
    /// If a file can't be read, or has not what is expected in it, or the key is that of another certificate. The text
    /// names the file.
    #[cfg(feature = "tls")]
    pub fn from_files(
        certificates: impl AsRef<std::path::Path>,
        key: impl AsRef<std::path::Path>,
    ) -> Result<Self> {
        Tls::builder().add_files(certificates, key).build()
    }

    /// The same from PEM in memory.
    ///
    /// # Errors
    /// As [`from_files`](Self::from_files).
    #[cfg(feature = "tls")]
    pub fn from_pem(certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Result<Self> {
        Tls::builder().add_pem(certificates, key).build()
    }

    /// For several certificates, certificates of clients, or a key that is encrypted.
    #[cfg(feature = "tls")]
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// Makes a certificate that is signed by its own key, for these DNS names and IP addresses. It is valid for 397
    /// days, from a day ago. No client trusts it unless it is told to. (Feature `self-signed`.)
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
    /// If a name can't be in a certificate.
    #[cfg(feature = "self-signed")]
    pub fn self_signed<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
    ) -> Result<(Self, SelfSigned)> {
        let names = names.into_iter().map(Into::into).collect();
        let made = self_signed::make(names, self_signed::USUAL)?;
        Ok((made.tls()?, made.certificate))
    }

    /// Reads the same files again. New connections get what is in them now; those that are open go on. Tickets of
    /// earlier sessions are not accepted any more.
    ///
    /// # Errors
    /// As [`from_files`](Self::from_files), and if it was not made from files or PEM. Everything stays as it was then.
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

    /// Has new connections use another configuration from now on.
    pub fn replace(&self, other: impl Into<Tls>) {
        let other = other.into().current();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.config.clone()
    }

    /// How a fixture's connections fail.
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
    /// For anything that [`Tls`] has no word for: other providers of cryptography, other versions, certificates from
    /// elsewhere. Its `alpn_protocols` should be empty or `http/1.1`. Early data is switched off.
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
