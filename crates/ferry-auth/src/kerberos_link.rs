use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferry_kerberos::{Accepted, Acceptor, KerberosError, METHOD};

use crate::shown::shown;
use crate::{Credentials, Exchange, HashQueue, Judgement, Link, Refusal, Step, Verdict};

/// Whose tickets are taken, and for whom.
#[derive(Clone, Debug)]
pub struct KerberosRules {
    acceptor: Acceptor,
    host: Option<Box<str>>,
    realms: Vec<Box<str>>,
}

/// Lets clients in by a Kerberos ticket (enhanced authentication, method `GS2-KRB5`). The user name is the principal without its
/// realm. Clients that name no method are left to the next judge.
///
/// The library may wait for files, so it is asked by the threads that compute hashes.
pub struct KerberosLink {
    rules: Arc<KerberosRules>,
    queue: Arc<HashQueue>,
}

impl KerberosRules {
    /// Tickets for `service`, of `host` or else of any host that the keytab has a key for, and of clients of these realms; of the
    /// realm of the service if there are none.
    #[must_use]
    pub fn new(service: &str, host: Option<&str>, realms: Vec<Box<str>>) -> Self {
        Self { acceptor: Acceptor::new(service), host: host.map(Box::from), realms }
    }

    /// Looks whether there is a key. Waits for files.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn check(&self) -> Result<(), String> {
        self.acceptor.check().map_err(|error| error.to_string())
    }

    /// Waits for files.
    fn judge(&self, message: &[u8], claimed: Option<&str>) -> Result<Proven, (Refusal, String)> {
        let accepted = self.acceptor.accept(message).map_err(|error| match error {
            KerberosError::NoKey(_) => (Refusal::ServerUnavailable, error.to_string()),
            KerberosError::Message(_) | KerberosError::Refused(_) => {
                (Refusal::NotAuthorized, error.to_string())
            }
        })?;
        self.proven(accepted, claimed).map_err(|words| (Refusal::NotAuthorized, words))
    }

    fn proven(&self, accepted: Accepted, claimed: Option<&str>) -> Result<Proven, String> {
        let Accepted { client, service, authorization_name, lifetime, reply } = accepted;
        if self.host.is_some() && self.host.as_deref() != service.host() {
            return Err(format!("the ticket is for {}, which is another host", shown(&service.name)));
        }
        let is_own = self.realms.is_empty() && client.realm == service.realm;
        if !is_own && !self.realms.iter().any(|realm| **realm == client.realm) {
            let (name, realm) = (shown(&client.name), shown(&client.realm));
            return Err(format!("{name} is of the realm {realm}, which is not taken here"));
        }
        let claims = [authorization_name.as_deref(), claimed];
        if claims.into_iter().flatten().any(|name| name != client.name) {
            return Err(format!("it is {}, and says that it is somebody else", shown(&client.name)));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let until_unix_seconds = now.saturating_add(lifetime).as_secs();
        Ok(Proven { user_name: client.name.into(), until_unix_seconds, reply: reply.map(Into::into) })
    }
}

impl KerberosLink {
    /// The library is asked by `queue`.
    #[must_use]
    pub fn new(rules: KerberosRules, queue: Arc<HashQueue>) -> Self {
        Self { rules: Arc::new(rules), queue }
    }
}

impl Link for KerberosLink {
    fn judge(&self, _credentials: &Arc<Credentials>) -> Verdict<Judgement> {
        Verdict::Now(Judgement::Pass)
    }

    fn exchange(&self, method: &str, credentials: &Credentials) -> Option<Box<dyn Exchange>> {
        (method == METHOD).then(|| {
            Box::new(KerberosExchange {
                rules: Arc::clone(&self.rules),
                queue: Arc::clone(&self.queue),
                user_name: credentials.user_name.clone(),
                state: State::AwaitFirst,
            }) as _
        })
    }
}

struct Proven {
    user_name: Box<str>,
    until_unix_seconds: u64,
    reply: Option<Box<[u8]>>,
}

impl Proven {
    fn accept(self, data: Option<Box<[u8]>>) -> Step {
        let until_unix_seconds = Some(self.until_unix_seconds);
        Step::Accept { user_name: Some(self.user_name), data, until_unix_seconds }
    }
}

/// What a client has proven that has still to say that it is content with the server's proof.
type Slot = Arc<Mutex<Option<Proven>>>;

/// One conversation. Who sends the token at once gets the server's proof with the last answer; who does as the example of
/// the standard (section 4.12, non-normative) is asked for the token, gets the proof, and has to answer it.
struct KerberosExchange {
    rules: Arc<KerberosRules>,
    queue: Arc<HashQueue>,
    /// Who the client says it is elsewhere: in its CONNECT, or by what it has proven before.
    user_name: Option<Box<str>>,
    state: State,
}

