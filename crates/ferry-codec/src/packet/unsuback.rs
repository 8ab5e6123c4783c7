use crate::{PacketId, UserProperties};

/// UNSUBACK: one reason code for each filter of an UNSUBSCRIBE, in its order `[MQTT-3.11.3-1]` (section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsuback<'a> {
    /// That of the UNSUBSCRIBE `[MQTT-2.2.1-6]`.
    pub packet_id: PacketId,
    /// Not sent in 3.x, and empty when decoded from it.
    pub reason_codes: &'a [u8],
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}
