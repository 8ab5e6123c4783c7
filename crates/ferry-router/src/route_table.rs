//! Which shards want a topic.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use ahash::RandomState;
use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};
use hashbrown::HashMap;
use smallvec::SmallVec;

use crate::filter_index::FilterIndex;
use crate::subscription_trie::SubscriptionTrie;

/// One shard of the broker, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ShardId(pub u16);

/// One share group of one filter: `$share/<group>/<filter>`. Ids are never reused, so that mail
/// addressed to a group that is gone reaches nobody rather than strangers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ShareGroupId(pub u64);

/// How many members of a share group a shard has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShareMembers {
    /// Members with a connection.
    pub online: u32,
    /// Members whose session waits for its client.
    pub offline: u32,
}

/// filter -> shards with a subscriber, and share group -> members by shard. Shared by all shards:
/// read for each message, written when a filter gets its first or loses its last subscriber on a
/// shard and when share group members come and go.
///
/// With one shard the plain routes are not kept at all: every topic goes to that shard.
pub struct RouteTable {
    shard_count: u16,
    /// Each message may ask it: with a lock of one part the shards would wait for each other's caches.
    routes: ShardedLock<FilterIndex>,
    /// Grows with every change of `routes`: for [`RouteCache`](crate::RouteCache).
    generation: AtomicU64,
    /// Of `routes`: see [`FilterIndex::indexed_filters`].
    indexed_filters: AtomicUsize,
    shares: ShardedLock<Shares>,
    /// Grows with every change of `shares`: for [`RouteCache`](crate::RouteCache).
    shares_generation: AtomicU64,
    /// So that a broker without share groups pays one load for them.
    share_count: AtomicUsize,
}

struct Shares {
    groups_of_filter: SubscriptionTrie<ShareGroupId, ()>,
    groups: HashMap<ShareGroupId, ShareGroup, RandomState>,
    ids: HashMap<(Box<str>, Box<str>), ShareGroupId, RandomState>,
    next_id: u64,
}

struct ShareGroup {
    group: Box<str>,
    filter: Box<str>,
    shards: ShareShards,
}

/// The shards that have members of a share group. What a shard remembers of it is a copy, which up to four cost no
/// allocation.
#[derive(Clone, Default)]
pub(crate) struct ShareShards(SmallVec<[(ShardId, ShareMembers); 4]>);

impl RouteTable {
    /// More shards than this are refused: it is the number of slots that clients are spread over.
    pub const SHARDS_MAX: u16 = 1024;

    /// An empty table for shards `0..shard_count`; `seed` keys the hash tables.
    ///
    /// # Panics
    /// If `shard_count` is 0 or above [`Self::SHARDS_MAX`].
    pub fn new(shard_count: u16, seed: u64) -> Self {
        assert!((1..=Self::SHARDS_MAX).contains(&shard_count), "1 to {} shards", Self::SHARDS_MAX);
        let hasher = RandomState::with_seeds(seed, seed.rotate_left(16), !seed, 0x2545_F491_4F6C_DD1D);
        Self {
            shard_count,
            routes: ShardedLock::new(FilterIndex::new(seed)),
            generation: AtomicU64::new(1),
            indexed_filters: AtomicUsize::new(0),
            shares: ShardedLock::new(Shares {
                groups_of_filter: SubscriptionTrie::new(seed),
                groups: HashMap::with_hasher(hasher.clone()),
                ids: HashMap::with_hasher(hasher),
                next_id: 0,
            }),
            shares_generation: AtomicU64::new(1),
            share_count: AtomicUsize::new(0),
        }
    }

    /// Number of shards.
    pub fn shard_count(&self) -> u16 {
        self.shard_count
    }

    /// `shard` has its first subscriber to `filter`. From the return on, every shard's messages go
    /// there: the subscription is in force before its SUBACK leaves.
    pub fn add(&self, shard: ShardId, filter: &str) {
        if self.shard_count > 1 {
            self.change_routes(|routes| routes.insert(filter, shard));
        }
    }

    /// `shard` has lost its last subscriber to `filter`.
    pub fn remove(&self, shard: ShardId, filter: &str) {
        if self.shard_count > 1 {
            self.change_routes(|routes| routes.remove(filter, shard));
        }
    }

