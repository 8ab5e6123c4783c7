//! Which entries of a group need to be written at all.

use hashbrown::{HashMap, HashSet};

use super::index::{FixedState, Index};
use crate::entry::{Kind, RawEntry};
use crate::{Batch, Key};

/// The entries of a group that another entry of it undoes.
#[derive(Default)]
pub(crate) struct Elision {
    /// By entry, in order of the batches; empty if every entry is written.
    dropped: Vec<bool>,
    /// Entries of these groups before this one.
    groups_deleted: HashMap<u64, usize, FixedState>,
    latest: HashMap<Key, usize, FixedState>,
    references: HashSet<Key, FixedState>,
    /// Kept for the next time.
    shared: Vec<(usize, Key)>,
}

impl Elision {
    /// Decides for all entries of `batches`. Only what is deleted can make another entry needless often enough to
    /// be worth looking for.
    pub(crate) fn decide(&mut self, batches: &[Batch], index: &Index) {
        self.dropped.clear();
        if !batches.iter().any(Batch::deletes) {
            return;
        }
        self.latest.clear();
        self.groups_deleted.clear();
        self.shared.clear();
        self.dropped.resize(batches.iter().map(Batch::len).sum(), false);
        for (position, entry) in batches.iter().flat_map(Batch::raw_entries).enumerate() {
            match entry.kind {
                Kind::DeleteGroup => {
                    self.groups_deleted.insert(entry.key.group, position);
                    self.dropped[position] = !index.knows_group(entry.key.group);
                }
                Kind::Delete => {
                    self.outdo(entry.key, position);
                    self.dropped[position] = !index.knows(entry.key);
                }
                Kind::PutShared => {
                    self.outdo(entry.key, position);
                    self.shared.push((position, entry.key));
                }
                Kind::Put | Kind::PutReferring => self.outdo(entry.key, position),
            }
        }
        if !self.shared.is_empty() {
            self.drop_unreferenced(batches, index);
        }
    }

    /// Whether entry number `position` is written.
    pub(crate) fn is_written(&self, position: usize, entry: &RawEntry<'_>) -> bool {
        let Some(dropped) = self.dropped.get(position) else { return true };
        if *dropped {
            return false;
        }
        let outdone = self.groups_deleted.get(&entry.key.group).is_some_and(|deleted| position < *deleted);
        !outdone
    }

    fn outdo(&mut self, key: Key, position: usize) {
        if let Some(outdone) = self.latest.insert(key, position) {
            self.dropped[outdone] = true;
        }
    }

    /// A shared value goes with all that refers to it.
    fn drop_unreferenced(&mut self, batches: &[Batch], index: &Index) {
        self.references.clear();
        for (position, entry) in batches.iter().flat_map(Batch::raw_entries).enumerate() {
            if let Some(shared) = entry.shared
                && self.is_written(position, &entry)
            {
                self.references.insert(shared);
            }
        }
        for (position, key) in &self.shared {
            if !self.references.contains(key) && !index.knows(*key) {
                self.dropped[*position] = true;
            }
        }
    }
}
