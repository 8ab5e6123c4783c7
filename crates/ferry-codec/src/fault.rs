//! Every rule whose violation makes a packet undecodable, in one table: reason code, words, statement ids.

use crate::topic::TopicError;
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

// Fixed header flags that have a statement of their own.
faults! {
    PUBREL_FLAGS = malformed("the flags of PUBREL are not 0010", "MQTT-3.6.1-1", "MQTT3-3.6.1-1");
    SUBSCRIBE_FLAGS = malformed("the flags of SUBSCRIBE are not 0010", "MQTT-3.8.1-1", "MQTT3-3.8.1-1");
    UNSUBSCRIBE_FLAGS =
        malformed("the flags of UNSUBSCRIBE are not 0010", "MQTT-3.10.1-1", "MQTT3-3.10.1-1");
    DISCONNECT_FLAGS = malformed("the flags of DISCONNECT are not 0000", "MQTT-3.14.1-1", "MQTT3-3.14.1-1");
    AUTH_FLAGS = malformed("the flags of AUTH are not 0000", "MQTT-3.15.1-1", "");
}

// CONNECT and CONNACK (sections 3.1 and 3.2).
faults! {
    CONNECT_FLAG_RESERVED =
        malformed("the reserved connect flag is not 0", "MQTT-3.1.2-3", "MQTT3-3.1.2-3");
    WILL_QOS_WITHOUT_WILL = malformed("Will QoS without Will Flag", "MQTT-3.1.2-11", "MQTT3-3.1.2-13");
    WILL_RETAIN_WITHOUT_WILL = malformed("Will Retain without Will Flag", "MQTT-3.1.2-13", "MQTT3-3.1.2-15");
    WILL_QOS_RESERVED = malformed("Will QoS is 3", "MQTT-3.1.2-12", "MQTT3-3.1.2-14");
    CLIENT_ID_MISSING = malformed("the client identifier is missing", "MQTT-3.1.3-3", "MQTT3-3.1.3-3");
    WILL_MISSING = malformed("Will Flag is set but the will is missing", "MQTT-3.1.2-9", "MQTT3-3.1.2-9");
    USER_NAME_MISSING =
        malformed("User Name Flag is set but the user name is missing", "MQTT-3.1.2-17", "MQTT3-3.1.2-19");
    PASSWORD_MISSING =
        malformed("Password Flag is set but the password is missing", "MQTT-3.1.2-19", "MQTT3-3.1.2-21");
    PASSWORD_WITHOUT_USER_NAME = malformed("a password without a user name", "", "MQTT3-3.1.2-22");
    CONNECT_BYTES_AFTER_END =
        malformed("bytes follow the last field of CONNECT", "MQTT-3.1.4-1", "MQTT3-3.1.4-1");
    AUTHENTICATION_DATA_WITHOUT_METHOD =
        protocol_error("Authentication Data without Authentication Method", "U5-019", "");
    CONNACK_FLAGS_RESERVED = malformed("a reserved connect acknowledge flag is not 0", "MQTT-3.2.2-1", "");
    CONNACK_SESSION_PRESENT_WITH_ERROR =
        protocol_error("Session Present although the connection is refused", "MQTT-3.2.2-6", "MQTT3-3.2.2-4");
    CONNACK_REASON_CODE = protocol_error("the reason code is none of CONNACK's", "MQTT-3.2.2-8", "MQTT3-3.2.2-6");
}

pub(crate) static PROTOCOL_NAME_UNKNOWN: Fault = Fault::new(
    ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
    "the protocol name is neither MQTT nor MQIsdp",
    "MQTT-3.1.2-1",
    "MQTT3-3.1.2-1",
);
pub(crate) static PROTOCOL_LEVEL_UNKNOWN: Fault = Fault::new(
    ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
    "the protocol level is not supported",
    "MQTT-3.1.2-2",
    "MQTT3-3.1.2-2",
);
pub(crate) static CLIENT_ID_REJECTED: Fault = Fault::new(
    ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
    "an empty client identifier needs a clean session",
    "",
    "MQTT3-3.1.3-8",
);
pub(crate) static CLIENT_ID_LENGTH_V31: Fault = Fault::new(
    ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
    "a client identifier of MQTT 3.1 has 1 to 23 characters",
    "",
    "",
);

