use crate::{Store, Ticket};

/// A store that lives and dies with the process. The shards hold all state in memory already, so nothing is kept a
/// second time: a batch is committed by being appended.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStore {
    committed: Ticket,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R> Store<R> for MemoryStore {
    fn append(&mut self, batch: &mut Vec<R>) -> Ticket {
        batch.clear();
        self.committed = self.committed.next();
        self.committed
    }

    fn committed(&self) -> Ticket {
        self.committed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> Box<dyn Store<&'static str>> {
        Box::new(MemoryStore::new())
    }

    #[test]
    fn a_batch_is_taken_and_committed_at_once() {
        let mut store = store();
        assert_eq!(store.committed(), Ticket::ZERO);
        let mut batch = vec!["a", "b"];
        assert_eq!(store.append(&mut batch), Ticket(1));
        assert!(batch.is_empty());
        assert_eq!(store.committed(), Ticket(1));
    }

    #[test]
    fn tickets_count_batches() {
        let mut store = store();
        store.append(&mut vec!["a", "b", "c"]);
        assert_eq!(store.append(&mut vec!["d"]), Ticket(2));
    }
}
