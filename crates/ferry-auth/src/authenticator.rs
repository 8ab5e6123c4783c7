use crate::{Credentials, Exchange, Outcome, Verdict};

/// Judges who may connect.
pub trait Authenticator: Send + Sync {
    /// Judges a CONNECT without an authentication method (user name, password, certificate or nothing).
    fn authenticate(&self, credentials: Credentials) -> Verdict<Outcome>;

    /// Begins enhanced authentication by a method, compared byte by byte, for a CONNECT or again for a client that is
    /// connected; its `credentials` then have the name that it has proven. `None` refuses it with 0x8C (Bad
    /// authentication method).
    fn exchange(&self, _method: &str, _credentials: &Credentials) -> Option<Box<dyn Exchange>> {
        None
    }
}
