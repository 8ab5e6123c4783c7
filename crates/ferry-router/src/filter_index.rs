//! Which shards want a topic, found by the shapes of filters.

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use smallvec::SmallVec;

use crate::arena::Arena;
use crate::route_table::ShardId;
use crate::shards_of_filter::{ShardCounts, ShardsOfFilter, Taken};
use crate::subscription_trie::{self, SubscriptionTrie};

/// Levels by which a filter is told from others of its shape; longer ones go into a trie.
const LEVELS_MAX: usize = 32;

/// Different shapes, each of which costs a look for each topic; filters of more go into a trie.
const SHAPES_MAX: usize = 16;

/// Parts of the table: one grows at a time, which takes less than a millisecond.
const PARTITIONS: usize = 64;

/// filter -> shards. Filters with wildcards at the same levels have the same [`Shape`], and a broker's clients use few of
/// them: so a topic costs one look for each shape, wherever it is in memory, and a filter the hash of its literal levels
/// instead of nodes of a trie and texts.
///
/// Two filters may have the same hash. Then a shard is named that need not be; none is left out, for the filters
/// behind a hash are counted.
///
/// What a look costs is the time until its entry has come from memory: the less there is of the table, the more of it is
/// in the cache.
pub(crate) struct FilterIndex {
    hasher: RandomState,
    /// Each with the number of its filters, of all shards; not of their hashes, which filters of other shapes may have too.
    shapes: Vec<(Shape, usize)>,
    partitions: Box<[HashTable<Wanted>; PARTITIONS]>,
    /// For hashes that several shards want.
    counts: Arena<ShardCounts>,
    others: SubscriptionTrie<ShardId, ()>,
}

/// What filters have in common whose wildcards are at the same levels.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    /// A bit for each level that is not a wildcard, the lowest for the first level.
    literals: u32,
    /// Without the `#`.
    levels: u32,
    /// Ends with `#`.
    is_open: bool,
}

/// The shards with a subscriber to the filters behind a hash.
struct Wanted {
    /// A part of the hash, by which the table knows the entry; another part says which table it is.
    tag: u32,
    shards: ShardsOfFilter,
}

const _: () = assert!(size_of::<Wanted>() == 8);

