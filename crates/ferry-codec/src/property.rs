//! Properties (section 2.2.2): identifiers, types, where each may stand and how often.

use std::num::{NonZeroU16, NonZeroU32};

use crate::fault::{self, Decoded, Fault};
use crate::primitive::Reader;
use crate::property_rules::{duplicate_fault, value_fault};
use crate::{DecodeLimits, QoS, SubscriptionIds, UserProperties, topic};

macro_rules! identifiers {
    ($($name:ident = $value:literal;)*) => { $(pub(crate) const $name: u8 = $value;)* };
}

// Table 2-4. All identifiers fit one byte, so the Variable Byte Integer in front of a value is a byte.
identifiers! {
    PAYLOAD_FORMAT_INDICATOR = 0x01;
    MESSAGE_EXPIRY_INTERVAL = 0x02;
    CONTENT_TYPE = 0x03;
    RESPONSE_TOPIC = 0x08;
    CORRELATION_DATA = 0x09;
    SUBSCRIPTION_IDENTIFIER = 0x0B;
    SESSION_EXPIRY_INTERVAL = 0x11;
    ASSIGNED_CLIENT_IDENTIFIER = 0x12;
    SERVER_KEEP_ALIVE = 0x13;
    AUTHENTICATION_METHOD = 0x15;
    AUTHENTICATION_DATA = 0x16;
    REQUEST_PROBLEM_INFORMATION = 0x17;
    WILL_DELAY_INTERVAL = 0x18;
    REQUEST_RESPONSE_INFORMATION = 0x19;
    RESPONSE_INFORMATION = 0x1A;
    SERVER_REFERENCE = 0x1C;
    REASON_STRING = 0x1F;
    RECEIVE_MAXIMUM = 0x21;
    TOPIC_ALIAS_MAXIMUM = 0x22;
    TOPIC_ALIAS = 0x23;
    MAXIMUM_QOS = 0x24;
    RETAIN_AVAILABLE = 0x25;
    USER_PROPERTY = 0x26;
    MAXIMUM_PACKET_SIZE = 0x27;
    WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28;
    SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29;
    SHARED_SUBSCRIPTION_AVAILABLE = 0x2A;
}

/// Where a property section stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PropertySection {
    Connect,
    Will,
    Connack,
    PublishFromClient,
    PublishFromServer,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    DisconnectFromClient,
    DisconnectFromServer,
    Auth,
}

