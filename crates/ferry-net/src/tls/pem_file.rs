//! Reading certificates, keys and revocation lists from PEM files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::TlsError;

/// Bytes of a PEM file that are read at most; revocation lists can be long.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let remedy = "it must hold a -----BEGIN CERTIFICATE----- section";
    all(file, "certificate", remedy)
}

pub(super) fn revocation_lists(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let remedy = "it must hold a -----BEGIN X509 CRL----- section";
    all(file, "revocation list", remedy)
}

pub(super) fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file)?;
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) => Err(TlsError::Missing {
            file: file.to_owned(),
            wanted: "private key",
            remedy: private_key_remedy(&text),
        }),
        Err(error) => Err(not_pem(file, &error)),
    }
}

fn all<T: PemObject>(file: &Path, wanted: &'static str, remedy: &'static str) -> Result<Vec<T>, TlsError> {
    let text = read(file)?;
    let items = T::pem_slice_iter(&text)
        .collect::<Result<Vec<T>, pem::Error>>()
        .map_err(|error| not_pem(file, &error))?;
    if items.is_empty() {
        return Err(TlsError::Missing { file: file.to_owned(), wanted, remedy });
    }
    Ok(items)
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |error| TlsError::Unreadable { file: file.to_owned(), error };
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut text))
        .map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(TlsError::TooLarge { file: file.to_owned(), bytes_max: FILE_BYTES_MAX });
    }
    Ok(text)
}

fn not_pem(file: &Path, error: &pem::Error) -> TlsError {
    TlsError::NotPem { file: file.to_owned(), detail: error.to_string() }
}

fn private_key_remedy(text: &[u8]) -> &'static str {
    let holds = |mark: &[u8]| text.windows(mark.len()).any(|window| window == mark);
    if holds(b"ENCRYPTED") {
        "the key is encrypted; decrypt it with `openssl pkey -in FILE -out FILE.plain`"
    } else if holds(b"BEGIN CERTIFICATE") {
        "it holds certificates; are the two files exchanged?"
    } else {
        "it must hold a -----BEGIN PRIVATE KEY----- section"
    }
}
