use std::io;

use super::segments::Segments;
use crate::Disk;

/// Bytes read at a time.
const READ_BYTES: u64 = 512 * 1024;

/// Part of a segment, read ahead for whoever goes through it from the beginning to the end.
#[derive(Default)]
pub(crate) struct Window {
    segment: u32,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The bytes at a place, fewer than `length` only at `end`, where the segment ends.
    pub(crate) fn get<D: Disk>(
        &mut self,
        segments: &mut Segments<D>,
        segment: u32,
        offset: u64,
        length: u64,
        end: u64,
    ) -> io::Result<&[u8]> {
        let length = length.min(end.saturating_sub(offset));
        let held = self.start..self.start + self.bytes.len() as u64;
        let is_held = self.segment == segment && held.start <= offset && offset + length <= held.end;
        if !is_held {
            let read = length.max(READ_BYTES).min(end.saturating_sub(offset));
            self.bytes.resize(read as usize, 0);
            if self.bytes.capacity() as u64 > 4 * READ_BYTES {
                self.bytes.shrink_to(READ_BYTES as usize);
            }
            (self.segment, self.start) = (segment, offset);
            if let Err(error) = segments.read_exact(segment, offset, &mut self.bytes) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..from + length as usize])
    }

    /// Forgets what was read, for it may have changed.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}
