//! Self-signed certificates.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rcgen::{KeyUsagePurpose, date_time_ymd};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::Tls;
use super::builder;
use crate::{Error, Result};

/// The validity of a certificate in days from today: it starts a day ago, for slow clocks, and is as long as browsers
/// accept.
pub(crate) const USUAL: Range<i64> = -1..396;

/// A self-signed certificate, made by [`Tls::self_signed`]. Give it to the clients that must trust the server.
///
/// ```
/// use servette::Tls;
///
/// let (tls, certificate) = Tls::self_signed(["localhost"]).unwrap();
/// assert!(certificate.pem.starts_with("-----BEGIN CERTIFICATE-----"));
/// println!("SHA-256 {}", certificate.fingerprint());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelfSigned {
    /// The certificate in PEM.
    pub pem: String,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

impl SelfSigned {
    /// Returns the SHA-256 fingerprint as browsers and `openssl x509 -fingerprint` show it: `AB:CD:...`.
    pub fn fingerprint(&self) -> String {
        let suite = TLS13_AES_128_GCM_SHA256.tls13();
        let digest = suite.map(|suite| suite.common.hash_provider.hash(&self.der));
        let bytes = digest.as_ref().map_or(&[][..], AsRef::as_ref);
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        hex.join(":")
    }
}

/// A certificate and its key.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) certificate: SelfSigned,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Made {
    pub(crate) fn tls(&self) -> Result<Tls> {
        let chain = vec![CertificateDer::from(self.certificate.der.clone())];
        builder::single(chain, self.key.clone_key().into())
    }
}

/// Makes a certificate for these names, valid for these days, counted from today.
pub(crate) fn make(names: Vec<String>, days: Range<i64>) -> Result<Made> {
    let error = |error| Error::other(format!("cannot make a certificate: {error}"));
    let key = KeyPair::generate().map_err(error)?;
    let common_name = names.first().cloned().unwrap_or_default();
    let mut params = CertificateParams::new(names).map_err(error)?;
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let today = now.unwrap_or_default().as_secs() as i64;
    let date = |day: i64| {
        let seconds = today.saturating_add(day * 24 * 60 * 60);
        date_time_ymd(1970, 1, 1) + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
    };
    (params.not_before, params.not_after) = (date(days.start), date(days.end));
    let certificate = params.self_signed(&key).map_err(error)?;
    Ok(Made {
        certificate: SelfSigned {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
        },
        key: PrivatePkcs8KeyDer::from(key.serialize_der()),
    })
}
