//! A message: inline in a copy, as a shared body, or retained.

use std::sync::Arc;

use ferry_codec::topic::validate_topic_name;
use ferry_codec::{DecodeLimits, QoS, StoredProperties};
use ferry_session::{Message, Payload};

use super::VERSION;
use super::input::Input;
use super::output::{put_bytes, put_present, put_time};

const QOS: u8 = 0x03;
const RETAIN: u8 = 0x04;
const EXPIRES: u8 = 0x08;
const PUBLISHER: u8 = 0x10;

/// As a value of its own.
pub(super) fn write_message_value(message: &Message, out: &mut Vec<u8>) {
    out.push(VERSION);
    write_message(message, out);
}

/// The end of a value.
pub(super) fn write_message(message: &Message, out: &mut Vec<u8>) {
    let mut flags = message.qos.to_byte();
    flags |= if message.retain { RETAIN } else { 0 };
    flags |= if message.expires_at.is_some() { EXPIRES } else { 0 };
    flags |= if message.publisher.is_some() { PUBLISHER } else { 0 };
    out.push(flags);
    put_time(out, message.received_at);
    put_present(out, message.expires_at, put_time);
    put_present(out, message.publisher.as_deref(), |out, publisher| put_bytes(out, publisher.as_bytes()));
    put_bytes(out, message.topic.as_bytes());
    put_bytes(out, message.properties.as_bytes());
    out.extend_from_slice(&message.payload);
}

pub(super) fn read_message_value(value: &[u8]) -> Option<Arc<Message>> {
    read_message(Input::new(value)?)
}

pub(super) fn read_message(mut input: Input<'_>) -> Option<Arc<Message>> {
    let flags = input.u8()?;
    let qos = QoS::from_byte(flags & QOS)?;
    let received_at = input.time()?;
    let expires_at = input.present(flags & EXPIRES != 0, Input::time)?;
    let publisher = input.present(flags & PUBLISHER != 0, Input::text)?.map(Arc::from);
    let topic = input.text()?;
    validate_topic_name(topic, &DecodeLimits::UNLIMITED).ok()?;
    let properties = StoredProperties::from_bytes(input.bytes()?.into()).ok()?;
    Some(Arc::new(Message {
        topic: topic.into(),
        payload: Payload::from_slice(input.rest()),
        properties,
        qos,
        retain: flags & RETAIN != 0,
        received_at,
        expires_at,
        publisher,
    }))
}
