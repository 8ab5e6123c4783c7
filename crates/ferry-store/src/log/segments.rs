//! The files of the log, and reading from them.

use std::io;

use super::frame::{SEGMENT_HEADER_BYTES, Seed, segment_name};
use super::index::Location;
use crate::entry::RawEntry;
use crate::{Disk, DiskFile};

/// Files that are kept open at most: the others are opened when they are read.
const OPEN_FILES_MAX: usize = 64;

/// A file of the log.
pub(crate) struct Segment<F> {
    pub(crate) number: u32,
    pub(crate) seed: Seed,
    /// Where its first group begins.
    pub(crate) start: u64,
    /// Where its last group ends.
    pub(crate) end: u64,
    file: Option<F>,
    /// When the file was last used, counted in uses.
    used: u64,
}

/// What has been written and is not durable yet: frames in the newest segment, byte by byte.
#[derive(Default)]
pub(crate) struct Unsynced {
    pub(crate) segment: u32,
    /// Where in the segment the bytes begin.
    pub(crate) start: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The files of the log, oldest first.
pub(crate) struct Segments<D: Disk> {
    pub(crate) disk: D,
    list: Vec<Segment<D::File>>,
    pub(crate) unsynced: Unsynced,
    uses: u64,
    open: usize,
    ahead: ReadAhead,
    /// A segment of no use, whose file is the next one's. To write over it needs no new places on the disk, which
    /// makes syncs much quicker.
    spare: Option<Spare<D::File>>,
}

/// See [`Segments`].
pub(crate) struct Spare<F> {
    pub(crate) number: u32,
    pub(crate) file: F,
    pub(crate) length: u64,
}

impl<D: Disk> Segments<D> {
    pub(crate) fn new(disk: D) -> Self {
        Self {
            disk,
            list: Vec::new(),
            unsynced: Unsynced::default(),
            uses: 0,
            open: 0,
            ahead: ReadAhead::default(),
            spare: None,
        }
    }

    /// Adds one that is newer than all others.
    pub(crate) fn add(&mut self, number: u32, seed: Seed, end: u64, file: Option<D::File>) {
        debug_assert!(self.list.last().is_none_or(|last| last.number < number), "segments are in order");
        self.uses += 1;
        self.open += usize::from(file.is_some());
        self.list.push(Segment {
            number,
            seed,
            start: SEGMENT_HEADER_BYTES as u64,
            end,
            file,
            used: self.uses,
        });
        self.close_unused();
    }

    pub(crate) fn newest(&mut self) -> Option<&mut Segment<D::File>> {
        self.list.last_mut()
    }

