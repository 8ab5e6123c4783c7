//! Going through all segments at the start: what can be used, and what cannot.

use std::collections::VecDeque;
use std::io;

use super::frame::{
    EntriesCrc, GROUP_HEADER_BYTES, GroupHeader, Seed, SegmentHeader, find_group_magic, segment_name,
};
use super::index::{Index, Location};
use super::report::{Problem, ProblemKind, RecoveryReport};
use super::segments::Segments;
use super::window::Window;
use crate::entry::{ENTRY_HEADER_BYTES, Kind, RawEntry, entry_length};
use crate::{Disk, Key};

/// Bytes looked at when searching for a header.
const SEARCH_BYTES: u64 = 64 * 1024;

/// Bytes of which checksums are computed only to find the next entry behind a damaged one, in all.
const RESYNC_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Missing segments of one gap that are reported.
pub(crate) const MISSING_SEGMENTS_MAX: usize = 100;

/// A file of the log, before its groups are read.
pub(crate) struct SegmentFile {
    pub(crate) number: u32,
    pub(crate) length: u64,
    /// None if it is damaged.
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) salt: u64,
    pub(crate) seed: Seed,
    /// It was to be used again when the power failed: there is nothing in it yet.
    pub(crate) is_reused: bool,
}

/// From where on a segment is of no use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
}

/// Where a file's groups begin.
#[derive(Clone, Copy)]
pub(crate) struct First {
    pub(crate) at: u64,
    /// The number of the first group.
    pub(crate) group: u64,
    /// There is a group, not only a header that says so.
    is_there: bool,
}

/// One change of a group that is being read.
struct Change {
    kind: Kind,
    key: Key,
    shared: Option<Key>,
    location: Location,
}

pub(crate) struct Scan<'a, D: Disk> {
    pub(crate) segments: &'a mut Segments<D>,
    pub(crate) index: &'a mut Index,
    pub(crate) report: &'a mut RecoveryReport,
    pub(crate) progress: &'a mut dyn FnMut(u64, u64),
    pub(crate) files: &'a [SegmentFile],
    window: Window,
    /// By file; none if nothing says so.
    pub(crate) firsts: Vec<Option<First>>,
    /// The number that the next group must have; unknown before the first one.
    next_group: Option<u64>,
    /// What the last group said about the oldest segment of use.
    pub(crate) oldest_segment: u32,
    /// From where on segments have only what stands in later ones too.
    pub(crate) superseded: Vec<Cut>,
    /// The last segment ends behind a group, so that another one can follow.
    pub(crate) can_go_on: bool,
    /// Something that had been durable is not as it was.
    pub(crate) is_damaged: bool,
    /// Whether the last group was an empty one.
    pub(crate) is_marked: bool,
    /// The newest group of which another one says that it is durable.
    synced_through: u64,
    /// Groups of the present segment of which none says so, with where they begin.
    unsynced: VecDeque<(u64, u64)>,
    /// All groups up to this one had been durable: looked for when damage is met, once in each file.
    durable_through: Option<(usize, u64)>,
    changes: Vec<Change>,
    /// Places of the present group that cannot be used: offset and length.
    damaged: Vec<(u64, u64)>,
    resync_bytes: u64,
    bytes_total: u64,
    bytes_done: u64,
}

/// What comes at a place where a group may begin.
enum Place {
    Group(GroupHeader),
    /// A later group: those between are not there.
    Gap(GroupHeader),
    /// What follows stands in the next segment too.
    Superseded,
    End,
    Damaged,
}

/// How to go on behind a place.
enum Step {
    Next(u64),
    End,
    Cut,
}

impl<'a, D: Disk> Scan<'a, D> {
    pub(crate) fn new(
        segments: &'a mut Segments<D>,
        index: &'a mut Index,
        report: &'a mut RecoveryReport,
        progress: &'a mut dyn FnMut(u64, u64),
        files: &'a [SegmentFile],
    ) -> Self {
        let bytes_total = files.iter().map(|file| file.length).sum();
        Self {
            segments,
            index,
            report,
            progress,
            files,
            window: Window::default(),
            firsts: Vec::new(),
            next_group: None,
            oldest_segment: 0,
            superseded: Vec::new(),
            can_go_on: true,
            is_damaged: false,
            is_marked: true,
            synced_through: 0,
            unsynced: VecDeque::new(),
            durable_through: None,
            changes: Vec::new(),
            damaged: Vec::new(),
            resync_bytes: 0,
            bytes_total,
            bytes_done: 0,
        }
    }

