use std::sync::Arc;

use crate::commit::inbox::{Inbox, Job};
use crate::commit::load::{Load, Loaded};
use crate::commit::progress::Progress;
use crate::{Batch, Key, Ticket};

/// A shard's way to the [`CommitThread`](crate::CommitThread). No call waits for the disk.
pub struct ShardStore {
    pub(crate) shard: u16,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) progress: Arc<[Progress]>,
    pub(crate) appended: Ticket,
}

impl ShardStore {
    /// An empty batch, with the buffer of one that has been written, if there is one.
    #[must_use]
    pub fn batch(&self) -> Batch {
        self.inbox.spare()
    }

    /// Hands over a batch. Batches of all shards are written in the order of these calls, each whole or not at all.
    /// An empty batch has a ticket too.
    pub fn append(&mut self, batch: Batch) -> Ticket {
        self.appended = self.appended.next();
        self.inbox.push(Job::Append { shard: self.shard, ticket: self.appended, batch });
        self.appended
    }

    /// The ticket of the last batch that was handed over.
    #[must_use]
    pub fn appended(&self) -> Ticket {
        self.appended
    }

    /// The newest ticket whose batch was handed to the operating system; those of older ones were too.
    #[must_use]
    pub fn written(&self) -> Ticket {
        self.progress[usize::from(self.shard)].written()
    }

    /// The newest ticket whose batch is on the disk; those of older ones are too. Moves on only when a batch
    /// requires [`Level::Synced`](crate::Level::Synced), or when enough has been written.
    #[must_use]
    pub fn synced(&self) -> Ticket {
        self.progress[usize::from(self.shard)].synced()
    }

    /// Reads keys back, after everything that was handed over before has been written. `answer` is called on the
    /// commit thread, with the keys in the order asked for: it should only pass them on.
    pub fn load(&self, keys: Vec<Key>, answer: impl FnOnce(Vec<Loaded>) + Send + 'static) {
        self.inbox.push(Job::Load(Load { keys, answer: Box::new(answer) }));
    }

    /// Bytes of batches of all shards that are handed over and not yet written: how far the disk is behind.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.inbox.pending_bytes()
    }
}
