use ferry_codec::{QoS, SubscriptionOptions};

use crate::Message;

/// One subscription of a session: part of the session state (section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The whole Topic Filter as it was sent, `$share/` and share name included.
    pub filter: Box<str>,
    /// What the subscriber asked for; `maximum_qos` is the granted one.
    pub options: SubscriptionOptions,
    /// The Subscription Identifier, 1 to 268,435,455.
    pub subscription_id: Option<u32>,
}

impl Subscription {
    /// The QoS of a copy: the lower of the published and the granted one `[MQTT-3.8.4-8]`.
    #[must_use]
    pub fn delivery_qos(&self, published: QoS) -> QoS {
        published.min(self.options.maximum_qos)
    }

    /// The RETAIN flag of a message forwarded because it was just published `[MQTT-3.3.1-12]`,
    /// `[MQTT-3.3.1-13]`. A retained message sent because of a new subscription always has it set.
    #[must_use]
    pub fn retain_flag(&self, published: bool) -> bool {
        published && self.options.retain_as_published
    }

    /// Whether No Local forbids to forward `message` to the client `client_id` `[MQTT-3.8.3-3]`.
    #[must_use]
    pub fn is_local(&self, message: &Message, client_id: &str) -> bool {
        self.options.no_local && message.publisher.as_deref() == Some(client_id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ferry_codec::{Publish, RetainHandling};

    use super::*;
    use crate::Timestamp;

    fn subscription(maximum_qos: QoS, flag: bool) -> Subscription {
        let options = SubscriptionOptions {
            maximum_qos,
            no_local: flag,
            retain_as_published: flag,
            retain_handling: RetainHandling::SendAtSubscribe,
        };
        Subscription { filter: "a".into(), options, subscription_id: None }
    }

    /// [MQTT-3.8.4-8]
    #[test]
    fn the_lower_qos_wins() {
        assert_eq!(subscription(QoS::AtLeastOnce, false).delivery_qos(QoS::ExactlyOnce), QoS::AtLeastOnce);
        assert_eq!(subscription(QoS::AtLeastOnce, false).delivery_qos(QoS::AtMostOnce), QoS::AtMostOnce);
    }

    /// [MQTT-3.3.1-12], [MQTT-3.3.1-13]
    #[test]
    fn retain_as_published() {
        assert!(subscription(QoS::AtMostOnce, true).retain_flag(true));
        assert!(!subscription(QoS::AtMostOnce, true).retain_flag(false));
        assert!(!subscription(QoS::AtMostOnce, false).retain_flag(true));
    }

    /// [MQTT-3.8.3-3]
    #[test]
    fn no_local_compares_client_identifiers() {
        let message = |publisher: Option<&str>| {
            let publisher = publisher.map(Arc::from);
            Message::from_publish(&Publish::default(), "a".into(), publisher, Timestamp(0))
        };
        let no_local = subscription(QoS::AtMostOnce, true);
        assert!(no_local.is_local(&message(Some("me")), "me"));
        assert!(!no_local.is_local(&message(Some("other")), "me"));
        assert!(!no_local.is_local(&message(None), ""));
        assert!(!subscription(QoS::AtMostOnce, false).is_local(&message(Some("me")), "me"));
    }
}
