//! [`TlsInfo`]: what a handler may know of a session.

use rustls::{CommonState, ProtocolVersion};

/// What TLS has agreed on for a connection; see [`Exchange::tls`](crate::Exchange::tls).
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
    /// `TLSv1.2` or `TLSv1.3`: Python's `SSLSocket.version()`.
    pub version: &'static str,
    /// The cipher suite by its name in the registry of IANA: `TLS_AES_128_GCM_SHA256`,
    /// `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The host name that the client asked for (SNI), in lower case. `None` for a client that used an IP address.
    pub server_name: Option<String>,
    /// The protocol that was agreed on (ALPN), if the client offered any: `http/1.1`.
    pub alpn: Option<String>,
    /// The certificates that the client has shown, its own first, as DER. They are verified. Empty if it has shown
    /// none, or none was asked for.
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
            // The versions of a name differ in rustls only.
            cipher: suite.unwrap_or_default().replacen("TLS13_", "TLS_", 1),
            server_name: server_name.map(str::to_owned),
            alpn: alpn.map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
            peer_certificates: certificates.iter().map(|der| der.to_vec()).collect(),
        }
    }
}
