use core::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;

use ferry_codec::topic::matches;
use ferry_codec::{DecodeLimits, QoS};
use ferry_router::RetainedLimits;
use ferry_session::OverflowPolicy;

use crate::{Durability, RateLimits, SpanConfig};

/// Every limit and choice of a shard. What counts for all shards together is divided by their number unless it
/// says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct CoreConfig {
    /// What an acknowledgement means: for sessions and their subscriptions, and for messages of which
    /// `durability_by_filter` says nothing.
    pub durability: Durability,
    /// What it means for the messages of some topics. The first filter that matches counts.
    pub durability_by_filter: Vec<(Box<str>, Durability)>,
    /// What a packet may hold.
    pub decode: DecodeLimits,
    /// Bytes of a CONNECT, which comes from anybody; the lower of this and the packet size of `decode` holds.
    pub connect_bytes_max: u32,
    /// Seconds from the start of a connection to a complete CONNECT.
    pub connect_timeout_seconds: u32,
    /// Seconds from CONNECT to the end of the authentication.
    pub authentication_timeout_seconds: u32,
    /// CONNECTs of all shards together in one second; above: 0x9F. 0: no limit.
    pub connects_per_second_max: u32,
    /// Sessions of all shards together, connected or not; above, a CONNECT that needs a new one gets 0x97.
    pub sessions_max: usize,
    /// Seconds that a session may outlive its connection at most; `u32::MAX` is never ending.
    pub session_expiry_seconds_max: u32,
    /// Bytes of a client identifier; above: 0x85.
    pub client_id_bytes_max: u16,
    /// Whether only the user that owns a session may take it over; others get 0x87.
    pub takeover_same_user: bool,
    /// Longest Keep Alive in seconds; 5.0 clients that ask for more or none are told so. `None`: no limit.
    pub keep_alive_seconds_max: Option<u16>,

    /// QoS 1 and 2 messages taken from a client before it waits for acknowledgements (Receive Maximum).
    pub receive_maximum: NonZeroU16,
    /// Whether more than that is answered with 0x93. If not, it is served and counted.
    pub receive_maximum_strict: bool,
    /// QoS 2 messages of one session that wait for PUBREL; above: 0x97.
    pub qos2_awaiting_release_max: u16,
    /// How much may come from one client identifier.
    pub client_rates: RateLimits,
    /// How much may come from all clients of one user, on all shards together.
    pub user_rates: RateLimits,
    /// How much may come from all clients of one address, on all shards together.
    pub address_rates: RateLimits,
    /// Addresses that have no such limit.
    pub exempt_addresses: Vec<RangeInclusive<IpAddr>>,
    /// Topic aliases a client may define.
    pub topic_alias_maximum: u16,
    /// Whether a payload marked as UTF-8 is checked; if it is not: 0x99.
    pub payload_format_check: bool,
    /// What a 3.x publisher without permission gets.
    pub denied_v3_publish: DeniedPublish,
    /// Highest QoS taken from and granted to clients.
    pub maximum_qos: QoS,
    /// Whether clients may publish retained messages.
    pub retain_available: bool,

    /// QoS 1 and 2 messages on the way to one client; the lower of this and its Receive Maximum holds.
    pub inflight_messages_max: NonZeroU16,
    /// Bytes of these messages, beyond which no other is begun.
    pub inflight_bytes_max: u32,
    /// Topic aliases defined towards a client that allows as many.
    pub topic_aliases_out_max: u16,
    /// Messages waiting for one session.
    pub queue_messages_max: u32,
    /// Bytes of the messages waiting for one session.
    pub queue_bytes_max: usize,
    /// Messages in memory of those waiting for one session, if the store has them: the others are read back from
    /// there when their turn comes.
    pub queue_messages_in_memory_max: u32,
    /// Bytes of those messages.
    pub queue_bytes_in_memory_max: usize,
    /// Messages waiting for all sessions of all shards.
    pub queue_messages_total_max: usize,
    /// Bytes of the messages waiting for all sessions of all shards.
    pub queue_bytes_total_max: usize,
    /// What happens above them.
    pub overflow_policy: OverflowPolicy,
    /// Bytes waiting to be written to one connection; above, QoS 0 copies are dropped, QoS 1 and 2 copies wait in
    /// the session's queue, and the connection is not read.
    pub output_bytes_max: usize,
    /// Seconds in which a full output must shrink; then the connection is closed.
    pub output_stall_seconds_max: u32,

    /// Subscriptions of one session; above: 0x97.
    pub subscriptions_per_session_max: u32,
    /// How often a message comes that several subscriptions of a session match.
    pub overlapping_subscriptions: OverlappingSubscriptions,
    /// Whether filters may hold `+` and `#`; if not: 0xA2.
    pub wildcard_subscription_available: bool,
    /// Whether clients may give Subscription Identifiers; if not: 0xA1.
    pub subscription_identifiers_available: bool,
    /// Whether clients may use `$share/group/filter`; if not: 0x9E.
    pub shared_subscription_available: bool,
    /// Retained messages of the whole broker.
    pub retained: RetainedLimits,
    /// Retained messages looked at in one step of a replay, matching or not.
    pub retained_replay_steps: usize,

    /// Response Information is this followed by the client identifier (section 4.10). `None`: not sent.
    pub response_information_prefix: Option<Box<str>>,
    /// User properties of every CONNACK, such as the durability.
    pub connack_user_properties: Vec<(Box<str>, Box<str>)>,
    /// Tell of clients that come and go, in [`Effects::presence`](crate::Effects::presence).
    pub presence: bool,
    /// Which messages are followed, in [`Effects::spans`](crate::Effects::spans). `None`: none, at no cost.
    pub spans: Option<SpanConfig>,
}

