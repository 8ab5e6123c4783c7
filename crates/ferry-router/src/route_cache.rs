//! What one shard remembers of the route table.

use ahash::RandomState;
use smallvec::SmallVec;

use crate::route_table::{RouteTable, ShardId};

/// Topics remembered; each takes the place of another with the same hash.
const PLACES: usize = 1024;

/// Longer topics are looked up each time: what is remembered is small.
const TOPIC_BYTES_MAX: usize = 256;

/// The answers of [`RouteTable::targets`] to one shard, as long as no route changes: found without the lock, whose
/// every use makes the shards wait for each other.
pub struct RouteCache {
    /// Empty until there is something to remember.
    places: Vec<Place>,
    hasher: RandomState,
    /// The last answer that is not remembered.
    uncached: Targets,
}

/// Shards in ascending order.
type Targets = SmallVec<[ShardId; 4]>;

#[derive(Clone, Default)]
struct Place {
    /// Of the topic that was asked for last.
    hash: u64,
    /// Asked for twice before another took the place: most of many topics are not.
    topic: String,
    /// Of the table when it was asked; a table starts at 1.
    generation: u64,
    targets: Targets,
}

impl RouteCache {
    /// Remembers nothing. `seed` keys the hash table, as in [`SubscriptionTrie`](crate::SubscriptionTrie).
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, !seed, seed.rotate_left(24), 0x1656_67B1_9E37_79F9);
        Self { places: Vec::new(), hasher, uncached: Targets::new() }
    }

    /// The shards that may have a subscriber to `topic`, as [`RouteTable::targets`] gives them: always of the same
    /// table.
    pub fn targets(&mut self, table: &RouteTable, topic: &str) -> &[ShardId] {
        // Before the table is read: what changes meanwhile makes the answer outdated, not wrong.
        let generation = table.generation();
        if topic.len() > TOPIC_BYTES_MAX {
            self.uncached.clear();
            table.targets(topic, |shard| self.uncached.push(shard));
            return &self.uncached;
        }
        if self.places.is_empty() {
            self.places.resize(PLACES, Place::default());
        }
        let hash = self.hasher.hash_one(topic);
        let place = &mut self.places[hash as usize % PLACES];
        if place.hash != hash {
            place.hash = hash;
            self.uncached.clear();
            table.targets(topic, |shard| self.uncached.push(shard));
            return &self.uncached;
        }
        let is_same = place.topic == topic;
        if !is_same || place.generation != generation {
            if !is_same {
                place.topic.clear();
                place.topic.push_str(topic);
            }
            place.generation = generation;
            place.targets.clear();
            table.targets(topic, |shard| place.targets.push(shard));
        }
        &place.targets
    }
}