// PUBLISH and its acknowledgements (sections 3.3 to 3.7).
faults! {
    PUBLISH_QOS_RESERVED = malformed("both QoS bits of PUBLISH are set", "MQTT-3.3.1-4", "MQTT3-3.3.1-4");
    PUBLISH_DUP_WITHOUT_QOS = malformed("DUP with QoS 0", "MQTT-3.3.1-2", "MQTT3-3.3.1-2");
    PUBLISH_TOPIC_MISSING = protocol_error("neither a topic name nor a topic alias", "U5-052", "MQTT3-4.7.3-1");
    PUBACK_REASON_CODE = protocol_error("the reason code is none of PUBACK's", "MQTT-3.4.2-1", "");
    PUBREC_REASON_CODE = protocol_error("the reason code is none of PUBREC's", "MQTT-3.5.2-1", "");
    PUBREL_REASON_CODE = protocol_error("the reason code is none of PUBREL's", "MQTT-3.6.2-1", "");
    PUBCOMP_REASON_CODE = protocol_error("the reason code is none of PUBCOMP's", "MQTT-3.7.2-1", "");
}

// SUBSCRIBE, UNSUBSCRIBE and their acknowledgements (sections 3.8 to 3.11).
faults! {
    SUBSCRIBE_EMPTY = protocol_error("SUBSCRIBE without a topic filter", "MQTT-3.8.3-2", "MQTT3-3.8.3-3");
    SUBSCRIPTION_OPTIONS_RESERVED =
        malformed("a reserved bit of the subscription options is set", "MQTT-3.8.3-5", "MQTT3-3.8.3-4");
    SUBSCRIPTION_QOS_RESERVED = protocol_error("the maximum QoS of a subscription is 3", "U5-069", "MQTT3-3.8.3-4");
    RETAIN_HANDLING_RESERVED = protocol_error("Retain Handling is 3", "U5-070", "");
    NO_LOCAL_SHARED = protocol_error("No Local on a shared subscription", "MQTT-3.8.3-4", "");
    SUBACK_EMPTY = protocol_error("SUBACK without a reason code", "MQTT-3.8.4-6", "MQTT3-3.8.4-5");
    SUBACK_REASON_CODE = protocol_error("the reason code is none of SUBACK's", "MQTT-3.9.3-2", "MQTT3-3.9.3-2");
    UNSUBSCRIBE_EMPTY = protocol_error("UNSUBSCRIBE without a topic filter", "MQTT-3.10.3-2", "MQTT3-3.10.3-2");
    UNSUBACK_EMPTY = protocol_error("UNSUBACK without a reason code", "MQTT-3.11.3-2", "");
    UNSUBACK_REASON_CODE = protocol_error("the reason code is none of UNSUBACK's", "MQTT-3.11.3-2", "");
}

// DISCONNECT and AUTH (sections 3.14 and 3.15).
faults! {
    DISCONNECT_REASON_CODE =
        protocol_error("the reason code is none that this side may send in DISCONNECT", "MQTT-3.14.2-1", "");
    AUTH_REASON_CODE =
        protocol_error("the reason code is none that this side may send in AUTH", "MQTT-3.15.2-1", "");
    AUTH_WITHOUT_METHOD = protocol_error("AUTH without Authentication Method", "U5-080", "");
}

macro_rules! topic_faults {
    ($($name:ident = $reason_code:ident, $error:ident, $statement:literal, $statement_v311:literal;)*) => {
        $(pub(crate) static $name: Fault = Fault::new(
            ReasonCode::$reason_code,
            TopicError::$error.detail(),
            $statement,
            $statement_v311,
        );)*
    };
}