impl FilterIndex {
    /// `seed` keys the hashes.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            hasher: RandomState::with_seeds(seed, !seed, seed.rotate_left(40), 0x9FB2_1C65_1E98_DF25),
            shapes: Vec::new(),
            partitions: Box::new([const { HashTable::new() }; PARTITIONS]),
            counts: Arena::new(),
            others: SubscriptionTrie::new(seed),
        }
    }

    /// `shard` wants what `filter` matches; it is not there yet.
    pub(crate) fn insert(&mut self, filter: &str, shard: ShardId) {
        match self.place(filter).filter(|(shape, _)| self.has_room_for(*shape)) {
            Some((shape, hash)) => {
                self.add(hash, shard);
                self.use_shape(shape);
            }
            None => {
                self.others.subscribe(filter, shard, ());
            }
        }
    }

    /// `shard` does not want it any longer.
    pub(crate) fn remove(&mut self, filter: &str, shard: ShardId) {
        // Among the others if there were too many shapes when it came.
        if self.others.unsubscribe(filter, shard).is_some() {
            return;
        }
        if let Some((shape, hash)) = self.place(filter)
            && self.take(hash, shard)
        {
            self.release_shape(shape);
        }
    }

    /// Calls `visit` for each shard with a filter that matches `topic`, and for one more filter that does, again.
    pub(crate) fn matches(&self, topic: &str, mut visit: impl FnMut(ShardId)) {
        self.for_each_place(topic, |hash| {
            if let Some(shards) = self.wanted(hash) {
                shards.for_each(&self.counts, &mut visit);
            }
        });
        if !self.others.is_empty() {
            self.others.matches(topic, |shard, ()| visit(shard));
        }
    }

    /// As [`Self::matches`], for several topics, of which `visit` gets the number: the processor waits for all of them at
    /// a time.
    pub(crate) fn matches_each(&self, topics: &[&str], mut visit: impl FnMut(usize, ShardId)) {
        let mut places: SmallVec<[(usize, u64); 64]> = SmallVec::new();
        for (number, topic) in topics.iter().enumerate() {
            self.for_each_place(topic, |hash| places.push((number, hash)));
        }
        // Which entries it may be, then the entries: a loop in which the processor gets to the next ones while it waits.
        let mut candidates: SmallVec<[(usize, u32, &Wanted); 64]> = SmallVec::new();
        for (number, hash) in places {
            let (tag, table) = (tag(hash), &self.partitions[partition(hash)]);
            candidates.extend(table.iter_hash(table_hash(tag)).map(|wanted| (number, tag, wanted)));
        }
        let wanted: SmallVec<[(usize, ShardsOfFilter); 32]> = candidates
            .into_iter()
            .filter(|(_, tag, wanted)| wanted.tag == *tag)
            .map(|(number, _, wanted)| (number, wanted.shards))
            .collect();
        for (number, shards) in wanted {
            shards.for_each(&self.counts, &mut |shard| visit(number, shard));
        }
        for (number, topic) in topics.iter().enumerate().filter(|_| !self.others.is_empty()) {
            self.others.matches(topic, |shard, ()| visit(number, shard));
        }
    }

    /// Filters, each as often as there are shards that want it; 0 if some are in the trie, which takes its time with each
    /// topic.
    pub(crate) fn indexed_filters(&self) -> usize {
        if self.others.is_empty() { self.shapes.iter().map(|(_, count)| count).sum() } else { 0 }
    }

    /// The hash of each filter that would match `topic`.
    fn for_each_place(&self, topic: &str, mut visit: impl FnMut(u64)) {
        let mut hashes = [0; LEVELS_MAX];
        let mut levels = 0;
        for level in subscription_trie::levels(topic) {
            if let Some(hash) = hashes.get_mut(levels as usize) {
                *hash = self.hasher.hash_one(level);
            }
            levels += 1;
        }
        // Wildcards at the first level do not match these [MQTT-4.7.2-1] [MQTT3-4.7.2-1].
        let is_reserved = topic.starts_with('$');
        for (shape, _) in &self.shapes {
            if shape.fits(levels, is_reserved) {
                visit(shape.literal_levels().fold(shape.hash(), |hash, level| mix(hash, hashes[level])));
            }
        }
    }

    fn wanted(&self, hash: u64) -> Option<ShardsOfFilter> {
        let (tag, table) = (tag(hash), &self.partitions[partition(hash)]);
        Some(table.find(table_hash(tag), |wanted| wanted.tag == tag)?.shards)
    }

    /// The shape and the hash of a filter; `None` if it has too many levels.
    fn place(&self, filter: &str) -> Option<(Shape, u64)> {
        let mut shape = Shape { literals: 0, levels: 0, is_open: false };
        for level in filter.split('/') {
            match level {
                "#" => shape.is_open = true,
                _ if shape.levels as usize == LEVELS_MAX => return None,
                "+" => shape.levels += 1,
                _ => {
                    shape.literals |= 1 << shape.levels;
                    shape.levels += 1;
                }
            }
        }
        let literals = filter.split('/').filter(|level| !matches!(*level, "+" | "#"));
        let hash =
            literals.fold(shape.hash(), |hash, level| mix(hash, self.hasher.hash_one(level.as_bytes())));
        Some((shape, hash))
    }

    fn has_room_for(&self, shape: Shape) -> bool {
        self.shapes.len() < SHAPES_MAX || self.shapes.iter().any(|(used, _)| *used == shape)
    }

    fn use_shape(&mut self, shape: Shape) {
        match self.shapes.iter_mut().find(|(used, _)| *used == shape) {
            Some((_, count)) => *count += 1,
            None => self.shapes.push((shape, 1)),
        }
    }

    fn release_shape(&mut self, shape: Shape) {
        if let Some(at) = self.shapes.iter().position(|(used, _)| *used == shape) {
            self.shapes[at].1 -= 1;
            if self.shapes[at].1 == 0 {
                self.shapes.swap_remove(at);
            }
        }
    }

    fn add(&mut self, hash: u64, shard: ShardId) {
        let (tag, table) = (tag(hash), &mut self.partitions[partition(hash)]);
        match table.entry(table_hash(tag), |wanted| wanted.tag == tag, |wanted| table_hash(wanted.tag)) {
            Entry::Occupied(mut entry) => entry.get_mut().shards.add(shard, &mut self.counts),
            Entry::Vacant(entry) => {
                entry.insert(Wanted { tag, shards: ShardsOfFilter::one(shard) });
            }
        }
    }

    /// Whether the shard had wanted what is behind the hash.
    fn take(&mut self, hash: u64, shard: ShardId) -> bool {
        let (tag, table) = (tag(hash), &mut self.partitions[partition(hash)]);
        let Ok(mut entry) = table.find_entry(table_hash(tag), |wanted| wanted.tag == tag) else {
            return false;
        };
        let taken = entry.get_mut().shards.take(shard, &mut self.counts);
        if taken == Taken::Last {
            entry.remove();
        }
        taken != Taken::Nothing
    }
}

