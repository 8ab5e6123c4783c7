use std::sync::Arc;

use ferry_codec::{Auth, Direction, Packet, ReasonCode, decode};
use ferry_session::Timestamp;

use crate::conn::{Conn, ConnState, Paused};
use crate::connect::Rejection;
use crate::counters::packet_type;
use crate::fault::Fault;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{AuthOutcome, AuthRequest, AuthStep, ConnId, Credentials};

/// The enhanced authentication of a connection (section 4.12).
pub(crate) struct Authentication {
    /// The same in every packet of the connection [MQTT-4.12.0-5].
    pub(crate) method: Box<str>,
    pub(crate) phase: AuthPhase,
}

/// ```text
///                  AuthRequest                Continue: AUTH 0x18
///   CONNECT ------------------> AwaitServer --------------------> AwaitClient
///                               ^   |    ^                             |
///     AUTH 0x19 (reauthenticate)|   |    +-----------------------------+
///                               |   | Accept                 AUTH 0x18 from the client
///                               |   v
///                               +- Done           Reject: CONNACK, or DISCONNECT if connected
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthPhase {
    /// The authenticator is to answer.
    AwaitServer,
    /// The client is to answer.
    AwaitClient,
    /// Complete.
    Done,
}

impl Authentication {
    pub(crate) fn new(method: Box<str>, phase: AuthPhase) -> Self {
        Self { method, phase }
    }
}

impl Shard {
    /// A packet of a client that is not let in yet: it may only go on authenticating, or leave [MQTT-3.1.2-30].
    pub(crate) fn packet_while_authenticating(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        frame: &[u8],
    ) -> Result<(), Fault> {
        let Some(conn) = self.conns.get_mut(id) else { return Ok(()) };
        let packet = decode(frame, conn.version, Direction::FromClient, &self.config.decode)?;
        self.counters.packets_received[packet_type(&packet)] += 1;
        match packet {
            Packet::Auth(auth) => self.auth_packet(turn, id, &auth),
            Packet::Disconnect(_) => {
                self.close(turn, id);
                Ok(())
            }
            _ => Err(Fault::protocol_error("only AUTH may come before CONNACK")),
        }
    }

    /// AUTH of a client, connected or not.
    pub(crate) fn auth_packet(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        auth: &Auth<'_>,
    ) -> Result<(), Fault> {
        let Some(conn) = self.conns.get_mut(id) else { return Ok(()) };
        let connected = conn.session().is_some();
        let Some(authentication) = &mut conn.authentication else {
            // [MQTT-4.12.0-6] [MQTT-4.12.0-7] U5-079
            return Err(Fault::protocol_error("AUTH without an authentication method in CONNECT"));
        };
        if auth.authentication_method != Some(&*authentication.method) {
            // [MQTT-4.12.0-5] [MQTT-4.12.1-1] U5-080
            return Err(Fault::protocol_error("the authentication method is not that of CONNECT"));
        }
        let data = auth.authentication_data.map(Into::into);
        let step = match (auth.reason_code, authentication.phase) {
            (ReasonCode::CONTINUE_AUTHENTICATION, AuthPhase::AwaitClient) => AuthStep::Continue { data },
            (ReasonCode::RE_AUTHENTICATE, AuthPhase::Done) if connected => AuthStep::Start {
                method: authentication.method.clone(),
                data,
                reauthenticate: true,
                credentials: Credentials::default(),
            },
            // [MQTT-3.15.2-1]
            _ => return Err(Fault::protocol_error("AUTH is not expected here")),
        };
        authentication.phase = AuthPhase::AwaitServer;
        // One deadline for all steps: who answers slowly each time does not gain time by that.
        if matches!(step, AuthStep::Start { .. }) {
            let deadline = turn.now.plus_seconds(self.config.authentication_timeout_seconds);
            conn.deadline = conn.deadline.min(deadline);
        }
        if !connected {
            conn.paused.insert(Paused::AUTHENTICATION);
            turn.pause(id);
        }
        let step = self.with_credentials(id, step);
        turn.effects.authenticate.push(AuthRequest { conn: id, step });
        self.arm_conn(id);
        Ok(())
    }

