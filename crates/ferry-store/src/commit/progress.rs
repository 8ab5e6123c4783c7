use std::sync::atomic::{AtomicU64, Ordering};

use crate::Ticket;

/// How far a shard's batches have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    written: AtomicU64,
    synced: AtomicU64,
}

impl Progress {
    pub(crate) fn written(&self) -> Ticket {
        Ticket(self.written.load(Ordering::Acquire))
    }

    pub(crate) fn synced(&self) -> Ticket {
        Ticket(self.synced.load(Ordering::Acquire))
    }

    pub(crate) fn set_written(&self, ticket: Ticket) {
        self.written.store(ticket.0, Ordering::Release);
    }

    pub(crate) fn set_synced(&self, ticket: Ticket) {
        self.synced.store(ticket.0, Ordering::Release);
    }
}
