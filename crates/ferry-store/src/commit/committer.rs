use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::commit::commit_thread::Status;
use crate::commit::inbox::{Inbox, Job};
use crate::commit::load::{Load, Loaded};
use crate::commit::progress::Progress;
use crate::log::is_full;
use crate::{
    Batch, CommitLatencies, CommitOptions, Disk, Entry, Health, Key, Level, Log, ShutdownError, Ticket,
};

/// Bytes written after which it is looked how much is free.
const FREE_BYTES_CHECK: u64 = 1024 * 1024;

/// What runs on the commit thread.
pub(crate) struct Committer<D: Disk> {
    log: Log<D>,
    options: CommitOptions,
    inbox: Arc<Inbox>,
    progress: Arc<[Progress]>,
    status: Arc<Mutex<Status>>,
    health: Health,
    /// What waits, in order.
    queue: VecDeque<Job>,
    /// The group that is being written, and whose batches they are.
    batches: Vec<Batch>,
    senders: Vec<(u16, Ticket)>,
    /// What was written and has to be synced.
    sync_is_due: bool,
    /// When the group that is not complete yet was begun.
    begun_at: Option<Instant>,
    latencies: CommitLatencies,
    /// Shards with tickets that are written and not yet synced, or not yet rung.
    touched: Vec<u16>,
    /// When what failed is tried again.
    retry_at: Option<Instant>,
    /// Bytes written when it was last looked how much is free.
    checked_at_bytes: u64,
}

impl<D: Disk> Committer<D> {
    pub(crate) fn new(
        log: Log<D>,
        options: CommitOptions,
        inbox: Arc<Inbox>,
        progress: Arc<[Progress]>,
        status: Arc<Mutex<Status>>,
    ) -> Self {
        Self {
            log,
            options,
            inbox,
            progress,
            status,
            health: Health::Writable,
            queue: VecDeque::new(),
            batches: Vec::new(),
            senders: Vec::new(),
            sync_is_due: false,
            begun_at: None,
            latencies: CommitLatencies::default(),
            touched: Vec::new(),
            retry_at: None,
            checked_at_bytes: 0,
        }
    }

    /// Works until the inbox is closed and everything in it is done.
    pub(crate) fn run(mut self) -> Result<(), ShutdownError> {
        self.check_free_bytes();
        let mut incoming = Vec::new();
        loop {
            let is_open = self.inbox.take(&mut incoming, self.patience());
            self.queue.extend(incoming.drain(..));
            let is_late = self.retry_at.is_some_and(|retry_at| Instant::now() < retry_at);
            if is_open && is_late {
                self.answer_loads();
                continue;
            }
            self.work();
            if !is_open {
                return self.end();
            }
        }
    }

    /// How long to wait for jobs, when there is something else to do.
    fn patience(&self) -> Option<Duration> {
        match (self.retry_at, &self.health) {
            (Some(retry_at), _) => Some(retry_at.saturating_duration_since(Instant::now())),
            (None, Health::Writable) => None,
            (None, _) => Some(self.options.retry_interval),
        }
    }

