use std::num::{NonZeroU16, NonZeroU32};

use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeLimits, ProtocolVersion, QoS, ReasonCode, UserProperties, frame};

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

/// The return code "server unavailable", for reasons that 3.x has no word for.
const RETURN_CODE_FALLBACK: u8 = 3;

impl<'a> Connack<'a> {
    pub(crate) fn decode(
        mut body: Reader<'a>,
        version: ProtocolVersion,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let flags = body.byte()?;
        let code = body.byte()?;
        let session_present = match version {
            // The byte is reserved, and not used.
            ProtocolVersion::V31 => false,
            ProtocolVersion::V311 | ProtocolVersion::V5 => match flags {
                0 => false,
                1 => true,
                // [MQTT-3.2.2-1].
                _ => return Err(&fault::CONNACK_FLAGS_RESERVED),
            },
        };
        // [MQTT-3.2.2-6], [MQTT3-3.2.2-4].
        if session_present && code != 0 {
            return Err(&fault::CONNACK_SESSION_PRESENT_WITH_ERROR);
        }
        let mut connack = Self { session_present, ..Self::default() };
        if version == ProtocolVersion::V5 {
            connack.reason_code = reason_code(code)?;
            connack.properties = ConnackProperties::decode(&mut body, limits)?;
        } else {
            connack.reason_code =
                ReasonCode::from_connack_return_code(code).ok_or(&fault::CONNACK_REASON_CODE)?;
        }
        body.end()?;
        Ok(connack)
    }
}

/// `[MQTT-3.2.2-8]`, Table 3-1.
fn reason_code(code: u8) -> Decoded<ReasonCode> {
    match code {
        0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F => Ok(ReasonCode::new(code)),
        _ => Err(&fault::CONNACK_REASON_CODE),
    }
}

impl<'a> ConnackProperties<'a> {
    fn decode(body: &mut Reader<'a>, limits: &DecodeLimits) -> Decoded<Self> {
        let mut properties = Self::default();
        let mut reader = PropertyReader::open(body, PropertySection::Connack, limits)?;
        while let Some(property) = reader.next()? {
            properties.set(property);
        }
        properties.user_properties = reader.user_properties();
        Ok(properties)
    }

    #[rustfmt::skip]
    fn set(&mut self, property: Property<'a>) {
        match property {
            Property::SessionExpiryInterval(value) => self.session_expiry_interval = Some(value),
            Property::ReceiveMaximum(value) => self.receive_maximum = Some(value),
            Property::MaximumQos(value) => self.maximum_qos = Some(value),
            Property::RetainAvailable(value) => self.retain_available = Some(value),
            Property::MaximumPacketSize(value) => self.maximum_packet_size = Some(value),
            Property::AssignedClientIdentifier(value) => self.assigned_client_identifier = Some(value),
            Property::TopicAliasMaximum(value) => self.topic_alias_maximum = Some(value),
            Property::ReasonString(value) => self.reason_string = Some(value),
            Property::WildcardSubscriptionAvailable(value) => self.wildcard_subscription_available = Some(value),
            Property::SubscriptionIdentifierAvailable(value) => self.subscription_identifiers_available = Some(value),
            Property::SharedSubscriptionAvailable(value) => self.shared_subscription_available = Some(value),
            Property::ServerKeepAlive(value) => self.server_keep_alive = Some(value),
            Property::ResponseInformation(value) => self.response_information = Some(value),
            Property::ServerReference(value) => self.server_reference = Some(value),
            Property::AuthenticationMethod(value) => self.authentication_method = Some(value),
            Property::AuthenticationData(value) => self.authentication_data = Some(value),
            _ => {}
        }
    }
}

impl Body for Connack<'_> {
    fn first_byte(&self) -> u8 {
        first_byte(frame::CONNACK)
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        let session_present = self.session_present && version != ProtocolVersion::V31;
        sink.put_byte(u8::from(session_present));
        if version == ProtocolVersion::V5 {
            sink.put_byte(self.reason_code.code());
            sink.put_properties(&self.properties);
        } else {
            sink.put_byte(self.reason_code.connack_return_code().unwrap_or(RETURN_CODE_FALLBACK));
        }
    }
}

impl Properties for ConnackProperties<'_> {
    #[rustfmt::skip]
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_four_byte_property(property::SESSION_EXPIRY_INTERVAL, self.session_expiry_interval);
        sink.put_two_byte_property(property::RECEIVE_MAXIMUM, self.receive_maximum.map(NonZeroU16::get));
        // A Maximum QoS of 2 is said by leaving it out (U5-030).
        let maximum_qos = self.maximum_qos.filter(|qos| *qos < QoS::ExactlyOnce);
        sink.put_flag_property(property::MAXIMUM_QOS, maximum_qos.map(|qos| qos == QoS::AtLeastOnce));
        sink.put_flag_property(property::RETAIN_AVAILABLE, self.retain_available);
        sink.put_four_byte_property(property::MAXIMUM_PACKET_SIZE, self.maximum_packet_size.map(NonZeroU32::get));
        sink.put_string_property(property::ASSIGNED_CLIENT_IDENTIFIER, self.assigned_client_identifier);
        sink.put_two_byte_property(property::TOPIC_ALIAS_MAXIMUM, self.topic_alias_maximum);
        sink.put_string_property(property::REASON_STRING, self.reason_string);
        sink.put_user_properties(self.user_properties);
        sink.put_flag_property(property::WILDCARD_SUBSCRIPTION_AVAILABLE, self.wildcard_subscription_available);
        sink.put_flag_property(property::SUBSCRIPTION_IDENTIFIER_AVAILABLE, self.subscription_identifiers_available);
        sink.put_flag_property(property::SHARED_SUBSCRIPTION_AVAILABLE, self.shared_subscription_available);
        sink.put_two_byte_property(property::SERVER_KEEP_ALIVE, self.server_keep_alive);
        sink.put_string_property(property::RESPONSE_INFORMATION, self.response_information);
        sink.put_string_property(property::SERVER_REFERENCE, self.server_reference);
        sink.put_string_property(property::AUTHENTICATION_METHOD, self.authentication_method);
        sink.put_binary_property(property::AUTHENTICATION_DATA, self.authentication_data);
    }
}
