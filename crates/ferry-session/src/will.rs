use std::sync::Arc;

use ferry_codec::{QoS, StoredProperties, Will};

use crate::{Message, Timestamp};

/// The Will Message of a live connection, stored with the session `[MQTT-3.1.2-7]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWill {
    /// Where it will be published.
    pub topic: Box<str>,
    /// What will be published.
    pub payload: Box<[u8]>,
    /// Forwarded unaltered, in order `[MQTT-3.1.3-10]`; the Will Delay Interval is not among them.
    pub properties: StoredProperties,
    /// The QoS to publish it with.
    pub qos: QoS,
    /// Whether to publish it as a retained message `[MQTT-3.1.2-14]`, `[MQTT-3.1.2-15]`.
    pub retain: bool,
    /// Seconds between the end of the connection and the publication.
    pub delay_interval_seconds: u32,
    /// The Message Expiry Interval; its time begins when the will is published.
    pub message_expiry_interval_seconds: Option<u32>,
}

impl StoredWill {
    /// Copies the will out of a CONNECT.
    #[must_use]
    pub fn from_connect(will: &Will<'_>) -> Self {
        Self {
            topic: will.topic.into(),
            payload: will.payload.into(),
            properties: StoredProperties::new(&will.properties),
            qos: will.qos,
            retain: will.retain,
            delay_interval_seconds: will.delay_interval_seconds,
            message_expiry_interval_seconds: will.properties.message_expiry_interval,
        }
    }

    /// The message to publish at `now` in the name of `publisher`.
    #[must_use]
    pub fn into_message(self, publisher: Option<Arc<str>>, now: Timestamp) -> Message {
        Message {
            topic: self.topic,
            payload: self.payload,
            properties: self.properties,
            qos: self.qos,
            retain: self.retain,
            received_at: now,
            expires_at: self.message_expiry_interval_seconds.map(|seconds| now.plus_seconds(seconds)),
            publisher,
        }
    }
}

/// A will whose connection has closed, until it is published or cancelled.
///
/// ```text
///              closed, not by DISCONNECT 0x00                 due passed
///  StoredWill --------------------------------> PendingWill --------------> published, once
///      |                                             |
///      | DISCONNECT 0x00                             | session resumed before it was due
///      v                                             v
///   deleted [MQTT-3.14.4-3]                      cancelled [MQTT-3.1.3-9]
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingWill {
    will: Box<StoredWill>,
    due: Timestamp,
}

impl PendingWill {
    /// Due when its delay has passed or the session ends, whichever is first `[MQTT-3.1.2-8]`.
    #[must_use]
    pub fn new(will: Box<StoredWill>, closed_at: Timestamp, session_end: Timestamp) -> Self {
        let due = closed_at.plus_seconds(will.delay_interval_seconds).min(session_end);
        Self { will, due }
    }

    /// From the store, with the moment that [`due`](Self::due) gave.
    #[must_use]
    pub fn restore(will: Box<StoredWill>, due: Timestamp) -> Self {
        Self { will, due }
    }

    /// When it is to be published.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.due
    }

    /// Whether it is to be published now.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due <= now
    }

    /// The session ends now, for whatever reason: the will does not wait any longer.
    pub fn session_ended(&mut self, now: Timestamp) {
        self.due = self.due.min(now);
    }

    /// The will, for the store.
    #[must_use]
    pub fn will(&self) -> &StoredWill {
        &self.will
    }

    /// The message to publish. Consumes the will, so that it cannot be published twice `[MQTT-3.1.2-10]`.
    #[must_use]
    pub fn into_message(self, publisher: Option<Arc<str>>, now: Timestamp) -> Message {
        self.will.into_message(publisher, now)
    }
}
