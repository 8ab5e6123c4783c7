use crate::QoS;

/// What a subscriber asks for with each topic filter (section 3.8.3.1). 3.x has only the QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The highest QoS at which the subscriber wants messages.
    pub maximum_qos: QoS,
    /// Do not send back what the subscriber published itself `[MQTT-3.8.3-3]`.
    pub no_local: bool,
    /// Keep the RETAIN flag when forwarding `[MQTT-3.3.1-13]`.
    pub retain_as_published: bool,
    /// When to send retained messages.
    pub retain_handling: RetainHandling,
}

/// When a new subscription is sent the retained messages (section 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// At every SUBSCRIBE `[MQTT-3.3.1-9]`.
    #[default]
    SendAtSubscribe = 0,
    /// Only if the subscription is new `[MQTT-3.3.1-10]`.
    SendIfNew = 1,
    /// Never `[MQTT-3.3.1-11]`.
    DoNotSend = 2,
}

impl SubscriptionOptions {
    /// The options of a 3.x subscription, which has only a QoS.
    #[must_use]
    pub const fn with_qos(maximum_qos: QoS) -> Self {
        Self {
            maximum_qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::SendAtSubscribe,
        }
    }

    /// The byte of the SUBSCRIBE payload in 5.0.
    #[must_use]
    pub const fn to_byte(self) -> u8 {
        self.maximum_qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }

    /// `None` if a reserved bit is set `[MQTT-3.8.3-5]`, the QoS is 3 (`U5-069`) or Retain Handling is 3
    /// (`U5-070`).
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        if byte & 0xC0 != 0 {
            return None;
        }
        let Some(maximum_qos) = QoS::from_byte(byte & 0x03) else { return None };
        let retain_handling = match byte >> 4 {
            0 => RetainHandling::SendAtSubscribe,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return None,
        };
        Some(Self {
            maximum_qos,
            no_local: byte & 0x04 != 0,
            retain_as_published: byte & 0x08 != 0,
            retain_handling,
        })
    }
}
