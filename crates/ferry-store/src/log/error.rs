use std::path::PathBuf;
use std::{fmt, io};

/// Why a log cannot be opened. Nothing has been changed.
#[derive(Debug)]
pub enum OpenError {
    /// Another process uses the directory.
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// Its process identifier, if it says so.
        process_id: Option<u32>,
    },
    /// A dump was being loaded into it, and not to its end: part of it may be there.
    HalfLoaded {
        /// The data directory.
        directory: PathBuf,
    },
    /// The directory cannot be written to.
    ReadOnly {
        /// The data directory.
        directory: PathBuf,
    },
    /// It was written by another version of this program.
    WrongVersion {
        /// The version of its format.
        found: u32,
        /// The version that this program writes.
        expected: u32,
    },
    /// The operating system refused something else.
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        file: String,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { directory, process_id: Some(id) } => {
                write!(f, "{} is in use by process {id}", directory.display())
            }
            Self::Locked { directory, process_id: None } => {
                write!(f, "{} is in use by another process", directory.display())
            }
            Self::HalfLoaded { directory } => {
                write!(f, "{} has a dump that was not loaded to its end", directory.display())
            }
            Self::ReadOnly { directory } => write!(f, "{} cannot be written to", directory.display()),
            Self::WrongVersion { found, expected } => {
                write!(f, "the data has format {found}, and this program knows only format {expected}")
            }
            Self::Io { action, file, error } => write!(f, "cannot {action} {file}: {error}"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
