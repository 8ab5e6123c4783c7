use crate::entry::{Kind, RawEntry, encode_entry};
use crate::{Entry, Key, Level};

/// Changes that happen together or not at all, already in the bytes that are written. One turn of a shard makes one.
///
/// Within a batch, and from batch to batch, later changes of a key outdo earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    len: usize,
    deletes: usize,
    level: Level,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives `key` this value.
    ///
    /// # Panics
    /// If the value is longer than [`VALUE_BYTES_MAX`](crate::VALUE_BYTES_MAX); so do the other kinds of put.
    pub fn put(&mut self, key: Key, value: &[u8]) {
        self.put_with(key, |out| out.extend_from_slice(value));
    }

    /// Gives `key` the value that `write` appends to the buffer it is given. It must only append.
    pub fn put_with(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(Kind::Put, key, None, write);
    }

    /// Gives `key` a value that lives as long as there are entries that refer to it: at least one must do so within
    /// this batch. It is not deleted by anybody.
    pub fn put_shared(&mut self, key: Key, value: &[u8]) {
        self.put_shared_with(key, |out| out.extend_from_slice(value));
    }

    /// As [`Batch::put_shared`], with the value that `write` appends.
    pub fn put_shared_with(&mut self, key: Key, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(Kind::PutShared, key, None, write);
    }

    /// Gives `key` a value to which the value at `shared` belongs, which is kept for as long as this entry is.
    pub fn put_referring(&mut self, key: Key, shared: Key, value: &[u8]) {
        self.put_referring_with(key, shared, |out| out.extend_from_slice(value));
    }

    /// As [`Batch::put_referring`], with the value that `write` appends.
    pub fn put_referring_with(&mut self, key: Key, shared: Key, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(Kind::PutReferring, key, Some(shared), write);
    }

    /// Takes the value of `key` away, if it has one.
    pub fn delete(&mut self, key: Key) {
        self.deletes += 1;
        self.push(Kind::Delete, key, None, |_| ());
    }

    /// Takes the values of all keys of a group away.
    pub fn delete_group(&mut self, group: u64) {
        self.deletes += 1;
        self.push(Kind::DeleteGroup, Key::first_of(group), None, |_| ());
    }

    /// What has to happen to this batch before its promise may be told: the strongest level that was required.
    pub fn require(&mut self, level: Level) {
        self.level = self.level.max(level);
    }

    /// See [`Batch::require`].
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all entries, as they are written.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Makes it empty, to be used again.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.len = 0;
        self.deletes = 0;
        self.level = Level::Written;
    }

    /// What is changed, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.raw_entries().map(|raw| raw.entry())
    }

    pub(crate) fn raw_entries(&self) -> impl Iterator<Item = RawEntry<'_>> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let entry = RawEntry::parse(rest)?;
            rest = &rest[entry.bytes.len()..];
            Some(entry)
        })
    }

    /// Whether any entry takes something away.
    pub(crate) fn deletes(&self) -> bool {
        self.deletes > 0
    }

    /// Bytes that the buffer has room for.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn push(&mut self, kind: Kind, key: Key, shared: Option<Key>, write: impl FnOnce(&mut Vec<u8>)) {
        encode_entry(&mut self.bytes, kind, key, shared, write);
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_out_as_they_went_in() {
        let (key, shared) = (Key::new(7, 2, 9), Key::new(0, 1, Key::ITEM_MAX));
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        batch.put(key, b"value");
        batch.put_shared(shared, b"");
        batch.put_referring(key, shared, b"x");
        batch.delete(key);
        batch.delete_group(7);
        assert_eq!(
            batch.entries().collect::<Vec<_>>(),
            [
                Entry::Put { key, value: b"value" },
                Entry::PutShared { key: shared, value: b"" },
                Entry::PutReferring { key, shared, value: b"x" },
                Entry::Delete { key },
                Entry::DeleteGroup { group: 7 },
            ]
        );
        assert_eq!(batch.len(), 5);
        batch.clear();
        assert_eq!((batch.len(), batch.bytes(), batch.entries().count()), (0, 0, 0));
    }

    #[test]
    fn the_strongest_level_counts_until_the_batch_is_used_again() {
        let mut batch = Batch::new();
        assert_eq!(batch.level(), Level::Written);
        batch.require(Level::Synced);
        batch.require(Level::Written);
        assert_eq!(batch.level(), Level::Synced);
        batch.clear();
        assert_eq!(batch.level(), Level::Written);
    }

    #[test]
    #[should_panic(expected = "56 bits")]
    fn an_item_has_at_most_56_bits() {
        let _ = Key::new(1, 1, Key::ITEM_MAX + 1);
    }
}
