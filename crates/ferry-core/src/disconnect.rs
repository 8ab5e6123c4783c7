use std::collections::HashSet;
use std::sync::Arc;

use ferry_codec::{Disconnect, Packet, ProtocolVersion, ReasonCode};
use ferry_session::{PendingWill, SessionExpiry};

use crate::accept_session::limited_expiry;
use crate::conn::ConnState;
use crate::deferred::Deferred;
use crate::fault::Fault;
use crate::legal_reason::in_disconnect;
use crate::presence::LeaveReason;
use crate::session::{Session, SessionId};
use crate::shard::Shard;
use crate::timers::TimerKey;
use crate::turn::Turn;
use crate::{CloseCause, ConnId, Durability};

/// What becomes of the will when a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WillFate {
    /// It is published, after its delay [MQTT-3.1.2-8] [MQTT3-3.1.2-8].
    Publish,
    /// The client has left properly [MQTT-3.14.4-3] [MQTT3-3.14.4-3].
    Delete,
}

impl Shard {
    /// DISCONNECT of a client (section 3.14.4).
    pub(crate) fn disconnect_packet(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        session_id: SessionId,
        disconnect: &Disconnect<'_>,
    ) -> Result<(), Fault> {
        self.counters.disconnects_received.count(disconnect.reason_code);
        let Some(session) = self.sessions.get_mut(session_id) else { return Ok(()) };
        let changed = disconnect.session_expiry_interval;
        let expiry = session.expiry.after_disconnect(session.expiry_in_connect, changed).map_err(|code| {
            // U5-075 U5-076
            Fault::new(code, "the session expiry interval was 0 in CONNECT and is not in DISCONNECT")
        })?;
        // What the CONNACK has set to 0 stays 0, whatever the limit is by now: nothing of it was recorded.
        if changed.is_some() && session.expiry.outlives_connection() {
            session.expiry = limited_expiry(&self.config, expiry);
        }
        let normal = disconnect.reason_code == ReasonCode::NORMAL_DISCONNECTION;
        self.leave(turn, id, if normal { WillFate::Delete } else { WillFate::Publish });
        self.close(turn, id);
        Ok(())
    }

    /// The client broke a rule: it is told so where it can be, and its connection ends [MQTT-4.13.1-1]
    /// [MQTT-4.13.2-1] [MQTT3-4.8.0-1].
    pub(crate) fn refuse(&mut self, turn: &mut Turn<'_>, id: ConnId, fault: Fault) {
        match self.conns.get(id).map(|conn| &conn.state) {
            Some(ConnState::AwaitConnect) => self.ignore(turn, id, fault.detail),
            Some(ConnState::Authenticating(_)) => {
                self.reject_connect(turn, id, fault.reason_code, Some(fault.detail), None);
            }
            Some(ConnState::Online(_)) => self.disconnect(turn, id, fault),
            Some(ConnState::Left | ConnState::Closing) | None => {}
        }
    }

    /// What is not MQTT gets no answer.
    pub(crate) fn ignore(&mut self, turn: &mut Turn<'_>, id: ConnId, detail: &str) {
        self.counters.connects_ignored += 1;
        self.note_refused_client(turn, id, ReasonCode::PROTOCOL_ERROR, Some(detail));
        self.ends_for(id, ReasonCode::PROTOCOL_ERROR);
        self.close(turn, id);
    }

    /// Ends the connection of a connected client for a reason.
    pub(crate) fn disconnect(&mut self, turn: &mut Turn<'_>, id: ConnId, fault: Fault) {
        self.disconnect_with(turn, id, fault.reason_code, Some(fault.detail), None);
    }

    pub(crate) fn disconnect_with(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        reason_code: ReasonCode,
        reason_string: Option<&str>,
        server_reference: Option<&str>,
    ) {
        if self.conns.get(id).is_none_or(|conn| conn.is_closing()) {
            return;
        }
        let reason_code = in_disconnect(reason_code);
        self.counters.refusals.count(reason_code);
        self.note_refused_client(turn, id, reason_code, reason_string);
        self.ends_for(id, reason_code);
        self.send_disconnect(turn, id, reason_code, reason_string, server_reference);
        self.leave(turn, id, WillFate::Publish);
        self.close(turn, id);
    }

