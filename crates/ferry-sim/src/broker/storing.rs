//! What the shards record, and the store's answers.

use ferry_core::{CommitRequest, Durability, Event, Record};
use ferry_router::ShardId;
use ferry_session::Timestamp;
use ferry_store::{Batch, Level};

use super::Broker;
use crate::fact::Fact;
use crate::network::Link;
use crate::store::{Done, Sender, Sink};
use crate::world::{Agenda, Wake, Watch};

impl Broker {
    /// Hands what a turn has recorded over to the store, and asks for what it wants to read.
    pub(super) fn commit(
        &mut self,
        now: Timestamp,
        shard: usize,
        since: Timestamp,
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        let host = &mut self.hosts[shard];
        if let Some(CommitRequest { ticket, durability }) = host.shard.end_turn(&mut host.effects) {
            let mut retained: Vec<Record> = Vec::new();
            self.shared.append_retained(|records| retained.append(records));
            retained.iter().for_each(|record| watch.recorded(ShardId(shard as u16), ticket, record));
            let mut batch = Batch::new();
            host.writer.write(&retained, &mut Sink(&mut batch));
            host.writer.write(&host.effects.records, &mut Sink(&mut batch));
            host.effects.records.clear();
            host.recorded = 0;
            host.last_ticket = ticket;
            if durability == Durability::Fsync {
                batch.require(Level::Synced);
            }
            self.store.append(batch, Sender { ticket: Some((shard, ticket)), since });
        }
        for request in self.hosts[shard].effects.load.drain(..) {
            watch.note_line(|| format!("shard {shard} asks for {request:?}"));
            self.store.load(shard, request);
        }
        self.wake_store(now, agenda);
    }

    pub(super) fn wake_store(&mut self, now: Timestamp, agenda: &mut Agenda) {
        let delay = self.random.between(0, self.conditions.commit_milliseconds_max);
        agenda.extend(self.store.next_step(now, delay), Wake::Store);
    }

    /// The store does the next thing.
    pub(crate) fn store(
        &mut self,
        now: Timestamp,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        let done = self.store.step(now, &mut self.random);
        self.wake_store(now, agenda);
        self.stored(now, done, links, agenda, watch);
    }

    /// The disk becomes full, or fails.
    pub(crate) fn disk_trouble(
        &mut self,
        now: Timestamp,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        watch.note_line(|| "trouble with the disk".to_owned());
        let done = self.store.trouble(&mut self.random);
        self.stored(now, done, links, agenda, watch);
    }

    /// The disk is well again.
    pub(crate) fn disk_heals(&mut self, now: Timestamp, agenda: &mut Agenda) {
        self.store.heal();
        self.wake_store(now, agenda);
    }

    fn stored(
        &mut self,
        now: Timestamp,
        done: Vec<Done>,
        links: &mut [Link],
        agenda: &mut Agenda,
        watch: &mut Watch,
    ) {
        let clock = self.clock(now);
        for done in done {
            match done {
                Done::Written { shard, ticket } => {
                    self.hosts[shard].written = self.hosts[shard].written.max(ticket);
                    let (shard_id, durability) = (ShardId(shard as u16), Durability::Os);
                    watch.tell(&Fact::Committed { shard: shard_id, ticket, durability });
                    self.committed(now, shard, agenda, watch);
                }
                Done::Synced { shard, ticket } => {
                    self.hosts[shard].synced = self.hosts[shard].synced.max(ticket);
                    let (shard_id, durability) = (ShardId(shard as u16), Durability::Fsync);
                    watch.tell(&Fact::Committed { shard: shard_id, ticket, durability });
                    self.committed(now, shard, agenda, watch);
                }
                Done::Loaded { shard, request, copies } => {
                    watch.note_line(|| {
                        let found = copies.iter().filter(|copy| copy.value.is_some()).count();
                        format!("shard {shard} gets {found} of {request:?}")
                    });
                    let host = &mut self.hosts[shard];
                    host.shard.handle(clock, Event::Loaded { request, copies }, &mut host.effects);
                    self.touched(now, shard, agenda, watch);
                }
                Done::Health { writable } => {
                    watch.see(|model, tell| model.store_health(writable, tell));
                    for shard in 0..self.hosts.len() {
                        let host = &mut self.hosts[shard];
                        host.shard.handle(clock, Event::StoreHealth { writable }, &mut host.effects);
                        self.touched(now, shard, agenda, watch);
                    }
                }
                Done::PowerFailed => {
                    return self.crash(now, super::restart::Crash::Power, links, agenda, watch);
                }
            }
        }
    }

    fn committed(&mut self, now: Timestamp, shard: usize, agenda: &mut Agenda, watch: &mut Watch) {
        let clock = self.clock(now);
        let host = &mut self.hosts[shard];
        let event = Event::Committed { written: host.written, synced: host.synced };
        host.shard.handle(clock, event, &mut host.effects);
        self.touched(now, shard, agenda, watch);
    }
}