    /// The number of the next group to be written.
    pub(crate) fn next_group(&self) -> u64 {
        self.next_group.unwrap_or(1)
    }

    /// From where on nothing says that the last segment was durable, if it has such a place.
    pub(crate) fn unsynced_from(&self) -> Option<u64> {
        self.unsynced.front().map(|(_, at)| *at)
    }

    /// Goes through all segments, and lets what is in them have its effect on the index. Returns from where on it
    /// was never durable, if there is such a place.
    pub(crate) fn run(&mut self) -> io::Result<Option<Cut>> {
        for position in 0..self.files.len() {
            let first = self.find_first(position)?;
            self.firsts.push(first);
        }
        for position in 0..self.files.len() {
            let cut = self.scan_segment(position)?;
            self.bytes_done += self.files[position].length;
            (self.progress)(self.bytes_done, self.bytes_total);
            if let Some(offset) = cut {
                self.report_cut(position, offset)?;
                return Ok(Some(Cut { segment: self.files[position].number, offset }));
            }
        }
        Ok(None)
    }

    fn find_first(&mut self, position: usize) -> io::Result<Option<First>> {
        let Some(header) = self.files[position].header else {
            let found = self.find_header(position, 0, 0)?;
            return Ok(found.map(|(at, header)| First { at, group: header.number, is_there: true }));
        };
        let (at, group) = (u64::from(header.first_offset), header.first_group);
        let is_there =
            self.header_at(position, at)?.is_some() || self.find_header(position, at, 0)?.is_some();
        Ok(Some(First { at, group, is_there }))
    }

    /// The first group that is in a later file: from it on, a file has only what was written again.
    fn limit(&self, position: usize) -> Option<u64> {
        let mut later = self.firsts[position + 1..].iter().flatten();
        later.find(|first| first.is_there).map(|first| first.group)
    }

    fn report_cut(&mut self, position: usize, offset: u64) -> io::Result<()> {
        let length = self.end_of_data(position, offset)? - offset;
        let group = self.next_group();
        self.problem(position, offset, length, ProblemKind::TornTail { group });
        for later in position + 1..self.files.len() {
            let length = self.end_of_data(later, 0)?;
            if length > 0 {
                self.problem(later, 0, length, ProblemKind::TornTail { group });
            }
        }
        Ok(())
    }

    fn problem(&mut self, position: usize, offset: u64, length: u64, kind: ProblemKind) {
        self.is_damaged |= !matches!(kind, ProblemKind::TornTail { .. });
        let file = segment_name(self.files[position].number);
        self.report.add(Problem { file, offset, length, kind });
    }

    /// Returns from where on the segment has to be cut, if so.
    fn scan_segment(&mut self, position: usize) -> io::Result<Option<u64>> {
        let (number, length) = (self.files[position].number, self.files[position].length);
        let Some(first) = self.firsts[position] else {
            return self.skip_unusable(position);
        };
        if !first.is_there && self.next_group.is_some_and(|expected| first.group < expected) {
            // What was to be written here again never was.
            self.segments.set_end(number, 0);
            return Ok(None);
        }
        let has_header = self.files[position].header.is_some();
        // Without a header it is not known what stood before this group; that does not matter if it was durable.
        if !has_header && self.durable_through(position, 0)? < first.group {
            if self.limit(position).is_some_and(|limit| limit <= first.group) {
                self.segments.set_end(number, 0);
                return Ok(None);
            }
            return Ok(Some(0));
        }
        self.note_gap(position, first.group);
        if !has_header {
            self.problem(position, 0, first.at, ProblemKind::DamagedSegmentHeader);
        }
        self.report.segments += 1;
        self.unsynced.clear();
        self.can_go_on = first.at <= length;
        self.segments.set_start(number, first.at);
        self.scan_groups(position, first.at)
    }

    fn scan_groups(&mut self, position: usize, start: u64) -> io::Result<Option<u64>> {
        let (number, length) = (self.files[position].number, self.files[position].length);
        let limit = self.limit(position);
        let mut at = start;
        loop {
            match self.step(position, at, limit)? {
                Step::Next(next) => at = next,
                Step::End => break,
                // Of a segment without any group nothing is kept.
                Step::Cut => return Ok(Some(if at == start { 0 } else { at })),
            }
            (self.progress)(self.bytes_done + at, self.bytes_total);
        }
        self.report.bytes += at;
        self.segments.set_end(number, at.min(length));
        Ok(None)
    }

