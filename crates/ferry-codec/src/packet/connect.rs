use std::num::{NonZeroU16, NonZeroU32};

use crate::{MessageProperties, ProtocolVersion, QoS, UserProperties};

/// CONNECT: the first packet of a client `[MQTT-3.1.0-1]` (section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// Found in the packet itself.
    pub protocol_version: ProtocolVersion,
    /// 3.x only: the private mark (0x80 of the level) of a bridge, which wants no-local and
    /// retain-as-published on all its subscriptions.
    pub bridge: bool,
    /// 3.x: Clean Session.
    pub clean_start: bool,
    /// 0: no keep alive.
    pub keep_alive_seconds: u16,
    /// Empty: the server assigns one (5.0; 3.1.1 with a clean session).
    pub client_id: &'a str,
    /// Published when the connection ends without a proper DISCONNECT.
    pub will: Option<Will<'a>>,
    /// Who the client says it is.
    pub user_name: Option<&'a str>,
    /// In 5.0 also without a user name.
    pub password: Option<&'a [u8]>,
    /// 5.0 only.
    pub properties: ConnectProperties<'a>,
}

/// The properties of a CONNECT (section 3.1.2.11). What is absent has the standard's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectProperties<'a> {
    /// Seconds; 0xFFFF_FFFF is never. Absent: 0, the session ends with the connection.
    pub session_expiry_interval: Option<u32>,
    /// QoS 1 and 2 messages the client takes at the same time. Absent: 65,535.
    pub receive_maximum: Option<NonZeroU16>,
    /// Bytes of a whole packet. Absent: no limit.
    pub maximum_packet_size: Option<NonZeroU32>,
    /// Highest topic alias the client takes. Absent: 0.
    pub topic_alias_maximum: Option<u16>,
    /// Absent: false.
    pub request_response_information: Option<bool>,
    /// Absent: true.
    pub request_problem_information: Option<bool>,
    /// Its presence starts an enhanced authentication (section 4.12).
    pub authentication_method: Option<&'a str>,
    /// Only with a method (`U5-019`).
    pub authentication_data: Option<&'a [u8]>,
    /// Meaning not defined by the standard.
    pub user_properties: UserProperties<'a>,
}

/// The message that the server publishes for a client that is gone (sections 3.1.2.5 and 3.1.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Will<'a> {
    /// A valid topic name.
    pub topic: &'a str,
    /// At most 65,535 bytes.
    pub payload: &'a [u8],
    /// The QoS to publish it with.
    pub qos: QoS,
    /// Whether to publish it as a retained message.
    pub retain: bool,
    /// Seconds between the end of the connection and the will. 0 if absent and in 3.x.
    pub delay_interval_seconds: u32,
    /// Published with it.
    pub properties: MessageProperties<'a>,
}
