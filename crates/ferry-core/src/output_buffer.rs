/// Packets on their way to one client. Holds memory only while there is something to write.
#[derive(Debug, Default)]
pub struct OutputBuffer {
    bytes: Vec<u8>,
    written: usize,
}

/// The first packet of an empty buffer reserves this much, so that a burst does not grow it byte by byte.
const FIRST_RESERVE_BYTES: usize = 512;

/// Written bytes are moved out of the way once there are this many of them.
const COMPACT_BYTES: usize = 64 * 1024;

impl OutputBuffer {
    /// What is to be written, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// The first `count` bytes have been written. Frees the memory when nothing is left.
    pub fn advance(&mut self, count: usize) {
        self.written = self.written.saturating_add(count).min(self.bytes.len());
        if self.written == self.bytes.len() {
            *self = Self::default();
        } else if self.written >= COMPACT_BYTES && self.written * 2 >= self.bytes.len() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }

    /// Bytes to be written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() - self.written
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory held.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The vector to append packets to.
    pub(crate) fn appending(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FIRST_RESERVE_BYTES);
        }
        &mut self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drained_buffer_holds_no_memory() {
        let mut output = OutputBuffer::default();
        output.appending().extend_from_slice(b"abc");
        output.advance(2);
        assert_eq!((output.as_slice(), output.len()), (&b"c"[..], 1));
        output.advance(1);
        assert!(output.is_empty());
        assert_eq!(output.bytes.capacity(), 0);
    }

    #[test]
    fn written_bytes_are_moved_away_when_they_are_many() {
        let mut output = OutputBuffer::default();
        output.appending().resize(COMPACT_BYTES + 10, 7);
        output.advance(COMPACT_BYTES);
        assert_eq!((output.len(), output.bytes.len()), (10, 10));
    }

    #[test]
    fn advancing_too_far_is_harmless() {
        let mut output = OutputBuffer::default();
        output.appending().push(1);
        output.advance(5);
        assert!(output.is_empty());
    }
}