enum State {
    AwaitFirst,
    AwaitToken,
    AwaitEnd(Slot),
    Done,
}

impl KerberosExchange {
    /// Has a token judged. With a slot, the client has to answer the proof.
    fn judge(&self, message: Box<[u8]>, slot: Option<Slot>) -> Verdict<Step> {
        let rules = Arc::clone(&self.rules);
        let claimed = self.user_name.clone();
        let judgement = self.queue.submit(move || rules.judge(&message, claimed.as_deref()));
        let busy = || refuse(Refusal::ServerBusy, "too many tickets wait to be checked");
        let Some(judgement) = judgement else { return Verdict::Now(busy()) };
        Verdict::Later(Box::pin(async move {
            let mut proven = match judgement.await {
                Ok(Ok(proven)) => proven,
                Ok(Err((refusal, words))) => return refuse(refusal, words),
                Err(_) => return busy(),
            };
            let data = proven.reply.take();
            match slot {
                Some(slot) if data.is_some() => {
                    // Nothing under the lock can panic.
                    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(proven);
                    Step::Continue { data }
                }
                _ => proven.accept(data),
            }
        }))
    }
}

impl Exchange for KerberosExchange {
    fn step(&mut self, data: Option<Box<[u8]>>) -> Verdict<Step> {
        let data = data.unwrap_or_default();
        match std::mem::replace(&mut self.state, State::Done) {
            State::AwaitFirst if data.is_empty() => {
                self.state = State::AwaitToken;
                Verdict::Now(Step::Continue { data: None })
            }
            State::AwaitFirst => self.judge(data, None),
            State::AwaitToken => {
                let slot = Slot::default();
                self.state = State::AwaitEnd(Arc::clone(&slot));
                self.judge(data, Some(slot))
            }
            State::AwaitEnd(slot) => {
                let proven = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                Verdict::Now(match proven {
                    Some(proven) if data.is_empty() => proven.accept(None),
                    _ => refuse(Refusal::NotAuthorized, "data after the last token"),
                })
            }
            State::Done => Verdict::Now(refuse(Refusal::NotAuthorized, "the exchange is over")),
        }
    }
}

fn refuse(refusal: Refusal, detail: impl Into<String>) -> Step {
    Step::Refuse { refusal, detail: detail.into().into() }
}

#[cfg(test)]
mod tests {
    use ferry_kerberos::Principal;

    use super::*;

    fn user(rules: &KerberosRules, client: &str, authorization_name: Option<&str>) -> Result<String, String> {
        let principal = |text| Principal::parse(text).expect("one");
        let accepted = Accepted {
            client: principal(client),
            service: principal("mqtt/broker.example@A.EXAMPLE"),
            authorization_name: authorization_name.map(str::to_owned),
            lifetime: Duration::from_secs(60),
            reply: None,
        };
        rules
            .proven(accepted, Some("ada").filter(|_| client.starts_with("ada")))
            .map(|it| it.user_name.into())
    }

    #[test]
    fn the_realm_is_left_out_where_it_is_taken() {
        let rules = |realms: &[&str]| {
            KerberosRules::new("mqtt", None, realms.iter().map(|realm| Box::from(*realm)).collect())
        };
        assert_eq!(user(&rules(&[]), "ada@A.EXAMPLE", None), Ok("ada".to_owned()));
        assert_eq!(user(&rules(&[]), "ben/admin@A.EXAMPLE", None), Ok("ben/admin".to_owned()));
        let other = Err("ada is of the realm B.EXAMPLE, which is not taken here".to_owned());
        assert_eq!(user(&rules(&[]), "ada@B.EXAMPLE", None), other);
        let both = rules(&["A.EXAMPLE", "B.EXAMPLE"]);
        assert_eq!(user(&both, "ada@B.EXAMPLE", None), Ok("ada".to_owned()));
        assert!(user(&rules(&["B.EXAMPLE"]), "ada@A.EXAMPLE", None).is_err());
        // Case matters.
        assert!(user(&rules(&["a.example"]), "ada@A.EXAMPLE", None).is_err());
    }

    #[test]
    fn nobody_becomes_somebody_else() {
        let rules = KerberosRules::new("mqtt", None, Vec::new());
        assert_eq!(user(&rules, "ada@A.EXAMPLE", Some("ada")), Ok("ada".to_owned()));
        assert!(user(&rules, "ada@A.EXAMPLE", Some("ben")).is_err());
        // Its CONNECT names another.
        assert!(user(&rules, "ada/admin@A.EXAMPLE", None).is_err());
    }

    #[test]
    fn tickets_of_another_host_are_not_taken() {
        let rules = |host| KerberosRules::new("mqtt", Some(host), Vec::new());
        assert!(user(&rules("broker.example"), "ada@A.EXAMPLE", None).is_ok());
        assert!(user(&rules("other.example"), "ada@A.EXAMPLE", None).is_err());
    }
}
