//! The circumstances of a seed: what the broker is like.

use std::num::NonZeroU16;

use ferry_core::{CoreConfig, Durability, OverflowPolicy, OverlappingSubscriptions};
use ferry_router::RetainedLimits;

use crate::random::Random;

/// Topics of which an acknowledgement may mean something else.
const FILTERS: [&str; 9] = ["t/0", "t/a/#", "t/#", "q/a", "q/b/#", "r/1", "r/2/#", "r/+", "w/#"];

/// Drawn once for each seed.
pub(crate) struct Conditions {
    pub(crate) config: CoreConfig,
    pub(crate) shard_count: u16,
    pub(crate) client_count: usize,
    /// Limits are so low that messages may be dropped.
    pub(crate) may_drop: bool,
    pub(crate) commit_milliseconds_max: u64,
    pub(crate) latency_milliseconds_max: u64,
    pub(crate) authentication_milliseconds_max: u64,
    /// The broker's process ends now and then, and starts again.
    pub(crate) crashes: bool,
    /// Its disk is full or fails now and then.
    pub(crate) disk_trouble: bool,
    /// The broker's clock jumps ahead now and then.
    pub(crate) clock_jumps: bool,
    /// How long a shard collects events before it ends its turn.
    pub(crate) turn_milliseconds_max: u64,
}

impl Conditions {
    pub(crate) fn draw(random: &mut Random) -> Self {
        let may_drop = random.chance(15);
        let mut config = CoreConfig {
            durability: *random.pick(&[
                Durability::Memory,
                Durability::Os,
                Durability::Fsync,
                Durability::Fsync,
                Durability::Fsync,
            ]),
            overlapping_subscriptions: *random.pick(&[
                OverlappingSubscriptions::Once,
                OverlappingSubscriptions::Once,
                OverlappingSubscriptions::Each,
            ]),
            receive_maximum: number(*random.pick(&[2, 10, 1000])),
            inflight_messages_max: number(*random.pick(&[1, 5, 128])),
            topic_alias_maximum: *random.pick(&[0, 2, 32]),
            topic_aliases_out_max: *random.pick(&[0, 2, 32]),
            retained_replay_steps: *random.pick(&[1, 3, 256]),
            output_bytes_max: *random.pick(&[4_000, 1_000_000]),
            // Slow readers read again in time.
            output_stall_seconds_max: 30,
            queue_messages_max: 1_000_000,
            queue_bytes_max: usize::MAX / 1024,
            queue_messages_in_memory_max: *random.pick(&[1, 3, 20, u32::MAX]),
            queue_bytes_in_memory_max: *random.pick(&[300, 5_000, usize::MAX]),
            queue_bytes_total_max: usize::MAX / 1024,
            ..CoreConfig::default()
        };
        if random.chance(40) {
            for _ in 0..random.between(1, 3) {
                let level = *random.pick(&[Durability::Memory, Durability::Os, Durability::Fsync]);
                config.durability_by_filter.push((Box::from(*random.pick(&FILTERS)), level));
            }
        }
        if may_drop {
            config.queue_messages_max = *random.pick(&[1, 5, 50]);
            config.queue_bytes_max = *random.pick(&[500, 100_000]);
            config.retained = RetainedLimits { count_max: 2, bytes_max: 10_000 };
            config.overflow_policy = *random.pick(&[
                OverflowPolicy::DropOldest,
                OverflowPolicy::DropNewest,
                OverflowPolicy::RejectPublisher,
                OverflowPolicy::DisconnectReceiver,
            ]);
        }
        Self {
            config,
            shard_count: *random.pick(&[1, 1, 2, 3]),
            client_count: random.between(2, 7) as usize,
            may_drop,
            commit_milliseconds_max: *random.pick(&[0, 3, 40]),
            latency_milliseconds_max: *random.pick(&[1, 10, 100]),
            authentication_milliseconds_max: *random.pick(&[0, 30]),
            turn_milliseconds_max: *random.pick(&[0, 0, 2]),
            crashes: random.chance(50),
            disk_trouble: random.chance(20),
            clock_jumps: random.chance(20),
        }
    }
}

fn number(value: u16) -> NonZeroU16 {
    NonZeroU16::new(value).unwrap_or(NonZeroU16::MIN)
}
