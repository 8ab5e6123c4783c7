use crate::{
    AuthRequest, ConnId, Durability, LoadRequest, Outbox, Presence, Record, RefusedClient, SlowedClient, Span,
};

/// What a shard wants done. The driver owns it, drains it at the end of each turn and uses it again.
#[derive(Debug, Default)]
pub struct Effects {
    /// Connections with new output. Named once; again only after [`Shard::output`](crate::Shard::output) was
    /// called for it.
    pub dirty: Vec<ConnId>,
    /// Connections to close once their output is written. To the shard their client is gone already; it still
    /// needs [`Event::Closed`](crate::Event::Closed) to let go of the output.
    pub close: Vec<ConnId>,
    /// Stop reading from these: the shard will not take their packets.
    pub pause: Vec<ConnId>,
    /// Read again, beginning with the bytes kept since the pause.
    pub resume: Vec<ConnId>,
    /// For other shards.
    pub mail: Outbox,
    /// For the store: one batch, to be committed under the ticket that
    /// [`Shard::end_turn`](crate::Shard::end_turn) returns.
    pub records: Vec<Record>,
    /// How many more this turn has put into [`Shared::append_retained`](crate::Shared::append_retained).
    pub retained_records: usize,
    /// Copies to be read back, once the records of this turn are with the store.
    pub load: Vec<LoadRequest>,
    /// What the records of this turn must be before something that waits for them is said.
    pub(crate) durability: Durability,
    /// Clients to judge.
    pub authenticate: Vec<AuthRequest>,
    /// For the log: clients that were refused or disconnected.
    pub refused_clients: Vec<RefusedClient>,
    /// For the log: clients that are faster than they may be, each connection once a minute.
    pub slowed_clients: Vec<SlowedClient>,
    /// Clients that came or went, if [`CoreConfig::presence`](crate::CoreConfig::presence).
    pub presence: Vec<Presence>,
    /// What became of messages, if [`CoreConfig::spans`](crate::CoreConfig::spans).
    pub spans: Vec<Span>,
}

impl Effects {
    /// Nothing to do.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How much the store is to be told.
    pub(crate) fn recorded(&self) -> usize {
        self.records.len() + self.retained_records
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dirty.is_empty()
            && self.close.is_empty()
            && self.pause.is_empty()
            && self.resume.is_empty()
            && self.mail.is_empty()
            && self.recorded() == 0
            && !self.durability.is_stored()
            && self.load.is_empty()
            && self.authenticate.is_empty()
            && self.refused_clients.is_empty()
            && self.slowed_clients.is_empty()
            && self.presence.is_empty()
            && self.spans.is_empty()
    }
}
