//! What one shard remembers of the route table.

use ahash::RandomState;
use smallvec::SmallVec;

use crate::route_table::{RouteTable, ShardId, ShareGroupId, ShareShards};

/// Topics remembered; each takes the place of another with the same hash.
const PLACES: usize = 1024;

/// Longer topics are looked up each time: what is remembered is small.
const TOPIC_BYTES_MAX: usize = 256;

/// More share groups than this that want one topic are not remembered.
const SHARE_GROUPS_MAX: usize = 64;

/// The answers of [`RouteTable::targets`] and [`RouteTable::share_targets`] to one shard, as long as they do not change:
/// found without the lock, whose every use makes the shards wait for each other.
pub struct RouteCache {
    /// Empty until there is something to remember.
    places: Vec<Place>,
    /// The place of the topic before: what a client publishes comes in runs on one topic.
    last: usize,
    hasher: RandomState,
    /// The last answer is in that place.
    is_cached: bool,
    /// The last answer that is not remembered.
    uncached: Targets,
    last_shares: LastShares,
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

/// The share groups that the topic before was wanted by.
#[derive(Default)]
struct LastShares {
    topic: String,
    /// Of the table when it was asked; 0: nothing is remembered.
    generation: u64,
    groups: Vec<(ShareGroupId, ShareShards)>,
}

impl RouteCache {
    /// Remembers nothing. `seed` keys the hash table, as in [`SubscriptionTrie`](crate::SubscriptionTrie).
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, !seed, seed.rotate_left(24), 0x1656_67B1_9E37_79F9);
        Self {
            places: Vec::new(),
            last: 0,
            hasher,
            is_cached: false,
            uncached: Targets::new(),
            last_shares: LastShares::default(),
        }
    }

    /// Looks up the shards that may have a subscriber to `topic`, always in the same table: then [`Self::targets`] has
    /// them.
    pub fn ask(&mut self, table: &RouteTable, topic: &str) {
        // Before the table is read: what changes meanwhile makes the answer outdated, not wrong.
        let generation = table.generation();
        if self.places.get(self.last).is_some_and(|last| last.is(topic, generation)) {
            self.is_cached = true;
            return;
        }
        self.is_cached = topic.len() <= TOPIC_BYTES_MAX && self.ask_place(table, topic, generation);
        if !self.is_cached {
            self.uncached.clear();
            table.targets(topic, |shard| self.uncached.push(shard));
        }
    }

    /// The shards that [`Self::ask`] has found, as [`RouteTable::targets`] gives them.
    pub fn targets(&self) -> &[ShardId] {
        match self.places.get(self.last) {
            Some(last) if self.is_cached => &last.targets,
            _ => &self.uncached,
        }
    }

    /// Whether the answer is in the topic's place.
    fn ask_place(&mut self, table: &RouteTable, topic: &str, generation: u64) -> bool {
        if self.places.is_empty() {
            self.places.resize(PLACES, Place::default());
        }
        let hash = self.hasher.hash_one(topic);
        self.last = hash as usize % PLACES;
        let place = &mut self.places[self.last];
        if place.hash != hash {
            place.hash = hash;
            return false;
        }
        if !place.is(topic, generation) {
            place.topic.clear();
            place.topic.push_str(topic);
            place.generation = generation;
            place.targets.clear();
            table.targets(topic, |shard| place.targets.push(shard));
        }
        true
    }

    /// As [`RouteTable::share_targets`]: always of the same table.
    pub fn share_targets(
        &mut self,
        table: &RouteTable,
        topic: &str,
        seed: u64,
        mut visit: impl FnMut(ShareGroupId, ShardId),
    ) {
        if !table.has_share_groups() {
            return;
        }
        // Before the table is read, as above.
        let generation = table.shares_generation();
        let last = &mut self.last_shares;
        if last.generation != generation || *last.topic != *topic {
            last.ask(table, topic, generation);
        }
        for (id, shards) in &last.groups {
            if let Some(shard) = shards.choose(seed ^ id.0) {
                visit(*id, shard);
            }
        }
    }
}

impl Place {
    fn is(&self, topic: &str, generation: u64) -> bool {
        self.generation == generation && *self.topic == *topic
    }
}

impl LastShares {
    fn ask(&mut self, table: &RouteTable, topic: &str, generation: u64) {
        self.groups.clear();
        table.share_groups(topic, |id, shards| self.groups.push((id, shards.clone())));
        self.generation = 0;
        if topic.len() <= TOPIC_BYTES_MAX && self.groups.len() <= SHARE_GROUPS_MAX {
            self.generation = generation;
            self.topic.clear();
            self.topic.push_str(topic);
        }
    }
}
