use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use crate::scram_exchange::ScramExchange;
use crate::shown::shown;
use crate::{
    Credentials, DecoySecret, Exchange, HashCost, HashQueue, Judgement, Link, Outcome, PasswordFile,
    PasswordHash, Refusal, ScramHash, ScramUsers, Verdict,
};

/// Judges user names and passwords by a [`PasswordFile`]. A client that offers neither is left to the next judge. Users whose
/// entries are made for SCRAM can authenticate by it too.
///
/// A user that is not there costs as much time as one that is, and gets the same answer: nobody finds out by trying who
/// has an account. Only the log tells.
pub struct PasswordLink {
    users: Arc<ScramUsers>,
    /// All hashes of the file, or one of nobody's: what passwords of unknown users are compared with.
    decoys: Vec<PasswordHash>,
    /// Which decoy an unknown user gets: always the same, as a known user has always the same hash, but nobody can tell
    /// which one.
    secret: RandomState,
    queue: Arc<HashQueue>,
    /// The name of this judge, and those of others who judge passwords.
    names: Option<(&'static str, &'static [&'static str])>,
}

impl PasswordLink {
    /// Passwords are compared by `queue`. `decoy_secret` is for a file that has none: the same for as long as possible, for
    /// what is made up for unknown users should not change.
    #[must_use]
    pub fn new(file: Arc<PasswordFile>, queue: Arc<HashQueue>, decoy_secret: &DecoySecret) -> Self {
        let mut decoys: Vec<PasswordHash> = file.hashes().cloned().collect();
        if decoys.is_empty() {
            // Without random bytes there is no decoy either, but nobody to be found out.
            decoys.extend(PasswordHash::create(b"", HashCost::default()));
        }
        let users = Arc::new(ScramUsers::new(file, decoy_secret));
        Self { users, decoys, secret: RandomState::new(), queue, names: None }
    }

    /// Leaves users that are not there to `others`, where the listener asks one of them after this one, which it knows by
    /// `name`. The last one makes sure that nobody learns who is there.
    #[must_use]
    pub fn with_others(self, name: &'static str, others: &'static [&'static str]) -> Self {
        Self { names: Some((name, others)), ..self }
    }

    fn leaves_unknown(&self, credentials: &Credentials) -> bool {
        let Some((name, others)) = self.names else { return false };
        let mut asked = credentials.authenticators.iter().map(|asked| &**asked);
        asked.any(|asked| asked == name) && asked.any(|asked| others.contains(&asked))
    }

    fn decoy(&self, user_name: &str) -> Option<&PasswordHash> {
        // The remainder is below the length, which is an usize.
        let index = self.secret.hash_one(user_name).checked_rem(self.decoys.len() as u64)? as usize;
        self.decoys.get(index)
    }
}

impl Link for PasswordLink {
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        if credentials.user_name.is_none() && credentials.password.is_none() {
            return Verdict::Now(Judgement::Pass);
        }
        // Without a name there is nobody to compare with; without a password, what is compared is empty and never right.
        let user_name = credentials.user_name.as_deref().unwrap_or_default();
        let known = self.users.file().get(user_name);
        let is_disabled = self.users.file().is_disabled(user_name);
        if known.is_none() && !is_disabled && self.leaves_unknown(credentials) {
            return Verdict::Now(Judgement::Pass);
        }
        let Some(hash) = known.or_else(|| self.decoy(user_name)).cloned() else {
            return Verdict::Now(wrong(credentials, State::Unknown));
        };
        let state = match (known, is_disabled) {
            (Some(_), _) => State::Known,
            (None, true) => State::Disabled,
            (None, false) => State::Unknown,
        };
        let judged = Arc::clone(credentials);
        let comparison = self.queue.submit(move || {
            let password = judged.password.as_deref();
            let is_right = hash.verify(password.unwrap_or_default()) & password.is_some();
            is_right & (state == State::Known)
        });
        let Some(comparison) = comparison else { return Verdict::Now(busy()) };
        let credentials = Arc::clone(credentials);
        Verdict::Later(Box::pin(async move {
            match comparison.await {
                Ok(true) => Judgement::Final(Outcome::Accept {
                    user_name: credentials.user_name.clone(),
                    until_unix_seconds: None,
                    grants: None,
                }),
                Ok(false) => wrong(&credentials, state),
                Err(_) => busy(),
            }
        }))
    }

    fn exchange(&self, method: &str, credentials: &Credentials) -> Option<Box<dyn Exchange>> {
        let hash = ScramHash::of_method(method).filter(|hash| self.users.have(*hash))?;
        Some(Box::new(ScramExchange::new(hash, Arc::clone(&self.users), credentials)))
    }
}

/// What is known of a user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Known,
    Unknown,
    Disabled,
}

fn wrong(credentials: &Credentials, state: State) -> Judgement {
    let detail = match (&credentials.user_name, state, &credentials.password) {
        (None, ..) => "a password without a user name".to_owned(),
        (Some(name), State::Unknown, _) => format!("there is no user {}", shown(name)),
        (Some(name), State::Disabled, _) => format!("user {} is disabled", shown(name)),
        (Some(name), State::Known, None) => format!("no password for user {}", shown(name)),
        (Some(name), State::Known, Some(_)) => format!("wrong password for user {}", shown(name)),
    };
    Judgement::Final(Outcome::Refuse { refusal: Refusal::BadUserNameOrPassword, detail: detail.into() })
}

fn busy() -> Judgement {
    let detail = "too many passwords wait to be checked".into();
    Judgement::Final(Outcome::Refuse { refusal: Refusal::ServerBusy, detail })
}
