//! Opening a log: reading what there is, and making the files what they should be.

use std::io;

use super::compaction::Compaction;
use super::error::OpenError;
use super::format_file::{FORMAT_BYTES_MAX, FORMAT_NAME, Format, encode_format, parse_format};
use super::frame::{FORMAT_VERSION, SEGMENT_HEADER_BYTES, Seed, SegmentHeader, segment_name, segment_number};
use super::group::Elision;
use super::index::Index;
use super::report::{Problem, ProblemKind, RecoveryReport};
use super::scan::{Cut, MISSING_SEGMENTS_MAX, Scan, SegmentFile};
use super::segments::{Segments, write_all_at};
use super::window::Window;
use super::writer::Active;
use super::{Log, LogFigures, LogOptions};
use crate::{Disk, DiskFile};

/// What the directory has.
struct Found {
    format: Format,
    segments: Vec<u32>,
}

/// What the scan has made of it.
struct Scanned {
    /// From where on the log was never durable.
    cut: Option<Cut>,
    /// What else is of no use.
    superseded: Vec<Cut>,
    /// What the headers of damaged ones should be, with the number of the segment.
    headers: Vec<SegmentHeader>,
    /// From where on nothing says that the last segment was durable.
    unsynced_from: Option<u64>,
    next_group: u64,
    oldest_segment: u32,
    is_marked: bool,
    /// Another group can follow the last one.
    can_go_on: bool,
    /// Something that had been durable is not as it was.
    is_damaged: bool,
}

pub(crate) fn recover<D: Disk>(
    disk: D,
    options: LogOptions,
    is_read_only: bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Log<D>, RecoveryReport), OpenError> {
    let mut report = RecoveryReport::default();
    let found = find(&disk, &mut report)?;
    if is_read_only && found.format == Format::Missing && found.segments.is_empty() {
        return Err(failed("find", FORMAT_NAME)(io::ErrorKind::NotFound.into()));
    }
    let format = found.format;
    let headers = read_headers(&disk, &found)?;
    let salt = choose_salt(format, &headers, &options);
    let has_log = headers.iter().any(|start| start.length > 0);
    let needs_format = !matches!(format, Format::Ours { .. });
    if needs_format && has_log {
        let file = FORMAT_NAME.to_owned();
        report.add(Problem { file, offset: 0, length: 0, kind: ProblemKind::DamagedFormat });
    }
    let (mut segments, files) = list_segments(disk, &headers, salt);
    let mut index = Index::default();
    let scanned = scan(&mut segments, &mut index, &mut report, progress, &files)?;
    finish(&mut index, &mut report, &files, &scanned);
    let mut log = Log {
        segments,
        index,
        options,
        salt,
        seed: Seed::new(salt, 0),
        active: None,
        next_segment: files.last().map_or(0, |file| file.number) + 1,
        next_group: scanned.next_group,
        synced_through: scanned.next_group - 1,
        announced_oldest: scanned.oldest_segment,
        directory_is_dirty: false,
        is_broken: false,
        is_marked: scanned.is_marked,
        is_read_only,
        compaction: Compaction::default(),
        elision: Elision::default(),
        window: Window::default(),
        figures: LogFigures::default(),
    };
    if !is_read_only {
        if needs_format {
            log.write_format(format)?;
        }
        log.put_in_order(&files, &scanned)?;
        let is_all_there = scanned.is_marked && scanned.cut.is_none() && scanned.superseded.is_empty();
        if scanned.is_damaged && !is_all_there {
            // What told that damaged groups had been durable may have been cut off. If this cannot be written, they
            // may be cut off too, the next time.
            log.is_marked = log.mark().is_ok();
        }
    }
    Ok((log, report))
}

