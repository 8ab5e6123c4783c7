use std::sync::Arc;

use ferry_codec::{PacketId, QoS};
use ferry_router::ShardId;
use ferry_session::{Message, StoredWill, Subscription, SubscriptionIdList, Timestamp};

use super::forwarded::write_forwarded;
use super::input::Input;
use super::message_value::{read_message, read_message_value, write_message_value};
use super::session_value::{
    SentValue, SessionValue, read_subscription, read_will, write_subscription, write_will,
};
use super::{CopyBody, CopyValue, EntryKey, Forwarded, Space, VERSION};

/// What the value of an entry says: for tools that show a store, or write one.
#[derive(Clone, Debug)]
pub enum Value {
    /// [`Space::Retained`] and [`Space::Body`].
    Message(Arc<Message>),
    /// [`Space::Forwarded`].
    Forwarded {
        /// The shard that was to have it.
        to: ShardId,
        /// Of so many.
        shard_count: u16,
        /// `$share/group/filter`, if one member is to have it.
        shared_subscription: Option<Box<str>>,
        /// The message.
        message: Arc<Message>,
    },
    /// [`Space::Session`].
    Session {
        /// Its owner.
        client_id: Arc<str>,
        /// The name that permissions go by.
        user_name: Option<Arc<str>>,
        /// Seconds after the end of the connection; `u32::MAX` is never.
        expiry_interval_seconds: u32,
        /// When its last connection closed; `None` while its client is connected.
        disconnected_at: Option<Timestamp>,
    },
    /// [`Space::Subscription`].
    Subscription(Subscription),
    /// [`Space::Will`].
    Will(Box<StoredWill>),
    /// [`Space::Received`]: all that there is to say is in the key.
    Received,
    /// [`Space::Sent`].
    Sent {
        /// The packet identifier.
        packet_id: PacketId,
        /// QoS of the copy.
        qos: QoS,
        /// PUBREL is owed instead of PUBLISH, in this order among others.
        released: Option<u64>,
    },
    /// [`Space::Queued`].
    Queued(Box<QueuedValue>),
}

/// A copy of a message that is owed to a session.
#[derive(Clone, Debug)]
pub struct QueuedValue {
    /// What it counts in the queue.
    pub size_bytes: u32,
    /// When the message is not wanted any more.
    pub expires_at: Option<Timestamp>,
    /// QoS of the copy: 1 or 2.
    pub qos: QoS,
    /// RETAIN flag of the copy.
    pub retain: bool,
    /// The one it was sent with at once.
    pub packet_id: Option<PacketId>,
    /// Subscription Identifiers of the copy.
    pub subscription_ids: SubscriptionIdList,
    /// `$share/group/filter`, if it came so.
    pub shared_subscription: Option<Box<str>>,
    /// `None`: the value of another key, to which this one refers.
    pub message: Option<Arc<Message>>,
}

impl Value {
    /// Reads the value of a key; `None` if it is not one.
    #[must_use]
    pub fn read(key: EntryKey, value: &[u8]) -> Option<Self> {
        Some(match Space::from_number(key.space)? {
            Space::Retained | Space::Body => Self::Message(read_message_value(value)?),
            Space::Forwarded => {
                let Forwarded { to, shard_count, shared_subscription, message, .. } =
                    Forwarded::read(key.item, value)?;
                Self::Forwarded { to, shard_count, shared_subscription, message }
            }
            Space::Session => {
                let SessionValue { client_id, user_name, expiry_interval_seconds, disconnected_at } =
                    SessionValue::read(value)?;
                Self::Session { client_id, user_name, expiry_interval_seconds, disconnected_at }
            }
            Space::Subscription => Self::Subscription(read_subscription(value)?),
            Space::Will => Self::Will(read_will(value)?),
            Space::Received => Input::new(value).map(|_| Self::Received)?,
            Space::Sent => {
                let SentValue { packet_id, qos, released } = SentValue::read(value)?;
                Self::Sent { packet_id, qos, released }
            }
            Space::Queued => Self::Queued(Box::new(QueuedValue::read(value)?)),
        })
    }

    /// Appends the value.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Message(message) => write_message_value(message, out),
            Self::Forwarded { to, shard_count, shared_subscription, message } => {
                write_forwarded(*to, *shard_count, shared_subscription.as_deref(), message, out);
            }
            Self::Session { client_id, user_name, expiry_interval_seconds, disconnected_at } => {
                let user_name = user_name.as_deref();
                SessionValue::write(client_id, user_name, *expiry_interval_seconds, *disconnected_at, out);
            }
            Self::Subscription(Subscription { filter, options, subscription_id }) => {
                write_subscription(filter, *options, *subscription_id, out);
            }
            Self::Will(will) => write_will(will, out),
            Self::Received => out.push(VERSION),
            Self::Sent { packet_id, qos, released } => {
                SentValue { packet_id: *packet_id, qos: *qos, released: *released }.write(out);
            }
            Self::Queued(queued) => queued.write(out),
        }
    }
}

impl QueuedValue {
    fn read(value: &[u8]) -> Option<Self> {
        let copy = CopyValue::read(value)?;
        let message = match copy.body {
            CopyBody::Message(message) => Some(Arc::clone(message)),
            CopyBody::Inline(bytes) => Some(read_message(Input::behind_version(bytes))?),
            CopyBody::Elsewhere => None,
        };
        Some(Self {
            size_bytes: copy.size_bytes,
            expires_at: copy.expires_at,
            qos: copy.qos,
            retain: copy.retain,
            packet_id: copy.packet_id,
            subscription_ids: copy.subscription_ids,
            shared_subscription: copy.shared_subscription.map(Box::from),
            message,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let copy = CopyValue {
            size_bytes: self.size_bytes,
            expires_at: self.expires_at,
            qos: self.qos,
            retain: self.retain,
            packet_id: self.packet_id,
            subscription_ids: self.subscription_ids.clone(),
            shared_subscription: self.shared_subscription.as_deref(),
            body: self.message.as_ref().map_or(CopyBody::Elsewhere, CopyBody::Message),
        };
        copy.write(out);
    }
}
