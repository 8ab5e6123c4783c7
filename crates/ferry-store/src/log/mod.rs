//! The engine: a log of groups of entries in segments, and an index of it in memory.
//!
//! ```text
//! FORMAT                        version and salt
//! log/00000000000000000001.log  segment: header, group, group, ..., zeros that are allocated ahead
//!                               group: header, entry, entry, ...
//! ```
//!
//! A group is there whole or not at all. Groups are numbered without gaps, and each says how far the log was durable
//! when it was written. So a place that cannot be read is either damage of something durable, if a later group or
//! segment says so: then all else is used; or it is a tail that was never promised to anybody: then it is cut off.

mod compaction;
mod error;
mod figures;
mod format_file;
mod frame;
mod group;
mod index;
mod options;
mod recovery;
mod report;
mod scan;
mod segments;
mod stored;
mod window;
mod writer;

use std::io;

pub use error::OpenError;
pub use figures::LogFigures;
pub use options::LogOptions;
pub use report::{Problem, ProblemKind, RecoveryReport};
pub use stored::Stored;
pub(crate) use writer::is_full;

use compaction::Compaction;
use frame::Seed;
use group::Elision;
use index::Index;
use segments::Segments;
use window::Window;
use writer::{Active, Frame};

use crate::{Batch, Disk, Key};

