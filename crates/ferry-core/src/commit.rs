use std::collections::VecDeque;

use ferry_codec::ReasonCode;
use ferry_router::ShardId;

use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, Effects, Receipt, Ticket};

/// What waits for batches of records to be committed, in the order of the batches.
#[derive(Default)]
pub(crate) struct Commit {
    /// The ticket of the last batch that was handed out.
    issued: Ticket,
    committed: Ticket,
    waiting: VecDeque<(Ticket, Waiter)>,
}

/// Who waits.
pub(crate) enum Waiter {
    /// An answer to a client.
    Conn(ConnId),
    /// An answer to another shard.
    Receipt(ShardId, Receipt, Option<ReasonCode>),
}

impl Commit {
    /// The ticket of the batch that the present turn adds to.
    pub(crate) fn current(&self) -> Ticket {
        Ticket(self.issued.0 + 1)
    }

    /// The newest ticket that anything recorded so far is under, if it is not yet committed.
    pub(crate) fn newest(&self, effects: &Effects) -> Option<Ticket> {
        let newest = if effects.recorded() == 0 { self.issued } else { self.current() };
        (newest > self.committed).then_some(newest)
    }

    pub(crate) fn is_committed(&self, ticket: Ticket) -> bool {
        ticket <= self.committed
    }

    pub(crate) fn wait(&mut self, ticket: Ticket, waiter: Waiter) {
        self.waiting.push_back((ticket, waiter));
    }
}

impl Shard {
    /// Ends a turn: call it before the records in `effects` are taken. The ticket, if there is one, is that of these
    /// records, of which there may be none, and of what [`Shared::append_retained`](crate::Shared::append_retained)
    /// has until then; give it back by [`Event::Committed`](crate::Event::Committed) when they are durable.
    ///
    /// The records go to the store before the mail goes to other shards: what these record may refer to it.
    pub fn end_turn(&mut self, effects: &mut Effects) -> Option<Ticket> {
        if effects.recorded() == 0 {
            return None;
        }
        effects.retained_records = 0;
        self.commit.issued = self.commit.current();
        Some(self.commit.issued)
    }

    /// Releases what waited for `ticket` or an earlier one.
    pub(crate) fn committed(&mut self, turn: &mut Turn<'_>, ticket: Ticket) {
        self.commit.committed = self.commit.committed.max(ticket).min(self.commit.issued);
        while let Some((ticket, _)) = self.commit.waiting.front() {
            if !self.commit.is_committed(*ticket) {
                break;
            }
            match self.commit.waiting.pop_front() {
                Some((_, Waiter::Conn(conn))) => self.release_responses(turn, conn),
                Some((_, Waiter::Receipt(to, receipt, refused))) => {
                    self.give_receipt(turn, to, receipt, refused);
                }
                None => break,
            }
        }
    }
}
