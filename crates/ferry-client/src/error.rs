use std::fmt;
use std::io;

use crate::ReasonCode;
use crate::server_address::AddressError;
use crate::session::{CloseReason, InvalidValue, NotPublished, PublishRefused, Published, SubscribeRefused};

/// Why there is no connection, or not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionError {
    /// The options cannot be: which, and why. The client does not try again.
    Options(String),
    /// The network, or the operating system.
    Io {
        /// Which kind.
        kind: io::ErrorKind,
        /// In words.
        message: String,
    },
    /// The certificate files, or the handshake.
    Tls(String),
    /// The server did not grant the upgrade.
    WebSocket(String),
    /// The proxy did not let us through.
    Proxy(String),
    /// The connection was not there in time.
    Timeout,
    /// The server closed the connection without saying why; a 3.x server cannot say.
    ClosedByServer,
    /// The protocol: refused, disconnected by the server, a broken rule, no answer.
    Session(CloseReason),
    /// The outbox cannot be read or written.
    Outbox(String),
    /// The client has been told to disconnect, or has given up.
    Ended,
}

impl ConnectionError {
    /// The reason code, if the server gave one.
    #[must_use]
    pub fn reason_code(&self) -> Option<ReasonCode> {
        match self {
            Self::Session(CloseReason::Refused(reason) | CloseReason::Disconnected(reason)) => {
                Some(reason.reason_code)
            }
            _ => None,
        }
    }
}

/// Why a message was not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishError {
    /// It was not taken; [`PublishRefused::Full`] from [`try_publish`](crate::Client::try_publish) only.
    Refused(PublishRefused),
    /// It was taken and could not be delivered.
    NotPublished(NotPublished),
    /// The server has refused it: the reason code is 0x80 or more.
    Rejected(Published),
    /// The client has ended first.
    Ended,
}

/// Why a subscription was not made or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscribeError {
    /// It was not tried.
    Refused(SubscribeRefused),
    /// The server has refused each filter.
    Rejected {
        /// One for each filter, 0x80 or more.
        reason_codes: Vec<ReasonCode>,
        /// Words for people.
        reason_string: Option<String>,
    },
    /// The client has ended first.
    Ended,
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io { kind: error.kind(), message: error.to_string() }
    }
}

impl From<InvalidValue> for ConnectionError {
    fn from(error: InvalidValue) -> Self {
        Self::Options(error.to_string())
    }
}

impl From<AddressError> for ConnectionError {
    fn from(error: AddressError) -> Self {
        Self::Options(error.to_string())
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(message) | Self::Io { message, .. } => f.write_str(message),
            Self::Tls(message) => write!(f, "TLS: {message}"),
            Self::WebSocket(message) => write!(f, "WebSocket: {message}"),
            Self::Proxy(message) => write!(f, "proxy: {message}"),
            Self::Outbox(message) => write!(f, "outbox: {message}"),
            Self::Timeout => f.write_str("the connection was not there in time"),
            Self::ClosedByServer => f.write_str("the server closed the connection"),
            Self::Session(reason) => reason.fmt(f),
            Self::Ended => f.write_str("the client has ended"),
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::NotPublished(reason) => reason.fmt(f),
            Self::Rejected(published) => {
                write!(f, "the server refused the message: {}", published.reason_code.name())?;
                published.reason_string.as_ref().map_or(Ok(()), |words| write!(f, ": {words}"))
            }
            Self::Ended => f.write_str("the client has ended"),
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Rejected { reason_codes, reason_string } => {
                let names: Vec<_> = reason_codes.iter().map(|code| code.name()).collect();
                write!(f, "the server refused the subscription: {}", names.join(", "))?;
                reason_string.as_ref().map_or(Ok(()), |words| write!(f, ": {words}"))
            }
            Self::Ended => f.write_str("the client has ended"),
        }
    }
}

impl std::error::Error for ConnectionError {}
impl std::error::Error for PublishError {}
impl std::error::Error for SubscribeError {}
