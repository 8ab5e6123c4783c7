use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ferry_router::{Retained, RetainedBody, RouteTable};
use ferry_session::Message;

use crate::{Authorizer, CoreConfig};

/// What all shards of a broker share. There is nothing else.
pub struct Shared {
    /// Which shards want which topics.
    pub route_table: RouteTable,
    /// The retained messages.
    pub retained: Retained<RetainedMessage>,
    /// The configuration at start; a shard changes it by [`Event::Reload`](crate::Event::Reload).
    pub config: Arc<CoreConfig>,
    /// The permissions at start; a shard changes them by [`Event::Reload`](crate::Event::Reload).
    pub authorizer: Arc<dyn Authorizer>,
    /// The highest order of a retained message.
    pub(crate) retained_order: AtomicU64,
}

impl Shared {
    /// For `shard_count` shards; `seed` keys the hash tables.
    ///
    /// # Panics
    /// If `shard_count` is 0 or above [`RouteTable::SHARDS_MAX`].
    pub fn new(
        shard_count: u16,
        seed: u64,
        config: Arc<CoreConfig>,
        authorizer: Arc<dyn Authorizer>,
    ) -> Self {
        Self {
            route_table: RouteTable::new(shard_count, seed),
            retained: Retained::new(seed),
            config,
            authorizer,
            retained_order: AtomicU64::new(0),
        }
    }

    /// The order of a message that is about to be retained.
    pub(crate) fn next_retained_order(&self) -> u64 {
        self.retained_order.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A message as it is retained.
#[derive(Clone, Debug)]
pub struct RetainedMessage {
    /// The message.
    pub message: Arc<Message>,
    /// Of two messages of a topic the one with the higher order holds, on whichever shards they were published: so
    /// what is recorded is what is in memory.
    pub order: u64,
}

impl Deref for RetainedMessage {
    type Target = Arc<Message>;

    fn deref(&self) -> &Arc<Message> {
        &self.message
    }
}

impl RetainedBody for RetainedMessage {
    fn size_bytes(&self) -> usize {
        // The topic is counted with the key.
        self.message.size_bytes()
    }

    fn is_older_than(&self, newer: &Self) -> bool {
        self.order < newer.order
    }
}
