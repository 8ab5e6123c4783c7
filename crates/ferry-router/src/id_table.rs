//! A hash table of arena ids.

use hashbrown::HashTable;

const PARTITIONS: usize = 64;

/// Finds an arena id by the hash of what it stands for; the values stay in the arena, so an entry
/// costs about 8 bytes. Split into partitions because one table of a million ids would stop
/// everything for tens of milliseconds when it doubles; a partition takes less than one.
pub(crate) struct IdTable {
    partitions: Box<[HashTable<u32>; PARTITIONS]>,
}

impl IdTable {
    pub(crate) fn new() -> Self {
        Self { partitions: Box::new([const { HashTable::new() }; PARTITIONS]) }
    }

    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.partitions[partition(hash)].find(hash, |&id| is_it(id)).copied()
    }

    /// Adds `id`, which must not be there yet. `hash_of` hashes ids already in the table.
    pub(crate) fn insert(&mut self, hash: u64, id: u32, hash_of: impl Fn(u32) -> u64) {
        self.partitions[partition(hash)].insert_unique(hash, id, |&id| hash_of(id));
    }

    pub(crate) fn remove(&mut self, hash: u64, id: u32) {
        if let Ok(entry) = self.partitions[partition(hash)].find_entry(hash, |&other| other == id) {
            entry.remove();
        }
    }

    pub(crate) fn bytes_estimate(&self) -> usize {
        // A bucket is 4 bytes and a control byte; 7 of 8 buckets are counted as capacity.
        self.partitions.iter().map(|table| table.capacity() * 8 / 7 * 5 + size_of_val(table)).sum()
    }
}

/// The bits in the middle: the table itself uses the lowest and the highest ones.
fn partition(hash: u64) -> usize {
    (hash >> 40) as usize % PARTITIONS
}
