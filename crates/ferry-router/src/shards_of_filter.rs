//! The shards with a subscriber to a filter, in four bytes.

use smallvec::SmallVec;

use crate::arena::Arena;
use crate::route_table::ShardId;

/// Set if the rest is the place of [`ShardCounts`].
const ELSEWHERE: u32 = 1 << 31;

/// Where the number of filters begins, above the shard.
const COUNT_SHIFT: u32 = 16;

/// A number that is not exact any more: who has had so many filters behind one hash is named as long as the others are.
const COUNT_MAX: u16 = 0x7FFF;

/// Shards, each with the number of its filters. Most filters are wanted by one shard, whose number is kept here; the others
/// are in an arena.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ShardsOfFilter(u32);

/// What [`ShardsOfFilter::take`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// The shard has no such filter.
    Nothing,
    /// It was one of several.
    One,
    /// Nobody has one any more.
    Last,
}

/// Several shards.
pub(crate) type ShardCounts = SmallVec<[(ShardId, u16); 4]>;

impl ShardsOfFilter {
    /// One filter of one shard.
    pub(crate) fn one(shard: ShardId) -> Self {
        Self::inline(shard, 1)
    }

    fn inline(shard: ShardId, count: u16) -> Self {
        Self(u32::from(count) << COUNT_SHIFT | u32::from(shard.0))
    }

    fn elsewhere(self) -> Option<u32> {
        (self.0 & ELSEWHERE != 0).then_some(self.0 & !ELSEWHERE)
    }

    fn shard_and_count(self) -> (ShardId, u16) {
        // Each has sixteen bits.
        (ShardId(self.0 as u16), (self.0 >> COUNT_SHIFT) as u16)
    }

    /// Calls `visit` for each shard.
    pub(crate) fn for_each(self, counts: &Arena<ShardCounts>, visit: &mut impl FnMut(ShardId)) {
        match self.elsewhere() {
            Some(id) => counts[id].iter().for_each(|(shard, _)| visit(*shard)),
            None => visit(self.shard_and_count().0),
        }
    }

    /// One more filter of `shard`.
    pub(crate) fn add(&mut self, shard: ShardId, counts: &mut Arena<ShardCounts>) {
        let id = match self.elsewhere() {
            Some(id) => id,
            None => {
                let (only, count) = self.shard_and_count();
                if only == shard {
                    *self = Self::inline(shard, more(count));
                    return;
                }
                let id = counts.insert(ShardCounts::from_slice(&[(only, count)]));
                assert!(id & ELSEWHERE == 0, "fewer than 2^31 filters fit in memory");
                *self = Self(ELSEWHERE | id);
                id
            }
        };
        match counts[id].iter_mut().find(|(other, _)| *other == shard) {
            Some((_, count)) => *count = more(*count),
            None => counts[id].push((shard, 1)),
        }
    }

    /// One filter of `shard` less.
    pub(crate) fn take(&mut self, shard: ShardId, counts: &mut Arena<ShardCounts>) -> Taken {
        let Some(id) = self.elsewhere() else {
            let (only, count) = self.shard_and_count();
            if only != shard {
                return Taken::Nothing;
            }
            let left = less(count);
            *self = Self::inline(only, left);
            return if left == 0 { Taken::Last } else { Taken::One };
        };
        let shards = &mut counts[id];
        let Some(at) = shards.iter().position(|(other, _)| *other == shard) else { return Taken::Nothing };
        shards[at].1 = less(shards[at].1);
        if shards[at].1 == 0 {
            shards.swap_remove(at);
        }
        if let [(only, count)] = shards[..] {
            counts.remove(id);
            *self = Self::inline(only, count);
        }
        Taken::One
    }
}

fn more(count: u16) -> u16 {
    (count + 1).min(COUNT_MAX)
}

fn less(count: u16) -> u16 {
    if count == COUNT_MAX { count } else { count - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(of: ShardsOfFilter, counts: &Arena<ShardCounts>) -> Vec<u16> {
        let mut shards = Vec::new();
        of.for_each(counts, &mut |shard| shards.push(shard.0));
        shards.sort_unstable();
        shards
    }

    #[test]
    fn it_moves_into_the_arena_and_back() {
        let mut counts = Arena::new();
        let mut filter = ShardsOfFilter::one(ShardId(1023));
        filter.add(ShardId(1023), &mut counts);
        assert_eq!((shards(filter, &counts), counts.len()), (vec![1023], 0));
        for shard in [0, 7, 0] {
            filter.add(ShardId(shard), &mut counts);
        }
        assert_eq!((shards(filter, &counts), counts.len()), (vec![0, 7, 1023], 1));
        for (shard, left) in [(0, vec![0, 7, 1023]), (0, vec![7, 1023]), (7, vec![1023])] {
            assert_eq!(filter.take(ShardId(shard), &mut counts), Taken::One);
            assert_eq!(shards(filter, &counts), left);
        }
        assert_eq!(counts.len(), 0);
        assert_eq!(filter.take(ShardId(1023), &mut counts), Taken::One);
        assert_eq!(filter.take(ShardId(1023), &mut counts), Taken::Last);
    }

    #[test]
    fn who_does_not_want_it_takes_nothing() {
        let mut counts = Arena::new();
        let mut filter = ShardsOfFilter::one(ShardId(3));
        assert_eq!(filter.take(ShardId(4), &mut counts), Taken::Nothing);
        filter.add(ShardId(5), &mut counts);
        assert_eq!(filter.take(ShardId(4), &mut counts), Taken::Nothing);
        assert_eq!(shards(filter, &counts), [3, 5]);
    }

    #[test]
    fn a_number_that_is_too_large_is_never_forgotten() {
        let mut counts = Arena::new();
        let mut filter = ShardsOfFilter::one(ShardId(3));
        (0..COUNT_MAX).for_each(|_| filter.add(ShardId(3), &mut counts));
        assert!((0..COUNT_MAX).all(|_| filter.take(ShardId(3), &mut counts) == Taken::One));
        assert_eq!(shards(filter, &counts), [3]);
    }
}