/// One property with its value, already checked against the rules for that value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property<'a> {
    PayloadFormatIndicator(bool),
    MessageExpiryInterval(u32),
    ContentType(&'a str),
    ResponseTopic(&'a str),
    CorrelationData(&'a [u8]),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(&'a str),
    ServerKeepAlive(u16),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    RequestProblemInformation(bool),
    WillDelayInterval(u32),
    RequestResponseInformation(bool),
    ResponseInformation(&'a str),
    ServerReference(&'a str),
    ReasonString(&'a str),
    ReceiveMaximum(NonZeroU16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQos(QoS),
    RetainAvailable(bool),
    MaximumPacketSize(NonZeroU32),
    WildcardSubscriptionAvailable(bool),
    SubscriptionIdentifierAvailable(bool),
    SharedSubscriptionAvailable(bool),
}

const fn bit(identifier: u8) -> u64 {
    1_u64.wrapping_shl(identifier as u32)
}

const ACK_PROPERTIES: u64 = bit(REASON_STRING) | bit(USER_PROPERTY);

const MESSAGE_PROPERTIES: u64 = bit(PAYLOAD_FORMAT_INDICATOR)
    | bit(MESSAGE_EXPIRY_INTERVAL)
    | bit(CONTENT_TYPE)
    | bit(RESPONSE_TOPIC)
    | bit(CORRELATION_DATA)
    | bit(USER_PROPERTY);

const CONNECT_PROPERTIES: u64 = bit(SESSION_EXPIRY_INTERVAL)
    | bit(RECEIVE_MAXIMUM)
    | bit(MAXIMUM_PACKET_SIZE)
    | bit(TOPIC_ALIAS_MAXIMUM)
    | bit(REQUEST_RESPONSE_INFORMATION)
    | bit(REQUEST_PROBLEM_INFORMATION)
    | bit(USER_PROPERTY)
    | bit(AUTHENTICATION_METHOD)
    | bit(AUTHENTICATION_DATA);

const CONNACK_PROPERTIES: u64 = bit(SESSION_EXPIRY_INTERVAL)
    | bit(RECEIVE_MAXIMUM)
    | bit(MAXIMUM_QOS)
    | bit(RETAIN_AVAILABLE)
    | bit(MAXIMUM_PACKET_SIZE)
    | bit(ASSIGNED_CLIENT_IDENTIFIER)
    | bit(TOPIC_ALIAS_MAXIMUM)
    | bit(REASON_STRING)
    | bit(USER_PROPERTY)
    | bit(WILDCARD_SUBSCRIPTION_AVAILABLE)
    | bit(SUBSCRIPTION_IDENTIFIER_AVAILABLE)
    | bit(SHARED_SUBSCRIPTION_AVAILABLE)
    | bit(SERVER_KEEP_ALIVE)
    | bit(RESPONSE_INFORMATION)
    | bit(SERVER_REFERENCE)
    | bit(AUTHENTICATION_METHOD)
    | bit(AUTHENTICATION_DATA);

const AUTH_PROPERTIES: u64 =
    bit(AUTHENTICATION_METHOD) | bit(AUTHENTICATION_DATA) | bit(REASON_STRING) | bit(USER_PROPERTY);

impl PropertySection {
    /// Table 2-4, as a set of bits.
    const fn allowed(self) -> u64 {
        match self {
            Self::Connect => CONNECT_PROPERTIES,
            Self::Will => MESSAGE_PROPERTIES | bit(WILL_DELAY_INTERVAL),
            Self::Connack => CONNACK_PROPERTIES,
            Self::PublishFromClient | Self::PublishFromServer => {
                MESSAGE_PROPERTIES | bit(TOPIC_ALIAS) | bit(SUBSCRIPTION_IDENTIFIER)
            }
            Self::Puback | Self::Pubrec | Self::Pubrel | Self::Pubcomp | Self::Suback | Self::Unsuback => {
                ACK_PROPERTIES
            }
            Self::Subscribe => bit(SUBSCRIPTION_IDENTIFIER) | bit(USER_PROPERTY),
            Self::Unsubscribe => bit(USER_PROPERTY),
            Self::DisconnectFromClient | Self::DisconnectFromServer => {
                ACK_PROPERTIES | bit(SESSION_EXPIRY_INTERVAL) | bit(SERVER_REFERENCE)
            }
            Self::Auth => AUTH_PROPERTIES,
        }
    }

    /// What may stand here more than once.
    const fn repeatable(self) -> u64 {
        match self {
            Self::PublishFromServer => bit(USER_PROPERTY) | bit(SUBSCRIPTION_IDENTIFIER),
            _ => bit(USER_PROPERTY),
        }
    }
}

/// Walks a property section. User properties, and the subscription identifiers of a PUBLISH, are checked and
/// counted on the way; they are had from the reader at the end.
pub(crate) struct PropertyReader<'a> {
    rest: Reader<'a>,
    section: PropertySection,
    seen: u64,
    user_properties: Span<'a>,
    user_properties_encoded_length: u32,
    subscription_ids: Span<'a>,
    user_properties_max: u32,
    reject_control_characters: bool,
}

/// The part of the section from the first to the last property of one kind.
#[derive(Clone, Copy, Default)]
struct Span<'a> {
    /// The section from the first one on.
    from_first: &'a [u8],
    /// Bytes of `from_first` behind the last one.
    behind_last: usize,
    count: u32,
}

impl<'a> Span<'a> {
    fn extend(&mut self, before: &'a [u8], after: &'a [u8]) {
        if self.count == 0 {
            self.from_first = before;
        }
        self.behind_last = after.len();
        self.count = self.count.saturating_add(1);
    }

    fn bytes(&self) -> &'a [u8] {
        let length = self.from_first.len().saturating_sub(self.behind_last);
        self.from_first.get(..length).unwrap_or_default()
    }
}

impl<'a> PropertyReader<'a> {
    /// Takes the property section, length first, off the front of `packet`.
    pub(crate) fn open(
        packet: &mut Reader<'a>,
        section: PropertySection,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let length = packet.variable_byte_integer()?;
        // A u32 that does not fit usize is longer than any slice; take() then reports the end.
        let bytes = packet.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(Self::new(bytes, section, limits))
    }

    pub(crate) fn new(bytes: &'a [u8], section: PropertySection, limits: &DecodeLimits) -> Self {
        Self {
            rest: Reader::new(bytes),
            section,
            seen: 0,
            user_properties: Span::default(),
            user_properties_encoded_length: 0,
            subscription_ids: Span::default(),
            user_properties_max: limits.user_properties_max,
            reject_control_characters: limits.reject_control_characters,
        }
    }

    /// The next property that is not a user property; `None` at the end.
    pub(crate) fn next(&mut self) -> Decoded<Option<Property<'a>>> {
        while !self.rest.is_empty() {
            let before = self.rest.rest();
            let identifier = self.identifier()?;
            if identifier == USER_PROPERTY {
                self.user_property(before)?;
                continue;
            }
            let property = self.value(identifier)?;
            if identifier == SUBSCRIPTION_IDENTIFIER {
                self.subscription_ids.extend(before, self.rest.rest());
            }
            return Ok(Some(property));
        }
        Ok(None)
    }

    /// Those met so far.
    pub(crate) fn user_properties(&self) -> UserProperties<'a> {
        UserProperties::from_validated(
            self.user_properties.bytes(),
            self.user_properties.count,
            self.user_properties_encoded_length,
        )
    }

    /// Those met so far.
    pub(crate) fn subscription_ids(&self) -> SubscriptionIds<'a> {
        if self.subscription_ids.count == 0 {
            return SubscriptionIds::EMPTY;
        }
        SubscriptionIds::from_validated(self.subscription_ids.bytes())
    }

    /// Allowed here, and not here before unless it may be.
    fn identifier(&mut self) -> Decoded<u8> {
        let identifier = self.rest.byte()?;
        // U5-006, U5-007. An identifier of several bytes is none of the standard's.
        if identifier >= 64 || self.section.allowed() & bit(identifier) == 0 {
            return Err(&fault::PROPERTY_NOT_ALLOWED);
        }
        let flag = bit(identifier);
        if self.seen & flag & !self.section.repeatable() != 0 {
            return Err(duplicate_fault(self.section, identifier));
        }
        self.seen |= flag;
        Ok(identifier)
    }

    fn user_property(&mut self, before: &'a [u8]) -> Decoded<()> {
        if self.user_properties.count >= self.user_properties_max {
            return Err(&fault::USER_PROPERTIES_TOO_MANY);
        }
        // [MQTT-1.5.7-1], U5-004.
        let name = self.string()?;
        let value = self.string()?;
        self.user_properties.extend(before, self.rest.rest());
        // Lengths of 16 bits each: the sum over a packet of at most 2^28 bytes fits u32.
        let length = name.len().saturating_add(value.len()).saturating_add(5);
        self.user_properties_encoded_length =
            self.user_properties_encoded_length.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        Ok(())
    }

    #[rustfmt::skip]
    fn value(&mut self, identifier: u8) -> Decoded<Property<'a>> {
        Ok(match identifier {
            PAYLOAD_FORMAT_INDICATOR => Property::PayloadFormatIndicator(self.flag(identifier)?),
            MESSAGE_EXPIRY_INTERVAL => Property::MessageExpiryInterval(self.rest.four_byte_integer()?),
            CONTENT_TYPE => Property::ContentType(self.string()?),
            RESPONSE_TOPIC => Property::ResponseTopic(self.response_topic()?),
            CORRELATION_DATA => Property::CorrelationData(self.rest.binary_data()?),
            SUBSCRIPTION_IDENTIFIER => Property::SubscriptionIdentifier(self.subscription_identifier()?),
            SESSION_EXPIRY_INTERVAL => Property::SessionExpiryInterval(self.session_expiry_interval()?),
            ASSIGNED_CLIENT_IDENTIFIER => Property::AssignedClientIdentifier(self.string()?),
            SERVER_KEEP_ALIVE => Property::ServerKeepAlive(self.rest.two_byte_integer()?),
            AUTHENTICATION_METHOD => Property::AuthenticationMethod(self.string()?),
            AUTHENTICATION_DATA => Property::AuthenticationData(self.rest.binary_data()?),
            REQUEST_PROBLEM_INFORMATION => Property::RequestProblemInformation(self.flag(identifier)?),
            WILL_DELAY_INTERVAL => Property::WillDelayInterval(self.rest.four_byte_integer()?),
            REQUEST_RESPONSE_INFORMATION => Property::RequestResponseInformation(self.flag(identifier)?),
            RESPONSE_INFORMATION => Property::ResponseInformation(self.string()?),
            SERVER_REFERENCE => Property::ServerReference(self.string()?),
            REASON_STRING => Property::ReasonString(self.string()?),
            RECEIVE_MAXIMUM => Property::ReceiveMaximum(self.receive_maximum()?),
            TOPIC_ALIAS_MAXIMUM => Property::TopicAliasMaximum(self.rest.two_byte_integer()?),
            TOPIC_ALIAS => Property::TopicAlias(self.topic_alias()?),
            MAXIMUM_QOS => Property::MaximumQos(self.maximum_qos()?),
            RETAIN_AVAILABLE => Property::RetainAvailable(self.flag(identifier)?),
            MAXIMUM_PACKET_SIZE => Property::MaximumPacketSize(self.maximum_packet_size()?),
            WILDCARD_SUBSCRIPTION_AVAILABLE => Property::WildcardSubscriptionAvailable(self.flag(identifier)?),
            SUBSCRIPTION_IDENTIFIER_AVAILABLE => Property::SubscriptionIdentifierAvailable(self.flag(identifier)?),
            SHARED_SUBSCRIPTION_AVAILABLE => Property::SharedSubscriptionAvailable(self.flag(identifier)?),
            _ => return Err(&fault::PROPERTY_NOT_ALLOWED),
        })
    }

    fn string(&mut self) -> Decoded<&'a str> {
        self.rest.string(self.reject_control_characters)
    }

    fn illegal_value(&self, identifier: u8) -> &'static Fault {
        value_fault(self.section, identifier)
    }

    /// A byte that must be 0 or 1.
    fn flag(&mut self, identifier: u8) -> Decoded<bool> {
        match self.rest.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.illegal_value(identifier)),
        }
    }

    fn receive_maximum(&mut self) -> Decoded<NonZeroU16> {
        // U5-011, U5-029.
        NonZeroU16::new(self.rest.two_byte_integer()?).ok_or(self.illegal_value(RECEIVE_MAXIMUM))
    }

    fn maximum_packet_size(&mut self) -> Decoded<NonZeroU32> {
        // U5-012, U5-034.
        NonZeroU32::new(self.rest.four_byte_integer()?).ok_or(self.illegal_value(MAXIMUM_PACKET_SIZE))
    }

    fn maximum_qos(&mut self) -> Decoded<QoS> {
        // U5-030.
        match self.rest.byte()? {
            0 => Ok(QoS::AtMostOnce),
            1 => Ok(QoS::AtLeastOnce),
            _ => Err(self.illegal_value(MAXIMUM_QOS)),
        }
    }

    fn topic_alias(&mut self) -> Decoded<u16> {
        // [MQTT-3.3.2-8], U5-060.
        match self.rest.two_byte_integer()? {
            0 => Err(&fault::TOPIC_ALIAS_ZERO),
            alias => Ok(alias),
        }
    }

    fn subscription_identifier(&mut self) -> Decoded<u32> {
        // [MQTT-3.3.4-6].
        if self.section == PropertySection::PublishFromClient {
            return Err(&fault::SUBSCRIPTION_ID_FROM_CLIENT);
        }
        // U5-057, U5-066.
        match self.rest.variable_byte_integer()? {
            0 => Err(self.illegal_value(SUBSCRIPTION_IDENTIFIER)),
            id => Ok(id),
        }
    }

    fn session_expiry_interval(&mut self) -> Decoded<u32> {
        // [MQTT-3.14.2-2].
        if self.section == PropertySection::DisconnectFromServer {
            return Err(&fault::SESSION_EXPIRY_FROM_SERVER);
        }
        self.rest.four_byte_integer()
    }

    fn response_topic(&mut self) -> Decoded<&'a str> {
        // [MQTT-3.3.2-13].
        let response_topic = self.string()?;
        // [MQTT-3.3.2-14].
        if topic::has_wildcard(response_topic) {
            return Err(&fault::RESPONSE_TOPIC_WILDCARD);
        }
        if response_topic.is_empty() {
            return Err(&fault::RESPONSE_TOPIC_EMPTY);
        }
        Ok(response_topic)
    }
}

