/// What `decode` accepts at most. Every field is a limit we impose; the standard's own limits always hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of a whole packet, its fixed header included; above: 0x95 (section 3.1.2.11.4).
    pub packet_size_max: u32,
    /// User properties in one property section; above: 0x97.
    pub user_properties_max: u32,
    /// Levels of a topic name (above: 0x90) or topic filter (above: 0x8F).
    pub topic_levels_max: u16,
    /// Bytes of a topic name (above: 0x90) or topic filter (above: 0x8F).
    pub topic_bytes_max: u16,
    /// Refuse strings with U+0001..U+001F, U+007F..U+009F and non-characters, as `U5-003` permits.
    pub reject_control_characters: bool,
}

impl DecodeLimits {
    /// Only what the encoding itself limits. A packet has at most 268,435,455 bytes after the fixed header of
    /// at most 5 bytes.
    pub const UNLIMITED: Self = Self {
        packet_size_max: 268_435_460,
        user_properties_max: u32::MAX,
        topic_levels_max: u16::MAX,
        topic_bytes_max: u16::MAX,
        reject_control_characters: false,
    };
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self { packet_size_max: 1_048_576, user_properties_max: 64, topic_levels_max: 128, ..Self::UNLIMITED }
    }
}
