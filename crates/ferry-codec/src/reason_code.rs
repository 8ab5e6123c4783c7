/// A Reason Code of MQTT 5.0 (section 2.4, Table 2-6). 3.x return codes are mapped to and from it by the codec.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct ReasonCode(u8);

impl ReasonCode {
    /// 0x00: CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK, AUTH.
    pub const SUCCESS: Self = Self(0x00);
    /// 0x00: DISCONNECT.
    pub const NORMAL_DISCONNECTION: Self = Self(0x00);
    /// 0x00: SUBACK.
    pub const GRANTED_QOS_0: Self = Self(0x00);
    /// 0x01: SUBACK.
    pub const GRANTED_QOS_1: Self = Self(0x01);
    /// 0x02: SUBACK.
    pub const GRANTED_QOS_2: Self = Self(0x02);
    /// 0x04: DISCONNECT.
    pub const DISCONNECT_WITH_WILL_MESSAGE: Self = Self(0x04);
    /// 0x10: PUBACK, PUBREC.
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    /// 0x11: UNSUBACK.
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    /// 0x18: AUTH.
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    /// 0x19: AUTH.
    pub const RE_AUTHENTICATE: Self = Self(0x19);
    /// 0x80: CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT.
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    /// 0x81: CONNACK, DISCONNECT.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// 0x82: CONNACK, DISCONNECT.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    /// 0x83: CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT.
    pub const IMPLEMENTATION_SPECIFIC_ERROR: Self = Self(0x83);
    /// 0x84: CONNACK.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    /// 0x85: CONNACK.
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    /// 0x86: CONNACK.
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    /// 0x87: CONNACK, PUBACK, PUBREC, SUBACK, UNSUBACK, DISCONNECT.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// 0x88: CONNACK.
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    /// 0x89: CONNACK, DISCONNECT.
    pub const SERVER_BUSY: Self = Self(0x89);
    /// 0x8A: CONNACK.
    pub const BANNED: Self = Self(0x8A);
    /// 0x8B: DISCONNECT.
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8B);
    /// 0x8C: CONNACK.
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8C);
    /// 0x8D: DISCONNECT.
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    /// 0x8E: DISCONNECT.
    pub const SESSION_TAKEN_OVER: Self = Self(0x8E);
    /// 0x8F: SUBACK, UNSUBACK, DISCONNECT.
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8F);
    /// 0x90: CONNACK, PUBACK, PUBREC, DISCONNECT.
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    /// 0x91: PUBACK, PUBREC, SUBACK, UNSUBACK.
    pub const PACKET_IDENTIFIER_IN_USE: Self = Self(0x91);
    /// 0x92: PUBREL, PUBCOMP.
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    /// 0x93: DISCONNECT.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    /// 0x94: DISCONNECT.
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    /// 0x95: CONNACK, DISCONNECT.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    /// 0x96: DISCONNECT.
    pub const MESSAGE_RATE_TOO_HIGH: Self = Self(0x96);
    /// 0x97: CONNACK, PUBACK, PUBREC, SUBACK, DISCONNECT.
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    /// 0x98: DISCONNECT.
    pub const ADMINISTRATIVE_ACTION: Self = Self(0x98);
    /// 0x99: CONNACK, PUBACK, PUBREC, DISCONNECT.
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    /// 0x9A: CONNACK, DISCONNECT.
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9A);
    /// 0x9B: CONNACK, DISCONNECT.
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9B);
    /// 0x9C: CONNACK, DISCONNECT.
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    /// 0x9D: CONNACK, DISCONNECT.
    pub const SERVER_MOVED: Self = Self(0x9D);
    /// 0x9E: SUBACK, DISCONNECT.
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9E);
    /// 0x9F: CONNACK, DISCONNECT.
    pub const CONNECTION_RATE_EXCEEDED: Self = Self(0x9F);
    /// 0xA0: DISCONNECT.
    pub const MAXIMUM_CONNECT_TIME: Self = Self(0xA0);
    /// 0xA1: SUBACK, DISCONNECT.
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xA1);
    /// 0xA2: SUBACK, DISCONNECT.
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xA2);

    /// Any byte is a reason code on the wire; which ones a packet may carry is checked by `decode`.
    #[must_use]
    pub const fn new(code: u8) -> Self {
        Self(code)
    }

    /// The byte on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// 0x80 or above: the operation failed.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.0 >= 0x80
    }

    /// The name in Table 2-6; 0x00 is "Success", also where the standard calls it otherwise.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0x00 => "Success",
            0x01 => "Granted QoS 1",
            0x02 => "Granted QoS 2",
            0x04 => "Disconnect with Will Message",
            0x10 => "No matching subscribers",
            0x11 => "No subscription existed",
            0x18 => "Continue authentication",
            0x19 => "Re-authenticate",
            0x80 => "Unspecified error",
            0x81 => "Malformed Packet",
            0x82 => "Protocol Error",
            0x83 => "Implementation specific error",
            0x84 => "Unsupported Protocol Version",
            0x85 => "Client Identifier not valid",
            0x86 => "Bad User Name or Password",
            0x87 => "Not authorized",
            0x88 => "Server unavailable",
            0x89 => "Server busy",
            0x8A => "Banned",
            0x8B => "Server shutting down",
            0x8C => "Bad authentication method",
            0x8D => "Keep Alive timeout",
            0x8E => "Session taken over",
            0x8F => "Topic Filter invalid",
            0x90 => "Topic Name invalid",
            0x91 => "Packet Identifier in use",
            0x92 => "Packet Identifier not found",
            0x93 => "Receive Maximum exceeded",
            0x94 => "Topic Alias invalid",
            0x95 => "Packet too large",
            0x96 => "Message rate too high",
            0x97 => "Quota exceeded",
            0x98 => "Administrative action",
            0x99 => "Payload format invalid",
            0x9A => "Retain not supported",
            0x9B => "QoS not supported",
            0x9C => "Use another server",
            0x9D => "Server moved",
            0x9E => "Shared Subscriptions not supported",
            0x9F => "Connection rate exceeded",
            0xA0 => "Maximum connect time",
            0xA1 => "Subscription Identifiers not supported",
            0xA2 => "Wildcard Subscriptions not supported",
            _ => "Unknown reason code",
        }
    }

    /// The CONNACK return code of MQTT 3.1 and 3.1.1 that says the same, or `None` if there is none: then
    /// the connection is closed without a CONNACK `[MQTT3-3.2.2-6]`.
    #[must_use]
    pub const fn connack_return_code(self) -> Option<u8> {
        match self {
            Self::SUCCESS => Some(0),
            Self::UNSUPPORTED_PROTOCOL_VERSION => Some(1),
            Self::CLIENT_IDENTIFIER_NOT_VALID => Some(2),
            Self::SERVER_UNAVAILABLE
            | Self::SERVER_BUSY
            | Self::SERVER_SHUTTING_DOWN
            | Self::USE_ANOTHER_SERVER
            | Self::SERVER_MOVED
            | Self::QUOTA_EXCEEDED
            | Self::CONNECTION_RATE_EXCEEDED => Some(3),
            Self::BAD_USER_NAME_OR_PASSWORD | Self::BAD_AUTHENTICATION_METHOD => Some(4),
            Self::NOT_AUTHORIZED | Self::BANNED => Some(5),
            _ => None,
        }
    }

    /// The reason code for a CONNACK return code of MQTT 3.1 and 3.1.1; `None` above 5, which is reserved.
    #[must_use]
    pub const fn from_connack_return_code(return_code: u8) -> Option<Self> {
        match return_code {
            0 => Some(Self::SUCCESS),
            1 => Some(Self::UNSUPPORTED_PROTOCOL_VERSION),
            2 => Some(Self::CLIENT_IDENTIFIER_NOT_VALID),
            3 => Some(Self::SERVER_UNAVAILABLE),
            4 => Some(Self::BAD_USER_NAME_OR_PASSWORD),
            5 => Some(Self::NOT_AUTHORIZED),
            _ => None,
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "0x{:02X} {}", self.0, self.name())
    }
}

impl std::fmt::Debug for ReasonCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, formatter)
    }
}