    /// DISCONNECT, for a 5.0 client that has had its CONNACK [MQTT-3.14.0-1]. It never carries a Session Expiry
    /// Interval [MQTT-3.14.2-2].
    fn send_disconnect(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        reason_code: ReasonCode,
        reason_string: Option<&str>,
        server_reference: Option<&str>,
    ) {
        let Some(conn) = self.conns.get(id) else { return };
        if conn.version != ProtocolVersion::V5 || !conn.acknowledged {
            return;
        }
        let mut disconnect = Disconnect::new(reason_code);
        disconnect.reason_string = reason_string;
        disconnect.server_reference = server_reference;
        self.send(turn, id, &Packet::Disconnect(disconnect));
    }

    /// The connection that a session had before is told and closed; session and will are the new one's business.
    pub(crate) fn end_old_connection(&mut self, turn: &mut Turn<'_>, old: ConnId, new: ConnId, fault: Fault) {
        self.counters.refusals.count(fault.reason_code);
        let noted = turn.effects.refused_clients.len();
        self.note_refused_client(turn, old, fault.reason_code, Some(fault.detail));
        if let Some(refused) = turn.effects.refused_clients.get_mut(noted) {
            refused.taken_over_by = self.peer_address(new).map(Into::into);
        }
        self.ends_for(old, fault.reason_code);
        self.send_disconnect(turn, old, fault.reason_code, Some(fault.detail), None);
        self.detach(turn, old, LeaveReason::Disconnect);
        self.close(turn, old);
    }

