use std::sync::Arc;

use crate::{Credentials, Judgement, Link, Outcome, Verdict};

/// Takes the identity of a pre-shared key, which the TLS handshake has proven, for the user name. Whoever has none is left to
/// the next judge.
#[derive(Clone, Copy, Debug, Default)]
pub struct PskLink;

impl Link for PskLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        let identity = credentials.psk_identity.as_deref().filter(|identity| !identity.is_empty());
        Verdict::Now(match identity {
            Some(identity) => Judgement::Final(Outcome::Accept {
                user_name: Some(identity.into()),
                until_unix_seconds: None,
                grants: None,
            }),
            None => Judgement::Pass,
        })
    }
}