fn failed(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> OpenError {
    let file = file.to_owned();
    move |error| OpenError::Io { action, file, error }
}

fn find<D: Disk>(disk: &D, report: &mut RecoveryReport) -> Result<Found, OpenError> {
    let mut names = disk.list().map_err(failed("list", "the files of the log"))?;
    names.sort_unstable();
    let mut found = Found { format: Format::Missing, segments: Vec::new() };
    for name in names {
        if name == FORMAT_NAME {
            found.format = read_format(disk)?;
        } else if let Some(number) = segment_number(&name) {
            found.segments.push(number);
        } else {
            report.add(Problem { file: name, offset: 0, length: 0, kind: ProblemKind::ForeignFile });
        }
    }
    match found.format {
        Format::Other { version } => {
            Err(OpenError::WrongVersion { found: version, expected: FORMAT_VERSION })
        }
        _ => Ok(found),
    }
}

fn read_format<D: Disk>(disk: &D) -> Result<Format, OpenError> {
    let mut bytes = [0; FORMAT_BYTES_MAX];
    let (read, _) = read_start(disk, FORMAT_NAME, &mut bytes)?;
    Ok(parse_format(&bytes[..read]))
}

/// Reads the first bytes of a file, as many as there are; returns how many, and the length of the file.
fn read_start<D: Disk>(disk: &D, name: &str, bytes: &mut [u8]) -> Result<(usize, u64), OpenError> {
    let mut read = || {
        let file = disk.open(name)?;
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(filled as u64, &mut bytes[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok((filled, file.length()?))
    };
    read().map_err(failed("read", name))
}

/// What the beginning of each segment says.
type Headers = Vec<SegmentStart>;

struct SegmentStart {
    number: u32,
    length: u64,
    header: Option<SegmentHeader>,
    /// It has the header of an older segment, whose file it was to be no more.
    is_reused: bool,
}

fn read_headers<D: Disk>(disk: &D, found: &Found) -> Result<Headers, OpenError> {
    let mut headers = Headers::new();
    for number in &found.segments {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let (read, length) = read_start(disk, &segment_name(*number), &mut bytes)?;
        let header = SegmentHeader::parse(&bytes[..read]);
        if let Some(other) = header.filter(|header| header.version != FORMAT_VERSION) {
            return Err(OpenError::WrongVersion { found: other.version, expected: FORMAT_VERSION });
        }
        headers.push(SegmentStart {
            number: *number,
            length,
            header: header.filter(|header| header.number == *number),
            is_reused: header.is_some_and(|header| header.number < *number),
        });
    }
    Ok(headers)
}

/// The file FORMAT says it, else any segment does; else the log is new.
fn choose_salt(format: Format, headers: &Headers, options: &LogOptions) -> u64 {
    match format {
        Format::Ours { salt } => salt,
        _ => headers.iter().find_map(|start| start.header).map_or(options.salt, |header| header.salt),
    }
}

fn list_segments<D: Disk>(disk: D, headers: &Headers, salt: u64) -> (Segments<D>, Vec<SegmentFile>) {
    let mut segments = Segments::new(disk);
    let mut files = Vec::new();
    for start in headers {
        let SegmentStart { number, length, header, is_reused } = *start;
        let salt = header.map_or(salt, |header| header.salt);
        let seed = Seed::new(salt, number);
        files.push(SegmentFile { number, length, header, salt, seed, is_reused });
        segments.add(number, seed, length, None);
    }
    (segments, files)
}

fn scan<D: Disk>(
    segments: &mut Segments<D>,
    index: &mut Index,
    report: &mut RecoveryReport,
    progress: &mut dyn FnMut(u64, u64),
    files: &[SegmentFile],
) -> Result<Scanned, OpenError> {
    let mut scan = Scan::new(segments, index, report, progress, files);
    let cut = scan.run().map_err(failed("read", "the log"))?;
    let damaged = files.iter().zip(&scan.firsts).filter(|(file, _)| file.header.is_none());
    let headers = damaged.filter_map(|(file, first)| {
        first.map(|first| SegmentHeader {
            version: FORMAT_VERSION,
            number: file.number,
            salt: file.salt,
            first_group: first.group,
            first_offset: first.at as u32,
            // It may have been.
            reused_bytes: u32::try_from(file.length).unwrap_or(u32::MAX),
        })
    });
    Ok(Scanned {
        can_go_on: scan.can_go_on,
        is_damaged: scan.is_damaged,
        headers: headers.collect(),
        cut,
        superseded: std::mem::take(&mut scan.superseded),
        unsynced_from: scan.unsynced_from(),
        next_group: scan.next_group(),
        oldest_segment: scan.oldest_segment,
        is_marked: scan.is_marked && cut.is_none(),
    })
}

/// Forgets what only seems to be there, and completes the report.
fn finish(index: &mut Index, report: &mut RecoveryReport, files: &[SegmentFile], scanned: &Scanned) {
    let oldest = scanned.oldest_segment;
    let first = files.first().map_or(oldest, |file| file.number);
    if first < oldest {
        // Segments that were of no use any more, but not yet removed.
        index.drop_before(oldest);
        report.retain(|problem| segment_number(&problem.file).is_none_or(|number| number >= oldest));
    }
    if oldest > 0 {
        for number in (oldest..first).take(MISSING_SEGMENTS_MAX) {
            let file = segment_name(number);
            report.add(Problem { file, offset: 0, length: 0, kind: ProblemKind::MissingSegment });
        }
    }
    for (key, location) in index.drop_dangling() {
        report.add(Problem {
            file: segment_name(location.segment),
            offset: u64::from(location.offset),
            length: u64::from(location.length),
            kind: ProblemKind::LostReference { key },
        });
    }
    index.drop_released();
    index.shrink();
    report.live_records = index.live_records();
    report.live_bytes = index.live_bytes();
}

impl<D: Disk> Log<D> {
    fn write_format(&mut self, found: Format) -> Result<(), OpenError> {
        let disk = &self.segments.disk;
        let write = || {
            let file = match disk.create(FORMAT_NAME) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    disk.remove(FORMAT_NAME)?;
                    disk.create(FORMAT_NAME)?
                }
                created => created?,
            };
            write_all_at(&file, 0, encode_format(self.salt).as_bytes())?;
            file.sync_data()?;
            disk.sync_directory()
        };
        debug_assert!(!matches!(found, Format::Ours { .. }), "it is only restored");
        write().map_err(failed("write", FORMAT_NAME))
    }

    /// Removes what is of no use, cuts off what was never durable, and makes durable what was read.
    fn put_in_order(&mut self, files: &[SegmentFile], scanned: &Scanned) -> Result<(), OpenError> {
        for file in files {
            let is_behind = scanned.cut.is_some_and(|cut| {
                file.number > cut.segment || file.number == cut.segment && cut.offset == 0
            });
            let end = self.segments.get(file.number).map_or(0, |segment| segment.end);
            if is_behind || end == 0 || file.number < self.announced_oldest {
                let name = segment_name(file.number);
                self.segments.remove(file.number).map_err(failed("remove", &name))?;
            }
        }
        // What is left behind would come to life again when the segment that outdoes it is gone.
        for cut in scanned.superseded.iter().chain(&scanned.cut) {
            if self.segments.get(cut.segment).is_some() {
                self.cut(*cut)?;
            }
        }
        for header in &scanned.headers {
            self.restore_header(header)?;
        }
        if let Some(newest) = self.segments.newest().map(|newest| newest.number) {
            self.make_durable(newest, scanned.unsynced_from)?;
            if scanned.can_go_on {
                self.continue_in(files, newest)?;
            }
        }
        if !files.is_empty() {
            let synced = self.segments.disk.sync_directory();
            synced.map_err(failed("sync", "the directory of the log"))?;
        }
        Ok(())
    }

    /// Without its header, a segment that is not known to be durable would be given up once it is the only one.
    fn restore_header(&mut self, header: &SegmentHeader) -> Result<(), OpenError> {
        let has_room = header.first_offset as usize >= SEGMENT_HEADER_BYTES;
        if !has_room || self.segments.get(header.number).is_none() {
            return Ok(());
        }
        let file = self.segments.file(header.number);
        let restored =
            file.and_then(|file| write_all_at(file, 0, &header.encode()).and_then(|()| file.sync_data()));
        restored.map_err(failed("write", &segment_name(header.number)))
    }

    fn cut(&mut self, cut: Cut) -> Result<(), OpenError> {
        let name = segment_name(cut.segment);
        let file = self.segments.file(cut.segment).map_err(failed("open", &name))?;
        file.truncate(cut.offset).and_then(|()| file.sync_data()).map_err(failed("cut", &name))?;
        self.segments.set_end(cut.segment, cut.offset);
        Ok(())
    }

    /// What was read is said to be durable by groups to come, so it must be. If a sync had failed before the last
    /// process ended, the system would believe that it is, so it is written once more.
    fn make_durable(&mut self, newest: u32, unsynced_from: Option<u64>) -> Result<(), OpenError> {
        let (start, end) = self.segments.get(newest).map_or((0, 0), |segment| (segment.start, segment.end));
        let from = if start == end { Some(end) } else { unsynced_from };
        let mut rewrite = || {
            if let Some(from) = from {
                self.rewrite(newest, 0, SEGMENT_HEADER_BYTES as u64)?;
                self.rewrite(newest, from, end)?;
            }
            self.segments.file(newest)?.sync_data()
        };
        rewrite().map_err(failed("sync", &segment_name(newest)))
    }

    /// Writes what a file has once more.
    fn rewrite(&mut self, segment: u32, from: u64, to: u64) -> io::Result<()> {
        let to = to.min(self.segments.file(segment)?.length()?);
        let mut bytes = vec![0; to.saturating_sub(from) as usize];
        self.segments.read_exact(segment, from, &mut bytes)?;
        write_all_at(self.segments.file(segment)?, from, &bytes)
    }

    /// Writes on in the newest segment, if it is whole.
    fn continue_in(&mut self, files: &[SegmentFile], newest: u32) -> Result<(), OpenError> {
        let header = files.iter().find(|file| file.number == newest).and_then(|file| file.header);
        let is_whole = header.is_some_and(|header| header.salt == self.salt);
        if is_whole && newest + 1 == self.next_segment {
            let name = segment_name(newest);
            let length = self.segments.file(newest).and_then(DiskFile::length);
            let allocated = length.map_err(failed("read", &name))?;
            self.active = Some(Active { number: newest, allocated });
            self.seed = Seed::new(self.salt, newest);
            let end = self.segments.get(newest).map_or(0, |segment| segment.end);
            (self.segments.unsynced.segment, self.segments.unsynced.start) = (newest, end);
        }
        Ok(())
    }
}
