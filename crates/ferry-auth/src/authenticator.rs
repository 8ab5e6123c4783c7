use crate::{Credentials, Mechanism, Outcome, Verdict};

/// Judges who may connect.
pub trait Authenticator: Send + Sync {
    /// Judges a CONNECT without an authentication method (user name, password, certificate or nothing).
    fn authenticate(&self, credentials: Credentials) -> Verdict<Outcome>;

    /// The mechanism for the Authentication Method of a CONNECT, compared byte by byte; `None` refuses the
    /// CONNECT with 0x8C (Bad authentication method).
    fn mechanism(&self, _method: &str) -> Option<&dyn Mechanism> {
        None
    }
}
