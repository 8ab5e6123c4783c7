use std::path::PathBuf;

use crate::{FileDisk, Log, OpenError, RecoveryReport};

/// Reads all of a data directory and says what is wrong, and what would be lost if it was opened. Changes nothing,
/// and may be called as long as nobody uses the directory; `progress` is told the bytes read, and how many there are.
///
/// # Errors
/// If the directory is in use or cannot be read, or is of another version.
pub fn verify(
    directory: impl Into<PathBuf>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RecoveryReport, OpenError> {
    let disk = FileDisk::open_read_only(directory)?;
    Log::open_read_only(disk, progress).map(|(_, report)| report)
}
