//! Which member of a share group gets a message.

use std::hash::Hash;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::route_table::{RouteTable, ShardId, ShareGroupId, ShareMembers};

/// Among more online members than this, the next that many in turn are compared rather than all.
const COMPARED_MAX: usize = 64;

/// One shard's members of share groups, `$share/<group>/<filter>`: key and value as in
/// [`SubscriptionTrie`](crate::SubscriptionTrie). Keeps the [`RouteTable`], which leads messages
/// here, up to date.
pub struct SharedGroups<K, V> {
    shard: ShardId,
    groups: HashMap<ShareGroupId, Group<K, V>, RandomState>,
    ids: HashMap<Box<str>, ShareGroupId, RandomState>,
    member_count: usize,
}

struct Group<K, V> {
    /// The online members first.
    members: Vec<(K, V)>,
    positions: HashMap<K, usize, RandomState>,
    online: usize,
    /// Where the next choice starts to look: ties go round.
    next: usize,
    /// `<group>/<filter>`: unambiguous, as a group name has no `/` [MQTT-4.8.2-2].
    name: Box<str>,
}

impl<K: Copy + Eq + Hash, V> SharedGroups<K, V> {
    /// No groups yet. `seed` keys the hash tables.
    pub fn new(shard: ShardId, seed: u64) -> Self {
        let hasher = RandomState::with_seeds(seed, seed.rotate_left(48), !seed, 0xD1B5_4A32_D192_ED03);
        Self {
            shard,
            groups: HashMap::with_hasher(hasher.clone()),
            ids: HashMap::with_hasher(hasher),
            member_count: 0,
        }
    }

    /// Makes `key` an online member of the group, or replaces the member's value, which is then
    /// returned. A group is made by its first member.
    pub fn subscribe(
        &mut self,
        routes: &RouteTable,
        group: &str,
        filter: &str,
        key: K,
        value: V,
    ) -> Option<V> {
        let name = [group, "/", filter].concat();
        if let Some(known) = self.ids.get(&*name).and_then(|id| self.groups.get_mut(id))
            && let Some(&position) = known.positions.get(&key)
        {
            return Some(std::mem::replace(&mut known.members[position].1, value));
        }
        let id = routes.share_join(self.shard, group, filter, true);
        let name = name.into_boxed_str();
        let hasher = self.ids.hasher().clone();
        self.ids.entry_ref(&*name).or_insert(id);
        self.groups
            .entry(id)
            .or_insert_with(|| Group {
                members: Vec::new(),
                positions: HashMap::with_hasher(hasher),
                online: 0,
                next: 0,
                name,
            })
            .join(key, value);
        self.member_count += 1;
        None
    }

    /// Ends the membership; the value is returned. `None`: `key` was no member.
    pub fn unsubscribe(&mut self, routes: &RouteTable, group: &str, filter: &str, key: K) -> Option<V> {
        let id = self.id(group, filter)?;
        let members = self.groups.get_mut(&id)?;
        let was_online = *members.positions.get(&key)? < members.online;
        let value = members.leave(key)?;
        routes.share_leave(self.shard, id, was_online);
        if members.members.is_empty()
            && let Some(empty) = self.groups.remove(&id)
        {
            self.ids.remove(&empty.name);
        }
        self.member_count -= 1;
        Some(value)
    }

    /// The member's connection came or went. No effect if `key` is no member.
    pub fn set_online(&mut self, routes: &RouteTable, group: &str, filter: &str, key: K, is_online: bool) {
        let Some(id) = self.id(group, filter) else { return };
        if self.groups.get_mut(&id).is_some_and(|group| group.set_online(key, is_online)) {
            routes.share_set_online(self.shard, id, is_online);
        }
    }

    /// The member that gets the next message: among those online the one with the least in flight,
    /// in turn if equal; an offline one only if nobody is online [MQTT-4.8.2-4]. `load` returns
    /// what a member has in flight and queued, or `None` if it cannot take this message at all (too
    /// large for it, or it has just failed), or if it has not less than its last argument: then it is
    /// passed over.
    pub fn choose(
        &mut self,
        id: ShareGroupId,
        load: impl FnMut(K, &V, u32) -> Option<u32>,
    ) -> Option<(K, &V)> {
        let group = self.groups.get_mut(&id)?;
        let position = group.choose(load)?;
        let (key, value) = &group.members[position];
        Some((*key, value))
    }

    /// The id under which messages for this group arrive; `None` if it has no member here.
    pub fn id(&self, group: &str, filter: &str) -> Option<ShareGroupId> {
        self.ids.get(&*[group, "/", filter].concat()).copied()
    }

    /// The value of a member.
    pub fn get(&self, group: &str, filter: &str, key: K) -> Option<&V> {
        let group = self.groups.get(&self.id(group, filter)?)?;
        Some(&group.members[*group.positions.get(&key)?].1)
    }

    /// How many members the group has here.
    pub fn members(&self, id: ShareGroupId) -> ShareMembers {
        self.groups.get(&id).map_or_else(ShareMembers::default, |group| ShareMembers {
            online: group.online as u32,
            offline: (group.members.len() - group.online) as u32,
        })
    }

    /// Number of memberships of all groups.
    pub fn len(&self) -> usize {
        self.member_count
    }

    /// Whether there is no member at all.
    pub fn is_empty(&self) -> bool {
        self.member_count == 0
    }
}

impl<K: Copy + Eq + Hash, V> Group<K, V> {
    fn join(&mut self, key: K, value: V) {
        self.members.push((key, value));
        let last = self.members.len() - 1;
        self.positions.insert(key, last);
        self.swap(self.online, last);
        self.online += 1;
    }

    fn leave(&mut self, key: K) -> Option<V> {
        self.set_online(key, false);
        let position = self.positions.remove(&key)?;
        let last = self.members.len() - 1;
        if position != last {
            self.positions.insert(self.members[last].0, position);
        }
        Some(self.members.swap_remove(position).1)
    }

    /// Whether this changed anything.
    fn set_online(&mut self, key: K, is_online: bool) -> bool {
        let Some(&position) = self.positions.get(&key) else { return false };
        if (position < self.online) == is_online {
            return false;
        }
        if is_online {
            self.swap(self.online, position);
            self.online += 1;
        } else {
            self.online -= 1;
            self.swap(self.online, position);
        }
        true
    }

    fn swap(&mut self, a: usize, b: usize) {
        if a != b {
            self.members.swap(a, b);
            self.positions.insert(self.members[a].0, a);
            self.positions.insert(self.members[b].0, b);
        }
    }

    fn choose(&mut self, mut load: impl FnMut(K, &V, u32) -> Option<u32>) -> Option<usize> {
        let eligible = if self.online > 0 { self.online } else { self.members.len() };
        let start = self.next.checked_rem(eligible)?;
        let (mut least, mut best) = (u32::MAX, None);
        for (compared, position) in (start..eligible).chain(0..start).enumerate() {
            if least == 0 || compared >= COMPARED_MAX && best.is_some() {
                break;
            }
            let (key, value) = &self.members[position];
            if let Some(load) = load(*key, value, least).filter(|load| *load < least) {
                (least, best) = (load, Some(position));
            }
        }
        let position = best?;
        self.next = position + 1;
        Some(position)
    }
}
