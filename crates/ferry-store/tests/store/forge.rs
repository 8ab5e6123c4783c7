//! Bytes that look like a segment more often than chance would have it: headers and entries with checksums that are
//! right and fields that are not. Used by a property test and by a fuzz target.

/// The salt of forged logs.
pub(crate) const SALT: u64 = 5;

/// Makes a segment of this number out of instructions.
pub(crate) fn forge(segment: u32, instructions: &[u8]) -> Vec<u8> {
    let mut forger = Forger { segment, input: instructions, group: 1, out: Vec::new() };
    forger.segment_header(false);
    while !forger.input.is_empty() {
        forger.step();
    }
    forger.out
}

struct Forger<'a> {
    segment: u32,
    input: &'a [u8],
    group: u64,
    out: Vec<u8>,
}

impl Forger<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.input.split_first() else { return 0 };
        self.input = rest;
        *first
    }

    /// `usual`, or something near or far.
    fn number(&mut self, usual: u64) -> u64 {
        match self.byte() {
            0..=220 => usual,
            step @ 221..=235 => usual.wrapping_add(u64::from(step - 220)),
            step @ 236..=245 => usual.saturating_sub(u64::from(step - 235)),
            246 => 0,
            247 => u64::MAX,
            248 => u64::from(u32::MAX),
            exponent => 1 << (exponent % 48),
        }
    }

    fn step(&mut self) {
        match self.byte() % 16 {
            0 => {
                let length = usize::from(self.byte());
                let byte = self.byte();
                self.out.extend(std::iter::repeat_n(byte, length));
            }
            1 => {
                let length = usize::from(self.byte()).min(self.input.len());
                let (raw, rest) = self.input.split_at(length);
                self.out.extend_from_slice(raw);
                self.input = rest;
            }
            2 => self.segment_header(true),
            3 => drop(self.entry()),
            4 => {
                let at = usize::from(self.byte()) * self.out.len() / 256;
                let bit = self.byte() % 8;
                if let Some(byte) = self.out.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            5 => {
                let length = self.out.len() - usize::from(self.byte()).min(self.out.len());
                self.out.truncate(length);
            }
            _ => self.group(),
        }
    }

    fn segment_header(&mut self, is_odd: bool) {
        let mut header = Vec::from(*b"FERRYLOG");
        let version = if is_odd { self.number(1) as u32 } else { 1 };
        let segment = u64::from(self.segment);
        let number = if is_odd { self.number(segment) as u32 } else { self.segment };
        header.extend_from_slice(&version.to_le_bytes());
        header.extend_from_slice(&number.to_le_bytes());
        header.extend_from_slice(&SALT.to_le_bytes());
        let (first, offset) = (self.number(self.group), self.number(44) as u32);
        header.extend_from_slice(&first.to_le_bytes());
        header.extend_from_slice(&offset.to_le_bytes());
        let reused_bytes = if self.byte().is_multiple_of(2) { 0 } else { self.number(500) as u32 };
        header.extend_from_slice(&reused_bytes.to_le_bytes());
        let crc = crc32c::crc32c(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        if is_odd && self.byte().is_multiple_of(2) {
            self.out.splice(..self.out.len().min(44), header);
        } else {
            self.out.extend_from_slice(&header);
        }
    }

    fn group(&mut self) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; 40]);
        let count = self.byte() % 5;
        let number = self.number(self.group);
        let mut entries_crc = crc32c::crc32c(&number.to_le_bytes());
        for _ in 0..count {
            let crc = self.entry();
            entries_crc = crc32c::crc32c_append(entries_crc, &crc.to_le_bytes());
        }
        let body_length = self.number((self.out.len() - start - 40) as u64) as u32;
        let mut header = Vec::from(*b"\x93FYG");
        header.extend_from_slice(&body_length.to_le_bytes());
        header.extend_from_slice(&(self.number(u64::from(count)) as u32).to_le_bytes());
        header.extend_from_slice(&(self.number(u64::from(entries_crc)) as u32).to_le_bytes());
        header.extend_from_slice(&number.to_le_bytes());
        header.extend_from_slice(&self.number(number.saturating_sub(1)).to_le_bytes());
        header.extend_from_slice(&(self.number(1) as u32).to_le_bytes());
        let crc = self.crc(&header);
        header.extend_from_slice(&crc.to_le_bytes());
        self.out[start..start + 40].copy_from_slice(&header);
        self.group = self.group.max(number).saturating_add(1);
    }

    /// Returns its checksum.
    fn entry(&mut self) -> u32 {
        let kind = self.byte() % 7;
        let value_length = usize::from(self.byte() % 64);
        let mut entry = vec![kind];
        // What refers, and what is referred to, are not the same.
        let space = if kind == 2 { 2 } else { 1 };
        let spaces = [space, 2_u64];
        for space in &spaces[..if kind == 3 { 2 } else { 1 }] {
            let (group, item) = (self.byte() % 4, self.byte() % 8);
            entry.extend_from_slice(&u64::from(group).to_le_bytes());
            entry.extend_from_slice(&(space << 56 | u64::from(item)).to_le_bytes());
        }
        entry.extend(std::iter::repeat_n(b'v', value_length));
        let length = self.number(entry.len() as u64 + 8) as u32;
        let mut bytes = Vec::from(length.to_le_bytes());
        bytes.extend_from_slice(&entry);
        let crc = self.crc(&bytes);
        self.out.extend_from_slice(&crc.to_le_bytes());
        self.out.extend_from_slice(&bytes);
        crc
    }

    fn crc(&self, bytes: &[u8]) -> u32 {
        let seed = crc32c::crc32c_append(crc32c::crc32c(&SALT.to_le_bytes()), &self.segment.to_le_bytes());
        crc32c::crc32c_append(seed, bytes)
    }
}
