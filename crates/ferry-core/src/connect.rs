use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::{Connack, encoded_length};
use ferry_codec::{Connect, DecodeError, Packet, ProtocolVersion, ReasonCode, decode_connect, encode};
use ferry_session::{SessionExpiry, StoredWill, Timestamp};

use crate::auth::{AuthPhase, Authentication};
use crate::conn::{ConnState, Paused};
use crate::fault::Fault;
use crate::legal_reason::in_connack;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::write_packet::mark_dirty;
use crate::{AuthRequest, AuthStep, ConnId, Credentials, home_shard};

/// What is kept of a CONNECT until its client is judged.
pub(crate) struct PendingConnect {
    pub(crate) client_id: Box<str>,
    /// The client identifier is ours [MQTT-3.1.3-6] [MQTT3-3.1.3-6].
    pub(crate) assigned: bool,
    pub(crate) clean_start: bool,
    pub(crate) keep_alive_seconds: u16,
    pub(crate) expiry: SessionExpiry,
    pub(crate) receive_maximum: NonZeroU16,
    pub(crate) topic_alias_maximum: u16,
    pub(crate) request_response_information: bool,
    pub(crate) will: Option<Box<StoredWill>>,
}

/// What a client that may not connect is told.
pub(crate) struct Rejection<'a> {
    pub(crate) reason_code: ReasonCode,
    pub(crate) reason_string: Option<&'a str>,
    pub(crate) server_reference: Option<&'a str>,
    /// Words for the log in the place of the reason string.
    pub(crate) detail: Option<&'a str>,
}

impl Shard {
    /// The first packet of a connection (section 3.1.4).
    pub(crate) fn connect_packet(&mut self, turn: &mut Turn<'_>, id: ConnId, frame: &[u8]) {
        let limits = self.config.decode;
        let connect = match decode_connect(frame, &limits) {
            Ok(connect) => connect,
            Err(error) => return self.refuse_malformed_connect(turn, id, &error),
        };
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.version = connect.protocol_version;
        conn.bridge = connect.bridge;
        let properties = &connect.properties;
        conn.request_problem_information = properties.request_problem_information.unwrap_or(true);
        conn.maximum_packet_size = properties.maximum_packet_size.map_or(u32::MAX, u32::from);
        if let Err(fault) = self.check_connect(turn.now, id, &connect) {
            self.reject_connect(turn, id, fault.reason_code, Some(fault.detail), None);
            return self.name_refused_client(turn, connect.client_id);
        }
        let pending = self.keep_connect(&connect);
        let credentials = self.credentials(id, &connect, &pending.client_id);
        self.authenticate(turn, id, &connect, pending, credentials);
    }

    /// What can be judged without knowing who it is.
    fn check_connect(&mut self, now: Timestamp, id: ConnId, connect: &Connect<'_>) -> Result<(), Fault> {
        let Some(conn) = self.conns.get(id) else { return Ok(()) };
        let policy = &conn.info.listener;
        if !policy.allows(connect.protocol_version) {
            let detail = "this listener does not serve this protocol version";
            return Err(Fault::new(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION, detail));
        }
        if self.shutting_down {
            return Err(Fault::new(ReasonCode::SERVER_SHUTTING_DOWN, "the server is shutting down"));
        }
        if let Some(quota) = &mut self.connect_quota
            && !quota.take(1, now)
        {
            return Err(Fault::new(ReasonCode::CONNECTION_RATE_EXCEEDED, "too many connections a second"));
        }
        // No other length, and no character, is refused [MQTT-3.1.3-5] [MQTT3-3.1.3-5].
        if connect.client_id.len() > usize::from(self.config.client_id_bytes_max) {
            // [MQTT-3.1.3-8] [MQTT3-3.1.3-9]
            let detail = "the client identifier is too long";
            return Err(Fault::new(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID, detail));
        }
        let Some(will) = &connect.will else { return Ok(()) };
        if will.qos > self.config.maximum_qos.min(policy.maximum_qos) {
            // [MQTT-3.2.2-12]
            return Err(Fault::new(ReasonCode::QOS_NOT_SUPPORTED, "the will's QoS is not supported"));
        }
        if will.retain && !self.config.retain_available {
            // [MQTT-3.2.2-13]
            return Err(Fault::new(ReasonCode::RETAIN_NOT_SUPPORTED, "retained wills are not supported"));
        }
        if self.config.payload_format_check && !will.properties.payload_format_is_valid(will.payload) {
            return Err(Fault::new(ReasonCode::PAYLOAD_FORMAT_INVALID, "the will's payload is not UTF-8"));
        }
        Ok(())
    }

    fn keep_connect(&mut self, connect: &Connect<'_>) -> Box<PendingConnect> {
        let assigned = connect.client_id.is_empty();
        let client_id = if assigned { self.assign_client_id() } else { connect.client_id.into() };
        let properties = &connect.properties;
        let expiry = if connect.protocol_version.is_v3() {
            // [MQTT3-3.1.2-6]
            SessionExpiry::from_clean_session(connect.clean_start)
        } else {
            SessionExpiry::from_seconds(properties.session_expiry_interval.unwrap_or(0))
        };
        Box::new(PendingConnect {
            client_id,
            assigned,
            clean_start: connect.clean_start,
            keep_alive_seconds: connect.keep_alive_seconds,
            expiry,
            receive_maximum: properties.receive_maximum.unwrap_or(NonZeroU16::MAX),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            request_response_information: properties.request_response_information.unwrap_or(false),
            will: connect.will.as_ref().map(|will| Box::new(StoredWill::from_connect(will))),
        })
    }

