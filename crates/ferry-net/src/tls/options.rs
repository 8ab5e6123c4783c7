//! What a TLS listener is told.

use std::path::PathBuf;

/// The settings of a TLS listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file with the server's certificate, followed by the intermediate certificates.
    pub certificate_file: PathBuf,
    /// PEM file with the private key of the certificate: PKCS#8, PKCS#1 (RSA) or SEC1 (EC), not encrypted.
    pub key_file: PathBuf,
    /// Whether clients may or must show a certificate.
    pub client_certificates: ClientCertificates,
    /// Older versions are refused.
    pub minimum_version: TlsVersion,
}

/// The settings of a TLS listener whose clients share a key with it, and where nobody has a certificate (TLS-PSK: RFC 4279,
/// and RFC 8446, section 2.2). Needs the feature `psk`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PskOptions {
    /// The identities and their keys, as Mosquitto's `psk_file` has them: a line `identity:key` for each, the key in
    /// hexadecimal digits.
    pub file: PathBuf,
    /// Older versions are refused.
    pub minimum_version: TlsVersion,
}

/// Whether clients may or must show a certificate, and who may have signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Clients are not asked for one.
    Off,
    /// A client may connect without one; one that is shown must be valid.
    Optional {
        /// PEM file with the certificates of the authorities.
        ca_file: PathBuf,
        /// PEM file with certificate revocation lists; every authority in the chain must have one.
        crl_file: Option<PathBuf>,
    },
    /// A client without a valid one is refused.
    Required {
        /// PEM file with the certificates of the authorities.
        ca_file: PathBuf,
        /// PEM file with certificate revocation lists; every authority in the chain must have one.
        crl_file: Option<PathBuf>,
    },
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    V12,
    /// TLS 1.3 (RFC 8446).
    V13,
}

impl TlsVersion {
    /// `1.2` or `1.3`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V13 => "1.3",
        }
    }
}