    fn change_routes(&self, change: impl FnOnce(&mut FilterIndex)) {
        let mut routes = write(&self.routes);
        change(&mut routes);
        self.indexed_filters.store(routes.indexed_filters(), Ordering::Relaxed);
        // Under the lock: whoever sees the new number and asks, gets the new answer.
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Another number with every change of what [`Self::targets`] says, never 0.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Calls `visit` once for each shard that may have a subscriber to `topic`, in ascending order,
    /// after the lock is given back. With one shard that is always shard 0.
    pub fn targets(&self, topic: &str, visit: impl FnMut(ShardId)) {
        let mut shards = ShardSet::default();
        if self.shard_count == 1 {
            shards.insert(ShardId(0));
        } else {
            read(&self.routes).matches(topic, |shard| shards.insert(shard));
        }
        shards.for_each(visit);
    }

    /// As [`Self::targets`], for several topics at a time: their numbers and shards, in no order and some twice, under the
    /// lock.
    pub(crate) fn targets_of_each(&self, topics: &[&str], mut visit: impl FnMut(usize, ShardId)) {
        if self.shard_count == 1 {
            return (0..topics.len()).for_each(|number| visit(number, ShardId(0)));
        }
        read(&self.routes).matches_each(topics, visit);
    }

    /// Filters that are found in about the time of one for several topics; 0 if there are others.
    pub(crate) fn indexed_filters(&self) -> usize {
        self.indexed_filters.load(Ordering::Relaxed)
    }

    /// Calls `visit` for each share group that wants `topic` and the shard that shall choose the
    /// member: one of those with online members, in proportion to their number, or if nobody is
    /// online one of those with members at all. Each group gets the message once [MQTT-4.8.2-4].
    /// `seed` decides; take a different one for each message.
    pub fn share_targets(&self, topic: &str, seed: u64, mut visit: impl FnMut(ShareGroupId, ShardId)) {
        if !self.has_share_groups() {
            return;
        }
        let mut chosen: SmallVec<[(ShareGroupId, ShardId); 8]> = SmallVec::new();
        self.share_groups(topic, |id, shards| {
            chosen.extend(shards.choose(seed ^ id.0).map(|shard| (id, shard)));
        });
        chosen.into_iter().for_each(|(id, shard)| visit(id, shard));
    }

    /// Calls `visit`, under the lock, for each share group that wants `topic`.
    pub(crate) fn share_groups(&self, topic: &str, mut visit: impl FnMut(ShareGroupId, &ShareShards)) {
        let shares = read(&self.shares);
        shares.groups_of_filter.matches(topic, |id, ()| {
            if let Some(group) = shares.groups.get(&id) {
                visit(id, &group.shards);
            }
        });
    }

    /// Another number with every change of what [`Self::share_groups`] says, never 0.
    pub(crate) fn shares_generation(&self) -> u64 {
        self.shares_generation.load(Ordering::SeqCst)
    }

    /// Whether there is any share group.
    pub fn has_share_groups(&self) -> bool {
        self.share_count.load(Ordering::Acquire) > 0
    }

    /// Whether there is a share group that wants `topic`.
    pub fn has_shares(&self, topic: &str) -> bool {
        let mut found = false;
        if self.has_share_groups() {
            read(&self.shares).groups_of_filter.matches(topic, |_, ()| found = true);
        }
        found
    }

    /// The share group's name and filter; `None` once it has no members.
    pub fn share_name(&self, id: ShareGroupId) -> Option<(Box<str>, Box<str>)> {
        read(&self.shares).groups.get(&id).map(|group| (group.group.clone(), group.filter.clone()))
    }

    /// `shard` has a new member in the share group, which is made if it is the first.
    pub(crate) fn share_join(
        &self,
        shard: ShardId,
        group: &str,
        filter: &str,
        is_online: bool,
    ) -> ShareGroupId {
        self.change_shares(|shares| {
            let id = shares.id_or_create(group, filter);
            shares.members(id, shard, |members| *members.count(is_online) += 1);
            id
        })
    }

    /// A member on `shard` has unsubscribed or its session has ended.
    pub(crate) fn share_leave(&self, shard: ShardId, id: ShareGroupId, was_online: bool) {
        self.change_shares(|shares| shares.members(id, shard, |members| *members.count(was_online) -= 1));
    }

    /// A member on `shard` has got or lost its connection.
    pub(crate) fn share_set_online(&self, shard: ShardId, id: ShareGroupId, is_online: bool) {
        self.change_shares(|shares| {
            shares.members(id, shard, |members| {
                *members.count(!is_online) -= 1;
                *members.count(is_online) += 1;
            });
        });
    }

    fn change_shares<T>(&self, change: impl FnOnce(&mut Shares) -> T) -> T {
        let mut shares = write(&self.shares);
        let changed = change(&mut shares);
        self.share_count.store(shares.groups.len(), Ordering::Release);
        // Under the lock: whoever sees the new number and asks, gets the new answer.
        self.shares_generation.fetch_add(1, Ordering::SeqCst);
        changed
    }
}

impl ShareMembers {
    fn count(&mut self, is_online: bool) -> &mut u32 {
        if is_online { &mut self.online } else { &mut self.offline }
    }
}

impl Shares {
    fn id_or_create(&mut self, group: &str, filter: &str) -> ShareGroupId {
        let name = (Box::from(group), Box::from(filter));
        if let Some(&id) = self.ids.get(&name) {
            return id;
        }
        let id = ShareGroupId(self.next_id);
        self.next_id += 1;
        self.groups_of_filter.subscribe(filter, id, ());
        let (group, filter) = name.clone();
        self.groups.insert(id, ShareGroup { group, filter, shards: ShareShards::default() });
        self.ids.insert(name, id);
        id
    }

