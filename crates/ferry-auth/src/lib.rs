//! Who a client is.
//!
//! This crate sees values (names, passwords, certificates), never packets or sockets. An [`Authenticator`]
//! judges the [`Credentials`] of a CONNECT; a [`Mechanism`] holds the conversation of enhanced authentication
//! (AUTH packets, MQTT 5.0 section 4.12). Both may answer at once or later: see [`Verdict`].
//!
//! Texts of files come in as values too: [`PasswordFile`] for those who read one, [`PasswordFileText`] for those who
//! change one.

mod anonymous;
mod authenticator;
mod credentials;
mod hash_cost;
mod mechanism;
mod password_file;
mod password_hash;
mod verdict;

pub use anonymous::AnonymousAuthenticator;
pub use authenticator::Authenticator;
pub use credentials::Credentials;
pub use hash_cost::HashCost;
pub use mechanism::{Exchange, Mechanism, Step};
pub use password_file::{
    PasswordFile, PasswordFileFault, PasswordFileProblem, PasswordFileText, UserNameError,
};
pub use password_hash::{HashError, PasswordHash};
pub use verdict::{Later, Outcome, Refusal, Verdict};
