use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::{ProtocolVersion, ReasonCode};
use ferry_session::{KeepAlive, Receiver, Sender, SessionExpiry, Timestamp, TopicAliasOut};

use crate::auth::AuthPhase;
use crate::conn::{Conn, ConnState, Paused};
use crate::connect::PendingConnect;
use crate::disconnect::WillFate;
use crate::fault::Fault;
use crate::filter_set::FilterSet;
use crate::rates::{Rates, check_connect_rate};
use crate::response::Response;
use crate::session::{Session, SessionId};
use crate::shard::Shard;
use crate::timers::TimerKey;
use crate::turn::Turn;
use crate::{ConnId, CoreConfig, Grants, Identity, Record};

impl Shard {
    /// The client may connect: takes over its session or makes one, and answers (section 3.1.4).
    pub(crate) fn accept(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        user_name: Option<Box<str>>,
        grants: Option<Grants>,
        authentication_data: Option<&[u8]>,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let ConnState::Authenticating(pending) = std::mem::replace(&mut conn.state, ConnState::Closing)
        else {
            return;
        };
        conn.state = ConnState::AwaitConnect;
        let identity = Identity {
            client_id: Arc::from(&*pending.client_id),
            user_name: user_name.map(Into::into),
            origin: (self.authorizer.judges_origin() || grants.is_some())
                .then(|| Arc::new(conn.info.client_origin(grants))),
        };
        if let Err(fault) = self.may_enter(&identity, &pending) {
            self.reject_connect(turn, id, fault.reason_code, Some(fault.detail), None);
            return self.name_refused_client(turn, &identity.client_id);
        }
        let rates = self.rates_of(id, &identity, turn.now);
        if let Err(fault) = check_connect_rate(rates.as_deref(), turn.now) {
            self.reject_connect(turn, id, fault.reason_code, Some(fault.detail), None);
            return self.name_refused_client(turn, &identity.client_id);
        }
        let records_before = turn.effects.recorded();
        let existing = self.sessions.find(&identity.client_id);
        let resumed = existing.and_then(|existing| self.take_over(turn, existing, id, pending.clean_start));
        let session_id = match resumed {
            Some(session_id) => session_id,
            None => self.new_session(identity.clone()),
        };
        let client_id = Arc::clone(&identity.client_id);
        self.begin_connection(turn, id, session_id, identity, &pending, rates);
        let connack = self.connack(id, session_id, &pending, resumed.is_some(), authentication_data);
        self.move_will(turn, session_id, *pending);
        let recorded = turn.effects.recorded() > records_before;
        let wait = match resumed {
            // What is sent again waits for what a QoS 2 exchange that had just begun waited for.
            Some(_) => self.exchange_wait(turn, recorded),
            None => self.new_session_wait(turn, &client_id, recorded),
        };
        match connack {
            // [MQTT-3.1.4-5] [MQTT3-3.1.4-4]; the state never comes back to here [MQTT-3.2.0-2].
            Some(connack) => self.respond(turn, id, Response::Connack(connack), wait),
            // [MQTT-3.1.2-24]: it cannot be told anything.
            None => {
                self.leave(turn, id, WillFate::Delete);
                self.close(turn, id);
            }
        }
    }

    /// Whether a client that is who it says may have a session here.
    fn may_enter(&self, identity: &Identity, pending: &PendingConnect) -> Result<(), Fault> {
        let existing = self.sessions.find(&identity.client_id);
        if let Some(session) = existing.and_then(|existing| self.sessions.get(existing)) {
            if self.config.takeover_same_user && session.identity.user_name != identity.user_name {
                let detail = "the session belongs to another user";
                return Err(Fault::new(ReasonCode::NOT_AUTHORIZED, detail));
            }
        } else if self.sessions.len() >= self.config.sessions_max.div_ceil(usize::from(self.shard_count())) {
            return Err(Fault::new(ReasonCode::QUOTA_EXCEEDED, "there are too many sessions"));
        }
        if let Some(will) = &pending.will
            && !self.authorizer.may_publish(identity, &will.topic, will.qos, will.retain)
        {
            return Err(Fault::new(ReasonCode::NOT_AUTHORIZED, "the client may not publish its will"));
        }
        Ok(())
    }

    /// [MQTT-3.1.2-6] [MQTT3-3.1.2-4]
    pub(crate) fn new_session(&mut self, identity: Identity) -> SessionId {
        self.counters.sessions += 1;
        self.sessions.insert(Session {
            identity,
            conn: None,
            sender: Sender::new(),
            receiver: Receiver::new(),
            filters: FilterSet::default(),
            will: None,
            pending_will: None,
            denied: None,
            rights: None,
            replays: None,
            expiry: SessionExpiry::AT_CLOSE,
            expiry_in_connect: SessionExpiry::AT_CLOSE,
            ends_at: Timestamp::NEVER,
            armed: Timestamp::NEVER,
            recorded: None,
        })
    }

