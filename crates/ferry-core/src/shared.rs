use std::ops::Deref;
use std::sync::Arc;

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
        }
    }
}

/// A message as it is retained.
#[derive(Clone, Debug)]
pub struct RetainedMessage(pub Arc<Message>);

impl Deref for RetainedMessage {
    type Target = Arc<Message>;

    fn deref(&self) -> &Arc<Message> {
        &self.0
    }
}

impl RetainedBody for RetainedMessage {
    fn size_bytes(&self) -> usize {
        // The topic is counted with the key.
        self.0.size_bytes()
    }
}
