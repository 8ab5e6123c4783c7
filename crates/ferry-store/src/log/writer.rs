//! Writing to the newest segment, and what to do when that fails.

use std::io;

use super::Log;
use super::frame::{
    EntriesCrc, FORMAT_VERSION, GROUP_HEADER_BYTES, GroupHeader, SEGMENT_HEADER_BYTES, Seed, SegmentHeader,
    segment_name,
};
use super::index::Location;
use super::segments::write_all_at;
use crate::entry::RawEntry;
use crate::{Batch, Disk, DiskFile};

/// The segment that is written to.
#[derive(Clone, Copy)]
pub(crate) struct Active {
    pub(crate) number: u32,
    /// Up to where it is allocated.
    pub(crate) allocated: u64,
}

/// A group that is being put together, at the end of the unsynced bytes.
pub(crate) struct Frame {
    /// Where it begins in the unsynced bytes.
    start: usize,
    entries: u32,
    crc: EntriesCrc,
    pub(crate) elided: u64,
    pub(crate) compacted_bytes: u64,
}

impl<D: Disk> Log<D> {
    pub(crate) fn begin_frame(&mut self) -> Frame {
        let bytes = &mut self.segments.unsynced.bytes;
        let start = bytes.len();
        bytes.resize(start + GROUP_HEADER_BYTES, 0);
        let crc = EntriesCrc::new(self.next_group);
        Frame { start, entries: 0, crc, elided: 0, compacted_bytes: 0 }
    }

    /// Adds what is left of `batches` once entries that undo each other are left out.
    pub(crate) fn add_batches(&mut self, frame: &mut Frame, batches: &[Batch]) {
        self.elision.decide(batches, &self.index);
        for (position, entry) in batches.iter().flat_map(Batch::raw_entries).enumerate() {
            if self.elision.is_written(position, &entry) {
                frame.add(&mut self.segments.unsynced.bytes, self.seed, &entry);
            } else {
                frame.elided += 1;
            }
        }
    }

    /// Takes a frame back that was not written.
    pub(crate) fn drop_frame(&mut self, frame: &Frame) {
        self.segments.unsynced.bytes.truncate(frame.start);
    }

    /// Writes a frame to the newest segment, or to a new one if it has no room, and lets its entries have their
    /// effect.
    pub(crate) fn write_frame(&mut self, mut frame: Frame, oldest_segment: u32) -> io::Result<()> {
        let result = self.try_write_frame(&mut frame, oldest_segment);
        if result.is_err() {
            self.drop_frame(&frame);
        }
        result
    }

    fn try_write_frame(&mut self, frame: &mut Frame, oldest_segment: u32) -> io::Result<()> {
        let length = (self.segments.unsynced.bytes.len() - frame.start) as u64;
        self.make_room(frame, length)?;
        let start = frame.start;
        let header = GroupHeader {
            body_length: (length - GROUP_HEADER_BYTES as u64) as u32,
            entries: frame.entries,
            entries_crc: frame.crc.get(),
            number: self.next_group,
            synced_through: self.synced_through,
            oldest_segment,
        };
        let header = header.encode(self.seed);
        self.segments.unsynced.bytes[start..start + GROUP_HEADER_BYTES].copy_from_slice(&header);
        self.write_unsynced(start)?;
        self.next_group += 1;
        self.figures.groups += 1;
        self.figures.bytes_compacted += frame.compacted_bytes;
        self.announced_oldest = oldest_segment;
        self.apply_from(start);
        Ok(())
    }

    /// Makes sure that the newest segment has room for a frame.
    fn make_room(&mut self, frame: &mut Frame, length: u64) -> io::Result<()> {
        assert!(length < u64::from(u32::MAX) - (1 << 20), "a group has less than 4 GiB");
        let end = self.segments.newest().map_or(0, |newest| newest.end);
        let has_room =
            end + length <= u64::from(self.options.segment_bytes) || end == SEGMENT_HEADER_BYTES as u64;
        if self.active.is_some() && has_room {
            return Ok(());
        }
        // The groups before it are synced in the segment that they are in.
        let written = self.segments.unsynced.bytes.split_off(frame.start);
        let rolled = self.roll();
        frame.start = self.segments.unsynced.bytes.len();
        self.segments.unsynced.bytes.extend_from_slice(&written);
        let entries = &mut self.segments.unsynced.bytes[frame.start + GROUP_HEADER_BYTES..];
        frame.crc = seal_entries(entries, self.seed, self.next_group);
        rolled
    }