/// Passes over the value of a property without looking at it.
pub(crate) fn skip_value(reader: &mut Reader<'_>, identifier: u8) -> Decoded<()> {
    match identifier {
        PAYLOAD_FORMAT_INDICATOR
        | REQUEST_PROBLEM_INFORMATION
        | REQUEST_RESPONSE_INFORMATION
        | MAXIMUM_QOS
        | RETAIN_AVAILABLE
        | WILDCARD_SUBSCRIPTION_AVAILABLE
        | SUBSCRIPTION_IDENTIFIER_AVAILABLE
        | SHARED_SUBSCRIPTION_AVAILABLE => reader.byte().map(drop),
        SERVER_KEEP_ALIVE | RECEIVE_MAXIMUM | TOPIC_ALIAS_MAXIMUM | TOPIC_ALIAS => {
            reader.two_byte_integer().map(drop)
        }
        MESSAGE_EXPIRY_INTERVAL | SESSION_EXPIRY_INTERVAL | WILL_DELAY_INTERVAL | MAXIMUM_PACKET_SIZE => {
            reader.four_byte_integer().map(drop)
        }
        SUBSCRIPTION_IDENTIFIER => reader.variable_byte_integer().map(drop),
        USER_PROPERTY => {
            reader.binary_data()?;
            reader.binary_data().map(drop)
        }
        _ => reader.binary_data().map(drop),
    }
}
