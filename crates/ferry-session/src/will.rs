use std::sync::Arc;

use ferry_codec::{QoS, StoredProperties, Will};

use crate::{Message, Payload, Timestamp};

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
    /// Whether to publish it as a retained message `[MQTT-3.1.2-14]`, `[MQTT-3.1.2-15]`,
    /// `[MQTT3-3.1.2-16]`, `[MQTT3-3.1.2-17]`.
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
            topic: self.topic.into(),
            payload: Payload::from_vec(self.payload.into_vec()),
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

#[cfg(test)]
mod tests {
    use ferry_codec::{MessageProperties, UserPropertiesBuf};

    use super::*;
    use crate::SessionExpiry;

    const CLOSED_AT: Timestamp = Timestamp(5_000);

    fn stored(will: &Will<'_>) -> Box<StoredWill> {
        Box::new(StoredWill::from_connect(will))
    }

    fn due(delay_interval_seconds: u32, session_expiry: SessionExpiry) -> Timestamp {
        let will = stored(&Will { delay_interval_seconds, ..Will::default() });
        PendingWill::new(will, CLOSED_AT, session_expiry.session_end(CLOSED_AT)).due()
    }

    /// [MQTT-3.1.2-8]: at the end of the delay or of the session.
    #[test]
    fn due_at_the_earlier_of_delay_and_session_end() {
        assert_eq!(due(0, SessionExpiry::NEVER), CLOSED_AT);
        assert_eq!(due(5, SessionExpiry::AT_CLOSE), CLOSED_AT);
        assert_eq!(due(5, SessionExpiry::NEVER), Timestamp(10_000));
        assert_eq!(due(5, SessionExpiry::from_seconds(3)), Timestamp(8_000));
        assert_eq!(due(5, SessionExpiry::from_seconds(9)), Timestamp(10_000));
    }

    /// [MQTT-3.1.2-8]: an end of the session that nobody foresaw, as by Clean Start.
    #[test]
    fn the_end_of_the_session_ends_the_delay() {
        let will = stored(&Will { delay_interval_seconds: 60, ..Will::default() });
        let mut pending = PendingWill::new(will, CLOSED_AT, Timestamp::NEVER);
        assert!(!pending.is_due(Timestamp(6_000)));
        pending.session_ended(Timestamp(6_000));
        assert!(pending.is_due(Timestamp(6_000)));
        pending.session_ended(Timestamp(9_000));
        assert_eq!(pending.due(), Timestamp(6_000));
        let restored = PendingWill::restore(Box::new(pending.will().clone()), pending.due());
        assert_eq!(restored, pending);
    }

    /// [MQTT-3.1.3-10], [MQTT-3.1.2-14], [MQTT-3.1.2-15]; its expiry counts from the publication.
    #[test]
    fn the_message_is_what_connect_said() {
        let mut user_properties = UserPropertiesBuf::default();
        for name in ["a", "b", "a"] {
            user_properties.push(name, "");
        }
        let properties = MessageProperties {
            message_expiry_interval: Some(10),
            user_properties: user_properties.as_user_properties(),
            ..MessageProperties::default()
        };
        for retain in [false, true] {
            let qos = QoS::AtLeastOnce;
            let will =
                Will { topic: "t", payload: b"gone", qos, retain, delay_interval_seconds: 7, properties };
            let pending = PendingWill::new(stored(&will), CLOSED_AT, Timestamp::NEVER);
            let message = pending.into_message(Some("me".into()), Timestamp(12_000));
            assert_eq!((&*message.topic, &*message.payload), ("t", &b"gone"[..]));
            assert_eq!((message.qos, message.retain), (qos, retain));
            assert_eq!(message.expires_at, Some(Timestamp(22_000)));
            assert_eq!(message.properties_at(Timestamp(12_000)), properties);
        }
    }
}
