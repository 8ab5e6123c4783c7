use std::sync::Arc;

use ferry_codec::{PacketId, QoS};
use ferry_session::{Delivery, Message, Spilled, SubscriptionIdList, Timestamp};

use super::VERSION;
use super::input::Input;
use super::message_value::{read_message, read_message_value, write_message};
use super::output::{put_bytes, put_length, put_present, put_time, put_u16, put_u32};

const QOS: u8 = 0x03;
const RETAIN: u8 = 0x04;
const PACKET_ID: u8 = 0x08;
const EXPIRES: u8 = 0x10;
const SHARED: u8 = 0x20;
const SUBSCRIPTION_IDS: u8 = 0x40;
/// The message is the value of another key.
const REFERS: u8 = 0x80;

/// One copy, as it is kept. What a queue must know of it without its message comes first.
#[derive(Clone, Debug)]
pub(crate) struct CopyValue<'a> {
    pub(crate) size_bytes: u32,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// The one it was sent with at once.
    pub(crate) packet_id: Option<PacketId>,
    pub(crate) subscription_ids: SubscriptionIdList,
    /// `$share/group/filter`
    pub(crate) shared_subscription: Option<&'a str>,
    pub(crate) body: CopyBody<'a>,
}

#[derive(Clone, Debug)]
pub(crate) enum CopyBody<'a> {
    /// To be written.
    Message(&'a Arc<Message>),
    /// As it was read.
    Inline(&'a [u8]),
    /// The value of another key.
    Elsewhere,
}

impl<'a> CopyValue<'a> {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = self.qos.to_byte()
            | flag(self.retain, RETAIN)
            | flag(self.packet_id.is_some(), PACKET_ID)
            | flag(self.expires_at.is_some(), EXPIRES)
            | flag(self.shared_subscription.is_some(), SHARED)
            | flag(!self.subscription_ids.is_empty(), SUBSCRIPTION_IDS)
            | flag(matches!(self.body, CopyBody::Elsewhere), REFERS);
        out.extend_from_slice(&[VERSION, flags]);
        put_u32(out, self.size_bytes);
        put_present(out, self.expires_at, put_time);
        put_present(out, self.packet_id, |out, packet_id| put_u16(out, packet_id.get()));
        put_present(out, self.shared_subscription, |out, filter| put_bytes(out, filter.as_bytes()));
        if !self.subscription_ids.is_empty() {
            put_length(out, self.subscription_ids.len());
            self.subscription_ids.iter().for_each(|id| put_u32(out, *id));
        }
        match self.body {
            CopyBody::Message(message) => write_message(message, out),
            CopyBody::Inline(bytes) => out.extend_from_slice(bytes),
            CopyBody::Elsewhere => {}
        }
    }

    pub(super) fn read(value: &'a [u8]) -> Option<Self> {
        let mut input = Input::new(value)?;
        let flags = input.u8()?;
        let size_bytes = input.u32()?;
        let expires_at = input.present(flags & EXPIRES != 0, Input::time)?;
        let packet_id = input.present(flags & PACKET_ID != 0, |input| PacketId::new(input.u16()?))?;
        let shared_subscription = input.present(flags & SHARED != 0, Input::text)?;
        let mut subscription_ids = SubscriptionIdList::new();
        if flags & SUBSCRIPTION_IDS != 0 {
            for _ in 0..input.length()? {
                subscription_ids.push(input.u32().filter(|id| (1..=SUBSCRIPTION_ID_MAX).contains(id))?);
            }
        }
        let qos = QoS::from_byte(flags & QOS).filter(|qos| *qos != QoS::AtMostOnce)?;
        let refers = flags & REFERS != 0;
        Some(Self {
            size_bytes,
            expires_at,
            qos,
            retain: flags & RETAIN != 0,
            packet_id,
            subscription_ids,
            shared_subscription,
            body: if refers { CopyBody::Elsewhere } else { CopyBody::Inline(input.rest()) },
        })
    }

    /// What a queue keeps of it.
    pub(super) fn spilled(&self, sequence: u64) -> Spilled {
        Spilled {
            sequence,
            expires_at: self.expires_at.unwrap_or(Timestamp::NEVER),
            size_bytes: self.size_bytes,
        }
    }

    /// The copy with its message; `shared` is the one that is the value of another key.
    pub(super) fn delivery(&self, shared: Option<&Arc<Message>>) -> Option<Delivery> {
        let message = match self.body {
            CopyBody::Message(message) => Arc::clone(message),
            CopyBody::Inline(bytes) => read_message(Input::behind_version(bytes))?,
            CopyBody::Elsewhere => Arc::clone(shared?),
        };
        let mut delivery = Delivery::new(message, self.qos, self.retain);
        delivery.subscription_ids.clone_from(&self.subscription_ids);
        delivery.stored.copy = true;
        Some(delivery)
    }
}

/// A Variable Byte Integer has no more (section 3.8.2.1.2).
const SUBSCRIPTION_ID_MAX: u32 = 268_435_455;

/// A copy that was read back; `shared` is the value that its own one refers to.
pub(crate) fn read_copy(value: &[u8], shared: Option<&[u8]>) -> Option<Delivery> {
    let shared = shared.and_then(read_message_value);
    CopyValue::read(value)?.delivery(shared.as_ref())
}
