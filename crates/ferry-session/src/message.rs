use std::sync::Arc;

use ferry_codec::{MessageProperties, Publish, QoS, StoredProperties};
use smallvec::SmallVec;

use crate::Timestamp;

/// The application data of a message: up to 24 bytes, which is what most sensors send, are in the message itself.
pub type Payload = SmallVec<[u8; 24]>;

/// An application message, held once and shared by everyone it is owed to as `Arc<Message>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic name; an alias is resolved before a message is made. Messages that follow each other on a topic may
    /// share it.
    pub topic: Arc<str>,
    /// The application data.
    pub payload: Payload,
    /// What is forwarded unaltered `[MQTT-3.3.2-4]`, `[MQTT-3.3.2-15]`, `[MQTT-3.3.2-16]`,
    /// `[MQTT-3.3.2-17]`, `[MQTT-3.3.2-18]`, `[MQTT-3.3.2-20]`.
    pub properties: StoredProperties,
    /// The QoS it was published with.
    pub qos: QoS,
    /// The RETAIN flag it was published with.
    pub retain: bool,
    /// When this server took it.
    pub received_at: Timestamp,
    /// When its Message Expiry Interval passes; `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
    /// The Client Identifier of the publisher, for No Local; `None`: the server itself.
    pub publisher: Option<Arc<str>>,
}

impl Message {
    /// Copies what outlives the turn out of a received PUBLISH. `topic` is the resolved topic name.
    #[must_use]
    pub fn from_publish(
        publish: &Publish<'_>,
        topic: Arc<str>,
        publisher: Option<Arc<str>>,
        now: Timestamp,
    ) -> Self {
        let expiry_interval = publish.properties.message_expiry_interval;
        Self {
            topic,
            payload: Payload::from_slice(publish.payload),
            properties: StoredProperties::new(&publish.properties),
            qos: publish.qos,
            retain: publish.retain,
            received_at: now,
            expires_at: expiry_interval.map(|seconds| now.plus_seconds(seconds)),
            publisher,
        }
    }

    /// Bytes this message takes in memory, its fixed part included.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let payload_bytes = if self.payload.spilled() { self.payload.len() } else { 0 };
        size_of::<Self>() + self.topic.len() + payload_bytes + self.properties.len()
    }

    /// Whether the Message Expiry Interval has passed `[MQTT-3.3.2-5]`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// The Message Expiry Interval to send now: the received value minus the whole seconds of waiting
    /// `[MQTT-3.3.2-6]`; 0 once it has passed, as for the re-send of an exchange that began before.
    #[must_use]
    pub fn remaining_expiry_seconds(&self, now: Timestamp) -> Option<u32> {
        let expires_at = self.expires_at?;
        let interval_seconds = expires_at.seconds_since(self.received_at);
        Some(interval_seconds.saturating_sub(now.seconds_since(self.received_at)))
    }

    /// The properties to send now: the forwarded ones with the remaining expiry.
    #[must_use]
    pub fn properties_at(&self, now: Timestamp) -> MessageProperties<'_> {
        MessageProperties {
            message_expiry_interval: self.remaining_expiry_seconds(now),
            ..self.properties.properties()
        }
    }
}

#[cfg(test)]
mod tests {
    use ferry_codec::UserPropertiesBuf;

    use super::*;

    const NOW: Timestamp = Timestamp(10_000);

    fn with_expiry(message_expiry_interval: Option<u32>) -> Message {
        let properties = MessageProperties { message_expiry_interval, ..MessageProperties::default() };
        let publish = Publish { topic: "t", properties, ..Publish::default() };
        Message::from_publish(&publish, "t".into(), None, NOW)
    }

    /// [MQTT-3.3.2-6]: the received value minus the time of waiting.
    #[test]
    fn the_expiry_interval_shrinks_while_the_message_waits() {
        let message = with_expiry(Some(10));
        assert_eq!(message.remaining_expiry_seconds(NOW), Some(10));
        assert_eq!(message.remaining_expiry_seconds(NOW.plus_milliseconds(999)), Some(10));
        assert_eq!(message.remaining_expiry_seconds(NOW.plus_seconds(3)), Some(7));
        assert_eq!(message.properties_at(NOW.plus_seconds(3)).message_expiry_interval, Some(7));
        assert!(!message.is_expired(NOW.plus_milliseconds(9_999)));
        assert!(message.is_expired(NOW.plus_seconds(10)));
        assert_eq!(message.remaining_expiry_seconds(NOW.plus_seconds(11)), Some(0));
    }

    #[test]
    fn the_edges_of_the_expiry_interval() {
        assert!(!with_expiry(None).is_expired(Timestamp::NEVER));
        assert_eq!(with_expiry(None).remaining_expiry_seconds(NOW), None);
        assert!(with_expiry(Some(0)).is_expired(NOW));
        assert_eq!(with_expiry(Some(u32::MAX)).remaining_expiry_seconds(NOW), Some(u32::MAX));
    }

    /// [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-18], [MQTT-3.3.2-20]
    #[test]
    fn properties_are_forwarded_unaltered_and_in_order() {
        let mut user_properties = UserPropertiesBuf::default();
        for (name, value) in [("b", "1"), ("a", "2"), ("b", "3")] {
            user_properties.push(name, value);
        }
        let properties = MessageProperties {
            payload_format_indicator: Some(true),
            message_expiry_interval: Some(5),
            content_type: Some("text/plain"),
            response_topic: Some("answers"),
            correlation_data: Some(b"\0\xFF"),
            user_properties: user_properties.as_user_properties(),
        };
        let publish = Publish { payload: b"x", properties, topic_alias: Some(1), ..Publish::default() };
        let message = Message::from_publish(&publish, "resolved".into(), Some("me".into()), NOW);
        assert_eq!(message.properties_at(NOW), properties);
        assert_eq!((&*message.topic, &*message.payload), ("resolved", &b"x"[..]));
    }
}
