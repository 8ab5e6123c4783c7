//! What stands in a segment besides entries: one header of its own, and one for each group of entries.

use crate::entry::{u32_at, u64_at};

/// Version of the format of a data directory.
pub(crate) const FORMAT_VERSION: u32 = 1;

pub(crate) const SEGMENT_HEADER_BYTES: usize = 44;
pub(crate) const GROUP_HEADER_BYTES: usize = 40;

/// No log lives long enough to have more.
const SEGMENT_NUMBER_MAX: u32 = 1 << 30;
const GROUP_NUMBER_MAX: u64 = 1 << 62;

const SEGMENT_MAGIC: [u8; 8] = *b"FERRYLOG";
const GROUP_MAGIC: [u8; 4] = *b"\x93FYG";

/// The first bytes of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) version: u32,
    pub(crate) number: u32,
    pub(crate) salt: u64,
    /// The first group in it. All groups before this one were durable before the segment was begun.
    pub(crate) first_group: u64,
    /// Where that begins: behind this header, unless something damaged is between.
    pub(crate) first_offset: u32,
    /// Up to where the file may have remains of another segment, which it was before.
    pub(crate) reused_bytes: u32,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..8].copy_from_slice(&SEGMENT_MAGIC);
        bytes[8..12].copy_from_slice(&self.version.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.first_group.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.first_offset.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.reused_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..40]);
        bytes[40..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..SEGMENT_HEADER_BYTES)?;
        if bytes[..8] != SEGMENT_MAGIC || crc32c::crc32c(&bytes[..40]) != u32_at(bytes, 40) {
            return None;
        }
        let header = Self {
            version: u32_at(bytes, 8),
            number: u32_at(bytes, 12),
            salt: u64_at(bytes, 16),
            first_group: u64_at(bytes, 24),
            first_offset: u32_at(bytes, 32),
            reused_bytes: u32_at(bytes, 36),
        };
        let is_sound = (1..=GROUP_NUMBER_MAX).contains(&header.first_group)
            && header.first_offset as usize >= SEGMENT_HEADER_BYTES;
        (is_sound || header.version != FORMAT_VERSION).then_some(header)
    }
}

/// What the checksums of groups and entries of a segment begin with. Who does not know the salt cannot make a payload
/// that looks like a part of the log; and what a file has from when it was another segment does not look so, either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    pub(crate) fn new(salt: u64, segment: u32) -> Self {
        Self(crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), &segment.to_le_bytes()))
    }

    /// The checksum of an entry; `bytes` is the whole of it, with room for the checksum.
    pub(crate) fn entry_crc(self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.0, &bytes[4..])
    }
}

/// The checksum of the checksums of a group's entries: tells whether they are the ones that were written together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntriesCrc(u32);

impl EntriesCrc {
    pub(crate) fn new(group: u64) -> Self {
        Self(crc32c::crc32c(&group.to_le_bytes()))
    }

    pub(crate) fn add(&mut self, entry_crc: u32) {
        self.0 = crc32c::crc32c_append(self.0, &entry_crc.to_le_bytes());
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

/// What stands before the entries of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    /// Bytes of all entries.
    pub(crate) body_length: u32,
    /// Number of entries.
    pub(crate) entries: u32,
    /// See [`EntriesCrc`].
    pub(crate) entries_crc: u32,
    /// Groups are numbered without gaps.
    pub(crate) number: u64,
    /// The newest group that was durable when this one was written.
    pub(crate) synced_through: u64,
    /// Once this group is durable, all segments before this one are of no use.
    pub(crate) oldest_segment: u32,
}

impl GroupHeader {
    pub(crate) fn encode(&self, seed: Seed) -> [u8; GROUP_HEADER_BYTES] {
        let mut bytes = [0; GROUP_HEADER_BYTES];
        bytes[..4].copy_from_slice(&GROUP_MAGIC);
        bytes[4..8].copy_from_slice(&self.body_length.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.entries.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.entries_crc.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.synced_through.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.oldest_segment.to_le_bytes());
        let crc = crc32c::crc32c_append(seed.0, &bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8], seed: Seed) -> Option<Self> {
        let bytes = bytes.get(..GROUP_HEADER_BYTES)?;
        if bytes[..4] != GROUP_MAGIC || crc32c::crc32c_append(seed.0, &bytes[..36]) != u32_at(bytes, 36) {
            return None;
        }
        let header = Self {
            body_length: u32_at(bytes, 4),
            entries: u32_at(bytes, 8),
            entries_crc: u32_at(bytes, 12),
            number: u64_at(bytes, 16),
            synced_through: u64_at(bytes, 24),
            oldest_segment: u32_at(bytes, 32),
        };
        let is_sound = header.synced_through < header.number && header.number <= GROUP_NUMBER_MAX;
        is_sound.then_some(header)
    }