    /// Does what waits, until it is done or fails.
    fn work(&mut self) {
        match self.try_work() {
            Ok(()) => {
                self.retry_at = None;
                if self.health != Health::Writable {
                    self.check_free_bytes();
                }
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + self.options.retry_interval);
                self.set_health(self.health_after(&error));
                self.answer_loads();
            }
        }
    }

    fn try_work(&mut self) -> io::Result<()> {
        loop {
            self.finish_sync()?;
            if self.batches.is_empty() {
                self.gather();
            }
            if !self.batches.is_empty() {
                self.write()?;
                continue;
            }
            match self.queue.pop_front() {
                Some(Job::Load(load)) => self.load(load),
                Some(append) => self.queue.push_front(append),
                None => return Ok(()),
            }
        }
    }

    /// Takes the batches at the front of the queue as one group.
    fn gather(&mut self) {
        let mut bytes = 0;
        while let Some(Job::Append { batch, .. }) = self.queue.front() {
            bytes += batch.bytes();
            if bytes > self.options.group_bytes_max && !self.batches.is_empty() {
                return;
            }
            if let Some(Job::Append { shard, ticket, batch }) = self.queue.pop_front() {
                self.batches.push(batch);
                self.senders.push((shard, ticket));
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.begun_at.get_or_insert_with(Instant::now);
        self.log.append(&self.batches)?;
        self.sync_is_due = self.batches.iter().any(|batch| batch.level() == Level::Synced);
        for (shard, ticket) in self.senders.drain(..) {
            self.progress[usize::from(shard)].set_written(ticket);
            if !self.touched.contains(&shard) {
                self.touched.push(shard);
            }
        }
        self.inbox.give_back(self.batches.drain(..));
        if !self.sync_is_due {
            self.publish_figures();
            self.ring();
        }
        Ok(())
    }

    fn finish_sync(&mut self) -> io::Result<()> {
        if self.sync_is_due {
            self.log.sync()?;
            self.sync_is_due = false;
            for progress in self.progress.iter() {
                progress.set_synced(progress.written());
            }
            self.publish_figures();
            self.ring();
        }
        Ok(())
    }

    fn ring(&mut self) {
        for shard in self.touched.drain(..) {
            (self.options.ring)(shard);
        }
    }

    fn publish_figures(&mut self) {
        let figures = self.log.figures();
        if let Some(begun_at) = self.begun_at.take() {
            self.latencies.add(begun_at.elapsed());
        }
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.figures = figures;
        status.latencies = self.latencies;
        drop(status);
        if figures.bytes_written - self.checked_at_bytes >= FREE_BYTES_CHECK {
            self.checked_at_bytes = figures.bytes_written;
            self.check_free_bytes();
        }
    }

    /// Warns before the disk is full, and gives the all-clear only with some more room, so as not to do so at every
    /// message.
    fn check_free_bytes(&mut self) {
        let Ok(free_bytes) = self.log.disk().free_bytes() else { return };
        let free_bytes_min = self.options.free_bytes_min;
        let is_full = matches!(self.health, Health::Full { .. });
        let enough = if is_full { free_bytes_min + free_bytes_min / 8 } else { free_bytes_min };
        let health = if free_bytes < enough && free_bytes_min > 0 {
            Health::Full { free_bytes, free_bytes_min }
        } else {
            Health::Writable
        };
        self.set_health(health);
    }

    fn health_after(&self, error: &io::Error) -> Health {
        if is_full(error) {
            let free_bytes = self.log.disk().free_bytes().unwrap_or(0);
            Health::Full { free_bytes, free_bytes_min: self.options.free_bytes_min }
        } else {
            Health::Failed { error: error.to_string() }
        }
    }

    fn set_health(&mut self, health: Health) {
        // How much is free changes all the time; nobody needs to be told.
        let is_new = std::mem::discriminant(&health) != std::mem::discriminant(&self.health);
        self.status.lock().unwrap_or_else(PoisonError::into_inner).health = health.clone();
        self.health = health;
        if is_new {
            (self.options.health_changed)(&self.health);
        }
    }

    fn load(&mut self, load: Load) {
        let loaded = load.keys.iter().map(|key| self.read(*key)).collect();
        (load.answer)(loaded);
    }

    fn read(&mut self, key: Key) -> Loaded {
        let mut loaded = Loaded { key, value: None, shared: None };
        let mut value = Vec::new();
        if let Ok(true) = self.log.read(key, &mut value) {
            loaded.value = Some(value);
        }
        let mut value = Vec::new();
        if let Some(shared) = self.log.shared(key)
            && let Ok(true) = self.log.read(shared, &mut value)
        {
            loaded.shared = Some((shared, value));
        }
        loaded
    }

    /// Reading goes on while nothing can be written: answers with what the log will have once all that waits is
    /// written.
    fn answer_loads(&mut self) {
        for _ in 0..self.queue.len() {
            match self.queue.pop_front() {
                Some(Job::Load(load)) => {
                    let loaded = load.keys.iter().map(|key| self.read_ahead(*key)).collect();
                    (load.answer)(loaded);
                }
                Some(append) => self.queue.push_back(append),
                None => return,
            }
        }
    }

    /// A value of what waits to be written, or else of the log.
    fn read_ahead(&mut self, key: Key) -> Loaded {
        let mut loaded = self.read(key);
        let mut waiting: Option<(Option<Vec<u8>>, Option<Key>)> = None;
        for entry in self.waiting_entries() {
            match entry {
                Entry::Put { key: at, value } | Entry::PutShared { key: at, value } if at == key => {
                    waiting = Some((Some(value.to_vec()), None));
                }
                Entry::PutReferring { key: at, shared, value } if at == key => {
                    waiting = Some((Some(value.to_vec()), Some(shared)));
                }
                Entry::Delete { key: at } if at == key => waiting = Some((None, None)),
                Entry::DeleteGroup { group } if group == key.group => waiting = Some((None, None)),
                _ => {}
            }
        }
        if let Some((value, shared)) = waiting {
            loaded.value = value;
            loaded.shared = shared.and_then(|shared| Some((shared, self.read_waiting(shared)?)));
        }
        loaded
    }

    fn read_waiting(&mut self, key: Key) -> Option<Vec<u8>> {
        let mut value = self.read(key).value;
        for entry in self.waiting_entries() {
            if let Entry::PutShared { key: at, value: waiting } | Entry::Put { key: at, value: waiting } =
                entry
                && at == key
            {
                value = Some(waiting.to_vec());
            }
        }
        value
    }

    fn waiting_entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let queued = self.queue.iter().filter_map(|job| match job {
            Job::Append { batch, .. } => Some(batch),
            Job::Load(_) => None,
        });
        self.batches.iter().chain(queued).flat_map(Batch::entries)
    }

    /// Makes everything durable and closes the log, if the disk lets it.
    fn end(mut self) -> Result<(), ShutdownError> {
        if self.retry_at.is_none()
            && let Err(error) = self.log.close_now()
        {
            self.set_health(self.health_after(&error));
            return Err(ShutdownError { health: self.health, lost_bytes: 0 });
        }
        if self.retry_at.is_some() {
            let lost_bytes = self.inbox.pending_bytes();
            return Err(ShutdownError { health: self.health, lost_bytes });
        }
        for progress in self.progress.iter() {
            progress.set_synced(progress.written());
        }
        self.publish_figures();
        Ok(())
    }
}
