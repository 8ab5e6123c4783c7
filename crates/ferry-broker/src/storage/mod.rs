//! The durable store of a broker: opened and read before anything listens, written by the commit thread, closed last.

mod keys;
mod open;
mod progress;
mod report;
mod restore;
mod shard_storage;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferry_core::persistence::{Restored, Writer};
use ferry_core::{Shard, ShardId, Shared, home_shard};
use ferry_store::{CommitLatencies, CommitThread, Health, LogFigures};

pub(crate) use keys::{BatchSink, entry_key, store_key};
pub(crate) use open::{OpenArguments, OpenedStorage, StorageOpener, opener};
pub(crate) use progress::Progress;
pub(crate) use report::log_recovery;
pub(crate) use restore::{read_all, restore};
pub(crate) use shard_storage::ShardStorage;

/// The store of a running broker.
pub(crate) struct Storage {
    /// `None` once it is closed.
    thread: Mutex<Option<CommitThread>>,
    /// Places that were damaged when it was opened.
    damages: u64,
}

/// What `$SYS` tells of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct StorageFigures {
    pub(crate) log: LogFigures,
    pub(crate) latencies: CommitLatencies,
    pub(crate) health: Health,
    pub(crate) damages: u64,
}

impl Storage {
    /// The part of one shard; taken once.
    pub(crate) fn shard(&self, shard: ShardId, shared: Arc<Shared>) -> Option<ShardStorage> {
        let store = self.thread().as_ref()?.shard_store(shard.0);
        Some(ShardStorage::new(store, shared))
    }

    /// Gives the shards their sessions, and records in one batch, before any of theirs, what follows from that.
    pub(crate) fn give(&self, mut restored: Restored, shards: &mut [Shard], shared: &Arc<Shared>) {
        let mut records = Vec::new();
        // There are no more than 1,024 of them.
        let shard_count = shards.len() as u16;
        for session in std::mem::take(&mut restored.sessions) {
            let home = home_shard(session.client_id(), shard_count);
            shards[usize::from(home.0)].restore(session, &mut records);
        }
        for forwarded in &restored.forwarded {
            shards.iter_mut().for_each(|shard| shard.restore_forwarded(forwarded, &mut records));
        }
        if let Some(thread) = self.thread().as_ref() {
            // One more than there are shards, so that tickets of shards count only batches of shards.
            let mut store = thread.shard_store(shard_count);
            let mut batch = store.batch();
            Writer::new(Arc::clone(shared)).write(&records, &mut BatchSink(&mut batch));
            restored.clean_up(&mut BatchSink(&mut batch));
            if !batch.is_empty() {
                store.append(batch);
            }
        }
    }

    pub(crate) fn figures(&self) -> StorageFigures {
        let thread = self.thread();
        let Some(thread) = thread.as_ref() else { return StorageFigures::default() };
        StorageFigures {
            log: thread.figures(),
            latencies: thread.latencies(),
            health: thread.health(),
            damages: self.damages,
        }
    }

    /// Writes and syncs everything, once all shards have ended.
    pub(crate) fn close(&self) {
        let Some(thread) = self.thread().take() else { return };
        if let Err(error) = thread.shutdown() {
            tracing::error!(
                "{}: {} bytes that nobody was promised could not be written and are lost",
                error.health,
                error.lost_bytes
            );
        }
    }

    fn thread(&self) -> MutexGuard<'_, Option<CommitThread>> {
        // Nothing under the lock can panic halfway through a change.
        self.thread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
