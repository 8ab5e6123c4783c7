use std::sync::Arc;

use crate::{Credentials, Judgement, Link, Outcome, Verdict};

/// Takes a name from a verified client certificate for the user name. Whoever shows none with such a name is left to the next
/// judge.
#[derive(Clone, Copy, Debug, Default)]
pub struct CertificateLink(pub CertificateUser);

/// What of a certificate becomes the user name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateUser {
    /// The common name in its subject.
    #[default]
    CommonName,
    /// The whole subject.
    Subject,
    /// Its first alternative name that is a host name.
    Dns,
    /// Its first alternative name that is a URI.
    Uri,
    /// Its first alternative name that is an email address.
    Email,
    /// Its fingerprint.
    Fingerprint,
}

impl CertificateUser {
    fn name(self, credentials: &Credentials) -> Option<&str> {
        let certificate = credentials.certificate.as_deref();
        match self {
            Self::CommonName => credentials.certificate_common_name.as_deref(),
            Self::Subject => certificate.map(|certificate| &*certificate.subject),
            Self::Dns => certificate?.alternative_name("DNS"),
            Self::Uri => certificate?.alternative_name("URI"),
            Self::Email => certificate?.alternative_name("email"),
            Self::Fingerprint => certificate.map(|certificate| &*certificate.fingerprint),
        }
    }
}

impl Link for CertificateLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        let name = self.0.name(credentials).filter(|name| !name.is_empty());
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
