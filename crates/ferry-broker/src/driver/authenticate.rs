use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ferry_auth::{Credentials, Outcome, Refusal, Step, Verdict};
use ferry_codec::ReasonCode;
use ferry_core::{AuthOutcome, AuthRequest, AuthStep, ConnId, Event, Grants};
use ferry_session::Timestamp;

use super::Driver;
use super::ended_users::BegunAt;
use crate::config::AuthenticatorKind;

impl Driver {
    /// Judges a client, at once or in a task of its own.
    pub(super) fn authenticate(self: &Rc<Self>, request: AuthRequest) {
        let conn = request.conn;
        match request.step {
            AuthStep::Connect(credentials) => {
                if self.is_shed(conn) || self.is_banned(conn, &credentials) {
                    return;
                }
                self.after_duel_pause(&credentials.client_id.clone(), move |driver| {
                    let verdict =
                        driver.authenticator.borrow().authenticate(driver.judged(conn, credentials));
                    driver.answer(conn, verdict, connect_outcome);
                });
            }
            AuthStep::Start { credentials, method, data, reauthenticate } => {
                if !reauthenticate && (self.is_shed(conn) || self.is_banned(conn, &credentials)) {
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

    fn answer<T: 'static>(
        self: &Rc<Self>,
        conn: ConnId,
        verdict: Verdict<T>,
        outcome: fn(T, Clocks) -> AuthOutcome,
    ) {
        match verdict {
            Verdict::Now(answer) => self.authenticated(conn, outcome(answer, self.clocks())),
            Verdict::Later(later) => {
                let driver = Rc::clone(self);
                let begun_at = self.ended_users.borrow_mut().begin();
                tokio::task::spawn_local(async move {
                    let outcome = outcome(later.await, driver.clocks());
                    driver.authenticated(conn, driver.still_true(begun_at, outcome));
                    driver.want_turn();
                });
            }
        }
    }

    fn clocks(&self) -> Clocks {
        let unix_now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clocks { now: self.now(), unix_now }
    }

    /// Refuses a client because the broker has enough to do with those that are connected.
    fn is_shed(&self, conn: ConnId) -> bool {
        let Some(strain) = self.accepting.overload.strain(self.now()) else { return false };
        self.count_refusal("overload");
        self.authenticated(conn, refused(Refusal::ServerBusy, Some(strain.words().into())));
        true
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

    /// As [`is_banned`](Self::is_banned), for a user name that only the authentication has told, and for what was banned
    /// meanwhile.
    fn unless_banned(&self, conn: ConnId, outcome: AuthOutcome) -> AuthOutcome {
        let AuthOutcome::Accept { user_name, .. } = &outcome else { return outcome };
        if self.accepting.bans.is_empty() {
            return outcome;
        }
        let shard = self.shard.borrow();
        let (address, client_id) = (shard.peer_address(conn), shard.named_client_id(conn));
        let (address, client_id) = (address.unwrap_or_default(), client_id.unwrap_or_default());
        match self.accepting.ban_of(self.now(), address, user_name.as_deref(), client_id) {
            Some(ban) => refused(Refusal::Banned, Some(ban.reason.into())),
            None => outcome,
        }
    }

    /// The users of one judge that are not there any more, or have another password: their connections end, and nobody comes in
    /// by what was judged before.
    pub(super) fn end_users(&self, users: &HashSet<Box<str>>, judge: AuthenticatorKind) {
        if users.is_empty() {
            return;
        }
        self.exchanges.borrow_mut().clear();
        self.handle(Event::EndUsers { users, authenticator: judge.name() });
        self.ended_users.borrow_mut().end(users);
    }

    /// What was found, unless the user has been ended since that began.
    fn still_true(&self, begun_at: BegunAt, outcome: AuthOutcome) -> AuthOutcome {
        let user_name = match &outcome {
            AuthOutcome::Accept { user_name, .. } => user_name.as_deref(),
            AuthOutcome::Continue { .. } | AuthOutcome::Reject { .. } => None,
        };
        if self.ended_users.borrow_mut().holds(begun_at, user_name) {
            return outcome;
        }
        let detail = "the user has been changed meanwhile".into();
        refused(Refusal::NotAuthorized, Some(detail))
    }

    /// What is judged: what the core knows, and the user that only the socket has told.
    fn judged(&self, conn: ConnId, credentials: ferry_core::Credentials) -> Credentials {
        Credentials {
            client_id: credentials.client_id,
            user_name: credentials.user_name,
            password: credentials.password,
            peer_address: credentials.peer_address,
            certificate_common_name: credentials.certificate_common_name,
            certificate: credentials.certificate.and_then(|certificate| certificate.0.downcast().ok()),
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

fn connect_outcome(outcome: Outcome, clocks: Clocks) -> AuthOutcome {
    match outcome {
        Outcome::Accept { user_name, until_unix_seconds, grants } => AuthOutcome::Accept {
            user_name,
            data: None,
            until: clocks.end(until_unix_seconds),
            grants: grants.map(|grants| Grants(grants as _)),
        },
        Outcome::Refuse { refusal, detail } => refused(refusal, Some(detail)),
    }
}

fn step_outcome(step: Step, clocks: Clocks) -> AuthOutcome {
    match step {
        Step::Continue { data } => AuthOutcome::Continue { data },
        Step::Accept { user_name, data, until_unix_seconds } => {
            AuthOutcome::Accept { user_name, data, until: clocks.end(until_unix_seconds), grants: None }
        }
        Step::Refuse { refusal, detail } => refused(refusal, Some(detail)),
    }
}

/// The same moment by two clocks.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    now: Timestamp,
    /// Since 1970 by the wall clock.
    unix_now: Duration,
}

impl Clocks {
    /// When the wall clock will show `until_unix_seconds`. The broker's own has gone on from what that one showed at the start,
    /// which may have been wrong by years, as on a device that has to ask others for the time.
    fn end(self, until_unix_seconds: Option<u64>) -> Timestamp {
        let Some(until) = until_unix_seconds else { return Timestamp::NEVER };
        let left = Duration::from_secs(until).saturating_sub(self.unix_now);
        self.now.plus_milliseconds(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_comes_when_the_wall_clock_shows_it_whatever_it_showed_at_the_start() {
        let unix_now = Duration::from_millis(1_800_000_000_250);
        for started_with in [1_800_000_000_250, 7_000, 1_900_000_000_000] {
            let clocks = Clocks { now: Timestamp(started_with), unix_now };
            assert_eq!(clocks.end(Some(1_800_000_060)), Timestamp(started_with + 59_750));
            assert_eq!(clocks.end(Some(1_799_999_999)), clocks.now, "it has come");
            assert!(clocks.end(None).is_never());
            assert!(clocks.end(Some(u64::MAX)) > Timestamp(u64::MAX / 2));
        }
    }
}