    /// Whether these bytes may have been the header of this group, but for a part of it.
    pub(crate) fn resembles(bytes: &[u8], number: u64) -> bool {
        bytes.starts_with(&GROUP_MAGIC) || bytes.len() >= 24 && u64_at(bytes, 16) == number
    }

    /// Bytes of the group, with this header.
    pub(crate) fn frame_bytes(&self) -> u64 {
        GROUP_HEADER_BYTES as u64 + u64::from(self.body_length)
    }
}

/// Where the next group header may begin in `bytes`, which is where its first byte stands.
pub(crate) fn find_group_magic(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == GROUP_MAGIC[0])?;
        let candidate = &bytes[at..];
        if candidate.len() < GROUP_MAGIC.len() || candidate.starts_with(&GROUP_MAGIC) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The name of a segment.
pub(crate) fn segment_name(number: u32) -> String {
    format!("log/{number:020}.log")
}

/// The number of the segment that has this name.
pub(crate) fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("log/")?.strip_suffix(".log")?;
    let number = digits.parse().ok()?;
    (1..=SEGMENT_NUMBER_MAX)
        .contains(&number)
        .then_some(number)
        .filter(|number| segment_name(*number) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_out_as_they_went_in_and_not_if_a_bit_is_flipped() {
        let segment = SegmentHeader {
            version: 1,
            number: 7,
            salt: 99,
            first_group: 12,
            first_offset: 44,
            reused_bytes: 9,
        };
        let seed = Seed::new(99, 7);
        let group = GroupHeader {
            body_length: 1,
            entries: 2,
            entries_crc: 3,
            number: 5,
            synced_through: 4,
            oldest_segment: 6,
        };
        let (segment_bytes, group_bytes) = (segment.encode(), group.encode(seed));
        assert_eq!(SegmentHeader::parse(&segment_bytes), Some(segment));
        assert_eq!(GroupHeader::parse(&group_bytes, seed), Some(group));
        assert_eq!(GroupHeader::parse(&group_bytes, Seed::new(98, 7)), None);
        assert_eq!(GroupHeader::parse(&group_bytes, Seed::new(99, 8)), None);
        for bit in 0..8 * GROUP_HEADER_BYTES.min(SEGMENT_HEADER_BYTES) {
            let (mut segment_bytes, mut group_bytes) = (segment_bytes, group_bytes);
            segment_bytes[bit / 8] ^= 1 << (bit % 8);
            group_bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::parse(&segment_bytes), None);
            assert_eq!(GroupHeader::parse(&group_bytes, seed), None);
        }
    }

    #[test]
    fn segments_have_names_of_twenty_digits() {
        assert_eq!(segment_name(7), "log/00000000000000000007.log");
        assert_eq!(segment_number("log/00000000000000000007.log"), Some(7));
        for name in ["log/7.log", "log/00000000000000000000.log", "log/99999999999999999999.log", "FORMAT"] {
            assert_eq!(segment_number(name), None, "{name}");
        }
    }

    #[test]
    fn a_magic_that_may_go_on_is_found() {
        assert_eq!(find_group_magic(b"ab\x93FYGx"), Some(2));
        assert_eq!(find_group_magic(b"\x93F\x93FY"), Some(2));
        assert_eq!(find_group_magic(b"\x93FYx"), None);
    }
}
