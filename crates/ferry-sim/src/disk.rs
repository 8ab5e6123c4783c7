//! The disk of the broker: what is written to it is durable only after a while.

use std::collections::VecDeque;

use ferry_core::{Record, Ticket};
use ferry_session::Timestamp;

use crate::random::Random;

/// One log for all shards: batches of records, in the order in which they were handed in.
#[derive(Default)]
pub(crate) struct Disk {
    writing: VecDeque<Batch>,
    /// What a restart would find.
    durable: Vec<Record>,
}

struct Batch {
    done: Timestamp,
    shard: usize,
    ticket: Ticket,
    records: Vec<Record>,
}

impl Disk {
    /// Begins to write a batch; returns when it will be durable.
    pub(crate) fn write(
        &mut self,
        now: Timestamp,
        shard: usize,
        ticket: Ticket,
        records: Vec<Record>,
        milliseconds_max: u64,
        random: &mut Random,
    ) -> Timestamp {
        let last = self.writing.back().map_or(now, |batch| batch.done);
        let done = last.max(Timestamp(now.0 + random.between(0, milliseconds_max)));
        self.writing.push_back(Batch { done, shard, ticket, records });
        done
    }

    /// A batch that has become durable: its shard and its ticket.
    pub(crate) fn next_committed(&mut self, now: Timestamp) -> Option<(usize, Ticket)> {
        self.writing.front().filter(|batch| batch.done <= now)?;
        let batch = self.writing.pop_front()?;
        self.durable.extend(batch.records);
        Some((batch.shard, batch.ticket))
    }

    /// The process is killed: batches that were being written are lost; returns what a restart finds.
    pub(crate) fn crash(&mut self) -> Vec<Record> {
        self.writing.clear();
        std::mem::take(&mut self.durable)
    }
}
