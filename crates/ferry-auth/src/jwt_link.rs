use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::jwt::is_token;
use crate::{Credentials, HashQueue, Judgement, JwtRules, Link, Outcome, Refusal, Verdict};

/// Judges tokens (JWT, RFC 7519) in the place of passwords. A password that is none is left to the next judge. Who the client says
/// it is does not matter: the token says it.
pub struct JwtLink {
    rules: Arc<JwtRules>,
    queue: Arc<HashQueue>,
}

impl JwtLink {
    /// Signatures are checked by `queue`: some take as long as dozens of messages.
    #[must_use]
    pub fn new(rules: JwtRules, queue: Arc<HashQueue>) -> Self {
        Self { rules: Arc::new(rules), queue }
    }
}

impl Link for JwtLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        if !credentials.password.as_deref().is_some_and(is_token) {
            return Verdict::Now(Judgement::Pass);
        }
        let rules = Arc::clone(&self.rules);
        let credentials = Arc::clone(credentials);
        let check = self.queue.submit(move || {
            // A clock before 1970 takes no token that has a beginning.
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
            match rules.check(credentials.password.as_deref().unwrap_or_default(), now) {
                Ok(identity) => Outcome::Accept {
                    user_name: Some(identity.user_name),
                    until_unix_seconds: Some(identity.until_unix_seconds),
                },
                Err(fault) => {
                    refuse(Refusal::BadUserNameOrPassword, format!("a token is not taken: {fault}"))
                }
            }
        });
        let Some(check) = check else { return Verdict::Now(Judgement::Final(busy())) };
        Verdict::Later(Box::pin(async move { Judgement::Final(check.await.unwrap_or_else(|_| busy())) }))
    }
}

fn busy() -> Outcome {
    refuse(Refusal::ServerBusy, "too many passwords wait to be checked".to_owned())
}

fn refuse(refusal: Refusal, detail: String) -> Outcome {
    Outcome::Refuse { refusal, detail: detail.into() }
}
