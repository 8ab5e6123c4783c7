//! What `ferry store` does: looks at a data directory that no broker uses, and makes one of a dump.
//!
//! A dump is lines of JSON. The first one is `{"ferry_dump": 1, ...}`, the last one `{"kind": "end", ...}`; each one in
//! between is an entry: its `kind`, its `session` if it belongs to one, its number, and what it says. Bytes that are not
//! UTF-8 are in base64, under a name that ends in `_base64`. Times are milliseconds since 1970.

mod check;
mod dump;
mod load;
mod message_json;
mod value_json;

use std::path::Path;
use std::{fmt, io};

use ferry_store::{FileDisk, Log, OpenError, RecoveryReport};

pub use check::{CheckReport, check};
pub use dump::{DumpReport, dump};
pub use load::load;

use crate::start_error::storage_remedy;

/// Version of the format of dumps.
const DUMP_VERSION: u64 = 1;

/// Is told how much of how much is done.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// Why it could not be done.
#[derive(Debug)]
pub enum StoreToolError {
    /// The directory cannot be opened.
    Open(OpenError),
    /// A dump is to be loaded into a directory that has something in it.
    NotEmpty,
    /// The dump is none, or not whole.
    Dump {
        /// Line of the dump, from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
    /// The dump cannot be read or written.
    Io(io::Error),
    /// The directory cannot be written.
    Store(io::Error),
}

impl fmt::Display for StoreToolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(formatter, "{error}\n  help: {}", storage_remedy(error)),
            Self::NotEmpty => write!(
                formatter,
                "the directory has data of a broker in it\n  help: name a directory that is empty or not there"
            ),
            Self::Dump { line, message } => write!(formatter, "line {line} of the dump: {message}"),
            Self::Io(error) => write!(formatter, "the dump: {error}"),
            Self::Store(error) => write!(formatter, "the directory cannot be written: {error}"),
        }
    }
}

impl std::error::Error for StoreToolError {}

impl From<OpenError> for StoreToolError {
    fn from(error: OpenError) -> Self {
        Self::Open(error)
    }
}

/// Opens a directory to look at.
fn open(directory: &Path, progress: &mut Progress<'_>) -> Result<(Log<FileDisk>, RecoveryReport), OpenError> {
    Log::open_read_only(FileDisk::open_read_only(directory)?, progress)
}
