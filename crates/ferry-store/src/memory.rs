use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{Record, Store, Ticket};

/// A store that lives and dies with the process: every batch is committed as it is appended.
#[derive(Debug, Default)]
pub struct MemoryStore {
    records: BTreeMap<Box<[u8]>, Box<[u8]>>,
    committed: Ticket,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Store for MemoryStore {
    fn append(&mut self, batch: &mut Vec<Record>) -> Ticket {
        if batch.is_empty() {
            return self.committed;
        }
        for record in batch.drain(..) {
            match record {
                Record::Put { key, value } => {
                    self.records.insert(key, value);
                }
                Record::Delete { key } => {
                    self.records.remove(&key);
                }
            }
        }
        self.committed = self.committed.next();
        self.committed
    }

    fn committed(&self) -> Ticket {
        self.committed
    }

    fn load(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) {
        let from_prefix = (Bound::Included(prefix), Bound::Unbounded);
        for (key, value) in self.records.range::<[u8], _>(from_prefix) {
            if !key.starts_with(prefix) {
                break;
            }
            visit(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: &str) -> Record {
        Record::Put { key: key.as_bytes().into(), value: value.as_bytes().into() }
    }

    fn loaded(store: &MemoryStore, prefix: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        store.load(prefix.as_bytes(), &mut |key, value| {
            found.push((String::from_utf8_lossy(key).into(), String::from_utf8_lossy(value).into()));
        });
        found
    }

    #[test]
    fn a_batch_is_committed_when_appended() {
        let mut store = MemoryStore::new();
        assert_eq!(store.committed(), Ticket::ZERO);
        let mut batch = vec![put("a", "1"), put("b", "2")];
        assert_eq!(store.append(&mut batch), Ticket(1));
        assert!(batch.is_empty());
        assert_eq!(store.committed(), Ticket(1));
    }

    #[test]
    fn an_empty_batch_takes_no_ticket() {
        let mut store = MemoryStore::new();
        assert_eq!(store.append(&mut Vec::new()), Ticket::ZERO);
        assert_eq!(store.append(&mut vec![put("a", "1")]), Ticket(1));
        assert_eq!(store.append(&mut Vec::new()), Ticket(1));
    }

    #[test]
    fn the_last_record_of_a_key_wins_and_a_deleted_key_is_gone() {
        let mut store = MemoryStore::new();
        store.append(&mut vec![put("a", "1"), put("a", "2"), put("b", "3")]);
        store.append(&mut vec![Record::Delete { key: b"b"[..].into() }]);
        assert_eq!(loaded(&store, ""), [("a".into(), "2".into())]);
    }

    #[test]
    fn load_visits_one_prefix_in_key_order() {
        let mut store = MemoryStore::new();
        store.append(&mut vec![put("s/2", "y"), put("r/1", "n"), put("s/1", "x"), put("t", "n")]);
        assert_eq!(loaded(&store, "s/"), [("s/1".into(), "x".into()), ("s/2".into(), "y".into())]);
    }
}
