//! Where the value of each key stands, and what keeps shared values alive.

use std::collections::BTreeMap;
use std::hash::BuildHasherDefault;

use ahash::AHasher;
use hashbrown::HashMap;

use crate::Key;
use crate::entry::{Kind, RawEntry};

/// Numbers of our own need no secret hash.
pub(crate) type FixedState = BuildHasherDefault<AHasher>;

/// Space and item as one number behind the group: a key in sixteen bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct PackedKey(u64, u64);

impl From<Key> for PackedKey {
    fn from(key: Key) -> Self {
        Self(key.group, key.place())
    }
}

impl From<PackedKey> for Key {
    fn from(packed: PackedKey) -> Self {
        Self::from_place(packed.0, packed.1)
    }
}

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Of the whole entry.
    pub(crate) length: u32,
}

impl Location {
    /// Of a key that something refers to and that has no value.
    const NOWHERE: Self = Self { segment: 0, offset: 0, length: 0 };

    fn is_somewhere(self) -> bool {
        self.segment != 0
    }
}

/// What an entry has to do with shared values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link(u32);

impl Link {
    const NONE: Self = Self(u32::MAX);
    const TARGET: u32 = 1 << 31;

    /// Something refers to this key; or it is shared and nothing does yet.
    const fn target(id: u32) -> Self {
        Self(id | Self::TARGET)
    }

    const fn refers_to(id: u32) -> Self {
        Self(id)
    }

    fn as_target(self) -> Option<u32> {
        (self != Self::NONE && self.0 & Self::TARGET != 0).then_some(self.0 & !Self::TARGET)
    }

    fn as_reference(self) -> Option<u32> {
        (self.0 & Self::TARGET == 0).then_some(self.0)
    }
}

#[derive(Clone, Copy)]
struct Slot {
    location: Location,
    link: Link,
}

/// A key that others refer to.
struct Target {
    key: PackedKey,
    references: u32,
    /// Its value is a shared one, which goes with the last reference.
    counted: bool,
}

#[derive(Default)]
pub(crate) struct Index {
    slots: BTreeMap<PackedKey, Slot>,
    targets: Vec<Target>,
    free_targets: Vec<u32>,
    /// Targets that may have no reference any more.
    released: Vec<u32>,
    live: LiveBytes,
    /// Slots that have a place.
    records: u64,
}

impl Index {
    /// Lets an entry that stands at `location` have its effect.
    pub(crate) fn apply(&mut self, entry: &RawEntry<'_>, location: Location) {
        self.apply_change(entry.kind, entry.key, entry.shared, location);
    }

    pub(crate) fn apply_change(&mut self, kind: Kind, key: Key, shared: Option<Key>, location: Location) {
        match kind {
            Kind::Put | Kind::PutShared | Kind::PutReferring => {
                self.put(key.into(), location, kind == Kind::PutShared, shared.map(PackedKey::from));
            }
            Kind::Delete => self.delete(key.into()),
            Kind::DeleteGroup => self.delete_group(key.group),
        }
    }

    /// Takes away shared values that nothing refers to any more; at the end of each group.
    pub(crate) fn drop_released(&mut self) {
        while let Some(id) = self.released.pop() {
            let Some(target) = self.targets.get(id as usize) else { continue };
            let (key, counted) = (target.key, target.counted);
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            // The number may have been given to another one meanwhile, or referred to again.
            if slot.link.as_target() != Some(id) || target.references > 0 {
                continue;
            }
            slot.link = Link::NONE;
            let location = slot.location;
            self.free_targets.push(id);
            if counted || !location.is_somewhere() {
                self.slots.remove(&key);
                self.forget(location);
            }
        }
    }

    fn put(&mut self, key: PackedKey, location: Location, is_shared: bool, refers_to: Option<PackedKey>) {
        // Before the old reference is let go of, which may be the same.
        let reference = refers_to.filter(|target| *target != key).map(|target| {
            let id = self.target(target);
            self.targets[id as usize].references += 1;
            id
        });
        let old = self.slots.get(&key).copied();
        let mut link = old.map_or(Link::NONE, |old| self.unlink(old.link));
        if let Some(id) = link.as_target() {
            self.targets[id as usize].counted = is_shared;
        } else if is_shared {
            link = Link::target(self.new_target(key, true));
        } else if let Some(id) = reference {
            link = Link::refers_to(id);
        }
        if let (Some(reference), true) = (reference, link.as_target().is_some()) {
            // A value that is referred to does not refer itself.
            self.release(reference);
        }
        self.slots.insert(key, Slot { location, link });
        self.live.add(location);
        self.records += 1;
        if let Some(old) = old {
            self.forget(old.location);
        }
    }