// Topic names and filters (sections 4.7 and 4.8.2).
topic_faults! {
    NAME_EMPTY = TOPIC_NAME_INVALID, Empty, "MQTT-4.7.3-1", "MQTT3-4.7.3-1";
    NAME_WILDCARD = TOPIC_NAME_INVALID, WildcardInName, "MQTT-3.3.2-2", "MQTT3-3.3.2-2";
    NAME_TOO_MANY_LEVELS = TOPIC_NAME_INVALID, TooManyLevels, "", "";
    NAME_TOO_LONG = TOPIC_NAME_INVALID, TooLong, "", "";
    TOPIC_NUL = MALFORMED_PACKET, NulCharacter, "MQTT-4.7.3-2", "MQTT3-4.7.3-2";
    FILTER_EMPTY = TOPIC_FILTER_INVALID, Empty, "MQTT-4.7.3-1", "MQTT3-4.7.3-1";
    FILTER_MULTI_LEVEL = TOPIC_FILTER_INVALID, MultiLevelWildcardMisplaced, "MQTT-4.7.1-1", "MQTT3-4.7.1-2";
    FILTER_SINGLE_LEVEL = TOPIC_FILTER_INVALID, SingleLevelWildcardMisplaced, "MQTT-4.7.1-2", "MQTT3-4.7.1-3";
    FILTER_SHARE_NAME_EMPTY = TOPIC_FILTER_INVALID, ShareNameEmpty, "MQTT-4.8.2-1", "";
    FILTER_SHARE_NAME_WILDCARD = TOPIC_FILTER_INVALID, ShareNameWildcard, "MQTT-4.8.2-2", "";
    FILTER_SHARED_MISSING = TOPIC_FILTER_INVALID, SharedFilterMissing, "MQTT-4.8.2-2", "";
    FILTER_TOO_MANY_LEVELS = TOPIC_FILTER_INVALID, TooManyLevels, "", "";
    FILTER_TOO_LONG = TOPIC_FILTER_INVALID, TooLong, "", "";
}

/// What a topic name in a packet is refused with. Filter errors cannot come from a name.
pub(crate) fn topic_name(error: TopicError) -> &'static Fault {
    match error {
        TopicError::Empty => &NAME_EMPTY,
        TopicError::NulCharacter => &TOPIC_NUL,
        TopicError::TooManyLevels => &NAME_TOO_MANY_LEVELS,
        TopicError::TooLong => &NAME_TOO_LONG,
        TopicError::WildcardInName
        | TopicError::MultiLevelWildcardMisplaced
        | TopicError::SingleLevelWildcardMisplaced
        | TopicError::ShareNameEmpty
        | TopicError::ShareNameWildcard
        | TopicError::SharedFilterMissing => &NAME_WILDCARD,
    }
}

/// What a topic filter in a packet is refused with.
pub(crate) fn topic_filter(error: TopicError) -> &'static Fault {
    match error {
        TopicError::Empty => &FILTER_EMPTY,
        TopicError::NulCharacter => &TOPIC_NUL,
        TopicError::WildcardInName | TopicError::MultiLevelWildcardMisplaced => &FILTER_MULTI_LEVEL,
        TopicError::SingleLevelWildcardMisplaced => &FILTER_SINGLE_LEVEL,
        TopicError::ShareNameEmpty => &FILTER_SHARE_NAME_EMPTY,
        TopicError::ShareNameWildcard => &FILTER_SHARE_NAME_WILDCARD,
        TopicError::SharedFilterMissing => &FILTER_SHARED_MISSING,
        TopicError::TooManyLevels => &FILTER_TOO_MANY_LEVELS,
        TopicError::TooLong => &FILTER_TOO_LONG,
    }
}