    /// Notes why a connection is about to end, for [`Shard::end_reason`].
    pub(crate) fn ends_for(&mut self, id: ConnId, reason_code: ReasonCode) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.end_reason = reason_code;
        }
    }

    /// Asks the driver to close the connection when its output is written. Nothing more is taken from it
    /// [MQTT-3.14.4-1] [MQTT-3.14.4-2].
    pub(crate) fn close(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        self.leave(turn, id, WillFate::Publish);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if matches!(conn.state, ConnState::Closing) {
            return;
        }
        conn.state = ConnState::Closing;
        conn.responses = Default::default();
        conn.authentication = None;
        conn.alias_in = None;
        conn.alias_out = None;
        self.timers.disarm(TimerKey::Conn(id.place()), &mut conn.armed);
        turn.effects.close.push(id);
    }

    /// The connection is gone.
    pub(crate) fn closed(&mut self, turn: &mut Turn<'_>, id: ConnId, cause: CloseCause) {
        self.leave_for(turn, id, WillFate::Publish, LeaveReason::ConnectionLost);
        let Some(mut conn) = self.conns.remove(id) else { return };
        self.timers.disarm(TimerKey::Conn(id.place()), &mut conn.armed);
        self.counters.connections -= 1;
        if self.spans.is_some() {
            self.end_spans_of_conn(turn, id);
        }
        if cause == CloseCause::Stalled && !conn.is_closing() {
            self.counters.output_stalls += 1;
        }
    }

    /// The client is not connected any more: decides on its will, if it has one [MQTT3-3.1.2-12], and on how long its
    /// session lasts.
    pub(crate) fn leave(&mut self, turn: &mut Turn<'_>, id: ConnId, fate: WillFate) {
        self.leave_for(turn, id, fate, LeaveReason::Disconnect);
    }

    /// As [`Self::leave`], for this reason unless the broker itself has ended the connection.
    fn leave_for(&mut self, turn: &mut Turn<'_>, id: ConnId, fate: WillFate, reason: LeaveReason) {
        let Some(session_id) = self.detach(turn, id, reason) else { return };
        let Some(session) = self.sessions.get_mut(session_id) else { return };
        session.ends_at = session.expiry.session_end(turn.now);
        match (session.will.take(), fate) {
            (Some(will), WillFate::Publish) => {
                session.pending_will = Some(PendingWill::new(will, turn.now, session.ends_at));
            }
            // [MQTT-3.1.2-10] [MQTT3-3.1.2-10]
            (Some(_), WillFate::Delete) => session.record_will_gone(&mut turn.effects.records),
            (None, _) => {}
        }
        if !session.expiry.outlives_connection() {
            // [MQTT-4.1.0-2]
            return self.end_session(turn, session_id);
        }
        if session.recorded.is_some() {
            // A will that was deleted must not come back, and the time of the session runs from now.
            self.record_session(turn, session_id);
            self.commit.hurry(turn.effects, self.config.durability);
        }
        self.hand_on_shared(turn, session_id);
        self.session_due(turn, session_id);
    }

    /// Unties a connection from its session, which stays.
    fn detach(&mut self, turn: &mut Turn<'_>, id: ConnId, reason: LeaveReason) -> Option<SessionId> {
        let conn = self.conns.get_mut(id)?;
        let session_id = conn.session()?;
        conn.state = ConnState::Left;
        self.counters.client_left(conn.version);
        let session = self.sessions.get_mut(session_id)?;
        session.conn = None;
        session.rights = None;
        session.sender.on_disconnect();
        session.receiver.on_disconnect();
        self.set_shares_online(session_id, false);
        self.note_presence(turn, id, session_id, Some(reason));
        Some(session_id)
    }

    /// An operator ends a connection.
    pub(crate) fn disconnect_client(
        &mut self,
        turn: &mut Turn<'_>,
        client_id: &str,
        reason_code: ReasonCode,
        reason_string: Option<&str>,
        server_reference: Option<&str>,
    ) {
        let session = self.sessions.find(client_id).and_then(|session| self.sessions.get(session));
        if let Some(conn) = session.and_then(|session| session.conn) {
            self.disconnect_with(turn, conn, reason_code, reason_string, server_reference);
        }
    }

    /// Some users are not who they were any more.
    pub(crate) fn end_users(&mut self, turn: &mut Turn<'_>, users: &HashSet<Box<str>>, authenticator: &str) {
        let is_ended = |session: &Session| {
            session.identity.user_name.as_deref().is_some_and(|name| users.contains(name))
        };
        let conns = self.sessions.iter().filter(|(_, session)| is_ended(session));
        let conns = conns.filter_map(|(_, session)| session.conn);
        let is_judged = |conn: &ConnId| {
            let conn = self.conns.get(*conn);
            conn.is_some_and(|conn| {
                conn.info.listener.authenticators.iter().any(|name| **name == *authenticator)
            })
        };
        let conns: Vec<ConnId> = conns.filter(is_judged).collect();
        let words = "the user was removed, or its password changed";
        for conn in conns {
            self.disconnect_with(turn, conn, ReasonCode::ADMINISTRATIVE_ACTION, Some(words), None);
        }
    }

    /// The wills that the end of the broker causes: with sessions in memory all of them, otherwise those without a
    /// delay; the others wait in the store.
    pub(crate) fn publish_wills(&mut self, turn: &mut Turn<'_>) {
        let all = self.config.durability == Durability::Memory;
        let sessions: Vec<SessionId> = self.sessions.iter().map(|(id, _)| id).collect();
        for session_id in sessions {
            let Some(session) = self.sessions.get_mut(session_id) else { continue };
            let publisher = Arc::clone(session.client_id());
            let at_once = session.expiry == SessionExpiry::AT_CLOSE || all;
            let live = session.will.take_if(|will| at_once || will.delay_interval_seconds == 0);
            let waiting = session.pending_will.take_if(|_| all);
            if live.is_some() {
                session.record_will_gone(&mut turn.effects.records);
            }
            let live = live.map(|will| will.into_message(Some(publisher.clone()), turn.now));
            let waiting = waiting.map(|will| will.into_message(Some(publisher), turn.now));
            for message in live.into_iter().chain(waiting) {
                self.put_off_will(session_id, message);
            }
        }
    }

    /// The end of the broker: whoever is connected is told.
    pub(crate) fn shut_down(&mut self, turn: &mut Turn<'_>, server_reference: Option<&str>) {
        self.shutting_down = true;
        self.publish_wills(turn);
        self.settle(turn);
        for id in self.conns.ids() {
            let connected = self.conns.get(id).is_some_and(|conn| conn.session().is_some());
            if connected {
                let reason_code = ReasonCode::SERVER_SHUTTING_DOWN;
                self.disconnect_with(
                    turn,
                    id,
                    reason_code,
                    Some("the server is shutting down"),
                    server_reference,
                );
            } else {
                let detail = "the server is shutting down";
                self.refuse(turn, id, Fault::new(ReasonCode::SERVER_SHUTTING_DOWN, detail));
            }
        }
        debug_assert!(!self.deferred.iter().any(|deferred| matches!(deferred, Deferred::DisconnectSlow(_))));
    }
}
