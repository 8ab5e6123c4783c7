use std::sync::Arc;

use ferry_core::persistence::{Space, Writer};
use ferry_core::{CommitRequest, Durability, Effects, LoadRequest, LoadedCopy, Record, Shared, Ticket};
use ferry_store::{Level, Loaded, ShardStore};

use super::{BatchSink, store_key};

/// Bytes of batches that may wait for the disk; above, publishers are not read.
const PENDING_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What one shard writes to, and how.
pub(crate) struct ShardStorage {
    store: ShardStore,
    writer: Writer,
    shared: Arc<Shared>,
    /// Messages that were handed over: copies and retained ones.
    messages: u64,
}

impl ShardStorage {
    pub(crate) fn new(store: ShardStore, shared: Arc<Shared>) -> Self {
        Self { store, writer: Writer::new(Arc::clone(&shared)), shared, messages: 0 }
    }

    /// Hands over what a turn recorded, as one batch.
    pub(crate) fn append(&mut self, effects: &mut Effects, request: CommitRequest) {
        let mut batch = self.store.batch();
        batch.require(match request.durability {
            Durability::Memory | Durability::Os => Level::Written,
            Durability::Fsync => Level::Synced,
        });
        self.writer.write(&effects.records, &mut BatchSink(&mut batch));
        self.messages += messages(&effects.records);
        effects.records.clear();
        // Under the lock: batches with changes of retained messages are in the order of these changes.
        let appended = self.shared.append_retained(|retained| {
            self.writer.write(retained, &mut BatchSink(&mut batch));
            self.messages += messages(retained);
            self.store.append(batch)
        });
        debug_assert_eq!(request.ticket.0, appended.0, "core and store count batches alike");
    }

    /// The newest batch that is with the operating system, and the newest that is on the disk.
    pub(crate) fn committed(&self) -> (Ticket, Ticket) {
        (Ticket(self.store.written().0), Ticket(self.store.synced().0))
    }

    /// Reads copies back; `answer` is called on another thread.
    pub(crate) fn load(
        &self,
        request: LoadRequest,
        answer: impl FnOnce(LoadRequest, Vec<LoadedCopy>) + Send + 'static,
    ) {
        let key = |sequence: &u64| store_key(Space::Queued.of_session(request.session, *sequence));
        let keys = request.sequences.iter().map(key).collect();
        self.store.load(keys, move |loaded| {
            let copy = |loaded: Loaded| LoadedCopy {
                value: loaded.value,
                shared: loaded.shared.map(|(_, value)| value),
            };
            answer(request, loaded.into_iter().map(copy).collect());
        });
    }

    /// Whether the disk is so far behind that no more should be taken.
    pub(crate) fn is_behind(&self) -> bool {
        self.store.pending_bytes() > PENDING_BYTES_MAX
    }

    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }
}

fn messages(records: &[Record]) -> u64 {
    let is_message = |record: &&Record| matches!(record, Record::Queued { .. } | Record::Retained { .. });
    records.iter().filter(is_message).count() as u64
}
