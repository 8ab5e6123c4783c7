//! The store of the broker: the real log, on a simulated disk. What is done, and when, is for virtual time and chance.

use std::collections::VecDeque;
use std::io;

use ferry_core::persistence::{EntryKey, EntrySink, Space};
use ferry_core::{LoadRequest, LoadedCopy, Ticket};
use ferry_session::Timestamp;
use ferry_store::{Batch, Disk, Fault, Key, Level, Log, LogOptions, SimulatedDisk};

use crate::planted_bug::PlantedBug;
use crate::random::Random;

/// When what failed is tried again.
const RETRY_MILLISECONDS: u64 = 1_000;

/// Operations of the disk among which a planned fault falls.
const FAULT_OPERATIONS: u64 = 12;

/// One log for all shards: batches and requests to read, in the order in which they were handed in.
pub(crate) struct Store {
    pub(crate) disk: SimulatedDisk,
    pub(crate) log: Log<SimulatedDisk>,
    queue: VecDeque<Job>,
    /// The group that is being written, and whose batches they are.
    group: Vec<Batch>,
    writing: Vec<Sender>,
    /// Batches that are written and not synced.
    unsynced: Vec<Sender>,
    sync_is_due: bool,
    is_writable: bool,
    /// Something failed: nothing is done before.
    retry_at: Timestamp,
    planted_bug: Option<PlantedBug>,
}

enum Job {
    Append { batch: Batch, sender: Sender },
    Load { shard: usize, request: LoadRequest },
}

/// Whose batch it is.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    /// Whom to tell; nobody, if no shard has made it.
    pub(crate) ticket: Option<(usize, Ticket)>,
    /// When the first of what is recorded in it happened.
    pub(crate) since: Timestamp,
}

/// What the store has done.
pub(crate) enum Done {
    Written {
        shard: usize,
        ticket: Ticket,
    },
    Synced {
        shard: usize,
        ticket: Ticket,
    },
    Loaded {
        shard: usize,
        request: LoadRequest,
        copies: Vec<LoadedCopy>,
    },
    Health {
        writable: bool,
    },
    /// It was under way when the power failed.
    PowerFailed,
}

impl Store {
    pub(crate) fn new(disk: SimulatedDisk, log: Log<SimulatedDisk>, planted_bug: Option<PlantedBug>) -> Self {
        Self {
            disk,
            log,
            queue: VecDeque::new(),
            group: Vec::new(),
            writing: Vec::new(),
            unsynced: Vec::new(),
            sync_is_due: false,
            is_writable: true,
            retry_at: Timestamp(0),
            planted_bug,
        }
    }

    pub(crate) fn append(&mut self, batch: Batch, sender: Sender) {
        self.queue.push_back(Job::Append { batch, sender });
    }

    pub(crate) fn load(&mut self, shard: usize, request: LoadRequest) {
        self.queue.push_back(Job::Load { shard, request });
    }

    /// When to look again at the latest, if something is left to do.
    pub(crate) fn next_step(&self, now: Timestamp, delay: u64) -> Option<Timestamp> {
        let is_idle = self.queue.is_empty() && self.group.is_empty() && !self.sync_is_due && self.is_writable;
        (!is_idle).then(|| Timestamp(now.0 + delay).max(self.retry_at))
    }

    /// Everything that was recorded before this time, and is with the store, would survive the end of the process,
    /// or a loss of power.
    pub(crate) fn durable_through(&self, now: Timestamp, power_fails: bool) -> Timestamp {
        let queued = self.queue.iter().filter_map(|job| match job {
            Job::Append { sender, .. } => Some(sender.since),
            Job::Load { .. } => None,
        });
        let writing = self.writing.iter().map(|sender| sender.since);
        let unsynced = self.unsynced.iter().filter(|_| power_fails).map(|sender| sender.since);
        queued.chain(writing).chain(unsynced).min().unwrap_or(now)
    }

    /// Does the next thing that is to be done.
    pub(crate) fn step(&mut self, now: Timestamp, random: &mut Random) -> Vec<Done> {
        let mut done = Vec::new();
        if now < self.retry_at {
            return done;
        }
        match self.try_step(random, &mut done) {
            Ok(()) if self.is_writable => {}
            Ok(()) => {
                self.is_writable = true;
                done.push(Done::Health { writable: true });
            }
            Err(_) if self.disk.is_off() => done.push(Done::PowerFailed),
            Err(_) => {
                self.retry_at = Timestamp(now.0 + RETRY_MILLISECONDS);
                self.refuse(&mut done);
            }
        }
        done
    }

    fn try_step(&mut self, random: &mut Random, done: &mut Vec<Done>) -> io::Result<()> {
        // Who does not wait for syncs does not see that they take longer than all else.
        let is_slow = self.planted_bug == Some(PlantedBug::AcknowledgeBeforeSync) && random.chance(99);
        if self.sync_is_due && !is_slow {
            return self.sync(done);
        }
        if self.group.is_empty() {
            self.gather(random.between(1, 20));
        }
        if !self.group.is_empty() {
            return self.write(done);
        }
        if let Some(Job::Load { shard, request }) = self.queue.pop_front() {
            let copies = request.sequences.iter().map(|sequence| self.read(&request, *sequence)).collect();
            done.push(Done::Loaded { shard, request, copies });
        }
        Ok(())
    }

