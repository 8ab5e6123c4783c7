use std::fmt;
use std::io;
use std::path::PathBuf;

use ferry_net::{BindError, ListenAddress, TlsError};
use ferry_store::OpenError;

use crate::config::Problems;

/// Why the broker did not start. Its text says what to do.
#[derive(Debug)]
pub enum StartError {
    /// The configuration cannot work.
    Config(Problems),
    /// An address cannot be listened on.
    Bind(BindError),
    /// Certificates or keys of a listener cannot be used.
    Tls {
        /// The listener.
        address: ListenAddress,
        /// What is wrong.
        error: TlsError,
    },
    /// The data directory cannot be used.
    Storage(OpenError),
    /// A file of the data directory, with what operators have said at run time, cannot be used.
    Managed {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// No data directory is named, and there is no usual one.
    NoDirectory,
    /// The process cannot give up the rights of root, or not work without them.
    Privileges {
        /// What is wrong.
        action: String,
        /// What to do about it.
        remedy: String,
    },
    /// The system refuses a thread, a timer or a signal handler.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => problems.fmt(formatter),
            Self::Bind(error) => error.fmt(formatter),
            Self::Tls { address, error } => write!(formatter, "cannot listen on {address}: {error}"),
            Self::Storage(error) => write!(formatter, "{error}\n  help: {}", storage_remedy(error)),
            Self::Managed { file, message } => write!(
                formatter,
                "{}: {message}\n  help: nothing was changed; correct the file, put back a copy of it, or move it away to do \
                 without what it says",
                file.display()
            ),
            Self::NoDirectory => write!(
                formatter,
                "there is no usual place for data: HOME is not set\n  help: name a directory with --data DIR, or \
                 keep everything in memory with --memory"
            ),
            Self::Privileges { action, remedy } => write!(formatter, "{action}\n  help: {remedy}"),
            Self::System(error) => write!(formatter, "the system does not let the broker start: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(problems) => Some(problems),
            Self::Bind(error) => Some(error),
            Self::Tls { error, .. } => Some(error),
            Self::Storage(error) => Some(error),
            Self::System(error) => Some(error),
            Self::NoDirectory | Self::Privileges { .. } | Self::Managed { .. } => None,
        }
    }
}

/// What to do about a data directory that cannot be used.
pub(crate) fn storage_remedy(error: &OpenError) -> &'static str {
    match error {
        OpenError::Locked { .. } => {
            "stop the other broker, or give this one a directory of its own with --data DIR"
        }
        OpenError::HalfLoaded { .. } => {
            "load the dump again with `ferry store load`, which begins anew; or delete the directory, if it is the wrong one"
        }
        OpenError::ReadOnly { .. } => {
            "let the user that runs the broker write there, name another directory with --data DIR, or keep everything \
             in memory with --memory"
        }
        OpenError::WrongVersion { .. } => {
            "nothing was changed; use the version of ferry that wrote it, or take the data over with its \
             `ferry store dump` and the `ferry store load` of this one"
        }
        OpenError::Io { .. } => {
            "check the path, its permissions and the disk, or name another directory with --data DIR"
        }
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Storage(error)
    }
}

impl From<Problems> for StartError {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<BindError> for StartError {
    fn from(error: BindError) -> Self {
        Self::Bind(error)
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
