//! The properties of MQTT 5.0 (Table 2-4) with their names in scripts.

use super::PacketKind::{
    self, Auth, Connack, Connect, Disconnect, Puback, Pubcomp, Publish, Pubrec, Pubrel, Suback, Subscribe,
    Unsuback, Unsubscribe,
};

/// How a property's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyType {
    /// One byte.
    Byte,
    /// Two bytes.
    TwoByteInteger,
    /// Four bytes.
    FourByteInteger,
    /// One to four bytes.
    VariableByteInteger,
    /// Two bytes of length, UTF-8.
    Text,
    /// Two bytes of length, any bytes.
    Binary,
    /// Two texts.
    Pair,
}

/// One row of Table 2-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// The byte in front of the value.
    pub identifier: u8,
    /// The name in scripts.
    pub name: &'static str,
    /// How the value is written.
    pub kind: PropertyType,
    /// Packets that may hold it. Will Properties are listed under CONNECT's twin in [`Property::allowed_in_will`].
    pub packets: &'static [PacketKind],
}

impl Property {
    /// Whether it is one of the Will Properties.
    #[must_use]
    pub fn allowed_in_will(&self) -> bool {
        matches!(self.identifier, 0x01 | 0x02 | 0x03 | 0x08 | 0x09 | 0x18 | 0x26)
    }
}

/// The property with this name in scripts.
#[must_use]
pub fn property_by_name(name: &str) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.name == name)
}

/// The property with this identifier.
#[must_use]
pub fn property_by_identifier(identifier: u8) -> Option<&'static Property> {
    PROPERTIES.iter().find(|property| property.identifier == identifier)
}

const REASON_STRING: &[PacketKind] =
    &[Connack, Puback, Pubrec, Pubrel, Pubcomp, Suback, Unsuback, Disconnect, Auth];

const USER_PROPERTY: &[PacketKind] = &[
    Connect,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Disconnect,
    Auth,
];

const fn row(
    identifier: u8,
    name: &'static str,
    kind: PropertyType,
    packets: &'static [PacketKind],
) -> Property {
    Property { identifier, name, kind, packets }
}

const PROPERTIES: &[Property] = &[
    row(0x01, "payload_format", PropertyType::Byte, &[Publish]),
    row(0x02, "message_expiry", PropertyType::FourByteInteger, &[Publish]),
    row(0x03, "content_type", PropertyType::Text, &[Publish]),
    row(0x08, "response_topic", PropertyType::Text, &[Publish]),
    row(0x09, "correlation_data", PropertyType::Binary, &[Publish]),
    row(0x0B, "subscription_id", PropertyType::VariableByteInteger, &[Publish, Subscribe]),
    row(0x11, "session_expiry", PropertyType::FourByteInteger, &[Connect, Connack, Disconnect]),
    row(0x12, "assigned_client_id", PropertyType::Text, &[Connack]),
    row(0x13, "server_keep_alive", PropertyType::TwoByteInteger, &[Connack]),
    row(0x15, "auth_method", PropertyType::Text, &[Connect, Connack, Auth]),
    row(0x16, "auth_data", PropertyType::Binary, &[Connect, Connack, Auth]),
    row(0x17, "request_problem_information", PropertyType::Byte, &[Connect]),
    row(0x18, "will_delay", PropertyType::FourByteInteger, &[]),
    row(0x19, "request_response_information", PropertyType::Byte, &[Connect]),
    row(0x1A, "response_information", PropertyType::Text, &[Connack]),
    row(0x1C, "server_reference", PropertyType::Text, &[Connack, Disconnect]),
    row(0x1F, "reason_string", PropertyType::Text, REASON_STRING),
    row(0x21, "receive_maximum", PropertyType::TwoByteInteger, &[Connect, Connack]),
    row(0x22, "topic_alias_maximum", PropertyType::TwoByteInteger, &[Connect, Connack]),
    row(0x23, "topic_alias", PropertyType::TwoByteInteger, &[Publish]),
    row(0x24, "maximum_qos", PropertyType::Byte, &[Connack]),
    row(0x25, "retain_available", PropertyType::Byte, &[Connack]),
    row(0x26, "user_property", PropertyType::Pair, USER_PROPERTY),
    row(0x27, "maximum_packet_size", PropertyType::FourByteInteger, &[Connect, Connack]),
    row(0x28, "wildcard_subscription_available", PropertyType::Byte, &[Connack]),
    row(0x29, "subscription_ids_available", PropertyType::Byte, &[Connack]),
    row(0x2A, "shared_subscription_available", PropertyType::Byte, &[Connack]),
];
