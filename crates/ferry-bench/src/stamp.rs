/// What every payload begins with: who sent it, its number, when, and a checksum of these. 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// One publisher and one topic.
    pub(crate) stream: u32,
    /// Counts from 0; a stream has at most 4,294,967,295 messages.
    pub(crate) sequence: u32,
    /// Nanoseconds since the run began, 48 bits: three days.
    pub(crate) sent_at: u64,
}

/// Bytes of an encoded stamp.
pub(crate) const STAMP_BYTES: usize = 16;

const TIME_MASK: u64 = (1 << 48) - 1;

impl Stamp {
    #[inline]
    pub(crate) fn encode(self, seed: u64) -> [u8; STAMP_BYTES] {
        let id = u64::from(self.stream) << 32 | u64::from(self.sequence);
        let time = self.sent_at & TIME_MASK;
        let rest = time << 16 | u64::from(checksum(id, time, seed));
        (u128::from(id) << 64 | u128::from(rest)).to_be_bytes()
    }

    /// `None`: the bytes were changed on their way, or are of another run.
    #[inline]
    pub(crate) fn decode(bytes: &[u8; STAMP_BYTES], seed: u64) -> Option<Self> {
        let bits = u128::from_be_bytes(*bytes);
        // The halves of 128 bits.
        let (id, rest) = ((bits >> 64) as u64, bits as u64);
        let time = rest >> 16;
        if rest & 0xFFFF != u64::from(checksum(id, time, seed)) {
            return None;
        }
        Some(Self { stream: (id >> 32) as u32, sequence: id as u32, sent_at: time })
    }
}

#[inline]
fn checksum(id: u64, time: u64, seed: u64) -> u16 {
    let mixed = (id ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ time.wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    (mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 48) as u16
}

/// The bytes of a payload behind its stamp: the same in all messages of a run.
pub(crate) fn filler(payload_bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(payload_bytes.saturating_sub(STAMP_BYTES)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_stamp_comes_back(stream: u32, sequence: u32, sent_at in 0..=TIME_MASK, seed: u64) {
            let stamp = Stamp { stream, sequence, sent_at };
            prop_assert_eq!(Stamp::decode(&stamp.encode(seed), seed), Some(stamp));
        }
    }

    #[test]
    fn any_changed_bit_is_found() {
        let seed = 7;
        let bytes = Stamp { stream: 3, sequence: 1_000, sent_at: 123_456_789 }.encode(seed);
        let changed = (0..128).filter(|bit| {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            Stamp::decode(&changed, seed).is_some()
        });
        assert_eq!(changed.count(), 0);
    }

    #[test]
    fn another_run_is_told_apart() {
        let bytes = Stamp { stream: 3, sequence: 4, sent_at: 5 }.encode(1);
        assert_eq!(Stamp::decode(&bytes, 2), None);
    }
}
