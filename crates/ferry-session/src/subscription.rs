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