    fn delete(&mut self, key: PackedKey) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let (location, link) = (slot.location, slot.link);
        slot.location = Location::NOWHERE;
        if let Some(id) = self.unlink(link).as_target() {
            // Goes when nothing refers to it, which may be now.
            self.released.push(id);
        } else {
            self.slots.remove(&key);
        }
        self.forget(location);
    }

    fn delete_group(&mut self, group: u64) {
        let keys: Vec<PackedKey> = self.group(group).map(|(key, _)| *key).collect();
        for key in keys {
            self.delete(key);
        }
    }

    fn group(&self, group: u64) -> impl Iterator<Item = (&PackedKey, &Slot)> {
        self.slots.range(PackedKey::from(Key::first_of(group))..=PackedKey::from(Key::last_of(group)))
    }

    /// Takes a reference back. What is left is whether others refer to the key.
    fn unlink(&mut self, link: Link) -> Link {
        match link.as_reference() {
            Some(id) => {
                self.release(id);
                Link::NONE
            }
            None => link,
        }
    }

    fn release(&mut self, id: u32) {
        let target = &mut self.targets[id as usize];
        target.references -= 1;
        if target.references == 0 {
            self.released.push(id);
        }
    }

    /// The target that `key` is; it becomes one.
    fn target(&mut self, key: PackedKey) -> u32 {
        let slot = self.slots.get(&key).copied();
        if let Some(id) = slot.and_then(|slot| slot.link.as_target()) {
            return id;
        }
        let link = slot.map_or(Link::NONE, |slot| slot.link);
        self.unlink(link);
        let location = slot.map_or(Location::NOWHERE, |slot| slot.location);
        let id = self.new_target(key, false);
        self.slots.insert(key, Slot { location, link: Link::target(id) });
        id
    }

    fn new_target(&mut self, key: PackedKey, counted: bool) -> u32 {
        let target = Target { key, references: 0, counted };
        let id = if let Some(id) = self.free_targets.pop() {
            self.targets[id as usize] = target;
            id
        } else {
            self.targets.push(target);
            (self.targets.len() - 1) as u32
        };
        assert!(id < Link::TARGET - 1, "fewer shared values than two billion");
        // Until something refers to it.
        self.released.push(id);
        id
    }

    fn forget(&mut self, location: Location) {
        if location.is_somewhere() {
            self.live.subtract(location);
            self.records -= 1;
        }
    }

    /// Moves the entry of `key` from one place to another, if it is there.
    pub(crate) fn relocate(&mut self, key: Key, from: Location, to: Location) {
        if let Some(slot) = self.slots.get_mut(&key.into())
            && slot.location == from
        {
            slot.location = to;
            self.live.add(to);
            self.live.subtract(from);
        }
    }

    /// Takes the value of `key` away, if it is the one at `location`.
    pub(crate) fn lose(&mut self, key: Key, location: Location) -> bool {
        let found = self.location(key) == Some(location);
        if found {
            self.delete(key.into());
        }
        found
    }

    pub(crate) fn location(&self, key: Key) -> Option<Location> {
        let slot = self.slots.get(&key.into())?;
        slot.location.is_somewhere().then_some(slot.location)
    }

    /// What the entry of `key` refers to.
    pub(crate) fn shared(&self, key: Key) -> Option<Key> {
        self.shared_of(self.slots.get(&key.into())?)
    }

    fn shared_of(&self, slot: &Slot) -> Option<Key> {
        slot.link.as_reference().map(|id| self.targets[id as usize].key.into())
    }

    /// Whether the key has a value, or something refers to it.
    pub(crate) fn knows(&self, key: Key) -> bool {
        self.slots.contains_key(&key.into())
    }

    pub(crate) fn knows_group(&self, group: u64) -> bool {
        self.group(group).next().is_some()
    }

    /// Number of entries that refer to `key`.
    pub(crate) fn references(&self, key: Key) -> u32 {
        let target = self.slots.get(&key.into()).and_then(|slot| slot.link.as_target());
        target.map_or(0, |id| self.targets[id as usize].references)
    }

    /// All keys that have a value, with what they refer to and where they stand, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, Option<Key>, Location)> {
        self.slots
            .iter()
            .filter(|(_, slot)| slot.location.is_somewhere())
            .map(|(key, slot)| (Key::from(*key), self.shared_of(slot), slot.location))
    }

    /// Takes away what refers to a key that has no value; returns it, in order.
    pub(crate) fn drop_dangling(&mut self) -> Vec<(Key, Location)> {
        let mut all_lost = Vec::new();
        loop {
            let dangling = |shared: Key| self.location(shared).is_none();
            let lost: Vec<_> = self
                .iter()
                .filter(|(_, shared, _)| shared.is_some_and(dangling))
                .map(|(key, _, location)| (key, location))
                .collect();
            if lost.is_empty() {
                return all_lost;
            }
            for (key, _) in &lost {
                self.delete((*key).into());
            }
            // What refers to one of these is dangling now.
            all_lost.extend(lost);
        }
    }

    /// Gives back the room that growing in the order of the keys has left: almost half of it.
    pub(crate) fn shrink(&mut self) {
        self.slots = std::mem::take(&mut self.slots).into_iter().collect();
        self.targets.shrink_to_fit();
    }

    /// Takes away what stands in segments before `segment`.
    pub(crate) fn drop_before(&mut self, segment: u32) {
        let stale = |location: &Location| location.segment < segment;
        let keys: Vec<Key> =
            self.iter().filter(|(_, _, location)| stale(location)).map(|(key, _, _)| key).collect();
        for key in keys {
            self.delete(key.into());
        }
    }

    /// Bytes of the entries in a segment that are the value of a key.
    pub(crate) fn live_bytes_in(&self, segment: u32) -> u64 {
        self.live.get(segment)
    }

    pub(crate) fn live_bytes(&self) -> u64 {
        self.live.total
    }

    pub(crate) fn live_records(&self) -> u64 {
        self.records
    }
}

/// Bytes of live entries by segment.
#[derive(Default)]
struct LiveBytes {
    by_segment: HashMap<u32, u64, FixedState>,
    total: u64,
}

impl LiveBytes {
    fn get(&self, segment: u32) -> u64 {
        self.by_segment.get(&segment).copied().unwrap_or(0)
    }

    fn add(&mut self, location: Location) {
        *self.by_segment.entry(location.segment).or_default() += u64::from(location.length);
        self.total += u64::from(location.length);
    }

    fn subtract(&mut self, location: Location) {
        self.total -= u64::from(location.length);
        if let Some(bytes) = self.by_segment.get_mut(&location.segment) {
            *bytes -= u64::from(location.length);
            if *bytes == 0 {
                self.by_segment.remove(&location.segment);
            }
        }
    }
}
