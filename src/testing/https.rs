//! HTTPS for a fixture, and how it goes wrong.

use crate::tls::self_signed::{self, USUAL};
use crate::{Result, SelfSigned, Tls};

/// In days, counted from today.
const LONG_AGO: std::ops::Range<i64> = -30..-1;
const NOT_YET: std::ops::Range<i64> = 1..30;

/// A way in which a server of HTTPS fails its clients; see
/// [`Builder::https_fault`](super::Builder::https_fault).
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
    /// It says nothing, in the handshake and after it, until the client leaves or
    /// [`Limits::head_deadline`](crate::Limits) is over.
    Silent,
    /// It resets the connection (RST) when the client has begun the handshake.
    Reset,
    /// It ends the handshake with an alert (`access_denied`).
    Alert,
    /// It speaks plain HTTP.
    PlainHttp,
    /// Its certificate has expired, a day ago.
    Expired,
    /// Its certificate is not valid yet, until tomorrow.
    NotYetValid,
    /// Its certificate is for another host, `other.invalid`.
    ForeignName,
    /// It ends connections without `close_notify`, so their end may be that of an attacker.
    NoCloseNotify,
}

/// What a fixture with this fault has: its configuration, if it speaks TLS at all, and its certificate.
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
