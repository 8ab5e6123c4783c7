use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ferry_scram::{ClientFirst, ScramError, ScramHash, ServerExchange};

use crate::shown::shown;
use crate::{Credentials, Exchange, Refusal, ScramUsers, Step, Verdict};

/// Random bytes that the server adds to a nonce.
const NONCE_BYTES: usize = 18;

/// A client that proves by SCRAM that it knows its password. Nothing is hashed many times here: the client does that.
pub(crate) struct ScramExchange {
    hash: ScramHash,
    users: Arc<ScramUsers>,
    /// Who the client says it is elsewhere: in its CONNECT, or by what it has proven before.
    user_name: Option<Box<str>>,
    state: State,
}

enum State {
    AwaitFirst,
    AwaitFinal { exchange: ServerExchange, user_name: Box<str>, is_known: bool },
    Done,
}

impl ScramExchange {
    pub(crate) fn new(hash: ScramHash, users: Arc<ScramUsers>, credentials: &Credentials) -> Self {
        Self { hash, users, user_name: credentials.user_name.clone(), state: State::AwaitFirst }
    }

    fn first(&mut self, data: &[u8]) -> Step {
        let mut nonce = [0; NONCE_BYTES];
        if getrandom::fill(&mut nonce).is_err() {
            return refuse(Refusal::ServerUnavailable, "the system gives no random bytes");
        }
        let first = match ClientFirst::parse(data) {
            Ok(first) => first,
            Err(error) => return refuse(Refusal::NotAuthorized, error.to_string()),
        };
        let user_name = Box::from(first.user_name());
        let (credentials, is_known) = self.users.credentials(self.hash, &user_name);
        let (exchange, challenge) = first.answer(credentials, &STANDARD_NO_PAD.encode(nonce));
        self.state = State::AwaitFinal { exchange, user_name, is_known };
        Step::Continue { data: Some(challenge.into_bytes().into()) }
    }

    fn last(&self, exchange: ServerExchange, user_name: Box<str>, is_known: bool, data: &[u8]) -> Step {
        match exchange.client_final(data) {
            // Nobody can prove what was made up, but nothing is to depend on that.
            Ok(_) if !is_known => refuse(Refusal::BadUserNameOrPassword, "nobody knows this password"),
            Ok(_) if self.user_name.as_ref().is_some_and(|name| *name != user_name) => {
                let words = format!("it is {}, and says that it is somebody else", shown(&user_name));
                refuse(Refusal::NotAuthorized, words)
            }
            Ok(proof) => Step::Accept {
                user_name: Some(user_name),
                data: Some(proof.into_bytes().into()),
                until_unix_seconds: None,
            },
            Err(ScramError::Proof) if is_known => {
                let words = format!("wrong password for user {}", shown(&user_name));
                refuse(Refusal::BadUserNameOrPassword, words)
            }
            Err(ScramError::Proof) => {
                let words = format!("there is no user {} with {}", shown(&user_name), self.hash.method());
                refuse(Refusal::BadUserNameOrPassword, words)
            }
            Err(error) => refuse(Refusal::NotAuthorized, error.to_string()),
        }
    }
}

impl Exchange for ScramExchange {
    fn step(&mut self, data: Option<Box<[u8]>>) -> Verdict<Step> {
        let data = data.as_deref().unwrap_or_default();
        Verdict::Now(match std::mem::replace(&mut self.state, State::Done) {
            State::AwaitFirst => self.first(data),
            State::AwaitFinal { exchange, user_name, is_known } => {
                self.last(exchange, user_name, is_known, data)
            }
            State::Done => refuse(Refusal::NotAuthorized, "the exchange is over"),
        })
    }
}

fn refuse(refusal: Refusal, detail: impl Into<String>) -> Step {
    Step::Refuse { refusal, detail: detail.into().into() }
}
