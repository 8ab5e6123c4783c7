use std::fmt;
use std::io;

use ferry_net::{BindError, ListenAddress, TlsError};

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
    /// The system refuses a thread, a timer or a signal handler.
    System(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => problems.fmt(formatter),
            Self::Bind(error) => error.fmt(formatter),
            Self::Tls { address, error } => write!(formatter, "cannot listen on {address}: {error}"),
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
            Self::System(error) => Some(error),
        }
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
