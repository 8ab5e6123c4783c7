use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ferry_core::Shared;
use ferry_core::persistence::Restored;
use ferry_store::{CommitOptions, CommitThread, Disk, FileDisk, Health, Log, LogOptions, OpenError};

use super::{Progress, Storage, log_recovery, restore};
use crate::config;
use crate::driver::{Command, Mailbox};

/// Opens a store; see [`opener`].
pub(crate) type StorageOpener =
    Box<dyn FnOnce(&OpenArguments<'_>) -> Result<OpenedStorage, OpenError> + Send>;

/// What a store is opened for.
pub(crate) struct OpenArguments<'a> {
    pub(crate) config: &'a config::Storage,
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) mailboxes: &'a Arc<[Mailbox]>,
}

/// A store, and what was found in it.
pub(crate) struct OpenedStorage {
    pub(crate) storage: Storage,
    pub(crate) restored: Restored,
}

/// Opens the store on this disk.
pub(crate) fn opener<D>(disk: D) -> StorageOpener
where
    D: Disk + Send + 'static,
    D::File: Send,
{
    Box::new(|arguments| open(disk, arguments))
}

impl OpenedStorage {
    /// Opens the store in a directory.
    ///
    /// # Errors
    /// It is in use, cannot be written to, or is of another version.
    pub(crate) fn in_directory(directory: PathBuf, arguments: &OpenArguments<'_>) -> Result<Self, OpenError> {
        open(FileDisk::open(directory)?, arguments)
    }
}

fn open<D>(disk: D, arguments: &OpenArguments<'_>) -> Result<OpenedStorage, OpenError>
where
    D: Disk + Send + 'static,
    D::File: Send,
{
    let OpenArguments { config, shared, mailboxes } = arguments;
    let directory = config.directory().unwrap_or_default();
    let options = LogOptions {
        segment_bytes: config.segment_bytes,
        salt: RandomState::new().hash_one(directory.as_os_str()),
        ..LogOptions::default()
    };
    let mut progress = Progress::new(format!("reading {}", directory.display()));
    let (mut log, report) =
        Log::open_with_progress(disk, options, &mut |done, total| progress.tell(done, total))?;
    log_recovery(&report, &directory);
    let io_error = |action: &'static str, directory: &Path| {
        let file = directory.display().to_string();
        move |error| OpenError::Io { action, file, error }
    };
    let restored = restore(&mut log, shared);
    let rung = Arc::clone(mailboxes);
    let told = Arc::clone(mailboxes);
    let commit_options = CommitOptions {
        free_bytes_min: config.free_bytes_min,
        ring: Box::new(move |shard| {
            // Nobody waits for the batch that follows from the start itself.
            if let Some(mailbox) = rung.get(usize::from(shard)) {
                mailbox.ring();
            }
        }),
        health_changed: Box::new({
            let directory = directory.clone();
            move |health| health_changed(&directory, health, &told)
        }),
        // The configuration allows no more than 1,024 shards; the start itself is one more.
        ..CommitOptions::new(mailboxes.len() as u16 + 1)
    };
    let thread =
        CommitThread::start(log, commit_options).map_err(io_error("start a thread for", &directory))?;
    let storage = Storage { thread: Mutex::new(Some(thread)), damages: report.problem_count };
    Ok(OpenedStorage { storage, restored })
}

fn health_changed(directory: &Path, health: &Health, mailboxes: &[Mailbox]) {
    // Before it is logged: who has read that messages are refused should not see one taken.
    let is_writable = *health == Health::Writable;
    for mailbox in mailboxes {
        mailbox.command(Command::StoreHealth { is_writable });
    }
    let directory = directory.display();
    match health {
        Health::Writable => {
            tracing::info!("{directory} can be written to again: nothing is refused any more");
        }
        Health::Full { .. } => tracing::error!(
            "{directory}: {health}; messages that would have to be kept are refused until there is room on that file \
             system again, all else goes on"
        ),
        Health::Failed { .. } => tracing::error!(
            "{directory}: {health}; messages that would have to be kept are refused until it works again, all else \
             goes on; the log of the system may say what is wrong with the disk"
        ),
    }
}