    /// Ends the newest segment and begins another.
    pub(crate) fn roll(&mut self) -> io::Result<()> {
        self.sync_now()?;
        self.end_active();
        self.begin_segment(self.next_group)?;
        self.seed = Seed::new(self.salt, self.segments.unsynced.segment);
        Ok(())
    }

    /// Gives back what is allocated ahead. Nothing is lost if it cannot be.
    pub(crate) fn end_active(&mut self) {
        let Some(active) = self.active.take() else { return };
        let end = self.segments.get(active.number).map_or(0, |segment| segment.end);
        if active.allocated > end
            && let Ok(file) = self.segments.file(active.number)
        {
            let _ = file.truncate(end);
        }
    }

    /// Begins the next segment. What is unsynced belongs to it then, and has to be sealed for it.
    fn begin_segment(&mut self, first_group: u64) -> io::Result<()> {
        let number = self.next_segment;
        let name = segment_name(number);
        let (file, reused_bytes) = self.next_file(&name)?;
        let header = SegmentHeader {
            version: FORMAT_VERSION,
            number,
            salt: self.salt,
            first_group,
            first_offset: SEGMENT_HEADER_BYTES as u32,
            reused_bytes: u32::try_from(reused_bytes).unwrap_or(u32::MAX),
        };
        if let Err(error) = write_all_at(&file, 0, &header.encode()) {
            let _ = self.segments.disk.remove(&name);
            return Err(error);
        }
        self.figures.bytes_written += SEGMENT_HEADER_BYTES as u64;
        self.next_segment += 1;
        self.directory_is_dirty = true;
        let start = SEGMENT_HEADER_BYTES as u64;
        self.segments.add(number, Seed::new(self.salt, number), start, Some(file));
        self.active = Some(Active { number, allocated: start.max(reused_bytes) });
        (self.segments.unsynced.segment, self.segments.unsynced.start) = (number, start);
        Ok(())
    }