    /// A client identifier of this shard that no session has [MQTT-3.2.2-16].
    fn assign_client_id(&mut self) -> Box<str> {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
        loop {
            let mut text = String::from("auto");
            let mut bits = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
            // 95 random bits, and not more than the 23 characters that every server takes [MQTT-3.1.3-5].
            for _ in 0..19 {
                text.push(char::from(DIGITS[(bits & 31) as usize]));
                bits >>= 5;
            }
            if home_shard(&text, self.shard_count()) == self.id && self.sessions.find(&text).is_none() {
                return text.into_boxed_str();
            }
        }
    }

    fn credentials(&self, id: ConnId, connect: &Connect<'_>, client_id: &str) -> Credentials {
        let Some(conn) = self.conns.get(id) else { return Credentials::default() };
        Credentials {
            client_id: client_id.into(),
            user_name: connect.user_name.map(Into::into),
            password: connect.password.map(Into::into),
            peer_address: conn.info.peer_address().into(),
            certificate_common_name: conn.info.certificate_common_name().map(Into::into),
            certificate: conn.info.certificate().cloned(),
            protocol_version: connect.protocol_version as u8,
            listener: conn.info.listener.name.clone(),
            psk_identity: conn.info.psk_identity().map(Into::into),
            authenticators: Arc::clone(&conn.info.listener.authenticators),
            anonymous_allowed: conn.info.listener.anonymous_allowed,
        }
    }

    /// Asks for the client to be judged; until then nothing is read from it. What it sent behind its CONNECT
    /// waits with the driver. Who fails has its connection closed [MQTT-3.1.4-2].
    fn authenticate(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        connect: &Connect<'_>,
        pending: Box<PendingConnect>,
        credentials: Credentials,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.state = ConnState::Authenticating(pending);
        conn.deadline = turn.now.plus_seconds(self.config.authentication_timeout_seconds);
        conn.paused.insert(Paused::AUTHENTICATION);
        let step = match connect.properties.authentication_method {
            None => AuthStep::Connect(credentials),
            Some(method) => {
                let method = Box::from(method);
                conn.authentication =
                    Some(Box::new(Authentication::new(Clone::clone(&method), AuthPhase::AwaitServer)));
                let data = connect.properties.authentication_data.map(Into::into);
                AuthStep::Start { credentials, method, data, reauthenticate: false }
            }
        };
        turn.pause(id);
        turn.effects.authenticate.push(AuthRequest { conn: id, step });
        self.arm_conn(id);
    }

    /// A CONNECT that breaks the rules, or asks for another protocol.
    fn refuse_malformed_connect(&mut self, turn: &mut Turn<'_>, id: ConnId, error: &DecodeError) {
        let version = match error.unsupported_version {
            // [MQTT-3.1.2-1] [MQTT-3.1.2-2] [MQTT3-3.1.2-2]: in a form that the client may understand.
            Some(unsupported) => unsupported.answer_version(),
            None => error.protocol_version.filter(|version| {
                // A malformed CONNECT of 3.x gets no CONNACK, but a refused client identifier does
                // [MQTT3-3.1.3-8] [MQTT3-3.1.4-1].
                *version == ProtocolVersion::V5 || error.reason_code.connack_return_code().is_some()
            }),
        };
        let Some(conn) = self.conns.get_mut(id) else { return };
        let Some(version) = version else { return self.ignore(turn, id, error.detail) };
        conn.version = version;
        self.reject_connect(turn, id, error.reason_code, Some(error.detail), None);
    }

    /// CONNACK with a reason code of 0x80 or more, then the end [MQTT-3.2.2-7] [MQTT3-3.2.2-5].
    pub(crate) fn reject_connect(
        &mut self,
        turn: &mut Turn<'_>,
        id: ConnId,
        reason_code: ReasonCode,
        reason_string: Option<&str>,
        server_reference: Option<&str>,
    ) {
        let rejection = Rejection { reason_code, reason_string, server_reference, detail: None };
        self.reject(turn, id, &rejection);
    }

    /// As [`reject_connect`](Self::reject_connect), with words for the log.
    pub(crate) fn reject(&mut self, turn: &mut Turn<'_>, id: ConnId, rejection: &Rejection<'_>) {
        let Rejection { reason_string, server_reference, detail, .. } = *rejection;
        let reason_code = in_connack(rejection.reason_code);
        self.note_refused_client(turn, id, reason_code, detail.or(reason_string));
        let Some(conn) = self.conns.get_mut(id) else { return };
        self.counters.refusals.count(reason_code);
        conn.end_reason = reason_code;
        let mut connack = Connack { session_present: false, reason_code, ..Connack::default() };
        connack.properties.reason_string = reason_string;
        connack.properties.server_reference = server_reference;
        let max = conn.maximum_packet_size as usize;
        if encoded_length(&Packet::Connack(connack), conn.version) > max {
            // [MQTT-3.2.2-19]
            connack.properties.reason_string = None;
        }
        let packet = Packet::Connack(connack);
        let answerable = conn.version == ProtocolVersion::V5 || reason_code.connack_return_code().is_some();
        // A return code that 3.x does not have is no answer [MQTT3-3.2.2-6].
        if answerable && encoded_length(&packet, conn.version) <= max {
            let length = encode(&packet, conn.version, conn.output.appending());
            self.counters.packets_sent[2] += 1;
            self.counters.bytes_sent += length as u64;
            mark_dirty(turn, id, conn);
        }
        self.close(turn, id);
    }
}
