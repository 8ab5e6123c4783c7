use std::mem::take;

/// Packets on their way to one client. Holds memory only while there is something to write, and until
/// [`Event::Written`](crate::Event::Written) says so.
#[derive(Debug, Default)]
pub struct OutputBuffer {
    bytes: Vec<u8>,
    written: usize,
    /// Bytes written since the connection was opened.
    bytes_sent: u64,
    /// PUBLISH packets appended since then.
    messages_sent: u64,
    /// Those that [`take_new_messages`](Self::take_new_messages) has told of.
    messages_told: u64,
}

/// The first packet of an empty buffer reserves this much. Most have none after it; what a burst needs more, it gets a few
/// times, since buffers that have grown are used again.
const FIRST_RESERVE_BYTES: usize = 128;

/// A buffer that grew larger is not kept for others. What is read at once fits into it as output: memory of that size would come
/// from the system, page by page, each time.
const SPARE_BYTES_MAX: usize = 256 * 1024;

/// Bytes of all buffers that are kept.
const SPARES_BYTES_MAX: usize = 1024 * 1024;

/// Written bytes are moved out of the way once there are this many of them.
const COMPACT_BYTES: usize = 64 * 1024;

impl OutputBuffer {
    /// What is to be written, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.written..).unwrap_or_default()
    }

    /// The first `count` bytes have been written.
    pub fn advance(&mut self, count: usize) {
        let count = count.min(self.len());
        self.written += count;
        self.bytes_sent += count as u64;
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
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

    /// PUBLISH packets appended since this was last called, whether written by now or not.
    pub fn take_new_messages(&mut self) -> u64 {
        let new = self.messages_sent - self.messages_told;
        self.messages_told = self.messages_sent;
        new
    }

    /// So many PUBLISH packets were appended.
    pub(crate) fn count_messages(&mut self, count: u64) {
        self.messages_sent += count;
    }

    /// Bytes written, and PUBLISH packets appended, since the connection was opened.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.bytes_sent, self.messages_sent)
    }

    /// Bytes of memory held.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Takes memory before something is appended, if there is none: that of another connection, which has been written.
    pub(crate) fn prepare(&mut self, spares: &mut SpareBuffers) {
        if self.bytes.capacity() == 0
            && let Some(spare) = spares.take()
        {
            self.bytes = spare;
        }
    }

    /// Lets go of the memory if nothing is left to write.
    pub(crate) fn release(&mut self, spares: &mut SpareBuffers) {
        if self.bytes.is_empty() && self.bytes.capacity() > 0 {
            self.written = 0;
            spares.keep(take(&mut self.bytes));
        }
    }

    /// The vector to append packets to.
    pub(crate) fn appending(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FIRST_RESERVE_BYTES);
        }
        &mut self.bytes
    }
}

/// Memory of buffers that have been written, for those to be filled next: what is written in a turn needs none from
/// the system, and the buffers have grown already.
#[derive(Debug, Default)]
pub(crate) struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl SpareBuffers {
    fn take(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        if capacity <= SPARE_BYTES_MAX && self.bytes + capacity <= SPARES_BYTES_MAX {
            self.bytes += capacity;
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drained_buffer_gives_its_memory_to_the_next() {
        let mut spares = SpareBuffers::default();
        let mut output = OutputBuffer::default();
        output.appending().extend_from_slice(b"abc");
        output.advance(2);
        assert_eq!((output.as_slice(), output.len()), (&b"c"[..], 1));
        output.advance(1);
        assert!(output.is_empty());
        output.release(&mut spares);
        assert_eq!((output.capacity(), spares.bytes), (0, FIRST_RESERVE_BYTES));
        let mut next = OutputBuffer::default();
        next.prepare(&mut spares);
        assert_eq!((next.capacity(), next.len(), spares.bytes), (FIRST_RESERVE_BYTES, 0, 0));
    }

    #[test]
    fn a_buffer_with_something_to_write_keeps_its_memory() {
        let mut spares = SpareBuffers::default();
        let mut output = OutputBuffer::default();
        output.appending().extend_from_slice(b"abc");
        output.advance(2);
        output.release(&mut spares);
        assert_eq!((output.as_slice(), spares.bytes), (&b"c"[..], 0));
    }

    #[test]
    fn spare_memory_has_a_limit() {
        let mut spares = SpareBuffers::default();
        spares.keep(Vec::with_capacity(SPARE_BYTES_MAX + 1));
        assert_eq!(spares.bytes, 0);
        for _ in 0..100 {
            spares.keep(Vec::with_capacity(SPARE_BYTES_MAX));
        }
        assert!(spares.bytes <= SPARES_BYTES_MAX && spares.bytes > SPARES_BYTES_MAX / 2);
        while spares.take().is_some() {}
        assert_eq!(spares.bytes, 0);
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
        assert_eq!(output.sent(), (1, 0));
    }

    #[test]
    fn messages_are_new_once() {
        let mut output = OutputBuffer::default();
        (0..3).for_each(|_| output.count_messages(1));
        assert_eq!((output.take_new_messages(), output.take_new_messages()), (3, 0));
        output.count_messages(1);
        assert_eq!((output.take_new_messages(), output.sent()), (1, (0, 4)));
    }
}
