//! What `ferry store` does: looks at a data directory that no broker uses, and makes one of a dump.
//!
//! A dump is lines of JSON. The first one is `{"ferry_dump": 2, ...}`, the last one `{"kind": "end", ...}`. In between come
//! first what operators manage at run time, which lies in files beside the log: users, bans, groups, roles; then the
//! entries of the log: each with its `kind`, its `session` if it belongs to one, its number, and what it says. Bytes that
//! are not UTF-8 are in base64, under a name that ends in `_base64`. Times are milliseconds since 1970.
//!
//! Version 1 had the log only; it can be loaded too.

mod check;
mod dump;
mod load;
mod managed;
mod message_json;
mod value_json;

use std::path::Path;
use std::{fmt, io};

use ferry_store::{FileDisk, Log, OpenError, RecoveryReport};

pub use check::{CheckReport, check};
pub use dump::{DumpOptions, DumpReport, dump};
pub use load::load;
pub use managed::ManagedReport;

use crate::start_error::storage_remedy;

/// Version of the format of dumps that are written.
const DUMP_VERSION: u64 = 2;

/// The oldest that can be loaded.
const DUMP_VERSION_MIN: u64 = 1;

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
        /// What to do about it.
        remedy: &'static str,
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
            Self::Dump { line, message, remedy } => {
                write!(formatter, "line {line} of the dump: {message}\n  help: {remedy}")
            }
            Self::Io(error) => write!(
                formatter,
                "the dump: {error}\n  help: check the file or the program at the other end, and the room on the disk"
            ),
            Self::Store(error) => write!(
                formatter,
                "the directory cannot be written: {error}\n  help: nothing was loaded; make room, let this user write \
                 there, or name another directory"
            ),
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
