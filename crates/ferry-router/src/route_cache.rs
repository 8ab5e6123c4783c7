//! What one shard remembers of the route table.

use ahash::RandomState;
use smallvec::SmallVec;

use crate::last_matches::{CHANGES_MIN, FILTERS_MIN};
use crate::route_table::{RouteTable, ShardId, ShareGroupId, ShareShards};

/// Topics remembered; each takes the place of another with the same hash.
const PLACES: usize = 1024;

/// Longer topics are looked up each time: what is remembered is small.
const TOPIC_BYTES_MAX: usize = 256;

/// More share groups than this that want one topic are not remembered.
const SHARE_GROUPS_MAX: usize = 64;

/// After so many rounds of asking ahead it is tried whether the topics are few enough to be remembered by now.
const ROUNDS_UNTIL_ASKED_AGAIN: u32 = 64;

/// The answers of [`RouteTable::targets`] and [`RouteTable::share_targets`] to one shard, as long as they do not change:
/// found without the lock, whose every use makes the shards wait for each other.
pub struct RouteCache {
    /// Empty until there is something to remember.
    places: Vec<Place>,
    /// The place of the topic before: what a client publishes comes in runs on one topic.
    last: usize,
    hasher: RandomState,
    /// Where the last answer is.
    found: Found,
    /// The last answer that is not remembered.
    uncached: Targets,
    /// Answers for the topics that are expected next, in their order.
    ahead: Vec<Answer>,
    /// So many of them are for topics that were asked for, or passed over.
    ahead_used: usize,
    /// Questions for which the others are still looked at.
    ahead_asks: usize,
    /// Times that answers were asked for ahead.
    ahead_rounds: u32,
    /// Topics one after the other that were not remembered. What was asked ahead counts for nothing, unless it repeats.
    changes: u32,
    last_shares: LastShares,
}

/// Shards in ascending order.
type Targets = SmallVec<[ShardId; 4]>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// In the last place.
    Place,
    /// Among those ahead.
    Ahead(usize),
    /// Not remembered.
    Uncached,
}

#[derive(Clone, Default)]
struct Place {
    /// Of the topic that was asked for last.
    hash: u64,
    /// Its topic was asked for twice before another took the place: most of many topics are not.
    answer: Answer,
}

#[derive(Clone, Default)]
struct Answer {
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
            found: Found::Uncached,
            uncached: Targets::new(),
            ahead: Vec::new(),
            ahead_used: 0,
            ahead_asks: 0,
            ahead_rounds: 0,
            changes: 0,
            last_shares: LastShares::default(),
        }
    }

    /// Looks up the shards that may have a subscriber to `topic`, always in the same table: then [`Self::targets`] has
    /// them.
    pub fn ask(&mut self, table: &RouteTable, topic: &str) {
        // Before the table is read: what changes meanwhile makes the answer outdated, not wrong.
        let generation = table.generation();
        if let Some(number) = self.find_ahead(topic, generation) {
            if let Found::Ahead(before) = self.found
                && *self.ahead[before].topic == *topic
            {
                self.changes = 0;
            }
            self.found = Found::Ahead(number);
            return;
        }
        if self.places.get(self.last).is_some_and(|last| last.answer.is(topic, generation)) {
            self.changes = 0;
            self.found = Found::Place;
            return;
        }
        let is_cached = topic.len() <= TOPIC_BYTES_MAX && self.ask_place(table, topic, generation);
        self.found = if is_cached { Found::Place } else { Found::Uncached };
        self.changes = if is_cached { 0 } else { self.changes.saturating_add(1) };
        if !is_cached {
            self.uncached.clear();
            table.targets(topic, |shard| self.uncached.push(shard));
        }
    }

    /// The shards that [`Self::ask`] has found, as [`RouteTable::targets`] gives them.
    pub fn targets(&self) -> &[ShardId] {
        match self.found {
            Found::Place => self.places.get(self.last).map_or(&[], |last| &last.answer.targets),
            Found::Ahead(number) => &self.ahead[number].targets,
            Found::Uncached => &self.uncached,
        }
    }

    /// Whether the next topics are to be [asked for at a time](Self::ask_ahead): the table is large, and topics do not
    /// repeat.
    pub fn is_scattered(&self, table: &RouteTable) -> bool {
        self.changes >= CHANGES_MIN && table.indexed_filters() >= FILTERS_MIN
    }

    /// Asks for the topics that [`Self::ask`] is expected to be asked for next, in this order, all at a time: the processor
    /// waits once for what it would wait for with each. Calls `visit` for each topic with what [`Self::targets`] will say.
    pub fn ask_ahead<'t>(
        &mut self,
        table: &RouteTable,
        topics: &[&'t str],
        mut visit: impl FnMut(&'t str, &[ShardId]),
    ) {
        self.ahead_rounds = self.ahead_rounds.wrapping_add(1);
        if self.ahead_rounds.is_multiple_of(ROUNDS_UNTIL_ASKED_AGAIN) {
            self.changes = 0;
        }
        // Before the table is read, as above.
        let generation = table.generation();
        self.found = Found::Uncached;
        self.uncached.clear();
        self.ahead_asks = 2 * topics.len();
        self.ahead.resize_with(topics.len().max(self.ahead.len()), Answer::default);
        self.ahead_used = self.ahead.len() - topics.len();
        let ahead = &mut self.ahead[self.ahead_used..];
        for (answer, topic) in ahead.iter_mut().zip(topics) {
            let is_kept = topic.len() <= TOPIC_BYTES_MAX;
            answer.topic.clear();
            answer.topic.push_str(if is_kept { topic } else { "" });
            answer.generation = if is_kept { generation } else { 0 };
            answer.targets.clear();
        }
        table.targets_of_each(topics, |number, shard| {
            let targets = &mut ahead[number].targets;
            if let Err(at) = targets.binary_search(&shard) {
                targets.insert(at, shard);
            }
        });
        for (answer, topic) in ahead.iter().zip(topics) {
            visit(topic, &answer.targets);
        }
    }

    fn find_ahead(&mut self, topic: &str, generation: u64) -> Option<usize> {
        if self.ahead_used == self.ahead.len() {
            return None;
        }
        let mut rest = self.ahead_used..self.ahead.len();
        let found = rest.find(|number| self.ahead[*number].is(topic, generation));
        self.ahead_asks = self.ahead_asks.saturating_sub(1);
        if let Some(number) = found {
            self.ahead_used = number + 1;
        } else if self.ahead_asks == 0 {
            // Others are asked for than was expected.
            self.ahead_used = self.ahead.len();
        }
        found
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
        let answer = &mut place.answer;
        if !answer.is(topic, generation) {
            answer.topic.clear();
            answer.topic.push_str(topic);
            answer.generation = generation;
            answer.targets.clear();
            table.targets(topic, |shard| answer.targets.push(shard));
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

impl Answer {
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