    fn step(&mut self, position: usize, at: u64, limit: Option<u64>) -> io::Result<Step> {
        let SegmentFile { number, length, .. } = self.files[position];
        Ok(match self.place(position, at, limit)? {
            Place::End => Step::End,
            Place::Superseded => {
                if self.end_of_data(position, at)? > at {
                    self.superseded.push(Cut { segment: number, offset: at });
                }
                Step::End
            }
            Place::Group(header) => match self.read_group(position, at, &header)? {
                Some(end) => {
                    self.can_go_on = end <= length;
                    Step::Next(end)
                }
                None => Step::Cut,
            },
            Place::Gap(header) => {
                let durable_end = self.durable_through(position, at)? + 1;
                self.lose_groups(position, at, 0, header.number.min(durable_end));
                if durable_end < header.number { Step::Cut } else { Step::Next(at) }
            }
            Place::Damaged if self.is_remains(position, at)? || self.is_elsewhere(position, at)? => {
                self.superseded.push(Cut { segment: number, offset: at });
                Step::End
            }
            Place::Damaged if !self.is_durable(position, at)? => Step::Cut,
            Place::Damaged => {
                self.can_go_on = false;
                self.skip_damage(position, at, limit)?.map_or(Step::Cut, Step::Next)
            }
        })
    }

    /// A segment begins with group `first`, and an earlier one is expected.
    fn note_gap(&mut self, position: usize, first: u64) {
        let expected = *self.next_group.get_or_insert(first);
        if first <= expected {
            // Nothing from this group on has been taken from earlier segments.
            self.next_group = Some(first);
            return;
        }
        let before = position.saturating_sub(1);
        let missing = self.files[before].number + 1..self.files[position].number;
        for number in missing.take(MISSING_SEGMENTS_MAX) {
            let file = segment_name(number);
            self.report.add(Problem { file, offset: 0, length: 0, kind: ProblemKind::MissingSegment });
        }
        let end = self.segments.get(self.files[before].number).map_or(0, |segment| segment.end);
        self.lose_groups(before, end, 0, first);
    }

    /// Everything up to group `next` is not there.
    fn lose_groups(&mut self, position: usize, offset: u64, length: u64, next: u64) {
        let first = self.next_group();
        if next > first {
            self.problem(position, offset, length, ProblemKind::LostGroups { first, count: next - first });
        } else if length > 0 {
            self.problem(position, offset, length, ProblemKind::DamagedEntries { group: first });
        }
        self.next_group = Some(next.max(first));
        self.is_marked = false;
    }

    /// No group in the segment can be found.
    fn skip_unusable(&mut self, position: usize) -> io::Result<Option<u64>> {
        let mut length = self.end_of_data(position, 0)?;
        let next = self.limit(position);
        if next.is_some_and(|next| next <= self.next_group()) {
            // The log goes on without it.
            self.segments.set_end(self.files[position].number, length);
            return Ok(None);
        }
        if length > 0 && !self.is_durable(position, 0)? {
            if !self.files[position].is_reused {
                return Ok(Some(0));
            }
            length = 0;
        }
        if length > 0 {
            self.problem(position, 0, length, ProblemKind::UnusableSegment);
            self.salvage(position, 0, length)?;
        }
        self.segments.set_end(self.files[position].number, length);
        Ok(None)
    }

    fn place(&mut self, position: usize, at: u64, limit: Option<u64>) -> io::Result<Place> {
        let header = self.header_at(position, at)?;
        let expected = *self.next_group.get_or_insert(header.map_or(1, |header| header.number));
        Ok(match header {
            _ if limit.is_some_and(|limit| expected >= limit) => Place::Superseded,
            Some(header) if limit.is_some_and(|limit| header.number >= limit) => Place::Superseded,
            Some(header) if header.number == expected => Place::Group(header),
            Some(header) if header.number > expected => Place::Gap(header),
            _ if self.end_of_data(position, at)? == at => Place::End,
            _ => Place::Damaged,
        })
    }

    /// Whether what is here is what the file had when it was another segment: it must be possible, and nothing may
    /// look as if a group had been begun here, or had been behind it.
    fn is_remains(&mut self, position: usize, at: u64) -> io::Result<bool> {
        let SegmentFile { number, length, header, .. } = self.files[position];
        if header.is_none_or(|header| at >= u64::from(header.reused_bytes)) {
            return Ok(false);
        }
        let group = self.next_group();
        let bytes = self.window.get(self.segments, number, at, GROUP_HEADER_BYTES as u64, length)?;
        if GroupHeader::resembles(bytes, group) || self.is_durable(position, at)? {
            return Ok(false);
        }
        Ok(self.find_header(position, at, 0)?.is_none())
    }