    /// Changes the members of `shard`; a group without members is forgotten.
    fn members(&mut self, id: ShareGroupId, shard: ShardId, change: impl FnOnce(&mut ShareMembers)) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let shards = &mut group.shards.0;
        let at = shards.iter().position(|(other, _)| *other == shard).unwrap_or_else(|| {
            shards.push((shard, ShareMembers::default()));
            shards.len() - 1
        });
        change(&mut shards[at].1);
        if shards[at].1 == ShareMembers::default() {
            shards.swap_remove(at);
        }
        if shards.is_empty()
            && let Some(group) = self.groups.remove(&id)
        {
            self.groups_of_filter.unsubscribe(&group.filter, id);
            self.ids.remove(&(group.group, group.filter));
        }
    }
}

impl ShareShards {
    /// One of those with online members, in proportion to their number, or if nobody is online one of all.
    pub(crate) fn choose(&self, seed: u64) -> Option<ShardId> {
        if let [(only, _)] = self.0[..] {
            return Some(only);
        }
        let total = |count: fn(&ShareMembers) -> u32| -> u64 {
            self.0.iter().map(|(_, members)| u64::from(count(members))).sum()
        };
        let count: fn(&ShareMembers) -> u32 = match total(|members| members.online) {
            0 => |members| members.offline,
            _ => |members| members.online,
        };
        let mut rest = mix(seed).checked_rem(total(count))?;
        for (shard, members) in &self.0 {
            let weight = u64::from(count(members));
            if rest < weight {
                return Some(*shard);
            }
            rest -= weight;
        }
        None
    }
}

/// A set of shards without an allocation.
struct ShardSet([u64; RouteTable::SHARDS_MAX as usize / 64]);

impl Default for ShardSet {
    fn default() -> Self {
        Self([0; RouteTable::SHARDS_MAX as usize / 64])
    }
}

impl ShardSet {
    fn insert(&mut self, shard: ShardId) {
        self.0[usize::from(shard.0) / 64] |= 1 << (shard.0 % 64);
    }

    fn for_each(self, mut visit: impl FnMut(ShardId)) {
        for (word, mut bits) in (0u16..).zip(self.0) {
            while bits != 0 {
                visit(ShardId(word * 64 + bits.trailing_zeros() as u16));
                bits &= bits - 1;
            }
        }
    }
}

/// The finalizer of SplitMix64: neighbouring seeds choose unrelated shards.
fn mix(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn read<T>(lock: &ShardedLock<T>) -> ShardedLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &ShardedLock<T>) -> ShardedLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
