//! Encrypted keys (PKCS #8, RFC 5958).

use pkcs8::EncryptedPrivateKeyInfo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Decrypts the first encrypted key in PEM.
pub(super) fn decrypt(pem: &[u8], password: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // The PEM reader does not know encrypted keys, so the label is replaced.
    let plain: Vec<u8> = String::from_utf8_lossy(pem)
        .replace("ENCRYPTED PRIVATE KEY", "PRIVATE KEY")
        .into_bytes();
    let encrypted = PrivatePkcs8KeyDer::from_pem_slice(&plain)
        .map_err(|error| format!("it is not valid PEM ({error})"))?;
    let info = EncryptedPrivateKeyInfo::try_from(encrypted.secret_pkcs8_der())
        .map_err(|error| format!("the encrypted key can't be read ({error})"))?;
    let key = info
        .decrypt(password)
        .map_err(|_| "the key can't be decrypted with this password")?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}