    /// The file of the next segment: one that is of no use any more, if there is one. Returns how much of what it was
    /// it still has.
    fn next_file(&mut self, name: &str) -> io::Result<(D::File, u64)> {
        if let Some(spare) = self.segments.take_spare() {
            let old_name = segment_name(spare.number);
            if self.segments.disk.rename(&old_name, name).is_ok() {
                return Ok((spare.file, spare.length));
            }
            let _ = self.segments.disk.remove(&old_name);
        }
        let file = match self.segments.disk.create(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // Left behind by an attempt that failed.
                self.segments.disk.remove(name)?;
                self.segments.disk.create(name)
            }
            created => created,
        };
        Ok((file?, 0))
    }

    /// Writes the unsynced bytes from `from` on.
    fn write_unsynced(&mut self, from: usize) -> io::Result<()> {
        let Some(active) = self.active else { unreachable!("a segment has been begun") };
        let offset = self.segments.unsynced.start + from as u64;
        let end = self.segments.unsynced.start + self.segments.unsynced.bytes.len() as u64;
        self.preallocate(active, end)?;
        let bytes = std::mem::take(&mut self.segments.unsynced.bytes);
        let written =
            self.segments.file(active.number).and_then(|file| write_all_at(file, offset, &bytes[from..]));
        self.segments.unsynced.bytes = bytes;
        match written {
            Ok(()) => {
                self.figures.bytes_written += end - offset;
                if let Some(newest) = self.segments.newest() {
                    newest.end = end;
                }
                Ok(())
            }
            Err(error) => {
                self.undo_write(active, offset, &error);
                Err(error)
            }
        }
    }

    fn preallocate(&mut self, active: Active, end: u64) -> io::Result<()> {
        if end <= active.allocated {
            return Ok(());
        }
        let target = end.next_multiple_of(u64::from(self.options.preallocate_bytes.max(1)));
        // If it cannot be done, writing tells whether there is room.
        if self.segments.file(active.number)?.preallocate(target).is_ok() {
            self.active = Some(Active { allocated: target, ..active });
        }
        Ok(())
    }

    /// After a write that failed: a full disk gets back what was written of it, any other one is not trusted with
    /// this file any more.
    fn undo_write(&mut self, active: Active, offset: u64, error: &io::Error) {
        let cut = is_full(error)
            && self.segments.file(active.number).and_then(|file| file.truncate(offset)).is_ok();
        if cut {
            self.active = Some(Active { allocated: offset, ..active });
        } else {
            self.is_broken = true;
        }
    }

    fn apply_from(&mut self, from: usize) {
        let unsynced = &self.segments.unsynced;
        let mut offset = unsynced.start + (from + GROUP_HEADER_BYTES) as u64;
        let mut rest = &unsynced.bytes[from + GROUP_HEADER_BYTES..];
        while let Some(entry) = RawEntry::parse(rest) {
            let length = entry.bytes.len();
            let location =
                Location { segment: unsynced.segment, offset: offset as u32, length: length as u32 };
            self.index.apply(&entry, location);
            offset += length as u64;
            rest = &rest[length..];
        }
        self.index.drop_released();
    }

    pub(crate) fn sync_now(&mut self) -> io::Result<()> {
        self.repair()?;
        if let Some(active) = self.active
            && !self.segments.unsynced.bytes.is_empty()
        {
            self.figures.syncs += 1;
            let synced = self.segments.file(active.number).and_then(DiskFile::sync_data);
            self.trust(synced)?;
        }
        if self.directory_is_dirty {
            let synced = self.segments.disk.sync_directory();
            self.trust(synced)?;
            self.directory_is_dirty = false;
        }
        self.synced_through = self.next_group - 1;
        let end = self.segments.newest().map_or(0, |newest| newest.end);
        let unsynced = &mut self.segments.unsynced;
        unsynced.bytes.clear();
        unsynced.bytes.shrink_to(2 * self.options.unsynced_bytes_max);
        unsynced.start = end;
        self.remove_obsolete();
        Ok(())
    }

    /// A file whose sync failed is never synced again: what was written to it may be lost although the next sync
    /// would succeed.
    fn trust(&mut self, result: io::Result<()>) -> io::Result<()> {
        self.is_broken |= result.is_err();
        result
    }

    /// Removes segments that a durable group has declared useless.
    fn remove_obsolete(&mut self) {
        while let Some(oldest) = self.segments.oldest().map(|segment| segment.number)
            && oldest < self.announced_oldest
        {
            // If it cannot be removed now, it is tried again after the next sync.
            if self.segments.retire(oldest, u64::from(self.options.preallocate_bytes)).is_err() {
                return;
            }
            self.window.clear();
        }
    }

    /// Leaves a segment that has failed: writes everything in it that is not durable to a new one.
    pub(crate) fn repair(&mut self) -> io::Result<()> {
        if !self.is_broken {
            return Ok(());
        }
        let old = self.active.take();
        let (old_segment, old_start) = (self.segments.unsynced.segment, self.segments.unsynced.start);
        if !self.segments.unsynced.bytes.is_empty() {
            // If nothing in the old segment was durable, it is going to be removed.
            let is_empty = old_start <= SEGMENT_HEADER_BYTES as u64;
            let (old_seed, number) = (self.seed, self.next_segment);
            self.seal(Seed::new(self.salt, number), is_empty.then_some((old_segment, number)));
            let begun = self.begin_segment(self.synced_through + 1).and_then(|()| self.write_unsynced(0));
            if let Err(error) = begun {
                self.seal(old_seed, None);
                self.undo_repair(old, old_segment, old_start);
                return Err(error);
            }
            self.relocate_unsynced(old_segment, old_start);
        }
        self.is_broken = false;
        self.window.clear();
        self.give_up(old_segment, old_start);
        Ok(())
    }

    /// Gives all unsynced groups the checksums that they have in another segment. Groups that name the first segment
    /// of `replaced` as the oldest, or one with which the same was tried before, name the second one.
    fn seal(&mut self, seed: Seed, replaced: Option<(u32, u32)>) {
        let bytes = &mut self.segments.unsynced.bytes;
        let mut at = 0;
        while let Some(mut header) = GroupHeader::parse(&bytes[at..], self.seed) {
            let end = at + header.frame_bytes() as usize;
            let entries = &mut bytes[at + GROUP_HEADER_BYTES..end];
            header.entries_crc = seal_entries(entries, seed, header.number).get();
            if let Some((_, new)) = replaced.filter(|(old, _)| header.oldest_segment >= *old) {
                header.oldest_segment = new;
            }
            bytes[at..at + GROUP_HEADER_BYTES].copy_from_slice(&header.encode(seed));
            at = end;
        }
        if let Some((_, new)) = replaced.filter(|(old, _)| self.announced_oldest >= *old) {
            self.announced_oldest = new;
        }
        self.seed = seed;
    }

    /// The new segment has failed too.
    fn undo_repair(&mut self, old: Option<Active>, old_segment: u32, old_start: u64) {
        if let Some(failed) = self.active
            && failed.number != old_segment
        {
            // Even if the file is left, its number is not used again.
            let _ = self.segments.remove(failed.number);
            self.segments.forget(failed.number);
        }
        self.active = old;
        (self.segments.unsynced.segment, self.segments.unsynced.start) = (old_segment, old_start);
        self.is_broken = true;
    }

    /// Lets the index know that the unsynced bytes stand in another segment now.
    fn relocate_unsynced(&mut self, old_segment: u32, old_start: u64) {
        let unsynced = &self.segments.unsynced;
        let mut at = 0;
        while let Some(header) = GroupHeader::parse(&unsynced.bytes[at..], self.seed) {
            let group_end = at + header.frame_bytes() as usize;
            at += GROUP_HEADER_BYTES;
            while at < group_end
                && let Some(entry) = RawEntry::parse(&unsynced.bytes[at..group_end])
            {
                let length = entry.bytes.len() as u32;
                let old = Location { segment: old_segment, offset: (old_start + at as u64) as u32, length };
                let offset = (unsynced.start + at as u64) as u32;
                self.index.relocate(entry.key, old, Location { segment: unsynced.segment, offset, length });
                at += length as usize;
            }
        }
    }

    /// Cuts what has been written elsewhere off a segment that has failed.
    fn give_up(&mut self, segment: u32, end: u64) {
        if end <= SEGMENT_HEADER_BYTES as u64 {
            if self.segments.remove(segment).is_err() {
                self.segments.forget(segment);
            }
            return;
        }
        if let Ok(file) = self.segments.file(segment) {
            let _ = file.truncate(end);
        }
        self.segments.set_end(segment, end);
    }
}

impl Frame {
    /// Adds an entry, with the checksum that it has in the segment of this seed.
    pub(crate) fn add(&mut self, bytes: &mut Vec<u8>, seed: Seed, entry: &RawEntry<'_>) {
        let start = bytes.len();
        bytes.extend_from_slice(entry.bytes);
        let crc = seed.entry_crc(entry.bytes);
        bytes[start..start + 4].copy_from_slice(&crc.to_le_bytes());
        self.crc.add(crc);
        self.entries += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries == 0
    }
}

/// Gives all entries of a group the checksums that they have in the segment of this seed.
fn seal_entries(mut entries: &mut [u8], seed: Seed, group: u64) -> EntriesCrc {
    let mut crc = EntriesCrc::new(group);
    while let Some(length) = RawEntry::parse(entries).map(|entry| entry.bytes.len()) {
        let (entry, rest) = entries.split_at_mut(length);
        let entry_crc = seed.entry_crc(entry);
        entry[..4].copy_from_slice(&entry_crc.to_le_bytes());
        crc.add(entry_crc);
        entries = rest;
    }
    crc
}

/// Whether there was no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
