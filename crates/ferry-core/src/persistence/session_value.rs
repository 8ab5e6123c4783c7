//! What a session has besides its copies.

use std::sync::Arc;

use ferry_codec::topic::{parse_shared, validate_topic_filter, validate_topic_name};
use ferry_codec::{DecodeLimits, PacketId, QoS, StoredProperties, SubscriptionOptions};
use ferry_session::{StoredWill, Subscription, Timestamp};

use super::VERSION;
use super::input::Input;
use super::output::{put_bytes, put_present, put_time, put_u16, put_u32, put_u64};

const USER_NAME: u8 = 0x01;
const DISCONNECTED: u8 = 0x02;

/// The session itself.
pub(super) struct SessionValue {
    pub(super) client_id: Arc<str>,
    pub(super) user_name: Option<Arc<str>>,
    pub(super) expiry_interval_seconds: u32,
    pub(super) disconnected_at: Option<Timestamp>,
}

impl SessionValue {
    pub(super) fn write(
        client_id: &str,
        user_name: Option<&str>,
        expiry_interval_seconds: u32,
        disconnected_at: Option<Timestamp>,
        out: &mut Vec<u8>,
    ) {
        let user_name_flag = if user_name.is_some() { USER_NAME } else { 0 };
        let disconnected_flag = if disconnected_at.is_some() { DISCONNECTED } else { 0 };
        out.extend_from_slice(&[VERSION, user_name_flag | disconnected_flag]);
        put_u32(out, expiry_interval_seconds);
        put_present(out, disconnected_at, put_time);
        put_present(out, user_name, |out, user_name| put_bytes(out, user_name.as_bytes()));
        put_bytes(out, client_id.as_bytes());
    }

    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut input = Input::new(value)?;
        let flags = input.u8()?;
        Some(Self {
            expiry_interval_seconds: input.u32()?,
            disconnected_at: input.present(flags & DISCONNECTED != 0, Input::time)?,
            user_name: input.present(flags & USER_NAME != 0, Input::text)?.map(Arc::from),
            client_id: input.text()?.into(),
        })
    }
}

const SUBSCRIPTION_ID: u8 = 0x01;

pub(super) fn write_subscription(
    filter: &str,
    options: SubscriptionOptions,
    subscription_id: Option<u32>,
    out: &mut Vec<u8>,
) {
    let flags = if subscription_id.is_some() { SUBSCRIPTION_ID } else { 0 };
    out.extend_from_slice(&[VERSION, flags, options.to_byte()]);
    put_present(out, subscription_id, put_u32);
    put_bytes(out, filter.as_bytes());
}

pub(super) fn read_subscription(value: &[u8]) -> Option<Subscription> {
    let mut input = Input::new(value)?;
    let flags = input.u8()?;
    let options = SubscriptionOptions::from_byte(input.u8()?)?;
    let subscription_id = input.present(flags & SUBSCRIPTION_ID != 0, Input::u32)?;
    let filter = input.text()?;
    let plain = parse_shared(filter).ok()?.map_or(filter, |shared| shared.filter);
    validate_topic_filter(plain, &DecodeLimits::UNLIMITED).ok()?;
    Some(Subscription { filter: filter.into(), options, subscription_id })
}

const QOS: u8 = 0x03;
const RETAIN: u8 = 0x04;
const EXPIRES: u8 = 0x08;

pub(super) fn write_will(will: &StoredWill, out: &mut Vec<u8>) {
    let mut flags = will.qos.to_byte();
    flags |= if will.retain { RETAIN } else { 0 };
    flags |= if will.message_expiry_interval_seconds.is_some() { EXPIRES } else { 0 };
    out.extend_from_slice(&[VERSION, flags]);
    put_u32(out, will.delay_interval_seconds);
    put_present(out, will.message_expiry_interval_seconds, put_u32);
    put_bytes(out, will.topic.as_bytes());
    put_bytes(out, will.properties.as_bytes());
    out.extend_from_slice(&will.payload);
}

pub(super) fn read_will(value: &[u8]) -> Option<Box<StoredWill>> {
    let mut input = Input::new(value)?;
    let flags = input.u8()?;
    let qos = QoS::from_byte(flags & QOS)?;
    let delay_interval_seconds = input.u32()?;
    let message_expiry_interval_seconds = input.present(flags & EXPIRES != 0, Input::u32)?;
    let topic = input.text()?;
    validate_topic_name(topic, &DecodeLimits::UNLIMITED).ok()?;
    let properties = StoredProperties::from_bytes(input.bytes()?.into()).ok()?;
    Some(Box::new(StoredWill {
        topic: topic.into(),
        payload: input.rest().into(),
        properties,
        qos,
        retain: flags & RETAIN != 0,
        delay_interval_seconds,
        message_expiry_interval_seconds,
    }))
}

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SentValue {
    pub(super) packet_id: PacketId,
    pub(super) qos: QoS,
    /// PUBREL is owed instead of PUBLISH, in this order among others.
    pub(super) released: Option<u64>,
}

const RELEASED: u8 = 0x04;

impl SentValue {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        let released = if self.released.is_some() { RELEASED } else { 0 };
        out.extend_from_slice(&[VERSION, self.qos.to_byte() | released]);
        put_u16(out, self.packet_id.get());
        put_present(out, self.released, put_u64);
    }

    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let mut input = Input::new(value)?;
        let flags = input.u8()?;
        let qos = QoS::from_byte(flags & QOS).filter(|qos| *qos != QoS::AtMostOnce)?;
        let packet_id = PacketId::new(input.u16()?)?;
        Some(Self { packet_id, qos, released: input.present(flags & RELEASED != 0, Input::u64)? })
    }
}
