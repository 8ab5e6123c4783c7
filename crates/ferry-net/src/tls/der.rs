//! Reading distinguished encoding rules (X.690): a tag, a length, a value, and so on.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0C;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const TELETEX_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const BMP_STRING: u8 = 0x1E;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const EXPLICIT_VERSION: u8 = 0xA0;

/// What is left to be read.
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    pub(super) fn next_tag(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The value that is next, if it has this tag.
    pub(super) fn take(&mut self, tag: u8) -> Option<Self> {
        if self.next_tag()? != tag {
            return None;
        }
        self.take_any().map(|(_, value)| Self(value))
    }

    /// Tag and value of what is next.
    pub(super) fn take_any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (length_bytes, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            if length_bytes.is_empty() || length_bytes.len() > 4 {
                return None;
            }
            (length_bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, value))
    }
}
