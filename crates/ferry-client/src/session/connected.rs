use ferry_codec::{Connack, QoS};

use crate::message::owned_pairs;

/// What the server has accepted: its CONNACK. What it left out has the standard's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The server still has the session: subscriptions and messages in flight go on.
    pub session_present: bool,
    /// The Client Identifier in force, perhaps chosen by the server.
    pub client_id: String,
    /// Seconds; 0 for none.
    pub keep_alive_seconds: u16,
    /// Seconds that the session outlives the connection.
    pub session_expiry_interval: u32,
    /// QoS 1 and 2 messages that the server takes at the same time.
    pub receive_maximum: u16,
    /// The highest QoS that the server supports.
    pub maximum_qos: QoS,
    /// Whether it supports retained messages.
    pub retain_available: bool,
    /// Bytes of the largest packet it takes.
    pub maximum_packet_size: u32,
    /// Topic aliases it takes.
    pub topic_alias_maximum: u16,
    /// Whether it supports wildcards in filters.
    pub wildcard_subscription_available: bool,
    /// Whether it supports Subscription Identifiers.
    pub subscription_identifiers_available: bool,
    /// Whether it supports `$share/`.
    pub shared_subscription_available: bool,
    /// The basis for response topics.
    pub response_information: Option<String>,
    /// Another server that is to be used in the future.
    pub server_reference: Option<String>,
    /// Words for people.
    pub reason_string: Option<String>,
    /// Whatever else the server says.
    pub user_properties: Vec<(String, String)>,
}

impl Connected {
    pub(crate) fn from_connack(connack: &Connack<'_>, asked: &Asked<'_>) -> Self {
        let properties = &connack.properties;
        Self {
            session_present: connack.session_present,
            client_id: properties.assigned_client_identifier.unwrap_or(asked.client_id).to_owned(),
            // [MQTT-3.1.2-21], [MQTT-3.2.2-21], [MQTT-3.2.2-22].
            keep_alive_seconds: properties.server_keep_alive.unwrap_or(asked.keep_alive_seconds),
            session_expiry_interval: properties
                .session_expiry_interval
                .unwrap_or(asked.session_expiry_interval),
            receive_maximum: properties.receive_maximum.map_or(u16::MAX, std::num::NonZeroU16::get),
            maximum_qos: properties.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: properties.retain_available.unwrap_or(true),
            maximum_packet_size: properties.maximum_packet_size.map_or(u32::MAX, std::num::NonZeroU32::get),
            // [MQTT-3.2.2-18].
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            wildcard_subscription_available: properties.wildcard_subscription_available.unwrap_or(true),
            subscription_identifiers_available: properties.subscription_identifiers_available.unwrap_or(true),
            shared_subscription_available: properties.shared_subscription_available.unwrap_or(true),
            response_information: properties.response_information.map(str::to_owned),
            server_reference: properties.server_reference.map(str::to_owned),
            reason_string: properties.reason_string.map(str::to_owned),
            user_properties: owned_pairs(properties.user_properties),
        }
    }
}

/// What the CONNECT said, and holds if the server says nothing else.
pub(crate) struct Asked<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) keep_alive_seconds: u16,
    pub(crate) session_expiry_interval: u32,
}
