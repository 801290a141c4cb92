//! HTTPS for a fixture, and its faults.

use crate::tls::self_signed::{self, USUAL};
use crate::{Result, SelfSigned, Tls};

/// Validity of a certificate, in days from today.
const LONG_AGO: std::ops::Range<i64> = -30..-1;
const NOT_YET: std::ops::Range<i64> = 1..30;

/// A fault of an HTTPS server: see [`TestServerBuilder::https_fault`](super::TestServerBuilder::https_fault).
///
/// ```
/// use servette::testing::{HttpsFault, TestServer, status};
///
/// let server = TestServer::builder().https_fault(HttpsFault::Expired).start(status(200));
/// assert!(ureq::get(server.url("/")).call().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpsFault {
    /// The server sends nothing, during the handshake and after it, until the client leaves or
    /// [`Limits::head_deadline`](crate::Limits) is over.
    Silent,
    /// The server resets the connection (RST) when the client has begun the handshake.
    Reset,
    /// The server ends the handshake with the alert `access_denied`.
    Alert,
    /// The server speaks plain HTTP.
    PlainHttp,
    /// The certificate expired a day ago.
    Expired,
    /// The certificate is not valid before tomorrow.
    NotYetValid,
    /// The certificate is for another host, `other.invalid`.
    ForeignName,
    /// The server ends connections without `close_notify`, so the client can't tell the end of the data from a
    /// truncation attack.
    NoCloseNotify,
}

/// The TLS configuration of a fixture with this fault (`None` for plain HTTP), and its certificate.
pub(super) fn prepare(fault: Option<HttpsFault>) -> Result<(Option<Tls>, SelfSigned)> {
    let names = match fault {
        Some(HttpsFault::ForeignName) => &["other.invalid"][..],
        _ => &["localhost", "127.0.0.1", "::1"],
    };
    let days = match fault {
        Some(HttpsFault::Expired) => LONG_AGO,
        Some(HttpsFault::NotYetValid) => NOT_YET,
        _ => USUAL,
    };
    let names = names.iter().map(|&name| name.to_owned()).collect();
    let made = self_signed::make(names, days)?;
    let tls = match fault {
        Some(HttpsFault::PlainHttp) => None,
        fault => Some(made.tls()?.with_fault(fault)),
    };
    Ok((tls, made.certificate))
}
