use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::commit::committer::Committer;
use crate::commit::inbox::Inbox;
use crate::commit::progress::Progress;
use crate::{CommitLatencies, Disk, Health, Log, LogFigures, ShardStore};

/// How a [`CommitThread`] works, and whom it tells.
pub struct CommitOptions {
    /// Number of shards.
    pub shard_count: u16,
    /// Bytes of batches that are written as one group; more than one batch only up to this.
    pub group_bytes_max: usize,
    /// Bytes that should be free on the disk: with less, [`Health::Full`] is told before it is really full, so
    /// that deleting can go on.
    pub free_bytes_min: u64,
    /// Time until a write that failed is tried again.
    pub retry_interval: Duration,
    /// Called on the commit thread when tickets of this shard have moved on.
    pub ring: Box<dyn Fn(u16) + Send>,
    /// Called on the commit thread when it has changed.
    pub health_changed: Box<dyn Fn(&Health) + Send>,
}

impl CommitOptions {
    /// For so many shards, with nobody to tell.
    #[must_use]
    pub fn new(shard_count: u16) -> Self {
        Self {
            shard_count,
            group_bytes_max: 8 * 1024 * 1024,
            free_bytes_min: 64 * 1024 * 1024,
            retry_interval: Duration::from_secs(1),
            ring: Box::new(|_| ()),
            health_changed: Box::new(|_| ()),
        }
    }
}

/// Why not everything is durable at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShutdownError {
    /// What kept it from being written.
    pub health: Health,
    /// Bytes of batches that are lost.
    pub lost_bytes: usize,
}

impl std::fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes could not be stored: {}", self.lost_bytes, self.health)
    }
}

impl std::error::Error for ShutdownError {}

/// What anybody may ask about the thread.
#[derive(Default)]
pub(crate) struct Status {
    pub(crate) health: Health,
    pub(crate) figures: LogFigures,
    pub(crate) latencies: CommitLatencies,
}

/// The thread `ferry-commit`, which owns the [`Log`].
pub struct CommitThread {
    inbox: Arc<Inbox>,
    progress: Arc<[Progress]>,
    status: Arc<Mutex<Status>>,
    thread: Option<JoinHandle<Result<(), ShutdownError>>>,
}

impl CommitThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the operating system has no thread to give.
    pub fn start<D>(log: Log<D>, options: CommitOptions) -> io::Result<Self>
    where
        D: Disk + Send + 'static,
        D::File: Send,
    {
        let inbox = Arc::<Inbox>::default();
        let progress: Arc<[Progress]> = (0..options.shard_count).map(|_| Progress::default()).collect();
        let status = Arc::new(Mutex::new(Status { figures: log.figures(), ..Status::default() }));
        let committer =
            Committer::new(log, options, Arc::clone(&inbox), Arc::clone(&progress), Arc::clone(&status));
        let thread = thread::Builder::new().name("ferry-commit".to_owned()).spawn(|| committer.run())?;
        Ok(Self { inbox, progress, status, thread: Some(thread) })
    }

    /// The handle of a shard: one for each, taken once.
    ///
    /// # Panics
    /// If there are not so many shards.
    #[must_use]
    pub fn shard_store(&self, shard: u16) -> ShardStore {
        let appended = self.progress[usize::from(shard)].written();
        let (inbox, progress) = (Arc::clone(&self.inbox), Arc::clone(&self.progress));
        ShardStore { shard, inbox, progress, appended }
    }

    /// Whether the store takes what it is given.
    #[must_use]
    pub fn health(&self) -> Health {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).health.clone()
    }

    /// What the log has done and what it holds, as of the last group.
    #[must_use]
    pub fn figures(&self) -> LogFigures {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).figures
    }

    /// How long groups took.
    #[must_use]
    pub fn latencies(&self) -> CommitLatencies {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).latencies
    }

    /// Writes and syncs everything that was handed over, closes the log and ends the thread. Dropping does the
    /// same, without telling how it went.
    ///
    /// # Errors
    /// If the disk does not take what is left: it is tried once more, not for ever.
    pub fn shutdown(mut self) -> Result<(), ShutdownError> {
        self.inbox.close();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for CommitThread {
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(thread) = self.thread.take() {
            // Who drops it does not want to know.
            let _ = thread.join();
        }
    }
}