    /// Whether the next group, which was durable, is in a later file: one begins with it, and it was there before that one
    /// was followed by another. So what is damaged is there, and here is nothing of use.
    fn is_elsewhere(&mut self, position: usize, at: u64) -> io::Result<bool> {
        let group = self.next_group();
        let mut later = self.files[position + 1..].iter().filter_map(|file| file.header);
        Ok(later.any(|header| header.first_group <= group) && self.is_durable(position, at)?)
    }

    /// Reads a group and lets it have its effect. Returns where it ends; `None` if it is not whole and was never
    /// durable.
    fn read_group(&mut self, position: usize, at: u64, header: &GroupHeader) -> io::Result<Option<u64>> {
        let length = self.files[position].length;
        let body = at + GROUP_HEADER_BYTES as u64;
        let end = at + header.frame_bytes();
        self.changes.clear();
        self.damaged.clear();
        let crc = self.read_entries(position, body, end.min(length), header.number)?;
        if end > length {
            self.damaged.push((length, end - length));
        }
        let is_whole = self.damaged.is_empty()
            && self.changes.len() == header.entries as usize
            && crc.get() == header.entries_crc;
        if !is_whole {
            if !self.is_durable(position, at)? {
                return Ok(None);
            }
            if self.damaged.is_empty() {
                self.damaged.push((body, 0));
            }
            for (offset, length) in std::mem::take(&mut self.damaged) {
                self.problem(position, offset, length, ProblemKind::DamagedEntries { group: header.number });
            }
        }
        self.apply();
        self.report.groups += 1;
        self.is_marked = header.entries == 0;
        self.synced_through = self.synced_through.max(header.synced_through);
        self.unsynced.push_back((header.number, at));
        while self.unsynced.front().is_some_and(|(number, _)| *number <= self.synced_through) {
            self.unsynced.pop_front();
        }
        self.oldest_segment = self.oldest_segment.max(header.oldest_segment);
        self.next_group = Some(header.number + 1);
        Ok(Some(end))
    }

    fn apply(&mut self) {
        self.report.records += self.changes.len() as u64;
        for change in self.changes.drain(..) {
            self.index.apply_change(change.kind, change.key, change.shared, change.location);
        }
    }

    /// Reads entries from `at` to `end` as changes and damaged places.
    fn read_entries(&mut self, position: usize, mut at: u64, end: u64, group: u64) -> io::Result<EntriesCrc> {
        let mut crc = EntriesCrc::new(group);
        while at < end {
            if let Some((change, entry_crc)) = self.entry_at(position, at, end)? {
                at += u64::from(change.location.length);
                crc.add(entry_crc);
                self.changes.push(change);
            } else {
                let next = self.next_entry(position, at, end)?;
                self.damaged.push((at, next - at));
                at = next;
            }
        }
        Ok(crc)
    }

    /// The undamaged entry at a place.
    fn entry_at(&mut self, position: usize, at: u64, end: u64) -> io::Result<Option<(Change, u32)>> {
        let SegmentFile { number, seed, .. } = self.files[position];
        let Some(length) = self.entry_length_at(position, at, end)? else { return Ok(None) };
        let bytes = self.window.get(self.segments, number, at, length, self.files[position].length)?;
        let Some(entry) = RawEntry::parse(bytes) else { return Ok(None) };
        if entry.crc != seed.entry_crc(entry.bytes) {
            return Ok(None);
        }
        let location = Location { segment: number, offset: at as u32, length: length as u32 };
        let change = Change { kind: entry.kind, key: entry.key, shared: entry.shared, location };
        Ok(Some((change, entry.crc)))
    }

    /// How long the entry at a place says it is, if it may be one.
    fn entry_length_at(&mut self, position: usize, at: u64, end: u64) -> io::Result<Option<u64>> {
        let (number, file_length) = (self.files[position].number, self.files[position].length);
        let bytes = self.window.get(self.segments, number, at, ENTRY_HEADER_BYTES as u64, file_length)?;
        let length = entry_length(bytes).map(|length| length as u64);
        Ok(length.filter(|length| at + length <= end && at + length <= u64::from(u32::MAX)))
    }

    /// Where the next undamaged entry after what is at `at` is; `end` if there is none. The length that the damaged one
    /// says it has is believed only if nothing is before: it may be what is damaged.
    fn next_entry(&mut self, position: usize, at: u64, end: u64) -> io::Result<u64> {
        let told = self.entry_length_at(position, at, end)?.map(|length| at + length);
        let end = match told {
            Some(next) if self.entry_at(position, next, end)?.is_some() => next,
            _ => end,
        };
        for next in at + 1..end {
            let Some(length) = self.entry_length_at(position, next, end)? else { continue };
            self.resync_bytes += length;
            if self.resync_bytes > RESYNC_BYTES_MAX {
                break;
            }
            if self.entry_at(position, next, end)?.is_some() {
                return Ok(next);
            }
        }
        Ok(end)
    }

