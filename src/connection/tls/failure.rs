//! [`Failure`]: the reason why a session has ended, with a text for the log.

use std::fmt;

use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// Why a session has failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    Tls(rustls::Error),
    /// A panic of rustls, or of the program's code that it calls.
    Panic(String),
    /// A handshake message exceeds the maximum size.
    TooLong,
    /// There is no session, or it has ended.
    NotOpen,
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS: ")?;
        match self {
            Failure::Tls(error) => tell(error, f),
            Failure::Panic(panic) => f.write_str(panic),
            Failure::TooLong => f.write_str("a TLS handshake message is too long"),
            Failure::NotOpen => f.write_str("the TLS session is not open"),
        }
    }
}

fn tell(error: &rustls::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use AlertDescription as Alert;
    use PeerIncompatible as Incompatible;
    match error {
        rustls::Error::AlertReceived(alert) => {
            let why = match alert {
                Alert::UnknownCA => "unknown CA",
                Alert::CertificateUnknown => "certificate unknown",
                Alert::CertificateExpired => "certificate expired",
                Alert::CertificateRevoked => "certificate revoked",
                Alert::BadCertificate => "bad certificate",
                Alert::UnsupportedCertificate => "unsupported certificate",
                other => return write!(f, "the client ended the session ({other:?})"),
            };
            write!(f, "the client rejected the certificate ({why})")
        }
        rustls::Error::PeerIncompatible(
            Incompatible::Tls12NotOffered
            | Incompatible::Tls12NotOfferedOrEnabled
            | Incompatible::ServerTlsVersionIsDisabledByOurConfig
            | Incompatible::SupportedVersionsExtensionRequired
            // Clients of TLS 1.1 have none.
            | Incompatible::SignatureAlgorithmsExtensionRequired,
        ) => f.write_str("no TLS version in common with the client"),
        rustls::Error::PeerIncompatible(
            Incompatible::NoCipherSuitesInCommon
            | Incompatible::NoKxGroupsInCommon
            | Incompatible::NoSignatureSchemesInCommon
            | Incompatible::NoCertificateRequestSignatureSchemesInCommon,
        ) => write!(f, "no TLS parameters in common with the client ({error})"),
        rustls::Error::NoApplicationProtocol => {
            f.write_str("the client does not offer HTTP/1.1 (ALPN)")
        }
        rustls::Error::NoCertificatesPresented => f.write_str("the client sent no certificate"),
        rustls::Error::InvalidCertificate(error) => {
            f.write_str("the client's certificate was rejected (")?;
            match error {
                CertificateError::UnknownIssuer => f.write_str("unknown issuer")?,
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    f.write_str("expired")?;
                }
                other => write!(f, "{other}")?,
            }
            f.write_str(")")
        }
        other => write!(f, "{other}"),
    }
}
