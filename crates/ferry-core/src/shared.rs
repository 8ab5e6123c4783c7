use std::num::NonZeroU64;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ferry_router::{Retained, RetainedBody, RouteTable};
use ferry_session::Message;

use crate::authorizer::is_sys_topic;
use crate::rates::SharedMeters;
use crate::{Authorizer, CoreConfig, Record, SessionNumber};

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
    /// The last number given to a session, a body or a retained message of the store.
    last_number: AtomicU64,
    /// What has come lately from each user and each address.
    pub(crate) meters: SharedMeters,
    /// Changes of retained messages that are not yet with the store, in the order in which they happened.
    retained_records: Mutex<Vec<Record>>,
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
            last_number: AtomicU64::new(0),
            meters: SharedMeters::new(seed),
            retained_records: Mutex::new(Vec::new()),
        }
    }

    /// Hands the changes of retained messages, of all shards, over to the store. Whoever has a ticket from
    /// [`Shard::end_turn`](crate::Shard::end_turn) calls this, and within `append` appends first these records and
    /// then its own: so the log has the changes of a topic in their order, and no later than the ticket says.
    pub fn append_retained<T>(&self, append: impl FnOnce(&mut Vec<Record>) -> T) -> T {
        let mut records = self.retained_records.lock().unwrap_or_else(PoisonError::into_inner);
        let done = append(&mut records);
        records.clear();
        done
    }

    /// Notes a change of a retained message; its topic is locked.
    pub(crate) fn record_retained(&self, record: Record) {
        self.retained_records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }

    /// A number that nothing in the store has.
    pub(crate) fn take_number(&self) -> u64 {
        self.last_number.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A name for a session.
    pub(crate) fn take_session_number(&self) -> SessionNumber {
        SessionNumber(NonZeroU64::MIN.saturating_add(self.take_number() - 1))
    }

    /// What was found in the store has numbers up to this one.
    pub(crate) fn numbers_are_taken(&self, greatest: u64) {
        self.last_number.fetch_max(greatest, Ordering::Relaxed);
    }
}

/// A message as it is retained.
#[derive(Clone, Debug)]
pub struct RetainedMessage {
    /// The message.
    pub message: Arc<Message>,
    /// By which the store knows the message of this topic; 0 if it does not.
    pub(crate) number: u64,
}

impl RetainedMessage {
    /// Takes over the topic's text from the message that this one replaces, which shares it with the table. Precondition
    /// for that: nobody else has this message yet.
    pub(crate) fn share_topic(&mut self, old: Option<&Self>) {
        if let (Some(old), Some(message)) = (old, Arc::get_mut(&mut self.message)) {
            message.topic = Arc::clone(&old.message.topic);
        }
    }
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

    /// What the broker says of itself takes no room of what clients say, and is there when they have used up theirs.
    fn is_limited(&self) -> bool {
        self.message.publisher.is_some() || !is_sys_topic(&self.message.topic)
    }
}