    pub(crate) fn oldest(&self) -> Option<&Segment<D::File>> {
        self.list.first()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Segment<D::File>> {
        self.list.iter()
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        self.list.iter().map(|segment| segment.end).sum()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Segment<D::File>> {
        self.position(number).map(|position| &self.list[position])
    }

    fn position(&self, number: u32) -> Option<usize> {
        self.list.binary_search_by_key(&number, |segment| segment.number).ok()
    }

    /// Removes the file of a segment, and forgets it if that works.
    pub(crate) fn remove(&mut self, number: u32) -> io::Result<()> {
        match self.disk.remove(&segment_name(number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.forget(number);
        Ok(())
    }

    /// Gives up a segment of no use: keeps its file to be used again if it has at least `length_min` bytes and there
    /// is none yet, else removes it.
    pub(crate) fn retire(&mut self, number: u32, length_min: u64) -> io::Result<()> {
        let length = self.get(number).map_or(0, |segment| segment.end);
        if self.spare.is_some() || length < length_min {
            return self.remove(number);
        }
        self.file(number)?;
        if let Some(position) = self.position(number) {
            let segment = self.list.remove(position);
            self.open -= usize::from(segment.file.is_some());
            self.spare = segment.file.map(|file| Spare { number, file, length });
        }
        Ok(())
    }

    pub(crate) fn take_spare(&mut self) -> Option<Spare<D::File>> {
        self.spare.take()
    }

    /// Leaves a segment's file alone from now on.
    pub(crate) fn forget(&mut self, number: u32) {
        if let Some(position) = self.position(number) {
            let segment = self.list.remove(position);
            self.open -= usize::from(segment.file.is_some());
        }
    }

    pub(crate) fn set_start(&mut self, number: u32, start: u64) {
        if let Some(position) = self.position(number) {
            self.list[position].start = start;
        }
    }

    pub(crate) fn set_end(&mut self, number: u32, end: u64) {
        if let Some(position) = self.position(number) {
            self.list[position].end = end;
        }
    }

    /// The file of a segment, opened if need be.
    pub(crate) fn file(&mut self, number: u32) -> io::Result<&D::File> {
        let Some(position) = self.position(number) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, segment_name(number)));
        };
        self.uses += 1;
        self.list[position].used = self.uses;
        if self.list[position].file.is_none() {
            self.list[position].file = Some(self.disk.open(&segment_name(number))?);
            self.open += 1;
            self.close_unused();
        }
        let file = self.list[position].file.as_ref();
        Ok(file.expect("the file used last is not closed"))
    }

    fn close_unused(&mut self) {
        while self.open > OPEN_FILES_MAX {
            let open = self.list.iter_mut().filter(|segment| segment.file.is_some());
            if let Some(segment) = open.min_by_key(|segment| segment.used) {
                segment.file = None;
                self.open -= 1;
            }
        }
    }

    /// Appends the value of the entry at `location` to `out`.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] if it is not what was written there.
    pub(crate) fn read_value(&mut self, location: Location, out: &mut Vec<u8>) -> io::Result<()> {
        let mut ahead = std::mem::take(&mut self.ahead);
        let result = self.read_value_with(&mut ahead, location, out);
        self.ahead = ahead;
        result
    }

    fn read_value_with(
        &mut self,
        ahead: &mut ReadAhead,
        location: Location,
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let seed = self.get(location.segment).map(|segment| segment.seed);
        let bytes = ahead.get(self, location)?;
        let entry = RawEntry::parse(bytes)
            .filter(|entry| seed.is_some_and(|seed| seed.entry_crc(entry.bytes) == entry.crc));
        let Some(entry) = entry else {
            let place = format!("{}: the entry at {}", segment_name(location.segment), location.offset);
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{place} is damaged")));
        };
        out.extend_from_slice(entry.value());
        Ok(())
    }

    /// Up to where the file has what was written, as seen from an entry.
    fn synced_end(&self, location: Location) -> u64 {
        let end = self.get(location.segment).map_or(0, |segment| segment.end);
        let is_before = u64::from(location.offset) < self.unsynced.start;
        if location.segment == self.unsynced.segment && is_before { self.unsynced.start } else { end }
    }

    /// Fills `bytes` from a place in a segment.
    pub(crate) fn read_exact(&mut self, number: u32, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if let Some(unsynced) = self.unsynced.get(number, offset, bytes.len()) {
            bytes.copy_from_slice(unsynced);
            return Ok(());
        }
        let mut filled = 0;
        while filled < bytes.len() {
            let file = self.file(number)?;
            match file.read_at(offset + filled as u64, &mut bytes[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Bytes read ahead at most, and kept.
const READ_AHEAD_BYTES_MAX: u64 = 256 * 1024;

/// What was read last, and more if entries are read one after the other.
#[derive(Default)]
struct ReadAhead {
    segment: u32,
    start: u64,
    bytes: Vec<u8>,
    /// Bytes to be read ahead, more with every entry that follows the one before.
    bytes_ahead: u64,
    /// Where the last entry ended.
    end: u64,
}

impl ReadAhead {
    /// The bytes of an entry.
    fn get<D: Disk>(&mut self, segments: &mut Segments<D>, location: Location) -> io::Result<&[u8]> {
        let (offset, length) = (u64::from(location.offset), u64::from(location.length));
        let held = self.start..self.start + self.bytes.len() as u64;
        let is_held = self.segment == location.segment && held.start <= offset && offset + length <= held.end;
        if !is_held {
            let follows = self.segment == location.segment && offset == self.end;
            self.bytes_ahead = if follows { (8 * self.bytes_ahead).max(4096) } else { 0 };
            self.bytes_ahead = self.bytes_ahead.min(READ_AHEAD_BYTES_MAX);
            let end = segments.synced_end(location);
            let read = length.max(self.bytes_ahead.min(end.saturating_sub(offset)));
            self.bytes.clear();
            self.bytes.shrink_to(READ_AHEAD_BYTES_MAX as usize);
            self.bytes.resize(read as usize, 0);
            (self.segment, self.start) = (location.segment, offset);
            if let Err(error) = segments.read_exact(location.segment, offset, &mut self.bytes) {
                self.bytes.clear();
                return Err(error);
            }
        }
        self.end = offset + length;
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..from + length as usize])
    }
}

impl Unsynced {
    /// The bytes at a place, if they are here. After a failed sync the file need not have them any more.
    fn get(&self, segment: u32, offset: u64, length: usize) -> Option<&[u8]> {
        if segment != self.segment {
            return None;
        }
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..from.checked_add(length)?)
    }
}

/// Writes all of `bytes`.
pub(crate) fn write_all_at(file: &impl DiskFile, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(offset, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                bytes = &bytes[written..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
