//! One change as bytes, the same in a batch and in a segment:
//!
//! ```text
//! crc: u32 | length: u32 | kind: u8 | group: u64 | space and item: u64 | [shared group: u64 | shared space and item: u64] | value
//! ```
//!
//! Little endian. `length` is that of the whole entry. `crc` is the CRC-32C of all that follows it, begun with a
//! seed of the group of entries it is in; it is 0 as long as the entry is in a batch.

use crate::Key;

/// Bytes before the value of an entry that refers to nothing.
pub(crate) const ENTRY_HEADER_BYTES: usize = 25;

/// Bytes that name the shared value of a referring entry.
const REFERENCE_BYTES: usize = 16;

/// Bytes of the longest value.
pub const VALUE_BYTES_MAX: usize = 1 << 29;

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// `key` has this value now.
    Put {
        /// Where.
        key: Key,
        /// What.
        value: &'a [u8],
    },
    /// `key` has this value now, for as long as there is an entry that refers to it.
    PutShared {
        /// Where.
        key: Key,
        /// What.
        value: &'a [u8],
    },
    /// `key` has this value now, to which the value at `shared` belongs.
    PutReferring {
        /// Where.
        key: Key,
        /// The other part, kept for as long as this is.
        shared: Key,
        /// What.
        value: &'a [u8],
    },
    /// `key` has no value any more.
    Delete {
        /// Which.
        key: Key,
    },
    /// No key of the group has a value any more.
    DeleteGroup {
        /// Which.
        group: u64,
    },
}

#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Put = 1,
    PutShared = 2,
    PutReferring = 3,
    Delete = 4,
    DeleteGroup = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Put, Self::PutShared, Self::PutReferring, Self::Delete, Self::DeleteGroup]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }

    /// Bytes before the value.
    const fn header_bytes(self) -> usize {
        match self {
            Self::PutReferring => ENTRY_HEADER_BYTES + REFERENCE_BYTES,
            _ => ENTRY_HEADER_BYTES,
        }
    }
}

/// Appends an entry; `write` appends its value.
///
/// # Panics
/// If the value is longer than [`VALUE_BYTES_MAX`].
pub(crate) fn encode_entry(
    out: &mut Vec<u8>,
    kind: Kind,
    key: Key,
    shared: Option<Key>,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    out.push(kind as u8);
    out.extend_from_slice(&key.group.to_le_bytes());
    out.extend_from_slice(&key.place().to_le_bytes());
    if let Some(shared) = shared {
        out.extend_from_slice(&shared.group.to_le_bytes());
        out.extend_from_slice(&shared.place().to_le_bytes());
    }
    let value_start = out.len();
    write(out);
    assert!(out.len() - value_start <= VALUE_BYTES_MAX, "a value has at most 512 MiB");
    let length = (out.len() - start) as u32;
    out[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
}

/// What the bytes of an entry say, without its checksum.
#[derive(Clone, Copy)]
pub(crate) struct RawEntry<'a> {
    pub(crate) crc: u32,
    pub(crate) kind: Kind,
    pub(crate) key: Key,
    pub(crate) shared: Option<Key>,
    /// The whole entry.
    pub(crate) bytes: &'a [u8],
}

impl<'a> RawEntry<'a> {
    /// The entry at the start of `bytes`, if there can be one.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let length = entry_length(bytes)?;
        let bytes = bytes.get(..length)?;
        let kind = Kind::from_byte(bytes[8])?;
        if length < kind.header_bytes() {
            return None;
        }
        let key = Key::from_place(u64_at(bytes, 9), u64_at(bytes, 17));
        let shared = (kind == Kind::PutReferring).then(|| {
            Key::from_place(u64_at(bytes, ENTRY_HEADER_BYTES), u64_at(bytes, ENTRY_HEADER_BYTES + 8))
        });
        Some(Self { crc: u32_at(bytes, 0), kind, key, shared, bytes })
    }

    pub(crate) fn value(&self) -> &'a [u8] {
        &self.bytes[self.kind.header_bytes()..]
    }

    pub(crate) fn entry(&self) -> Entry<'a> {
        let (key, value) = (self.key, self.value());
        match (self.kind, self.shared) {
            (Kind::PutReferring, Some(shared)) => Entry::PutReferring { key, shared, value },
            (Kind::PutShared, _) => Entry::PutShared { key, value },
            (Kind::Delete, _) => Entry::Delete { key },
            (Kind::DeleteGroup, _) => Entry::DeleteGroup { group: key.group },
            (Kind::Put | Kind::PutReferring, _) => Entry::Put { key, value },
        }
    }
}

/// The length that the entry at the start of `bytes` says it has, if it can be one.
pub(crate) fn entry_length(bytes: &[u8]) -> Option<usize> {
    let length = u32_at(bytes.get(..ENTRY_HEADER_BYTES)?, 4) as usize;
    let longest = ENTRY_HEADER_BYTES + REFERENCE_BYTES + VALUE_BYTES_MAX;
    (ENTRY_HEADER_BYTES..=longest).contains(&length).then_some(length)
}

/// # Panics
/// If there are fewer than `at + 4` bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// # Panics
/// If there are fewer than `at + 8` bytes.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
