//! Who a client is.
//!
//! This crate sees values (names, passwords, certificates), never packets or sockets. An [`Authenticator`]
//! judges the [`Credentials`] of a CONNECT; a [`Mechanism`] holds the conversation of enhanced authentication
//! (AUTH packets, MQTT 5.0 section 4.12). Both may answer at once or later: see [`Verdict`].

mod anonymous;
mod authenticator;
mod credentials;
mod mechanism;
mod verdict;

pub use anonymous::AnonymousAuthenticator;
pub use authenticator::Authenticator;
pub use credentials::Credentials;
pub use mechanism::{Exchange, Mechanism, Step};
pub use verdict::{Later, Outcome, Refusal, Verdict};
