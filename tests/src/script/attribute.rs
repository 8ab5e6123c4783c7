//! The names that fields have in scripts.

use crate::wire::{PropertyType, property_by_name};

/// What a field's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A number.
    Number,
    /// Text or bytes.
    Bytes,
    /// `name:value`
    Pair,
    /// Bytes, written in hexadecimal.
    Hex,
}

/// Fields that are not properties.
const FIELDS: &[(&str, Shape)] = &[
    ("v", Shape::Number),
    ("persistent", Shape::Number),
    ("clean_start", Shape::Number),
    ("keep_alive", Shape::Number),
    ("client_id", Shape::Bytes),
    ("user_name", Shape::Bytes),
    ("password", Shape::Bytes),
    ("will_topic", Shape::Bytes),
    ("will_payload", Shape::Bytes),
    ("will_qos", Shape::Number),
    ("will_retain", Shape::Number),
    ("protocol_name", Shape::Bytes),
    ("level", Shape::Number),
    ("connect_flags", Shape::Number),
    ("session_present", Shape::Number),
    ("reason", Shape::Number),
    ("code", Shape::Number),
    ("id", Shape::Number),
    ("topic", Shape::Bytes),
    ("payload", Shape::Bytes),
    ("qos", Shape::Number),
    ("dup", Shape::Number),
    ("retain", Shape::Number),
    ("filter", Shape::Bytes),
    ("no_local", Shape::Number),
    ("retain_as_published", Shape::Number),
    ("retain_handling", Shape::Number),
    ("options", Shape::Number),
    ("header", Shape::Number),
    ("extra", Shape::Hex),
    ("remaining_length", Shape::Hex),
    ("properties", Shape::Hex),
    ("property_length", Shape::Number),
    ("will_properties", Shape::Hex),
];

/// Will Properties, with their prefix.
const WILL_PROPERTIES: &[&str] = &[
    "will_payload_format",
    "will_message_expiry",
    "will_content_type",
    "will_response_topic",
    "will_correlation_data",
    "will_user_property",
    "will_topic_alias",
    "will_subscription_id",
];

/// The field with this name; `None` when there is none, so that a slip in a script is found.
#[must_use]
pub fn attribute(name: &str) -> Option<(&'static str, Shape)> {
    if let Some(field) = FIELDS.iter().find(|(field, _)| *field == name) {
        return Some(*field);
    }
    if let Some(will) = WILL_PROPERTIES.iter().find(|will| **will == name) {
        let property = property_by_name(name.strip_prefix("will_")?)?;
        return Some((will, shape(property.kind)));
    }
    let property = property_by_name(name)?;
    Some((property.name, shape(property.kind)))
}

fn shape(kind: PropertyType) -> Shape {
    match kind {
        PropertyType::Text | PropertyType::Binary => Shape::Bytes,
        PropertyType::Pair => Shape::Pair,
        _ => Shape::Number,
    }
}
