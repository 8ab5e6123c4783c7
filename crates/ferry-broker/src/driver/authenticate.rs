use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use ferry_auth::{Authenticator, Credentials, Outcome, Refusal, Step, Verdict};
use ferry_codec::ReasonCode;
use ferry_core::{AuthOutcome, AuthRequest, AuthStep, ConnId, Event, Grants};
use ferry_session::Timestamp;

use super::Driver;
use crate::config::AuthenticatorKind;

impl Driver {
    /// Judges a client, at once or in a task of its own.
    pub(super) fn authenticate(self: &Rc<Self>, request: AuthRequest) {
        let conn = request.conn;
        match request.step {
            AuthStep::Connect(credentials) => {
                if self.is_banned(conn, &credentials) {
                    return;
                }
                self.after_duel_pause(&credentials.client_id.clone(), move |driver| {
                    let verdict =
                        driver.authenticator.borrow().authenticate(driver.judged(conn, credentials));
                    driver.answer(conn, verdict, connect_outcome);
                });
            }
            AuthStep::Start { credentials, method, data, reauthenticate } => {
                if !reauthenticate && self.is_banned(conn, &credentials) {
                    return;
                }
                let authenticator = Arc::clone(&self.authenticator.borrow());
                let Some(mut exchange) = authenticator.exchange(&method, &self.judged(conn, credentials))
                else {
                    // An unknown method, also when re-authenticating [MQTT-4.12.0-1].
                    let detail = "this listener does not know the authentication method".into();
                    self.authenticated(conn, refused(Refusal::BadAuthenticationMethod, Some(detail)));
                    return;
                };
                let verdict = exchange.step(data);
                self.exchanges.borrow_mut().insert(conn, exchange);
                self.answer(conn, verdict, step_outcome);
            }
            AuthStep::Continue { data } => {
                let verdict = self.exchanges.borrow_mut().get_mut(&conn).map(|exchange| exchange.step(data));
                match verdict {
                    Some(verdict) => self.answer(conn, verdict, step_outcome),
                    None => self.authenticated(conn, refused(Refusal::NotAuthorized, None)),
                }
            }
        }
    }