/// A log on one disk. Synchronous, on one thread, without a clock.
pub struct Log<D: Disk> {
    segments: Segments<D>,
    index: Index,
    options: LogOptions,
    salt: u64,
    /// Of the segment to which what is unsynced belongs.
    seed: Seed,
    /// The segment that is written to; none before the first group.
    active: Option<Active>,
    next_segment: u32,
    next_group: u64,
    /// The newest group that is durable.
    synced_through: u64,
    /// What the last group said of segments that are of no use any more.
    announced_oldest: u32,
    /// A segment was begun whose name may not be durable.
    directory_is_dirty: bool,
    /// The newest segment has failed and must be left.
    is_broken: bool,
    /// The last group is the one that closes the log.
    is_marked: bool,
    is_read_only: bool,
    compaction: Compaction,
    elision: Elision,
    window: Window,
    figures: LogFigures,
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
        recovery::recover(disk, options, false, progress)
    }

    /// Opens the log to look at: nothing is changed, now or later, and [`Log::append`] fails. The report is that of
    /// [`Log::open`].
    ///
    /// # Errors
    /// As [`Log::open`]; also if there is no log.
    pub fn open_read_only(
        disk: D,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, RecoveryReport), OpenError> {
        recovery::recover(disk, LogOptions::default(), true, progress)
    }

    /// Writes the batches as one group: after a crash all of it is there, or nothing. It is durable after the next
    /// [`Log::sync`]. May write up to a few times as much in order to reclaim room.
    ///
    /// # Errors
    /// If the disk does not take it. Nothing has happened then, and it may be tried again.
    pub fn append(&mut self, batches: &[Batch]) -> io::Result<()> {
        if self.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.repair()?;
        if batches.iter().all(Batch::is_empty) {
            return Ok(());
        }
        if self.segments.unsynced.bytes.len() >= self.options.unsynced_bytes_max {
            self.sync_now()?;
        }
        match self.append_group(batches, true) {
            // What compaction copies may be what there was no room for.
            Err(error) if is_full(&error) => self.append_group(batches, false),
            result => result,
        }
    }

    /// Makes everything durable that has been appended.
    ///
    /// # Errors
    /// If the disk does not. What was appended is still there, and is written again, elsewhere, with the next call.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.is_read_only { Ok(()) } else { self.sync_now() }
    }

    /// Appends the value of `key` to `out`; `false` if it has none.
    ///
    /// # Errors
    /// If it cannot be read: [`io::ErrorKind::InvalidData`] if it is damaged.
    pub fn read(&mut self, key: Key, out: &mut Vec<u8>) -> io::Result<bool> {
        match self.index.location(key) {
            None => Ok(false),
            Some(location) => self.segments.read_value(location, out).map(|()| true),
        }
    }

    /// Whether `key` has a value.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        self.index.location(key).is_some()
    }

    /// The key that the entry of `key` refers to.
    #[must_use]
    pub fn shared(&self, key: Key) -> Option<Key> {
        self.index.shared(key)
    }

    /// Number of entries that refer to `key`.
    #[must_use]
    pub fn references(&self, key: Key) -> u32 {
        self.index.references(key)
    }

    /// Shows every key that has a value, in order, until `visitor` returns an error.
    ///
    /// # Errors
    /// That of `visitor`.
    pub fn visit<E>(&mut self, visitor: &mut dyn FnMut(&mut Stored<'_>) -> Result<(), E>) -> Result<(), E> {
        for (key, shared, location) in self.index.iter() {
            let shared = shared.map(|key| (key, self.index.location(key)));
            visitor(&mut Stored::new(key, shared, location, &mut self.segments))?;
        }
        Ok(())
    }

    /// What has been done and what there is.
    #[must_use]
    pub fn figures(&self) -> LogFigures {
        LogFigures {
            live_records: self.index.live_records(),
            live_bytes: self.index.live_bytes(),
            total_bytes: self.segments.total_bytes(),
            segments: self.segments.len() as u64,
            ..self.figures
        }
    }

    /// The disk below.
    #[must_use]
    pub fn disk(&self) -> &D {
        &self.segments.disk
    }

    /// Makes everything durable and known to be, gives back what is allocated ahead, and returns the disk below.
    ///
    /// # Errors
    /// As [`Log::sync`].
    pub fn close(mut self) -> io::Result<D> {
        self.close_now()?;
        Ok(self.segments.disk)
    }

    /// As [`Log::close`], for one who may want to try again.
    pub(crate) fn close_now(&mut self) -> io::Result<()> {
        if self.is_read_only {
            return Ok(());
        }
        self.sync_now()?;
        if !self.is_marked {
            match self.mark() {
                // The log is durable without it, only less is known about it.
                Err(error) if !is_full(&error) => return Err(error),
                _ => self.is_marked = true,
            }
        }
        self.end_active();
        if let Some(spare) = self.segments.take_spare() {
            // Left behind, it is removed when the log is opened again.
            let _ = self.segments.remove(spare.number);
        }
        Ok(())
    }

    /// Writes an empty group: it tells that all before it is durable.
    fn mark(&mut self) -> io::Result<()> {
        let frame = self.begin_frame();
        let oldest = self.first_needed(None);
        self.write_frame(frame, oldest)?;
        self.sync_now()
    }

    fn append_group(&mut self, batches: &[Batch], compact: bool) -> io::Result<()> {
        let appended_bytes: usize = batches.iter().map(Batch::bytes).sum();
        if compact && self.wants_compaction() && self.oldest_is_active() {
            self.roll()?;
        }
        let mut frame = self.begin_frame();
        // If writing fails, compaction begins anew with this segment: what was copied is of no use in it.
        let mut compaction = std::mem::take(&mut self.compaction);
        let lost = if compact && self.wants_compaction() {
            self.compact(&mut frame, &mut compaction, appended_bytes as u64)
        } else {
            Vec::new()
        };
        self.add_batches(&mut frame, batches);
        let elided = frame.elided;
        if frame.is_empty() {
            self.drop_frame(&frame);
        } else {
            let oldest = self.first_needed(compaction.done_segment());
            self.write_frame(frame, oldest)?;
            self.is_marked = false;
        }
        self.compaction = compaction;
        for (key, location) in lost {
            self.figures.records_lost += u64::from(self.index.lose(key, location));
        }
        self.figures.records += batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        self.figures.records_elided += elided;
        self.figures.bytes_of_records += appended_bytes as u64;
        Ok(())
    }

    /// Whether there is so much garbage that it is worth copying the rest.
    fn wants_compaction(&self) -> bool {
        let live = self.index.live_bytes();
        let garbage = self.segments.total_bytes().saturating_sub(live);
        garbage > live.max(self.options.garbage_bytes_min)
    }

    fn oldest_is_active(&self) -> bool {
        self.active.is_some_and(|active| self.first_needed(None) == active.number)
    }

    /// Adds to the frame what is of use in the oldest segment, as much as is due.
    fn compact(
        &mut self,
        frame: &mut Frame,
        compaction: &mut Compaction,
        appended_bytes: u64,
    ) -> compaction::Lost {
        let oldest = self.first_needed(None);
        if self.active.is_none_or(|active| active.number == oldest) {
            return Vec::new();
        }
        let mut unsynced = std::mem::take(&mut self.segments.unsynced.bytes);
        let before = unsynced.len();
        let lost = compaction.advance(
            &mut self.segments,
            &mut self.window,
            &self.index,
            oldest,
            appended_bytes,
            &mut |entry| frame.add(&mut unsynced, self.seed, entry),
        );
        frame.compacted_bytes = (unsynced.len() - before) as u64;
        self.segments.unsynced.bytes = unsynced;
        lost
    }

    /// The first segment that has anything of use, when everything in `done` has been copied.
    fn first_needed(&self, done: Option<u32>) -> u32 {
        let needed = self.segments.iter().map(|segment| segment.number).find(|number| {
            let is_active = self.active.is_some_and(|active| active.number == *number);
            let is_empty = done == Some(*number) || self.index.live_bytes_in(*number) == 0;
            *number >= self.announced_oldest && (is_active || !is_empty)
        });
        needed.unwrap_or(self.next_segment)
    }
}
