use std::fmt;

use ferry_codec::topic::validate_topic_name;
use ferry_codec::{DecodeLimits, ProtocolVersion};

use super::InvalidValue;
use crate::Message;

/// What a CONNECT says, and the limits of one session.
///
/// The default is MQTT 5.0 with a Client Identifier that the server chooses, Clean Start, a Keep Alive of 60 seconds
/// and no Session Expiry Interval: the session ends with its connection.
#[derive(Clone)]
pub struct ConnectOptions {
    /// The version to speak.
    pub protocol_version: ProtocolVersion,
    /// Empty: the server chooses one, which is kept for later connections `[MQTT-3.1.3-6]`.
    pub client_id: String,
    /// Begin with a new session. In 5.0 this is said with the first CONNECT only: the later ones of the same client
    /// take up the session if its expiry allows that. In 3.x it is said each time, and the session ends with each
    /// connection.
    pub clean_start: bool,
    /// Seconds, 0 for never: how long a connection may be silent.
    pub keep_alive_seconds: u16,
    /// Who it is.
    pub user_name: Option<String>,
    /// In 3.x only with a user name `[MQTT3-3.1.2-22]`.
    pub password: Option<Vec<u8>>,
    /// Published by the server when the connection ends without a normal DISCONNECT.
    pub will: Option<Will>,
    /// Seconds that the session outlives a connection; `u32::MAX` is for ever. 5.0 only.
    pub session_expiry_interval: u32,
    /// QoS 1 and 2 messages that may wait for their acknowledgement here at the same time, at least 1; told to the
    /// server in 5.0. A 3.x server cannot be told: the client stops reading instead, see
    /// [`ClientOptions::receive_messages_max`](crate::ClientOptions::receive_messages_max).
    pub receive_maximum: u16,
    /// Bytes of these messages, at least 1, for 3.x, where one more message is taken as long as they are fewer. In 5.0
    /// [`maximum_packet_size`](Self::maximum_packet_size) is the bound of each message.
    pub receive_bytes_max_v3: usize,
    /// Bytes of the largest packet to take; told to the server in 5.0. `None`: 268,435,460, all that the encoding
    /// allows.
    pub maximum_packet_size: Option<u32>,
    /// Aliases that the server may use. 5.0 only.
    pub topic_alias_maximum: u16,
    /// Ask for [`Connected::response_information`](crate::Connected). 5.0 only.
    pub request_response_information: bool,
    /// Whether the server may explain its reasons. 5.0 only.
    pub request_problem_information: bool,
    /// User Properties of the CONNECT. 5.0 only.
    pub user_properties: Vec<(String, String)>,
    /// User Properties of every SUBSCRIBE. 5.0 only.
    pub subscribe_user_properties: Vec<(String, String)>,
    /// User Properties of every UNSUBSCRIBE. 5.0 only.
    pub unsubscribe_user_properties: Vec<(String, String)>,
    /// Messages that may wait here, unsent or unacknowledged.
    pub outgoing_messages_max: usize,
    /// Bytes of them.
    pub outgoing_bytes_max: usize,
    /// What happens when one of the two is reached.
    pub outgoing_overflow: OutgoingOverflow,
    /// Seconds after which a message of QoS 1 or 2 that has no Message Expiry Interval of its own is of no use: it gets this
    /// one. `None`: it waits for ever.
    pub outgoing_age_max_seconds: Option<u32>,
    /// QoS 1 and 2 messages that may be on their way at the same time; the server's Receive Maximum may make it
    /// fewer. `None`: as many as the server allows in 5.0, 20 in 3.x, where it cannot say.
    pub inflight_max: Option<u16>,
    /// Topic aliases to use for the topics that are published most, if the server takes some.
    pub topic_alias_out_max: u16,
    /// Milliseconds until the server must have answered the CONNECT.
    pub connack_timeout_ms: u32,
    /// Milliseconds until the server must have answered a PINGREQ.
    pub ping_timeout_ms: u32,
    /// Subscribe again when the server has lost the session.
    pub resubscribe: bool,
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutgoingOverflow {
    /// It is refused, or `publish` waits.
    #[default]
    Refuse,
    /// The oldest that are not on their way make room, and are told as
    /// [`DroppedOldest`](crate::NotPublished::DroppedOldest).
    DropOldest,
}

/// The message that a server publishes for a client that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// What.
    pub message: Message,
    /// Seconds between the end of the connection and the message. 5.0 only.
    pub delay_interval_seconds: u32,
}

