use crate::{MessageProperties, PacketId, QoS, SubscriptionIds};

/// PUBLISH: an application message on its way (section 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Publish<'a> {
    /// This may be a re-delivery; never with QoS 0 `[MQTT-3.3.1-2]`.
    pub dup: bool,
    /// How it is delivered.
    pub qos: QoS,
    /// From a client: store it; from a server: it was stored, or retain-as-published.
    pub retain: bool,
    /// There exactly if the QoS is not 0 `[MQTT-2.2.1-2]`.
    pub packet_id: Option<PacketId>,
    /// A valid topic name; empty only if there is an alias (`U5-052`).
    pub topic: &'a str,
    /// 5.0 only; never 0 `[MQTT-3.3.2-8]`. Whether it is below the maximum is the receiver's to check.
    pub topic_alias: Option<u16>,
    /// 5.0 only.
    pub properties: MessageProperties<'a>,
    /// From a server only `[MQTT-3.3.4-6]`.
    pub subscription_ids: SubscriptionIds<'a>,
    /// The application message; may be empty.
    pub payload: &'a [u8],
}