    /// Goes past a damaged place in something durable, and uses the entries that are whole. Returns where the next
    /// group begins; `None` if some in between were never durable.
    fn skip_damage(&mut self, position: usize, at: u64, limit: Option<u64>) -> io::Result<Option<u64>> {
        let next = self.find_header(position, at + 1, self.next_group())?;
        let next = next.filter(|(_, header)| limit.is_none_or(|limit| header.number < limit));
        let durable_end = self.durable_through(position, at)? + 1;
        let (end, next_group) = match next {
            Some((end, header)) => (end, header.number),
            None => (self.end_of_data(position, at)?, limit.unwrap_or(durable_end)),
        };
        self.lose_groups(position, at, end - at, next_group.min(durable_end));
        if durable_end < next_group {
            return Ok(None);
        }
        self.salvage(position, at, end)?;
        Ok(Some(end))
    }

    /// Lets entries have their effect that are whole although their group's header is not.
    fn salvage(&mut self, position: usize, at: u64, end: u64) -> io::Result<()> {
        self.changes.clear();
        self.damaged.clear();
        let first = self.next_entry(position, at, end)?;
        self.read_entries(position, first, end, 0)?;
        self.apply();
        Ok(())
    }

    fn header_at(&mut self, position: usize, at: u64) -> io::Result<Option<GroupHeader>> {
        let SegmentFile { number, length, seed, .. } = self.files[position];
        let bytes = self.window.get(self.segments, number, at, GROUP_HEADER_BYTES as u64, length)?;
        Ok(GroupHeader::parse(bytes, seed).filter(|header| header.oldest_segment <= number))
    }

    /// The next header, from `at` on, of a group with this number or a later one.
    fn find_header(
        &mut self,
        position: usize,
        mut at: u64,
        number_min: u64,
    ) -> io::Result<Option<(u64, GroupHeader)>> {
        let SegmentFile { number, length, .. } = self.files[position];
        while at < length {
            let bytes = self.window.get(self.segments, number, at, SEARCH_BYTES, length)?;
            match find_group_magic(bytes) {
                None => at += bytes.len() as u64,
                Some(found) => {
                    at += found as u64;
                    match self.header_at(position, at)? {
                        Some(header) if header.number >= number_min => return Ok(Some((at, header))),
                        _ => at += 1,
                    }
                }
            }
        }
        Ok(None)
    }

    /// Where the zeros at the end of a segment begin, from `at` on.
    fn end_of_data(&mut self, position: usize, at: u64) -> io::Result<u64> {
        let SegmentFile { number, length, .. } = self.files[position];
        let (mut from, mut end) = (at, at);
        while from < length {
            let bytes = self.window.get(self.segments, number, from, SEARCH_BYTES, length)?;
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                end = from + last as u64 + 1;
            }
            from += bytes.len() as u64;
        }
        Ok(end)
    }

    /// Whether the next group had been durable, although it is not as it should be at this place.
    fn is_durable(&mut self, position: usize, at: u64) -> io::Result<bool> {
        Ok(self.next_group() <= self.durable_through(position, at)?)
    }

    /// The newest group that is known to have been durable. Looked for from the first damaged place of a file on:
    /// what is before any place tells nothing about what is behind it.
    fn durable_through(&mut self, position: usize, at: u64) -> io::Result<u64> {
        if let Some((found_in, through)) = self.durable_through
            && (found_in == position || self.next_group() <= through)
        {
            return Ok(through);
        }
        let through = self.find_durable(position, at)?;
        self.durable_through = Some((position, through));
        Ok(through)
    }

    /// The newest group that anything behind this place says was durable.
    fn find_durable(&mut self, position: usize, at: u64) -> io::Result<u64> {
        let headers = self.files[position + 1..].iter().filter_map(|file| file.header);
        if let Some(first_group) = headers.map(|header| header.first_group).max() {
            return Ok(first_group.saturating_sub(1));
        }
        let mut through = 0;
        for later in position..self.files.len() {
            let mut from = if later == position { at } else { 0 };
            while let Some((found, header)) = self.find_header(later, from, 0)? {
                through = through.max(header.synced_through);
                from = found + GROUP_HEADER_BYTES as u64;
            }
        }
        Ok(through)
    }
}