    /// Ties connection and session together. What belongs to the connection begins anew: Receive Maximum, aliases,
    /// keep alive [MQTT-3.3.2-7].
    fn begin_connection(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        session_id: SessionId,
        identity: Identity,
        pending: &PendingConnect,
        rates: Option<Box<Rates>>,
    ) {
        let config = Arc::clone(&self.config);
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        conn.state = ConnState::Online(session_id);
        let version = conn.version;
        conn.deadline = Timestamp::NEVER;
        // Most connections have no other deadline, or a much later one.
        self.timers.disarm(TimerKey::Conn(id.place()), &mut conn.armed);
        let keep_alive = keep_alive_in_force(&config, conn, pending.keep_alive_seconds);
        conn.keep_alive = KeepAlive::new(keep_alive, turn.now);
        if let Some(authentication) = &mut conn.authentication {
            authentication.phase = AuthPhase::Done;
        }
        if conn.version == ProtocolVersion::V5 {
            conn.topic_alias_maximum = config.topic_alias_maximum;
            let aliases_out = pending.topic_alias_maximum.min(config.topic_aliases_out_max);
            conn.alias_out = (aliases_out > 0).then(|| Box::new(TopicAliasOut::new(aliases_out)));
        }
        conn.rates = rates;

        session.identity = identity;
        session.rights = None;
        session.conn = Some(id);
        session.expiry_in_connect = pending.expiry;
        session.expiry = limited_expiry(&config, pending.expiry);
        session.ends_at = Timestamp::NEVER;
        self.timers.disarm(TimerKey::Session(session_id), &mut session.armed);
        session.sender.limit_inflight_bytes(config.inflight_bytes_max);
        session.sender.resume(pending.receive_maximum.min(config.inflight_messages_max));
        let exchanges_max = NonZeroU16::new(config.qos2_awaiting_release_max).unwrap_or(NonZeroU16::MIN);
        // A 3.x client has no way to know it.
        let is_strict = config.receive_maximum_strict && conn.version == ProtocolVersion::V5;
        let receive_maximum = if is_strict { config.receive_maximum } else { NonZeroU16::MAX };
        session.receiver.resume(receive_maximum, exchanges_max);
        self.record_beginning(turn, session_id);
        self.set_shares_online(session_id, true);
        self.counters.client_connected(version);
        self.note_presence(turn, id, session_id, None);
        self.limit_newcomer(turn, id, pending.will.as_deref());
    }

    /// The will belongs to the session from now on [MQTT-3.1.2-7] [MQTT3-3.1.2-8].
    fn move_will(&mut self, turn: &mut Turn<'_>, session_id: SessionId, pending: PendingConnect) {
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        session.will = pending.will;
        if let (Some(session), Some(will)) = (session.recorded, &session.will) {
            turn.effects.records.push(Record::Will { session, will: will.clone() });
        }
    }

    /// The CONNACK is written: now other packets may follow [MQTT-3.2.0-1] [MQTT3-3.2.0-1].
    pub(crate) fn connack_sent(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.acknowledged = true;
        self.unpause(turn, id, Paused::AUTHENTICATION);
        self.arm_conn(id);
        if let Some(session_id) = self.conns.get(id).and_then(Conn::session) {
            self.recheck_subscriptions(turn, session_id);
            self.pump(turn, session_id);
            self.continue_replay(session_id);
        }
    }

    /// A session is recorded from the first connection that it outlives to the one that it ends with; to the end of
    /// that one, if some of what it is owed is only in the store.
    fn record_beginning(&mut self, turn: &mut Turn<'_>, session_id: SessionId) {
        let records = self.config.durability_max().is_stored();
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        let client_id = Arc::clone(session.client_id());
        let is_needed = session.expiry.outlives_connection() || session.sender.spilled_len() > 0;
        if records && is_needed {
            session.recorded.get_or_insert_with(|| self.shared.take_session_number());
            self.record_session(turn, session_id);
        } else if let Some(session) = session.recorded.take() {
            // It must not be there after a restart: this connection is its last.
            self.record_session_ended(turn, &client_id, session);
        }
    }

    /// How the session stands, if it is recorded.
    pub(crate) fn record_session(&self, turn: &mut Turn<'_>, session_id: SessionId) {
        let Some(session) = self.sessions.get(session_id) else { return };
        let Some(number) = session.recorded else { return };
        turn.effects.records.push(Record::Session {
            session: number,
            client_id: Arc::clone(session.client_id()),
            user_name: session.identity.user_name.clone(),
            expiry_interval_seconds: session.expiry.seconds(),
            disconnected_at: session.conn.is_none().then_some(turn.now),
        });
    }
}

/// The server's limit holds for whoever asks for more [MQTT-3.2.2-21]; a 3.x client cannot be told and keeps its
/// own value.
pub(crate) fn keep_alive_in_force(config: &CoreConfig, conn: &Conn, asked_seconds: u16) -> u16 {
    let max = conn.info.listener.keep_alive_seconds_max.or(config.keep_alive_seconds_max);
    match max {
        Some(max) if conn.version == ProtocolVersion::V5 && (asked_seconds == 0 || asked_seconds > max) => {
            max
        }
        // [MQTT-3.2.2-22]
        _ => asked_seconds,
    }
}

/// The server may keep a session for less time than the client asked for.
pub(crate) fn limited_expiry(config: &CoreConfig, asked: SessionExpiry) -> SessionExpiry {
    SessionExpiry::from_seconds(asked.seconds().min(config.session_expiry_seconds_max))
}