    fn answer<T: 'static>(self: &Rc<Self>, conn: ConnId, verdict: Verdict<T>, outcome: fn(T) -> AuthOutcome) {
        match verdict {
            Verdict::Now(answer) => self.authenticated(conn, outcome(answer)),
            Verdict::Later(later) => {
                let driver = Rc::clone(self);
                let asked = Arc::clone(&self.authenticator.borrow());
                tokio::task::spawn_local(async move {
                    let answer = later.await;
                    driver.authenticated(conn, driver.still_true(&asked, outcome(answer)));
                    driver.want_turn();
                });
            }
        }
    }

    /// Refuses a client that is banned, before anything else is done for it.
    fn is_banned(&self, conn: ConnId, credentials: &ferry_core::Credentials) -> bool {
        let ferry_core::Credentials { client_id, user_name, peer_address, .. } = credentials;
        self.accepting.connects(self.now(), peer_address, client_id);
        let ban = self.accepting.ban_of_client(self.now(), peer_address, user_name.as_deref(), client_id);
        let Some(ban) = ban else { return false };
        self.authenticated(conn, refused(Refusal::Banned, Some(ban.reason.into())));
        true
    }

    /// As [`is_banned`](Self::is_banned), for a user name that only the authentication has told.
    fn unless_banned(&self, conn: ConnId, outcome: AuthOutcome) -> AuthOutcome {
        let AuthOutcome::Accept { user_name: Some(user_name), .. } = &outcome else { return outcome };
        if self.accepting.bans.is_empty() {
            return outcome;
        }
        let shard = self.shard.borrow();
        let (address, client_id) = (shard.peer_address(conn), shard.client_id(conn));
        let (address, client_id) = (address.unwrap_or_default(), client_id.unwrap_or_default());
        match self.accepting.ban_of_client(self.now(), address, Some(user_name), client_id) {
            Some(ban) => refused(Refusal::Banned, Some(ban.reason.into())),
            None => outcome,
        }
    }

    /// The users of one judge that are not there any more, or have another password: their connections end, and nobody comes in
    /// by what was judged before.
    pub(super) fn end_users(&self, users: Arc<HashSet<Box<str>>>, judge: AuthenticatorKind) {
        if users.is_empty() {
            return;
        }
        self.exchanges.borrow_mut().clear();
        self.handle(Event::EndUsers { users: &users, authenticator: judge.name() });
        self.ended_users.replace(users);
    }

    /// What `asked` has said, unless others judge by now, and the user has been ended meanwhile.
    fn still_true(&self, asked: &Arc<dyn Authenticator>, outcome: AuthOutcome) -> AuthOutcome {
        match &outcome {
            AuthOutcome::Accept { user_name: Some(user_name), .. }
                if !Arc::ptr_eq(asked, &self.authenticator.borrow())
                    && self.ended_users.borrow().contains(user_name) =>
            {
                let detail = "the user has been changed meanwhile".into();
                refused(Refusal::NotAuthorized, Some(detail))
            }
            _ => outcome,
        }
    }

    /// What is judged: what the core knows, and the user that only the socket has told.
    fn judged(&self, conn: ConnId, credentials: ferry_core::Credentials) -> Credentials {
        Credentials {
            client_id: credentials.client_id,
            user_name: credentials.user_name,
            password: credentials.password,
            peer_address: credentials.peer_address,
            certificate_common_name: credentials.certificate_common_name,
            psk_identity: credentials.psk_identity,
            peer_user_id: self.peer_user_ids.borrow().get(&conn).copied(),
            protocol_version: credentials.protocol_version,
            listener: credentials.listener,
            authenticators: credentials.authenticators,
            anonymous_allowed: credentials.anonymous_allowed,
        }
    }

    fn authenticated(&self, conn: ConnId, outcome: AuthOutcome) {
        let outcome = self.unless_banned(conn, outcome);
        if matches!(outcome, AuthOutcome::Accept { .. })
            && let Some(conn) = self.conn(conn)
            && let Some(link) = &*conn.link.borrow()
        {
            link.places.authenticated();
        }
        if !matches!(outcome, AuthOutcome::Continue { .. }) {
            self.exchanges.borrow_mut().remove(&conn);
        }
        self.handle(Event::Authenticated { conn, outcome });
    }
}

fn connect_outcome(outcome: Outcome) -> AuthOutcome {
    match outcome {
        Outcome::Accept { user_name, until_unix_seconds, grants } => {
            let never = Timestamp::NEVER;
            let until = until_unix_seconds.map_or(never, |seconds| Timestamp(seconds.saturating_mul(1000)));
            AuthOutcome::Accept {
                user_name,
                data: None,
                until,
                grants: grants.map(|grants| Grants(grants as _)),
            }
        }
        Outcome::Refuse { refusal, detail } => refused(refusal, Some(detail)),
    }
}

fn step_outcome(step: Step) -> AuthOutcome {
    match step {
        Step::Continue { data } => AuthOutcome::Continue { data },
        Step::Accept { user_name, data } => {
            AuthOutcome::Accept { user_name, data, until: Timestamp::NEVER, grants: None }
        }
        Step::Refuse { refusal, detail } => refused(refusal, Some(detail)),
    }
}

fn refused(refusal: Refusal, detail: Option<Box<str>>) -> AuthOutcome {
    let reason_code = match refusal {
        Refusal::BadUserNameOrPassword => ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        Refusal::NotAuthorized => ReasonCode::NOT_AUTHORIZED,
        Refusal::ServerUnavailable => ReasonCode::SERVER_UNAVAILABLE,
        Refusal::ServerBusy => ReasonCode::SERVER_BUSY,
        Refusal::Banned => ReasonCode::BANNED,
        Refusal::BadAuthenticationMethod => ReasonCode::BAD_AUTHENTICATION_METHOD,
    };
    AuthOutcome::Reject { reason_code, reason_string: None, server_reference: None, detail }
}
