use std::fmt;

use crate::{ConnectionError, PublishError, SubscribeError};

/// Why a function of a [`Client`](super::Client) has done nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// [`connect`](super::Client::connect) comes first: there is no server yet.
    NoServer,
    /// A loop runs, and this is for the time before it or after [`loop_stop`](super::Client::loop_stop).
    LoopRuns,
    /// TLS is chosen before [`connect`](super::Client::connect), which has been called.
    TlsTooLate,
    /// A callback has panicked, and the client is of no use any more.
    CallbackPanicked,
    /// The server cannot be one.
    Connection(ConnectionError),
    /// The message was not taken.
    Publish(PublishError),
    /// The subscription or its end was not asked for.
    Subscribe(SubscribeError),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer => f.write_str("connect first: there is no server yet"),
            Self::LoopRuns => f.write_str("the loop runs: stop it first"),
            Self::TlsTooLate => f.write_str("TLS is chosen before connect"),
            Self::CallbackPanicked => f.write_str("a callback has panicked"),
            Self::Connection(error) => error.fmt(f),
            Self::Publish(error) => error.fmt(f),
            Self::Subscribe(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ClientError {}

impl From<ConnectionError> for ClientError {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(error)
    }
}

impl From<PublishError> for ClientError {
    fn from(error: PublishError) -> Self {
        Self::Publish(error)
    }
}

impl From<SubscribeError> for ClientError {
    fn from(error: SubscribeError) -> Self {
        Self::Subscribe(error)
    }
}
