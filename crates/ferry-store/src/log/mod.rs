//! The engine: a log of groups of entries in segments, and an index of it in memory.

mod error;
mod figures;
mod options;
mod report;

use std::io;

pub use error::OpenError;
pub use figures::LogFigures;
pub use options::LogOptions;
pub use report::{Problem, ProblemKind, RecoveryReport};

use crate::{Batch, Disk, Key, Level};

/// A log on one disk. Synchronous, on one thread, without a clock.
pub struct Log<D: Disk> {
    disk: D,
}

/// What [`Log::visit`] shows of a key: its value is read only when asked for.
pub struct Stored<'a> {
    /// The key.
    pub key: Key,
    /// What its value belongs to.
    pub shared: Option<Key>,
    /// Bytes of its value.
    pub length: usize,
    read: &'a mut dyn FnMut(&mut Vec<u8>) -> io::Result<bool>,
}

impl Stored<'_> {
    /// Appends the value to `out`.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn read(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        (self.read)(out)
    }
}

impl<D: Disk> Log<D> {
    /// Opens the log on a disk, a new one if there is none. A damaged one is opened too: what cannot be used is
    /// reported, and a tail that was never durable is cut off.
    ///
    /// # Errors
    /// If the disk does not work, or has a log of another version.
    pub fn open(disk: D, options: LogOptions) -> Result<(Self, RecoveryReport), OpenError> {
        Self::open_with_progress(disk, options, &mut |_, _| ())
    }

    /// As [`Log::open`]; `progress` is told the bytes read, and how many there are.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_with_progress(
        disk: D,
        options: LogOptions,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let _ = (disk, options, progress);
        unreachable!("not yet built")
    }

    /// Opens the log to look at: nothing is changed, now or later, and [`Log::append`] fails.
    ///
    /// # Errors
    /// As [`Log::open`]; also if there is no log.
    pub fn open_read_only(
        disk: D,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let _ = (disk, progress);
        unreachable!("not yet built")
    }

    /// Writes the batches as one group: after a crash all of it is there, or nothing. It is durable after the next
    /// [`Log::sync`]. May write up to a few times as much in order to reclaim room.
    ///
    /// # Errors
    /// If the disk does not take it. Nothing has happened then, and it may be tried again.
    pub fn append(&mut self, batches: &[Batch]) -> io::Result<()> {
        let _ = (batches, Level::Written);
        unreachable!("not yet built")
    }

    /// Makes everything durable that has been appended.
    ///
    /// # Errors
    /// If the disk does not. What was appended is still there, and is written again, elsewhere, with the next call.
    pub fn sync(&mut self) -> io::Result<()> {
        unreachable!("not yet built")
    }

    /// Appends the value of `key` to `out`; `false` if it has none.
    ///
    /// # Errors
    /// If it cannot be read: [`io::ErrorKind::InvalidData`] if it is damaged.
    pub fn read(&mut self, key: Key, out: &mut Vec<u8>) -> io::Result<bool> {
        let _ = (key, out);
        unreachable!("not yet built")
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        let _ = key;
        unreachable!("not yet built")
    }

    /// What the value of `key` refers to.
    #[must_use]
    pub fn shared(&self, key: Key) -> Option<Key> {
        let _ = key;
        unreachable!("not yet built")
    }

    /// Shows every key that has a value, in order, until `visitor` returns an error.
    ///
    /// # Errors
    /// That of `visitor`.
    pub fn visit<E>(&mut self, visitor: &mut dyn FnMut(&mut Stored<'_>) -> Result<(), E>) -> Result<(), E> {
        let _ = visitor;
        unreachable!("not yet built")
    }

    /// What has been done and what there is.
    #[must_use]
    pub fn figures(&self) -> LogFigures {
        LogFigures::default()
    }

    /// The disk below.
    #[must_use]
    pub fn disk(&self) -> &D {
        &self.disk
    }

    /// Makes everything durable, gives back what is allocated ahead, and closes the log.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn close(mut self) -> io::Result<()> {
        self.sync()
    }
}
