//! PEM certificates and keys from files or memory, and their errors.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::{Error, Result};

/// The source of PEM.
#[derive(Clone)]
pub(super) enum Pem {
    File(PathBuf),
    Memory(Vec<u8>),
}

/// The kind of content that PEM must have.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Certificates,
    Key,
    Authorities,
}

impl Pem {
    pub(super) fn file(path: impl AsRef<Path>) -> Self {
        Pem::File(path.as_ref().to_owned())
    }

    /// Returns the certificates; at least one.
    pub(super) fn certificates(&self, kind: Kind) -> Result<Vec<CertificateDer<'static>>> {
        let bytes = self.read(kind)?;
        let all = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
        match all {
            Ok(all) if all.is_empty() => {
                Err(self.wrong(kind, "it contains no certificate in PEM format"))
            }
            Ok(all) => Ok(all),
            Err(error) => Err(self.wrong(kind, describe(&error))),
        }
    }

    /// Returns the first key.
    pub(super) fn key(&self, password: Option<&[u8]>) -> Result<PrivateKeyDer<'static>> {
        let bytes = self.read(Kind::Key)?;
        let wrong = |what: &dyn fmt::Display| self.wrong(Kind::Key, what);
        if contains(&bytes, b"Proc-Type: 4,ENCRYPTED") {
            return Err(wrong(
                &"the key is encrypted in an old format; convert it with `openssl pkcs8 -topk8 -in OLD -out NEW`",
            ));
        }
        if contains(&bytes, ENCRYPTED) {
            return decrypt(&bytes, password).map_err(|what| wrong(&what));
        }
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => wrong(&"it contains no private key in PEM format"),
            error => wrong(&describe(&error)),
        })
    }

    fn read(&self, kind: Kind) -> Result<Vec<u8>> {
        match self {
            Pem::File(path) => fs::read(path).map_err(|error| self.wrong(kind, error)),
            Pem::Memory(bytes) => Ok(bytes.clone()),
        }
    }

    /// Returns an error with the name of the file.
    pub(super) fn wrong(&self, kind: Kind, what: impl fmt::Display) -> Error {
        Error::other(format!("{}: {what}", self.name(kind)))
    }

    pub(super) fn name(&self, kind: Kind) -> String {
        match (self, kind) {
            (Pem::File(path), _) => path.display().to_string(),
            (_, Kind::Certificates) => "the certificates".into(),
            (_, Kind::Key) => "the key".into(),
            (_, Kind::Authorities) => "the certificates of authorities".into(),
        }
    }
}

const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[cfg(feature = "tls-password")]
fn decrypt(bytes: &[u8], password: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, String> {
    let password = password.ok_or("the key is encrypted: it requires a password")?;
    super::password::decrypt(bytes, password)
}

#[cfg(not(feature = "tls-password"))]
fn decrypt(_: &[u8], _: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, String> {
    Err("the key is encrypted, which needs the feature `tls-password`".into())
}

fn describe(error: &pem::Error) -> String {
    format!("it is not valid PEM ({error})")
}