impl CoreConfig {
    /// What an acknowledgement of a message means.
    #[must_use]
    pub fn durability_of(&self, topic: &str) -> Durability {
        let found = self.durability_by_filter.iter().find(|(filter, _)| matches(filter, topic));
        found.map_or(self.durability, |(_, durability)| *durability)
    }

    /// The strongest that anything is promised: above [`Durability::Memory`] there must be a store.
    #[must_use]
    pub fn durability_max(&self) -> Durability {
        let by_filter = self.durability_by_filter.iter().map(|(_, durability)| *durability);
        by_filter.fold(self.durability, Durability::max)
    }
}

/// How often a message is delivered that several subscriptions of one session match (section 3.3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverlappingSubscriptions {
    /// Once, with the highest QoS and all Subscription Identifiers [MQTT-3.3.4-4].
    #[default]
    Once,
    /// Once for each subscription, with its own identifier [MQTT-3.3.4-5].
    Each,
}

/// What a 3.x client gets for a PUBLISH that it may not make: there is no way to tell it [MQTT3-3.3.5-2].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeniedPublish {
    /// A positive acknowledgement.
    #[default]
    Acknowledge,
    /// The end of its connection.
    Close,
}

impl Default for CoreConfig {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            durability: Durability::Memory,
            durability_by_filter: Vec::new(),
            decode: DecodeLimits::default(),
            connect_bytes_max: 256 * 1024,
            connect_timeout_seconds: 10,
            authentication_timeout_seconds: 30,
            connects_per_second_max: 0,
            sessions_max: 1_000_000,
            session_expiry_seconds_max: u32::MAX,
            client_id_bytes_max: 1024,
            takeover_same_user: false,
            keep_alive_seconds_max: None,
            receive_maximum: NonZeroU16::MIN.saturating_add(1023),
            receive_maximum_strict: true,
            qos2_awaiting_release_max: 1024,
            client_rates: RateLimits::default(),
            user_rates: RateLimits::default(),
            address_rates: RateLimits::default(),
            exempt_addresses: Vec::new(),
            topic_alias_maximum: 32,
            payload_format_check: false,
            denied_v3_publish: DeniedPublish::Acknowledge,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            inflight_messages_max: NonZeroU16::MIN.saturating_add(4095),
            inflight_bytes_max: 16 * MIB as u32,
            topic_aliases_out_max: 32,
            queue_messages_max: 10_000,
            queue_bytes_max: 16 * MIB,
            queue_messages_in_memory_max: 128,
            queue_bytes_in_memory_max: 64 * 1024,
            queue_messages_total_max: 2_000_000,
            queue_bytes_total_max: 256 * MIB,
            overflow_policy: OverflowPolicy::DropOldest,
            output_bytes_max: 2 * MIB,
            output_stall_seconds_max: 60,
            subscriptions_per_session_max: 10_000,
            overlapping_subscriptions: OverlappingSubscriptions::Once,
            wildcard_subscription_available: true,
            subscription_identifiers_available: true,
            shared_subscription_available: true,
            retained: RetainedLimits { count_max: 1_000_000, bytes_max: 256 * MIB },
            retained_replay_steps: 256,
            response_information_prefix: None,
            connack_user_properties: Vec::new(),
            presence: false,
            spans: None,
        }
    }
}
