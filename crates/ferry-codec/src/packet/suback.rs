use crate::{PacketId, UserProperties};

/// SUBACK: one reason code for each filter of a SUBSCRIBE, in its order `[MQTT-3.9.3-1]` (section 3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suback<'a> {
    /// That of the SUBSCRIBE `[MQTT-2.2.1-6]`.
    pub packet_id: PacketId,
    /// In 3.1.1 `encode` writes every failure as 0x80 `[MQTT3-3.9.3-2]`; 3.1 has no failure, so it gets QoS 0.
    pub reason_codes: &'a [u8],
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}
