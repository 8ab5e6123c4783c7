use std::collections::VecDeque;

use ferry_router::ShardId;

use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, Durability, Effects, Receipt, Refusal, Ticket};

/// What waits for batches of records to be committed.
#[derive(Default)]
pub(crate) struct Commit {
    /// The ticket of the last batch that was handed out.
    issued: Ticket,
    written: Ticket,
    synced: Ticket,
    /// In the order of the batches.
    awaiting_written: VecDeque<(Ticket, Waiter)>,
    awaiting_synced: VecDeque<(Ticket, Waiter)>,
}

/// When something may be said: once the batch of this ticket, and all before it, are as durable as that. Never
/// [`Durability::Memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Promise {
    ticket: Ticket,
    durability: Durability,
}

/// Who waits.
pub(crate) enum Waiter {
    /// An answer to a client.
    Conn(ConnId),
    /// An answer to another shard.
    Receipt(ShardId, Receipt, Option<Refusal>),
}

/// One turn's batch, as [`Shard::end_turn`] wants it committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// Its name, for [`Event::Committed`](crate::Event::Committed).
    pub ticket: Ticket,
    /// What somebody waits for; [`Durability::Memory`] if nobody does, and it need not be soon.
    pub durability: Durability,
}

impl Commit {
    /// A promise of what this turn has recorded, and of all before; `None` if nothing is promised.
    pub(crate) fn promise(&self, effects: &mut Effects, durability: Durability) -> Option<Promise> {
        if !durability.is_stored() {
            return None;
        }
        effects.durability = effects.durability.max(durability);
        Some(Promise { ticket: self.current(), durability })
    }

    /// A promise of all that was recorded until now, by whichever turn; `None` if it is kept already.
    pub(crate) fn promise_all(&self, effects: &mut Effects, durability: Durability) -> Option<Promise> {
        let newest = Promise { ticket: self.issued, durability };
        if effects.recorded() == 0 && (!durability.is_stored() || self.is_kept(newest)) {
            return None;
        }
        // The batches so far may not have been asked to be that durable: this turn's batch is, even if it is empty.
        self.promise(effects, durability)
    }

    /// Asks for what this turn has recorded to be committed soon, though nobody waits for it: on a quiet broker
    /// nothing else might ask for hours, and a loss of power would undo it.
    pub(crate) fn hurry(&self, effects: &mut Effects, durability: Durability) {
        self.promise(effects, durability);
    }

    pub(crate) fn is_kept(&self, promise: Promise) -> bool {
        let committed = if promise.durability == Durability::Fsync { self.synced } else { self.written };
        promise.ticket <= committed
    }

    pub(crate) fn wait(&mut self, promise: Promise, waiter: Waiter) {
        let awaiting = match promise.durability {
            Durability::Fsync => &mut self.awaiting_synced,
            Durability::Memory | Durability::Os => &mut self.awaiting_written,
        };
        // The end of a session, of some turns ago perhaps, can be waited for later than it was promised.
        let position = awaiting.partition_point(|(ticket, _)| *ticket <= promise.ticket);
        awaiting.insert(position, (promise.ticket, waiter));
    }

    /// The ticket of the batch that the present turn adds to.
    fn current(&self) -> Ticket {
        Ticket(self.issued.0 + 1)
    }

    fn pop_released(&mut self) -> Option<Waiter> {
        let queues = [(&mut self.awaiting_written, self.written), (&mut self.awaiting_synced, self.synced)];
        for (queue, committed) in queues {
            if queue.front().is_some_and(|(ticket, _)| *ticket <= committed) {
                return queue.pop_front().map(|(_, waiter)| waiter);
            }
        }
        None
    }
}

impl Shard {
    /// Ends a turn: call it before the records in `effects` are taken. If there is something to commit, it is the
    /// records in `effects`, of which there may be none, behind what
    /// [`Shared::append_retained`](crate::Shared::append_retained) has; give the ticket back by
    /// [`Event::Committed`](crate::Event::Committed).
    ///
    /// The records go to the store before the mail goes to other shards: what these record may refer to it.
    pub fn end_turn(&mut self, effects: &mut Effects) -> Option<CommitRequest> {
        if effects.recorded() == 0 && !effects.durability.is_stored() {
            return None;
        }
        effects.retained_records = 0;
        let durability = std::mem::take(&mut effects.durability);
        self.commit.issued = self.commit.current();
        Some(CommitRequest { ticket: self.commit.issued, durability })
    }

    /// Releases what waited for these tickets or earlier ones.
    pub(crate) fn committed(&mut self, turn: &mut Turn<'_>, written: Ticket, synced: Ticket) {
        let commit = &mut self.commit;
        commit.synced = commit.synced.max(synced).min(commit.issued);
        commit.written = commit.written.max(written).max(commit.synced).min(commit.issued);
        self.session_ends.forget_kept(&self.commit);
        while let Some(waiter) = self.commit.pop_released() {
            match waiter {
                Waiter::Conn(conn) => self.release_responses(turn, conn),
                Waiter::Receipt(to, receipt, refused) => self.give_receipt(turn, to, receipt, refused),
            }
        }
    }
}