    /// The authenticator has answered.
    pub(crate) fn authenticated(&mut self, turn: &mut Turn<'_>, id: ConnId, outcome: AuthOutcome) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let connected = match &conn.state {
            ConnState::Authenticating(_) => false,
            ConnState::Online(_) => true,
            ConnState::AwaitConnect | ConnState::Left | ConnState::Closing => return,
        };
        let phase = conn.authentication.as_ref().map(|authentication| authentication.phase);
        if phase.is_some_and(|phase| phase != AuthPhase::AwaitServer) || (connected && phase.is_none()) {
            return;
        }
        match outcome {
            AuthOutcome::Continue { data } => {
                self.continue_authentication(turn, id, connected, data.as_deref());
            }
            AuthOutcome::Accept { user_name, data, until, .. } if connected => {
                self.reauthenticated(turn, id, user_name.as_deref(), data.as_deref(), until);
            }
            AuthOutcome::Accept { user_name, data, until, grants } => {
                self.accept(turn, id, user_name, grants, data.as_deref());
                self.end_at(id, until);
            }
            AuthOutcome::Reject { reason_code, reason_string, server_reference, .. } if connected => {
                // [MQTT-4.12.1-2]: there is no second CONNACK.
                self.disconnect_with(
                    turn,
                    id,
                    reason_code,
                    reason_string.as_deref(),
                    server_reference.as_deref(),
                );
            }
            AuthOutcome::Reject { reason_code, reason_string, server_reference, detail } => {
                // [MQTT-4.12.0-1] [MQTT-4.12.0-4]
                let rejection = Rejection {
                    reason_code,
                    reason_string: reason_string.as_deref(),
                    server_reference: server_reference.as_deref(),
                    detail: detail.as_deref(),
                };
                self.reject(turn, id, &rejection);
            }
        }
    }

    /// AUTH with 0x18 [MQTT-4.12.0-2].
    fn continue_authentication(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        connected: bool,
        data: Option<&[u8]>,
    ) {
        self.send_auth(turn, id, ReasonCode::CONTINUE_AUTHENTICATION, data, AuthPhase::AwaitClient);
        let Some(conn) = self.conns.get_mut(id) else { return };
        if conn.authentication.is_none() {
            // The authenticator has asked a client that cannot answer.
            let reason_code = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
            return self.reject_connect(turn, id, reason_code, None, None);
        }
        if !connected {
            self.unpause(turn, id, Paused::AUTHENTICATION);
        }
    }

    /// Re-authentication succeeded (section 4.12.1). It cannot make a client somebody else: what the session has was given
    /// to the user that it belongs to.
    fn reauthenticated(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        user_name: Option<&str>,
        data: Option<&[u8]>,
        until: Timestamp,
    ) {
        let Some(session) = self.session_of_mut(id) else { return };
        if session.identity.user_name.as_deref() != user_name {
            let words = "re-authentication cannot change the user";
            return self.disconnect_with(turn, id, ReasonCode::NOT_AUTHORIZED, Some(words), None);
        }
        session.rights = None;
        if let Some(session_id) = self.conns.get(id).and_then(Conn::session) {
            self.record_session(turn, session_id);
            self.recheck_subscriptions(turn, session_id);
        }
        self.send_auth(turn, id, ReasonCode::SUCCESS, data, AuthPhase::Done);
        self.end_at(id, until);
    }

    /// A connected client is who it says for some time only.
    fn end_at(&mut self, id: ConnId, until: Timestamp) {
        if let Some(conn) = self.conns.get_mut(id)
            && conn.session().is_some()
        {
            conn.deadline = until;
            if !until.is_never() {
                self.arm_conn(id);
            }
        }
    }

    /// AUTH with the method of the CONNECT [MQTT-4.12.0-5].
    fn send_auth(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        reason_code: ReasonCode,
        data: Option<&[u8]>,
        phase: AuthPhase,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(mut authentication) = conn.authentication.take() else { return };
        authentication.phase = phase;
        let auth = Auth {
            reason_code,
            authentication_method: Some(&authentication.method),
            authentication_data: data,
            ..Auth::default()
        };
        self.send(turn, id, &Packet::Auth(auth));
        if let Some(conn) = self.conns.get_mut(id) {
            conn.authentication = Some(authentication);
        }
    }

    /// What a connected client has proven before, for its re-authentication.
    fn with_credentials(&self, id: ConnId, mut step: AuthStep) -> AuthStep {
        let Some(conn) = self.conns.get(id) else { return step };
        if let AuthStep::Start { credentials, .. } = &mut step
            && let Some(session) = conn.session().and_then(|session| self.sessions.get(session))
        {
            *credentials = Credentials {
                client_id: (&**session.client_id()).into(),
                user_name: session.identity.user_name.as_deref().map(Into::into),
                password: None,
                peer_address: conn.info.peer_address().into(),
                certificate_common_name: conn.info.certificate_common_name().map(Into::into),
                certificate: conn.info.certificate().cloned(),
                protocol_version: conn.version as u8,
                listener: conn.info.listener.name.clone(),
                psk_identity: conn.info.psk_identity().map(Into::into),
                authenticators: Arc::clone(&conn.info.listener.authenticators),
                anonymous_allowed: conn.info.listener.anonymous_allowed,
            };
        }
        step
    }
}
