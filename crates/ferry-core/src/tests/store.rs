//! A store in memory, with what of it would survive a crash.

use std::collections::BTreeMap;

use crate::persistence::{EntryKey, EntrySink};
use crate::{LoadRequest, LoadedCopy, persistence::Space};

/// Keys and values, as an engine has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    pub(super) values: BTreeMap<EntryKey, (Vec<u8>, Option<EntryKey>)>,
    references: BTreeMap<EntryKey, usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Put(EntryKey, Vec<u8>),
    PutShared(EntryKey, Vec<u8>),
    PutReferring(EntryKey, EntryKey, Vec<u8>),
    Delete(EntryKey),
    DeleteGroup(u64),
}

/// What a batch changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(pub(super) Vec<Change>);

#[derive(Default)]
pub(super) struct TestStore {
    /// What is read back.
    pub(super) live: Entries,
    /// What survives a crash in any case.
    pub(super) durable: Entries,
    /// What may or may not, in order.
    pub(super) uncommitted: Vec<Changes>,
}

fn value(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut value = Vec::new();
    write(&mut value);
    value
}

impl EntrySink for Changes {
    fn put(&mut self, key: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(Change::Put(key, value(write)));
    }

    fn put_shared(&mut self, key: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(Change::PutShared(key, value(write)));
    }

    fn put_referring(&mut self, key: EntryKey, shared: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(Change::PutReferring(key, shared, value(write)));
    }

    fn delete(&mut self, key: EntryKey) {
        self.0.push(Change::Delete(key));
    }

    fn delete_group(&mut self, group: u64) {
        self.0.push(Change::DeleteGroup(group));
    }
}

impl Entries {
    pub(super) fn apply(&mut self, changes: &Changes) {
        for change in &changes.0 {
            match change {
                Change::Put(key, value) | Change::PutShared(key, value) => {
                    self.set(*key, value.clone(), None);
                }
                Change::PutReferring(key, shared, value) => {
                    assert!(self.values.contains_key(shared), "{shared:?} of {key:?}");
                    self.set(*key, value.clone(), Some(*shared));
                }
                Change::Delete(key) => {
                    // Nothing is deleted that is not there: that would be a write for nothing.
                    assert!(self.remove(*key), "{key:?}");
                }
                Change::DeleteGroup(group) => {
                    let keys: Vec<_> =
                        self.values.keys().filter(|key| key.group == *group).copied().collect();
                    assert!(!keys.is_empty());
                    keys.into_iter().for_each(|key| assert!(self.remove(key)));
                }
            }
        }
        let unused = |entries: &Self, key: &EntryKey| {
            key.group == 0 && key.space == Space::Body as u8 && !entries.references.contains_key(key)
        };
        let bodies: Vec<_> = self.values.keys().filter(|key| unused(self, key)).copied().collect();
        bodies.into_iter().for_each(|key| assert!(self.remove(key)));
    }

    pub(super) fn load(&self, request: &LoadRequest) -> Vec<LoadedCopy> {
        let value = |key: EntryKey| self.values.get(&key).map(|(value, _)| value.clone());
        let copy = |sequence: &u64| {
            let key = Space::Queued.of_session(request.session, *sequence);
            let shared = self.values.get(&key).and_then(|(_, shared)| *shared);
            LoadedCopy { value: value(key), shared: shared.and_then(value) }
        };
        request.sequences.iter().map(copy).collect()
    }

    fn set(&mut self, key: EntryKey, value: Vec<u8>, shared: Option<EntryKey>) {
        self.remove(key);
        self.values.insert(key, (value, shared));
        if let Some(shared) = shared {
            *self.references.entry(shared).or_default() += 1;
        }
    }

    fn remove(&mut self, key: EntryKey) -> bool {
        let Some((_, shared)) = self.values.remove(&key) else { return false };
        if let Some(shared) = shared {
            let count = self.references.get_mut(&shared).unwrap();
            *count -= 1;
            if *count == 0 {
                self.references.remove(&shared);
            }
        }
        true
    }
}

impl TestStore {
    pub(super) fn append(&mut self, changes: Changes) {
        self.live.apply(&changes);
        self.uncommitted.push(changes);
    }

    /// All that was appended is durable.
    pub(super) fn commit(&mut self) {
        for changes in self.uncommitted.drain(..) {
            self.durable.apply(&changes);
        }
    }

    /// What is there after a crash, when some of what was not committed was written all the same.
    pub(super) fn after_crash(&self, written: usize) -> Entries {
        let mut entries = self.durable.clone();
        self.uncommitted.iter().take(written).for_each(|changes| entries.apply(changes));
        entries
    }
}