impl Shape {
    /// Whether its filters may match a topic of so many levels. `#` matches the level before it, too.
    fn fits(self, levels: u32, is_reserved: bool) -> bool {
        let has_levels = if self.is_open { levels >= self.levels } else { levels == self.levels };
        has_levels && (!is_reserved || self.literals & 1 == 1)
    }

    fn literal_levels(self) -> impl Iterator<Item = usize> {
        let mut rest = self.literals;
        std::iter::from_fn(move || {
            let level = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(level)
        })
    }

    /// What the hashes of its filters begin with.
    fn hash(self) -> u64 {
        mix(u64::from(self.literals), u64::from(self.levels) << 1 | u64::from(self.is_open))
    }
}

/// One more level: the order of the levels counts.
fn mix(hash: u64, level: u64) -> u64 {
    let product = u128::from(hash.rotate_left(5) ^ level ^ 0x517C_C1B7_2722_0A95) * 0xA076_1D64_78BD_642F;
    (product as u64) ^ (product >> 64) as u64
}

/// Bits that are not in the tag.
fn partition(hash: u64) -> usize {
    (hash >> 40) as usize % PARTITIONS
}

fn tag(hash: u64) -> u32 {
    hash as u32
}

/// The table uses the lowest and the highest bits.
fn table_hash(tag: u32) -> u64 {
    u64::from(tag).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn wanted(index: &FilterIndex, topic: &str) -> Vec<u16> {
        let mut shards = Vec::new();
        index.matches(topic, |shard| shards.push(shard.0));
        shards
    }

    /// A filter without wildcards, and one with, that the table cannot tell apart.
    fn alike(index: &FilterIndex) -> (String, String) {
        const FILTERS: u32 = 1 << 18;
        let key = |filter: &str| {
            let (_, hash) = index.place(filter).expect("few levels");
            (partition(hash), tag(hash))
        };
        let exact: HashMap<_, _> = (0..FILTERS).map(|number| (key(&format!("a{number}")), number)).collect();
        let (number, other) = (0_u32..)
            .find_map(|number| Some((number, *exact.get(&key(&format!("b{number}/+")))?)))
            .expect("sooner or later");
        (format!("a{other}"), format!("b{number}/+"))
    }

    #[test]
    fn filters_of_different_shapes_may_have_the_same_hash() {
        let mut index = FilterIndex::new(1);
        let (exact, wildcard) = alike(&index);
        let topic = wildcard.replace('+', "x");
        let shard = ShardId(0);
        for (first, second) in [(&exact, &wildcard), (&wildcard, &exact)] {
            index.insert(first, shard);
            index.insert(second, shard);
            assert_eq!((wanted(&index, &exact), wanted(&index, &topic)), (vec![0], vec![0]));
            // Of two filters with the same shape one is left.
            index.insert("left/+", shard);
            index.remove(first, shard);
            index.remove(second, shard);
            assert_eq!(wanted(&index, "left/x"), [0]);
            index.remove("left/+", shard);
            assert_eq!((wanted(&index, &topic), index.shapes.len()), (Vec::new(), 0));
        }
    }
}
