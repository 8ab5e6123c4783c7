use crate::{Authenticator, Credentials, Outcome, Refusal, Verdict};

/// Knows nobody: lets everyone in where the listener allows anonymous clients, and no one elsewhere. User names
/// and passwords are not looked at, since there is nothing to compare them with; the name is not taken on
/// either, so that nobody gains the rights of a name by merely saying it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnonymousAuthenticator;

impl Authenticator for AnonymousAuthenticator {
    fn authenticate(&self, credentials: Credentials) -> Verdict<Outcome> {
        Verdict::Now(if credentials.anonymous_allowed {
            Outcome::Accept { user_name: None }
        } else {
            Outcome::Refuse(Refusal::NotAuthorized)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(credentials: Credentials) -> Outcome {
        match AnonymousAuthenticator.authenticate(credentials) {
            Verdict::Now(outcome) => outcome,
            Verdict::Later(_) => panic!("nothing to wait for"),
        }
    }

    #[test]
    fn anyone_may_enter_where_anonymous_clients_may() {
        let nobody = Credentials { anonymous_allowed: true, ..Credentials::default() };
        assert_eq!(judge(nobody.clone()), Outcome::Accept { user_name: None });
        let named =
            Credentials { user_name: Some("admin".into()), password: Some(b"x"[..].into()), ..nobody };
        assert_eq!(judge(named), Outcome::Accept { user_name: None });
    }

    #[test]
    fn nobody_may_enter_elsewhere() {
        let named = Credentials { user_name: Some("admin".into()), ..Credentials::default() };
        assert_eq!(judge(named), Outcome::Refuse(Refusal::NotAuthorized));
    }

    #[test]
    fn no_authentication_method_is_known() {
        assert!(AnonymousAuthenticator.mechanism("SCRAM-SHA-256").is_none());
    }
}
