//! [`TlsInfo`]: the parameters of a TLS session.

use rustls::{CommonState, ProtocolVersion};

/// The parameters of a TLS session; returned by [`Exchange::tls`](crate::Exchange::tls).
///
/// ```
/// use servette::{Status, handler_fn};
///
/// let handler = handler_fn(|_, x| match x.tls() {
///     Some(tls) => x.send_content(Status::OK, "text/plain", format!("{} {}", tls.version, tls.cipher)),
///     None => x.send_error(Status::FORBIDDEN),
/// });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// The version, `TLSv1.2` or `TLSv1.3`: Python's `SSLSocket.version()`.
    pub version: &'static str,
    /// The cipher suite, by its name in the IANA registry, such as `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The host name that the client requested (SNI), in lower case; `None` if the client used an IP address.
    pub server_name: Option<String>,
    /// The application protocol (ALPN), such as `http/1.1`; `None` if the client offered none.
    pub alpn: Option<String>,
    /// The verified certificates of the client as DER, its own first. Empty if the client sent none, or none was
    /// requested.
    pub peer_certificates: Vec<Vec<u8>>,
}

impl TlsInfo {
    pub(crate) fn of(session: &CommonState, server_name: Option<&str>) -> Self {
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        };
        let suite = session.negotiated_cipher_suite();
        let suite = suite.and_then(|suite| suite.suite().as_str());
        let alpn = session.alpn_protocol();
        let certificates = session.peer_certificates().unwrap_or_default();
        TlsInfo {
            version,
            // Only rustls names the versions of a suite differently.
            cipher: suite.unwrap_or_default().replacen("TLS13_", "TLS_", 1),
            server_name: server_name.map(str::to_owned),
            alpn: alpn.map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
            peer_certificates: certificates.iter().map(|der| der.to_vec()).collect(),
        }
    }
}
