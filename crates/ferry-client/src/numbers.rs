use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// What belongs to numbers that count up, and that nobody else can choose: they need no hash that withstands choice.
pub(crate) type ByNumber<T> = HashMap<u64, T, BuildHasherDefault<NumberHasher>>;

/// Spreads a number over all bits.
#[derive(Default)]
pub(crate) struct NumberHasher(u64);

/// Odd, with its bits in no order: the golden ratio of 2^64.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for NumberHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(MULTIPLIER);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
