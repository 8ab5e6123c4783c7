use std::num::NonZeroU32;

use ferry_codec::{
    Connack, ConnackProperties, DecodeLimits, Packet, QoS, ReasonCode, UserPropertiesBuf, encode,
    encoded_length,
};

use crate::ConnId;
use crate::connect::PendingConnect;
use crate::session::SessionId;
use crate::shard::Shard;

impl Shard {
    /// The CONNACK that lets a client in (section 3.2). `None`: the client takes no packet that large.
    pub(crate) fn connack(
        &self,
        id: ConnId,
        session_id: SessionId,
        pending: &PendingConnect,
        session_present: bool,
        authentication_data: Option<&[u8]>,
    ) -> Option<Box<[u8]>> {
        let conn = self.conns.get(id)?;
        let session = self.sessions.get(session_id)?;
        let config = &*self.config;
        let method = conn.authentication.as_ref().map(|authentication| &*authentication.method);
        let response_information = self.response_information(session_id, pending);
        let maximum_qos = config.maximum_qos.min(conn.info.listener.maximum_qos);
        let mut user_properties = UserPropertiesBuf::new();
        for (name, value) in &config.connack_user_properties {
            user_properties.push(name, value);
        }
        let keep_alive = conn.keep_alive.keep_alive_seconds();
        let properties = ConnackProperties {
            session_expiry_interval: (session.expiry != pending.expiry).then(|| session.expiry.seconds()),
            receive_maximum: (config.receive_maximum.get() < u16::MAX).then_some(config.receive_maximum),
            // [MQTT-3.2.2-9]
            maximum_qos: (maximum_qos < QoS::ExactlyOnce).then_some(maximum_qos),
            retain_available: (!config.retain_available).then_some(false),
            maximum_packet_size: NonZeroU32::new(config.decode.packet_size_max)
                .filter(|max| max.get() < DecodeLimits::UNLIMITED.packet_size_max),
            // [MQTT-3.1.3-7] [MQTT-3.2.2-16]
            assigned_client_identifier: pending.assigned.then_some(&*pending.client_id),
            topic_alias_maximum: (config.topic_alias_maximum > 0).then_some(config.topic_alias_maximum),
            reason_string: None,
            user_properties: user_properties.as_user_properties(),
            wildcard_subscription_available: (!config.wildcard_subscription_available).then_some(false),
            subscription_identifiers_available: (!config.subscription_identifiers_available).then_some(false),
            shared_subscription_available: (!config.shared_subscription_available).then_some(false),
            server_keep_alive: (keep_alive != pending.keep_alive_seconds).then_some(keep_alive),
            response_information: response_information.as_deref(),
            server_reference: None,
            // [MQTT-4.12.0-5] [MQTT-4.12.0-6]
            authentication_method: method,
            authentication_data: method.and(authentication_data),
        };
        // [MQTT-3.2.2-2] [MQTT-3.2.2-3] [MQTT3-3.2.2-1] [MQTT3-3.2.2-2] [MQTT3-3.2.2-3]
        let mut connack = Connack { session_present, reason_code: ReasonCode::SUCCESS, properties };
        let max = conn.maximum_packet_size as usize;
        let length = |connack: &Connack<'_>| encoded_length(&Packet::Connack(*connack), conn.version);
        if length(&connack) > max {
            // [MQTT-3.2.2-20]
            connack.properties.user_properties = ferry_codec::UserProperties::EMPTY;
        }
        if length(&connack) > max {
            return None;
        }
        let mut bytes = Vec::new();
        encode(&Packet::Connack(connack), conn.version, &mut bytes);
        Some(bytes.into_boxed_slice())
    }

    /// Only for a client that asked for it [MQTT-3.1.2-28].
    fn response_information(&self, session_id: SessionId, pending: &PendingConnect) -> Option<String> {
        let prefix = self.config.response_information_prefix.as_deref()?;
        let session = self.sessions.get(session_id)?;
        pending.request_response_information.then(|| [prefix, session.client_id()].concat())
    }
}
