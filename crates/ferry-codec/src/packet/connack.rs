use std::num::{NonZeroU16, NonZeroU32};

use crate::{QoS, ReasonCode, UserProperties};

/// CONNACK: the server's answer to CONNECT (section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connack<'a> {
    /// The server has a session for this client; false whenever the reason code is not 0 `[MQTT-3.2.2-6]`.
    /// Not sent in 3.1.
    pub session_present: bool,
    /// In 3.x `encode` writes [`ReasonCode::connack_return_code`], or 3 (server unavailable) where it has none.
    pub reason_code: ReasonCode,
    /// 5.0 only.
    pub properties: ConnackProperties<'a>,
}

/// The properties of a CONNACK (section 3.2.2.3). What is absent has the standard's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnackProperties<'a> {
    /// Seconds; 0xFFFF_FFFF is never. Absent: the client's value holds.
    pub session_expiry_interval: Option<u32>,
    /// QoS 1 and 2 messages the server takes at the same time. Absent: 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// [`QoS::AtMostOnce`] or [`QoS::AtLeastOnce`] (`U5-030`). Absent: 2.
    pub maximum_qos: Option<QoS>,
    /// Absent: true.
    pub retain_available: Option<bool>,
    /// Bytes of a whole packet. Absent: no limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// The client identifier that the server chose for a client that sent none `[MQTT-3.2.2-16]`.
    pub assigned_client_identifier: Option<&'a str>,
    /// Highest topic alias the server takes. Absent: 0.
    pub topic_alias_maximum: Option<u16>,
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
    /// Absent: true.
    pub wildcard_subscription_available: Option<bool>,
    /// Absent: true.
    pub subscription_identifiers_available: Option<bool>,
    /// Absent: true.
    pub shared_subscription_available: Option<bool>,
    /// Seconds; replaces the client's value `[MQTT-3.2.2-21]`.
    pub server_keep_alive: Option<u16>,
    /// The basis for response topics, if the client asked for it.
    pub response_information: Option<&'a str>,
    /// Another server to use, with 0x9C or 0x9D.
    pub server_reference: Option<&'a str>,
    /// The same as in CONNECT `[MQTT-4.12.0-5]`.
    pub authentication_method: Option<&'a str>,
    /// Its contents are the method's business.
    pub authentication_data: Option<&'a [u8]>,
}
