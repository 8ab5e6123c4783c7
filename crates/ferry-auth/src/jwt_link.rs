use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use crate::jwt::is_token;
use crate::{
    Credentials, FetchedKeys, HashQueue, Judgement, JwtFault, JwtIdentity, JwtRules, Link, Outcome, Refusal,
    Verdict,
};

/// Judges tokens (JWT, RFC 7519) in the place of passwords. A password that is none is left to the next judge. Who the client says
/// it is does not matter: the token says it.
pub struct JwtLink {
    rules: Arc<JwtRules>,
    /// In the place of those of the rules.
    fetched: Option<Arc<FetchedKeys>>,
    queue: Arc<HashQueue>,
}

type Checked = Result<JwtIdentity, JwtFault>;

impl JwtLink {
    /// Signatures are checked by `queue`: some take as long as dozens of messages.
    #[must_use]
    pub fn new(rules: JwtRules, queue: Arc<HashQueue>) -> Self {
        Self { rules: Arc::new(rules), fetched: None, queue }
    }

    /// As [`JwtLink::new`], with keys that are fetched, in the place of those of the rules.
    #[must_use]
    pub fn with_fetched_keys(rules: JwtRules, keys: Arc<FetchedKeys>, queue: Arc<HashQueue>) -> Self {
        Self { fetched: Some(keys), ..Self::new(rules, queue) }
    }
}

impl Link for JwtLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        if !credentials.password.as_deref().is_some_and(is_token) {
            return Verdict::Now(Judgement::Pass);
        }
        let credentials = Arc::clone(credentials);
        if let Some(fetched) = &self.fetched {
            let (rules, fetched) = (Arc::clone(&self.rules), Arc::clone(fetched));
            let judge = judge_by_fetched(rules, fetched, Arc::clone(&self.queue), credentials);
            return Verdict::Later(Box::pin(async move { Judgement::Final(judge.await) }));
        }
        let Some(check) = submit(&self.queue, Arc::clone(&self.rules), credentials) else {
            return Verdict::Now(Judgement::Final(busy()));
        };
        Verdict::Later(Box::pin(
            async move { Judgement::Final(check.await.map_or_else(|_| busy(), outcome)) },
        ))
    }
}

/// Has the keys fetched when there are none, or none of the name that the token gives.
async fn judge_by_fetched(
    rules: Arc<JwtRules>,
    fetched: Arc<FetchedKeys>,
    queue: Arc<HashQueue>,
    credentials: Arc<Credentials>,
) -> Outcome {
    let mut may_refresh = true;
    loop {
        let checked = match fetched.keys() {
            None => None,
            Some(keys) => {
                let rules = Arc::new(JwtRules { keys, ..(*rules).clone() });
                let Some(check) = submit(&queue, rules, Arc::clone(&credentials)) else { return busy() };
                let Ok(checked) = check.await else { return busy() };
                Some(checked)
            }
        };
        match checked {
            None | Some(Err(JwtFault::NoKey)) if may_refresh => {
                may_refresh = false;
                fetched.refresh().await;
            }
            None => {
                let detail = format!("there are no keys for tokens: {}", fetched.fault());
                return refuse(Refusal::ServerUnavailable, detail);
            }
            Some(checked) => return outcome(checked),
        }
    }
}

/// `None` when too many wait already.
fn submit(
    queue: &HashQueue,
    rules: Arc<JwtRules>,
    credentials: Arc<Credentials>,
) -> Option<oneshot::Receiver<Checked>> {
    queue.submit(move || {
        // A clock before 1970 takes no token that has a beginning.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        rules.check(credentials.password.as_deref().unwrap_or_default(), now)
    })
}

fn outcome(checked: Checked) -> Outcome {
    match checked {
        Ok(identity) => Outcome::Accept {
            user_name: Some(identity.user_name),
            until_unix_seconds: Some(identity.until_unix_seconds),
            grants: identity.grants,
        },
        Err(fault) => refuse(Refusal::BadUserNameOrPassword, format!("a token is not taken: {fault}")),
    }
}

fn busy() -> Outcome {
    refuse(Refusal::ServerBusy, "too many passwords wait to be checked".to_owned())
}

fn refuse(refusal: Refusal, detail: String) -> Outcome {
    Outcome::Refuse { refusal, detail: detail.into() }
}
