use std::fmt;
use std::num::NonZeroU32;

/// How much may come from a client, from a user, or from an address: over all its connections, and over those that it
/// had before. `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Connections in one minute; one above it gets 0x9F.
    pub connects_per_minute_max: Option<NonZeroU32>,
    /// PUBLISH packets in one second, wills included; above, it is not read for a while.
    pub publishes_per_second_max: Option<NonZeroU32>,
    /// Bytes of packets in one second; above, it is not read for a while.
    pub received_bytes_per_second_max: Option<NonZeroU32>,
    /// Topic filters subscribed to and unsubscribed from in one second; above, it is not read for a while.
    pub subscribes_per_second_max: Option<NonZeroU32>,
}

impl RateLimits {
    pub(crate) fn is_limited(&self) -> bool {
        *self != Self::default()
    }
}

/// Whose rate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateScope {
    /// That of a client identifier.
    Client,
    /// That of all clients of a user.
    User,
    /// That of all clients of an address, which is one of IPv4 or 64 bits of IPv6.
    Address,
}

/// Of what there was too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateKind {
    /// PUBLISH packets.
    Publishes,
    /// Bytes of packets.
    ReceivedBytes,
    /// Topic filters.
    Subscribes,
}

impl fmt::Display for RateScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Client => "client",
            Self::User => "user",
            Self::Address => "address",
        })
    }
}

impl fmt::Display for RateKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Publishes => "messages",
            Self::ReceivedBytes => "bytes",
            Self::Subscribes => "topic filters",
        })
    }
}
