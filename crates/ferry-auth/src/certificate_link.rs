use std::sync::Arc;

use crate::{Credentials, Judgement, Link, Outcome, Verdict};

/// Takes the common name of a verified client certificate for the user name. Whoever shows none is left to the next judge.
#[derive(Clone, Copy, Debug, Default)]
pub struct CertificateLink;

impl Link for CertificateLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        let name = credentials.certificate_common_name.as_deref().filter(|name| !name.is_empty());
        Verdict::Now(match name {
            Some(name) => Judgement::Final(Outcome::Accept {
                user_name: Some(name.into()),
                until_unix_seconds: None,
                grants: None,
            }),
            None => Judgement::Pass,
        })
    }
}
