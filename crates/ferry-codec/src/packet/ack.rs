use crate::{PacketId, ReasonCode, UserProperties};

/// PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7): they have the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The identifier of the PUBLISH that started the exchange `[MQTT-2.2.1-5]`.
    pub packet_id: PacketId,
    /// Always 0x00 in 3.x.
    pub reason_code: ReasonCode,
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}

impl Ack<'_> {
    /// An acknowledgement that carries a reason code and nothing else.
    #[must_use]
    pub const fn new(packet_id: PacketId, reason_code: ReasonCode) -> Self {
        Self { packet_id, reason_code, reason_string: None, user_properties: UserProperties::EMPTY }
    }
}
