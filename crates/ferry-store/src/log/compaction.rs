//! Copying what is still of use out of the oldest segment, so that it can be removed.
//!
//! Always the oldest: then a delete in it concerns nothing that is still there, and need not be copied.

use std::collections::VecDeque;
use std::io;

use super::frame::{GROUP_HEADER_BYTES, GroupHeader};
use super::index::{Index, Location};
use super::segments::Segments;
use super::window::Window;
use crate::entry::{ENTRY_HEADER_BYTES, Kind, RawEntry, entry_length};
use crate::{Disk, Key};

/// Bytes gone through for each byte appended: more than two are needed when half of them have to be copied.
const READ_PER_APPENDED: u64 = 4;

/// Bytes gone through with each append at least, and at most.
const READ_BYTES_MIN: u64 = 64 * 1024;
const READ_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How far the oldest segment has been gone through.
#[derive(Default)]
pub(crate) struct Compaction {
    segment: u32,
    offset: u64,
    /// Where the entries of the present group end.
    group_end: u64,
    /// What is left to be copied, once a damaged place has been met.
    rest: Option<VecDeque<(Key, Location)>>,
    /// Everything of use has been copied.
    done: bool,
}

/// Entries that were needed and cannot be read.
pub(crate) type Lost = Vec<(Key, Location)>;

impl Compaction {
    /// The segment that is done, if there is one.
    pub(crate) fn done_segment(&self) -> Option<u32> {
        self.done.then_some(self.segment)
    }

    /// Goes on through `segment`, which is the oldest, as far as is due with `appended_bytes`: shows `copy` what is
    /// of use.
    pub(crate) fn advance<D: Disk>(
        &mut self,
        segments: &mut Segments<D>,
        window: &mut Window,
        index: &Index,
        segment: u32,
        appended_bytes: u64,
        copy: &mut dyn FnMut(&RawEntry<'_>),
    ) -> Lost {
        if self.segment != segment {
            let start = segments.get(segment).map_or(0, |segment| segment.start);
            *self = Self { segment, offset: start, group_end: start, ..Self::default() };
        }
        let mut budget = (READ_PER_APPENDED * appended_bytes).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        let end = segments.get(segment).map_or(0, |segment| segment.end);
        while self.rest.is_none() && budget > 0 {
            if self.offset >= end {
                self.done = true;
                return Lost::new();
            }
            match self.step(segments, window, index, end, copy) {
                Ok(Some(read)) => budget = budget.saturating_sub(read),
                Ok(None) | Err(_) => self.rest = Some(list_rest(index, segment, self.offset)),
            }
        }
        self.copy_rest(segments, index, budget, copy)
    }

    /// Goes past one group header or one entry. `None` if there is neither: the place is damaged.
    fn step<D: Disk>(
        &mut self,
        segments: &mut Segments<D>,
        window: &mut Window,
        index: &Index,
        end: u64,
        copy: &mut dyn FnMut(&RawEntry<'_>),
    ) -> io::Result<Option<u64>> {
        let Some(seed) = segments.get(self.segment).map(|segment| segment.seed) else { return Ok(None) };
        let offset = self.offset;
        if offset == self.group_end {
            let bytes = window.get(segments, self.segment, offset, GROUP_HEADER_BYTES as u64, end)?;
            let Some(header) = GroupHeader::parse(bytes, seed) else { return Ok(None) };
            if offset + header.frame_bytes() > end {
                return Ok(None);
            }
            self.offset += GROUP_HEADER_BYTES as u64;
            self.group_end = offset + header.frame_bytes();
            return Ok(Some(GROUP_HEADER_BYTES as u64));
        }
        let bytes = window.get(segments, self.segment, offset, ENTRY_HEADER_BYTES as u64, end)?;
        let Some(length) = entry_length(bytes) else { return Ok(None) };
        if offset + length as u64 > self.group_end {
            return Ok(None);
        }
        let bytes = window.get(segments, self.segment, offset, length as u64, end)?;
        let Some(entry) = RawEntry::parse(bytes).filter(|entry| entry.crc == seed.entry_crc(entry.bytes))
        else {
            return Ok(None);
        };
        let location = Location { segment: self.segment, offset: offset as u32, length: length as u32 };
        let is_put = matches!(entry.kind, Kind::Put | Kind::PutShared | Kind::PutReferring);
        if is_put && index.location(entry.key) == Some(location) {
            copy(&entry);
        }
        self.offset += length as u64;
        Ok(Some(length as u64))
    }

    /// Copies entry by entry. One that cannot be read is lost, or the segment would be kept for ever.
    fn copy_rest<D: Disk>(
        &mut self,
        segments: &mut Segments<D>,
        index: &Index,
        mut budget: u64,
        copy: &mut dyn FnMut(&RawEntry<'_>),
    ) -> Lost {
        let mut lost = Lost::new();
        let Some(rest) = &mut self.rest else { return lost };
        let seed = segments.get(self.segment).map(|segment| segment.seed);
        let mut bytes = Vec::new();
        while budget > 0 {
            let Some((key, location)) = rest.pop_front() else {
                self.done = true;
                break;
            };
            if index.location(key) != Some(location) {
                continue;
            }
            bytes.resize(location.length as usize, 0);
            let read = segments.read_exact(location.segment, u64::from(location.offset), &mut bytes);
            let entry = RawEntry::parse(&bytes)
                .filter(|entry| seed.is_some_and(|seed| seed.entry_crc(entry.bytes) == entry.crc));
            match (read, entry) {
                (Ok(()), Some(entry)) => copy(&entry),
                _ => lost.push((key, location)),
            }
            budget = budget.saturating_sub(u64::from(location.length));
        }
        lost
    }
}

/// Everything of use in a segment, from `offset` on.
fn list_rest(index: &Index, segment: u32, offset: u64) -> VecDeque<(Key, Location)> {
    let mut rest: Vec<(Key, Location)> = index
        .iter()
        .map(|(key, _, location)| (key, location))
        .filter(|(_, location)| location.segment == segment && u64::from(location.offset) >= offset)
        .collect();
    rest.sort_by_key(|(_, location)| location.offset);
    rest.into()
}
