use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ferry_core::persistence::RestoreReport;
use ferry_core::{AllowAll, CoreConfig, Shared};
use ferry_store::RecoveryReport;

use super::managed::Managed;
use super::{ManagedReport, Progress, StoreToolError, open};
use crate::storage;

/// What is in a data directory, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// The log.
    pub recovery: RecoveryReport,
    /// What its entries mean.
    pub restore: RestoreReport,
    /// What lies beside it.
    pub managed: ManagedReport,
}

impl CheckReport {
    /// Whether something is lost that had been durable, or cannot be used.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        let is_log_damaged = self.recovery.is_damaged() || !self.restore.flaws.is_empty();
        is_log_damaged || !self.managed.problems.is_empty()
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recovery, restore, managed } = self;
        writeln!(
            formatter,
            "log        {} files, {} bytes, {} of them in use; {} groups",
            recovery.segments, recovery.bytes, recovery.live_bytes, recovery.groups
        )?;
        write!(
            formatter,
            "state      {} sessions with {} subscriptions and {} messages for them, {} retained messages",
            restore.sessions, restore.subscriptions, restore.copies, restore.retained_messages
        )?;
        write!(formatter, "\nmanaged    {managed}")?;
        for problem in &managed.problems {
            write!(formatter, "\nproblem    {problem}")?;
        }
        for problem in &recovery.problems {
            write!(formatter, "\nproblem    {problem}")?;
        }
        let more = recovery.problem_count - recovery.problems.len() as u64;
        if more > 0 {
            write!(formatter, "\nproblem    and {more} more of these")?;
        }
        for (key, flaw) in &restore.flawed {
            write!(formatter, "\nproblem    {} {}", storage::store_key(*key), flaw.detail())?;
        }
        let more = restore.flaws.values().sum::<usize>() - restore.flawed.len();
        if more > 0 {
            write!(formatter, "\nproblem    and {more} more of these")?;
        }
        Ok(())
    }
}

/// Reads everything in a data directory, and changes nothing.
///
/// # Errors
/// It is in use, cannot be read, or is of another version.
pub fn check(directory: &Path, progress: &mut Progress<'_>) -> Result<CheckReport, StoreToolError> {
    let (mut log, recovery) = open(directory, progress)?;
    let managed = Managed::read(directory, true).report();
    let shared = Arc::new(Shared::new(1, 0, Arc::new(CoreConfig::default()), Arc::new(AllowAll)));
    let restored = storage::read_all(&mut log, &shared, progress);
    Ok(CheckReport { recovery, restore: restored.report, managed })
}