    /// Takes batches at the front of the queue as one group.
    fn gather(&mut self, count_max: u64) {
        while (self.group.len() as u64) < count_max
            && let Some(Job::Append { .. }) = self.queue.front()
        {
            if let Some(Job::Append { batch, sender }) = self.queue.pop_front() {
                self.group.push(batch);
                self.writing.push(sender);
            }
        }
    }

    fn write(&mut self, done: &mut Vec<Done>) -> io::Result<()> {
        self.log.append(&self.group)?;
        self.sync_is_due |= self.group.iter().any(|batch| batch.level() == Level::Synced);
        self.group.clear();
        let written = self.writing.iter().filter_map(|sender| sender.ticket);
        done.extend(written.clone().map(|(shard, ticket)| Done::Written { shard, ticket }));
        if self.planted_bug == Some(PlantedBug::AcknowledgeBeforeSync) {
            done.extend(written.map(|(shard, ticket)| Done::Synced { shard, ticket }));
        }
        self.unsynced.append(&mut self.writing);
        Ok(())
    }

    fn sync(&mut self, done: &mut Vec<Done>) -> io::Result<()> {
        if self.planted_bug != Some(PlantedBug::DropSync) {
            self.log.sync()?;
        }
        self.sync_is_due = false;
        let synced = self.unsynced.drain(..).filter_map(|sender| sender.ticket);
        done.extend(synced.map(|(shard, ticket)| Done::Synced { shard, ticket }));
        Ok(())
    }

    fn read(&mut self, request: &LoadRequest, sequence: u64) -> LoadedCopy {
        let key = key(Space::Queued.of_session(request.session, sequence));
        let mut copy = LoadedCopy { value: read(&mut self.log, key), shared: None };
        copy.shared = self.log.shared(key).and_then(|shared| read(&mut self.log, shared));
        copy
    }

    fn refuse(&mut self, done: &mut Vec<Done>) {
        if std::mem::replace(&mut self.is_writable, false) {
            done.push(Done::Health { writable: false });
        }
    }

    /// The disk becomes full, or fails soon, or its power does.
    pub(crate) fn trouble(&mut self, random: &mut Random) -> Vec<Done> {
        let mut done = Vec::new();
        match random.below(3) {
            0 => {
                self.disk.set_capacity_bytes(CAPACITY_BYTES);
                let free = self.disk.free_bytes().unwrap_or(0);
                self.disk.set_capacity_bytes(CAPACITY_BYTES - free + random.below(5_000));
                // A cautious store refuses before it must.
                if random.chance(30) {
                    self.refuse(&mut done);
                }
            }
            _ => self.plan(Fault::Fails, random),
        }
        done
    }

    /// One of the next operations will not go well.
    pub(crate) fn plan(&mut self, fault: Fault, random: &mut Random) {
        self.disk.plan(self.disk.operations() + random.below(FAULT_OPERATIONS), fault);
    }

    /// The disk is as good as new.
    pub(crate) fn heal(&mut self) {
        self.disk.heal();
        self.disk.set_capacity_bytes(CAPACITY_BYTES);
    }
}

/// More than is ever needed.
pub(crate) const CAPACITY_BYTES: u64 = 1 << 40;

/// Small, so that segments end and are compacted.
pub(crate) fn draw_options(random: &mut Random) -> LogOptions {
    LogOptions {
        segment_bytes: *random.pick(&[2_000, 10_000, 1_000_000]),
        preallocate_bytes: *random.pick(&[1, 512, 4_096]),
        garbage_bytes_min: *random.pick(&[0, 4_000, 100_000]),
        unsynced_bytes_max: *random.pick(&[500, 20_000, 1_000_000]),
        salt: random.next(),
    }
}

pub(crate) fn read(log: &mut Log<SimulatedDisk>, key: Key) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    log.read(key, &mut value).is_ok_and(|is_there| is_there).then_some(value)
}

pub(crate) fn key(key: EntryKey) -> Key {
    Key::new(key.group, key.space, key.item)
}

pub(crate) fn entry_key(key: Key) -> EntryKey {
    EntryKey { group: key.group, space: key.space, item: key.item }
}

/// Lets the core write into a batch of the store.
pub(crate) struct Sink<'a>(pub(crate) &'a mut Batch);

impl EntrySink for Sink<'_> {
    fn put(&mut self, at: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.put_with(key(at), write);
    }

    fn put_shared(&mut self, at: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.put_shared_with(key(at), write);
    }

    fn put_referring(&mut self, at: EntryKey, shared: EntryKey, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.put_referring_with(key(at), key(shared), write);
    }

    fn delete(&mut self, at: EntryKey) {
        self.0.delete(key(at));
    }

    fn delete_group(&mut self, group: u64) {
        self.0.delete_group(group);
    }
}
