use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::Grants;

/// A judgement that needs time (a request to another server, a slow hash). Sent to another thread if need be.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// An answer now, or a promise of one.
pub enum Verdict<T> {
    /// Known without waiting.
    Now(T),
    /// To be awaited; meanwhile the client's packets wait too.
    Later(Later<T>),
}

impl<T: fmt::Debug> fmt::Debug for Verdict<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => formatter.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => formatter.write_str("Later"),
        }
    }
}

/// What was decided about the credentials of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Let in.
    Accept {
        /// The name that permissions go by; `None` for an anonymous client.
        user_name: Option<Box<str>>,
        /// When what it has shown expires, and its connection is to end; `None` for never.
        until_unix_seconds: Option<u64>,
        /// What it may do beyond what is said of its name.
        grants: Option<Arc<Grants>>,
    },
    /// Turned away.
    Refuse {
        /// What the client is told.
        refusal: Refusal,
        /// Why, for the log alone: a client that tries names must not learn which are right.
        detail: Box<str>,
    },
}

/// Why a client was turned away, in the words of MQTT 5.0 table 3-1 (CONNECT reason codes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 0x86: the name or the password is wrong. Which of the two is never told.
    BadUserNameOrPassword,
    /// 0x87: the client proved who it is, or may stay anonymous nowhere, and is not wanted.
    NotAuthorized,
    /// 0x88: the judge cannot be reached.
    ServerUnavailable,
    /// 0x89: too many wait to be judged.
    ServerBusy,
    /// 0x8A: barred by the operator.
    Banned,
    /// 0x8C: the authentication method is not known.
    BadAuthenticationMethod,
}