/// QoS 1 and 2 messages in flight to a 3.x server, which cannot say how many it takes; what most servers take.
const INFLIGHT_MAX_V3: u16 = 20;

impl ConnectOptions {
    /// Whether packets can carry all this. A connection begins with this check.
    ///
    /// # Errors
    /// The first text or data that is longer than 65,535 bytes, the payload of the will included; User Properties of more than
    /// 64 MiB; the first text with the
    /// character U+0000 `[MQTT-1.5.4-2]`, `[MQTT3-1.5.3-2]`; or a topic of the will that is none.
    pub fn check(&self) -> Result<(), InvalidValue> {
        const OF: &str = "CONNECT";
        InvalidValue::check_text(OF, "Client Identifier", &self.client_id)?;
        if let Some(user_name) = &self.user_name {
            InvalidValue::check_text(OF, "User Name", user_name)?;
        }
        if let Some(password) = &self.password {
            InvalidValue::check_bytes(OF, "Password", password)?;
        }
        InvalidValue::check_pairs(OF, &self.user_properties)?;
        InvalidValue::check_pairs("SUBSCRIBE", &self.subscribe_user_properties)?;
        InvalidValue::check_pairs("UNSUBSCRIBE", &self.unsubscribe_user_properties)?;
        self.will.as_ref().map_or(Ok(()), Will::check)
    }

    pub(crate) fn send_quota(&self) -> u16 {
        let default = if self.protocol_version.is_v3() { INFLIGHT_MAX_V3 } else { u16::MAX };
        self.inflight_max.unwrap_or(default).max(1)
    }
}

/// Who it is, without the secrets.
impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("protocol_version", &self.protocol_version)
            .field("client_id", &self.client_id)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_seconds", &self.keep_alive_seconds)
            .field("user_name", &self.user_name)
            .field("session_expiry_interval", &self.session_expiry_interval)
            .finish_non_exhaustive()
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            protocol_version: ProtocolVersion::V5,
            client_id: String::new(),
            clean_start: true,
            keep_alive_seconds: 60,
            user_name: None,
            password: None,
            will: None,
            session_expiry_interval: 0,
            receive_maximum: 2_048,
            receive_bytes_max_v3: 16 * 1024 * 1024,
            maximum_packet_size: None,
            topic_alias_maximum: 16,
            request_response_information: false,
            request_problem_information: true,
            user_properties: Vec::new(),
            subscribe_user_properties: Vec::new(),
            unsubscribe_user_properties: Vec::new(),
            outgoing_messages_max: 100_000,
            outgoing_bytes_max: 64 * 1024 * 1024,
            outgoing_overflow: OutgoingOverflow::Refuse,
            outgoing_age_max_seconds: None,
            inflight_max: None,
            topic_alias_out_max: 32,
            connack_timeout_ms: 15_000,
            ping_timeout_ms: 10_000,
            resubscribe: true,
        }
    }
}

impl Will {
    /// Published at once when the connection is lost.
    #[must_use]
    pub fn new(message: Message) -> Self {
        Self { message, delay_interval_seconds: 0 }
    }

    /// Sets the Will Delay Interval.
    #[must_use]
    pub fn delay_seconds(mut self, seconds: u32) -> Self {
        self.delay_interval_seconds = seconds;
        self
    }

    fn check(&self) -> Result<(), InvalidValue> {
        const OF: &str = "the will";
        let Message { topic, payload, properties, .. } = &self.message;
        validate_topic_name(topic, &DecodeLimits::UNLIMITED).map_err(|error| InvalidValue {
            of: OF,
            name: "Topic",
            why: error.detail(),
        })?;
        // It is Binary Data, unlike that of a PUBLISH (section 3.1.3.4).
        InvalidValue::check_bytes(OF, "Payload", payload)?;
        let properties = properties.as_ref().map_or(Ok(()), |properties| properties.check());
        properties.map_err(|invalid| InvalidValue { of: OF, ..invalid })
    }
}

impl From<Message> for Will {
    fn from(message: Message) -> Self {
        Self::new(message)
    }
}
