use std::collections::HashMap;
use std::sync::Arc;

use crate::{Authenticator, Credentials, Exchange, Later, Outcome, Refusal, Verdict};

/// One judge of a [`Chain`].
pub trait Link: Send + Sync {
    /// Judges a client, or leaves it to the next.
    fn judge(&self, credentials: &Arc<Credentials>) -> Verdict<Judgement>;

    /// As [`Authenticator::exchange`].
    fn exchange(&self, _method: &str, _credentials: &Credentials) -> Option<Box<dyn Exchange>> {
        None
    }
}

/// What one judge of a chain says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is who it says, or is turned away: nobody else is asked.
    Final(Outcome),
    /// The client offers nothing that this one could judge.
    Pass,
}

/// Asks the judges that the listener names, one after the other, until one has decided. Whom nobody has judged is
/// anonymous: let in if the listener lets such clients in.
#[derive(Clone, Default)]
pub struct Chain {
    links: HashMap<Box<str>, Arc<dyn Link>>,
}

impl Chain {
    /// Nobody to ask yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a judge under the name by which listeners ask for it.
    #[must_use]
    pub fn with(mut self, name: &str, link: Arc<dyn Link>) -> Self {
        self.links.insert(name.into(), link);
        self
    }

    /// The judges in their order. `None` if one is not there: nobody may be let in past it.
    fn links_of(&self, credentials: &Credentials) -> Option<Vec<Arc<dyn Link>>> {
        credentials.authenticators.iter().map(|name| self.links.get(name).cloned()).collect()
    }
}

impl Authenticator for Chain {
    fn authenticate(&self, credentials: Credentials) -> Verdict<Outcome> {
        let Some(links) = self.links_of(&credentials) else {
            // The listener's block has changed since this client came.
            let detail = "the listener asks for an authenticator that is not there any more".into();
            return Verdict::Now(Outcome::Refuse { refusal: Refusal::ServerUnavailable, detail });
        };
        let credentials = Arc::new(credentials);
        let mut links = links.into_iter();
        while let Some(link) = links.next() {
            match link.judge(&credentials) {
                Verdict::Now(Judgement::Final(outcome)) => return Verdict::Now(outcome),
                Verdict::Now(Judgement::Pass) => {}
                Verdict::Later(later) => return Verdict::Later(Box::pin(ask(later, links, credentials))),
            }
        }
        Verdict::Now(nobody_judged(&credentials))
    }

    /// Of the first judge that has the method.
    fn exchange(&self, method: &str, credentials: &Credentials) -> Option<Box<dyn Exchange>> {
        self.links_of(credentials)?.iter().find_map(|link| link.exchange(method, credentials))
    }
}

async fn ask(
    mut later: Later<Judgement>,
    mut links: std::vec::IntoIter<Arc<dyn Link>>,
    credentials: Arc<Credentials>,
) -> Outcome {
    loop {
        if let Judgement::Final(outcome) = later.await {
            return outcome;
        }
        later = loop {
            let Some(link) = links.next() else { return nobody_judged(&credentials) };
            match link.judge(&credentials) {
                Verdict::Now(Judgement::Final(outcome)) => return outcome,
                Verdict::Now(Judgement::Pass) => {}
                Verdict::Later(later) => break later,
            }
        };
    }
}

/// Where nobody is there to judge names, a name says nothing; it is not taken on either, so that nobody gains the rights
/// of a name by merely saying it. Where somebody is, all judges have passed a client that offers nothing.
fn nobody_judged(credentials: &Credentials) -> Outcome {
    if credentials.anonymous_allowed {
        return Outcome::Accept { user_name: None, until_unix_seconds: None, grants: None };
    }
    let offers_nothing = credentials.user_name.is_none() && credentials.password.is_none();
    let detail = match offers_nothing {
        true => "the client is anonymous, which this listener does not allow",
        false => "nobody here can judge what the client offers",
    };
    Outcome::Refuse { refusal: Refusal::NotAuthorized, detail: detail.into() }
}
