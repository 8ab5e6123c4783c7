//! Every rule whose violation makes a packet undecodable, in one table: reason code, words, statement ids.

use crate::{DecodeError, ProtocolVersion, ReasonCode};

/// A rule that a peer broke. Errors travel inside the codec as a reference to one of these.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    reason_code: ReasonCode,
    detail: &'static str,
    statement: &'static str,
    statement_v311: &'static str,
}

pub(crate) type Decoded<T> = Result<T, &'static Fault>;

impl Fault {
    pub(crate) const fn new(
        reason_code: ReasonCode,
        detail: &'static str,
        statement: &'static str,
        statement_v311: &'static str,
    ) -> Self {
        Self { reason_code, detail, statement, statement_v311 }
    }

    pub(crate) const fn malformed(
        detail: &'static str,
        statement: &'static str,
        statement_v311: &'static str,
    ) -> Self {
        Self::new(ReasonCode::MALFORMED_PACKET, detail, statement, statement_v311)
    }

    pub(crate) const fn protocol_error(
        detail: &'static str,
        statement: &'static str,
        statement_v311: &'static str,
    ) -> Self {
        Self::new(ReasonCode::PROTOCOL_ERROR, detail, statement, statement_v311)
    }

    /// Names the statement of the standard that `version` follows.
    pub(crate) fn error(&self, version: Option<ProtocolVersion>) -> DecodeError {
        DecodeError {
            reason_code: self.reason_code,
            detail: self.detail,
            statement: match version {
                Some(ProtocolVersion::V5) | None => self.statement,
                Some(ProtocolVersion::V31 | ProtocolVersion::V311) => self.statement_v311,
            },
            protocol_version: version,
            unsupported_version: None,
        }
    }
}

macro_rules! faults {
    ($($name:ident = $kind:ident($detail:literal, $statement:literal, $statement_v311:literal);)*) => {
        $(pub(crate) static $name: Fault = Fault::$kind($detail, $statement, $statement_v311);)*
    };
}

// Primitives (section 1.5).
faults! {
    PACKET_ENDS_EARLY = malformed("the packet ends inside a field", "", "");
    STRING_NOT_UTF8 = malformed("a string is not well-formed UTF-8", "MQTT-1.5.4-1", "MQTT3-1.5.3-1");
    STRING_HAS_NUL = malformed("a string contains U+0000", "MQTT-1.5.4-2", "MQTT3-1.5.3-2");
    STRING_HAS_CONTROL_CHARACTER =
        malformed("a string contains a control character or non-character", "U5-003", "");
    INTEGER_NOT_MINIMAL =
        malformed("a variable byte integer is longer than necessary", "MQTT-1.5.5-1", "");
    INTEGER_TOO_LONG = malformed("a variable byte integer has more than four bytes", "", "");
}

// Fixed header (section 2.1).
faults! {
    PACKET_TYPE_RESERVED = malformed("packet type 0 is reserved", "", "");
    PACKET_TYPE_AUTH_IN_V3 = malformed("packet type 15 is reserved before 5.0", "", "MQTT3-2.2.2-2");
    FLAGS_INVALID = malformed("the flags of the fixed header are wrong", "MQTT-2.1.3-1", "MQTT3-2.2.2-2");
    FRAME_LENGTH_WRONG = malformed("the frame is not exactly one packet", "", "");
    BYTES_AFTER_END = malformed("bytes follow the last field of the packet", "", "");
    PACKET_ID_ZERO = malformed("the packet identifier is 0", "MQTT-2.2.1-3", "MQTT3-2.3.1-1");
    NOT_FROM_CLIENT = protocol_error("a client must not send this packet", "", "");
    NOT_FROM_SERVER = protocol_error("a server must not send this packet", "", "");
    FIRST_PACKET_NOT_CONNECT =
        protocol_error("the first packet is not CONNECT", "MQTT-3.1.0-1", "MQTT3-3.1.0-1");
}

pub(crate) static PACKET_TOO_LARGE: Fault = Fault::new(
    ReasonCode::PACKET_TOO_LARGE,
    "the packet is larger than the maximum packet size",
    "U5-035",
    "",
);

// Properties (section 2.2.2). Those about one property are in `property_rules`.
faults! {
    PROPERTY_NOT_ALLOWED = malformed("a property is unknown or not allowed in this packet", "U5-006", "");
    SUBSCRIPTION_ID_FROM_CLIENT =
        protocol_error("a client's PUBLISH has a Subscription Identifier", "MQTT-3.3.4-6", "");
    SESSION_EXPIRY_FROM_SERVER =
        protocol_error("a server's DISCONNECT has a Session Expiry Interval", "MQTT-3.14.2-2", "");
    RESPONSE_TOPIC_WILDCARD = protocol_error("Response Topic has a wildcard", "MQTT-3.3.2-14", "");
    RESPONSE_TOPIC_EMPTY = protocol_error("Response Topic is empty", "MQTT-4.7.3-1", "");
}

pub(crate) static USER_PROPERTIES_TOO_MANY: Fault =
    Fault::new(ReasonCode::QUOTA_EXCEEDED, "the packet has too many user properties", "", "");
pub(crate) static TOPIC_ALIAS_ZERO: Fault =
    Fault::new(ReasonCode::TOPIC_ALIAS_INVALID, "Topic Alias is 0", "MQTT-3.3.2-8", "");
