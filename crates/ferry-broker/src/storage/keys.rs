//! The core's keys and entries as the store's.

use ferry_core::persistence::{EntryKey, EntrySink};
use ferry_store::{Batch, Key};

/// A batch that takes what the core records.
pub(crate) struct BatchSink<'a>(pub(crate) &'a mut Batch);

pub(crate) fn store_key(key: EntryKey) -> Key {
    Key::new(key.group, key.space, key.item)
}

pub(crate) fn entry_key(key: Key) -> EntryKey {
    EntryKey { group: key.group, space: key.space, item: key.item }
}

impl EntrySink for BatchSink<'_> {
    fn put(&mut self, key: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.put_with(store_key(key), write);
    }

    fn put_shared(&mut self, key: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.put_shared_with(store_key(key), write);
    }

    fn put_referring(&mut self, key: EntryKey, shared: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.put_referring_with(store_key(key), store_key(shared), write);
    }

    fn delete(&mut self, key: EntryKey) {
        self.0.delete(store_key(key));
    }

    fn delete_group(&mut self, group: u64) {
        self.0.delete_group(group);
    }
}
