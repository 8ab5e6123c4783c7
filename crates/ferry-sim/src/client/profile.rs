//! What kind of client one is.

use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::ProtocolVersion;

use crate::random::Random;

/// Decided once for each client of a seed.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) version: ProtocolVersion,
    pub(crate) clean_start_percent: u64,
    pub(crate) receive_maximum: Option<NonZeroU16>,
    /// Smaller than some of the messages.
    pub(crate) maximum_packet_size: Option<NonZeroU32>,
    pub(crate) topic_alias_maximum: u16,
    pub(crate) keep_alive_seconds: u16,
    pub(crate) acknowledges: Acknowledges,
    /// How often the user does something.
    pub(crate) pause_milliseconds_max: u64,
}

/// When acknowledgements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledges {
    AtOnce,
    Late,
    /// Not on this connection.
    SometimesNever,
}

impl Profile {
    /// A patient MQTT 5.0 client without limits.
    pub(crate) fn plain() -> Self {
        Self {
            version: ProtocolVersion::V5,
            clean_start_percent: 0,
            receive_maximum: None,
            maximum_packet_size: None,
            topic_alias_maximum: 0,
            keep_alive_seconds: 0,
            acknowledges: Acknowledges::AtOnce,
            pause_milliseconds_max: 1000,
        }
    }

    pub(crate) fn draw(random: &mut Random) -> Self {
        let version = *random.pick(&[
            ProtocolVersion::V5,
            ProtocolVersion::V5,
            ProtocolVersion::V5,
            ProtocolVersion::V311,
            ProtocolVersion::V311,
            ProtocolVersion::V31,
        ]);
        let is_v5 = version == ProtocolVersion::V5;
        Self {
            version,
            // Without Session Present in CONNACK a 3.1 client cannot tell whether its session is still there.
            clean_start_percent: if version == ProtocolVersion::V31 {
                100
            } else {
                *random.pick(&[0, 10, 50])
            },
            receive_maximum: NonZeroU16::new(*random.pick(&[0, 1, 2, 5, 20])).filter(|_| is_v5),
            maximum_packet_size: NonZeroU32::new(*random.pick(&[0, 0, 0, 200])).filter(|_| is_v5),
            topic_alias_maximum: if is_v5 { *random.pick(&[0, 1, 3, 10]) } else { 0 },
            keep_alive_seconds: *random.pick(&[0, 2, 5, 30]),
            acknowledges: *random.pick(&[
                Acknowledges::AtOnce,
                Acknowledges::AtOnce,
                Acknowledges::Late,
                Acknowledges::SometimesNever,
            ]),
            pause_milliseconds_max: *random.pick(&[20, 200, 1000]),
        }
    }
}
