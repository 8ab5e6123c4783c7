//! What can be wrong with the settings of a TLS listener.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Settings of a TLS listener that cannot be used; says which file and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file is larger than any such file has reason to be.
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// A file is not PEM, or its PEM is damaged.
    NotPem {
        /// The file.
        file: PathBuf,
        /// What the reader said.
        detail: String,
    },
    /// A file holds none of what it should hold.
    Missing {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        wanted: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A key or certificate that rustls cannot use.
    Unusable {
        /// The file.
        file: PathBuf,
        /// What rustls said.
        detail: String,
    },
    /// A line of a file of pre-shared keys is wrong.
    Line {
        /// The file.
        file: PathBuf,
        /// Its number, from 1.
        line: usize,
        /// What is wrong, and what to do. Nothing of the line is in it: it may be the key.
        fault: &'static str,
    },
    /// This program is built without pre-shared keys.
    NoPsk {
        /// The file that would have been read.
        file: PathBuf,
    },
    /// The private key belongs to another certificate.
    KeyMismatch {
        /// The file of the certificate.
        certificate_file: PathBuf,
        /// The file of the key.
        key_file: PathBuf,
    },
}

impl TlsError {
    /// The file to look at first.
    pub fn file(&self) -> &Path {
        match self {
            Self::Unreadable { file, .. }
            | Self::TooLarge { file, .. }
            | Self::NotPem { file, .. }
            | Self::Missing { file, .. }
            | Self::Line { file, .. }
            | Self::NoPsk { file }
            | Self::Unusable { file, .. } => file,
            Self::KeyMismatch { key_file, .. } => key_file,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, error } => write!(f, "{} cannot be read: {error}", file.display()),
            Self::TooLarge { file, bytes_max } => {
                write!(
                    f,
                    "{} is larger than {bytes_max} bytes; that is not what it should be",
                    file.display()
                )
            }
            Self::NotPem { file, detail } => {
                write!(f, "{} is not a valid PEM file: {detail}", file.display())
            }
            Self::Missing { file, wanted, remedy } => {
                write!(f, "{} holds no {wanted}; {remedy}", file.display())
            }
            Self::Line { file, line, fault } => write!(f, "{}, line {line}: {fault}", file.display()),
            Self::NoPsk { file } => write!(
                f,
                "{} is not read: this program is built without TLS-PSK; build it with `--features psk`, which needs \
                 OpenSSL",
                file.display()
            ),
            Self::Unusable { file, detail } => write!(f, "{} cannot be used: {detail}", file.display()),
            Self::KeyMismatch { certificate_file, key_file } => write!(
                f,
                "the key in {} does not belong to the first certificate in {}; put the server's certificate \
                 first and the authorities' after it",
                key_file.display(),
                certificate_file.display()
            ),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}
