use std::collections::VecDeque;

use super::Missing;

/// What all members of a shared subscription together have got of one stream. Numbers count from 0.
#[derive(Debug, Default)]
pub(crate) struct SharedFlow {
    /// Everything below has come; a multiple of 64.
    base: u32,
    /// One bit for each number from `base` on.
    seen: VecDeque<u64>,
}

impl SharedFlow {
    /// Takes in the number of a message; whether it is the first of this number.
    pub(crate) fn take(&mut self, sequence: u32) -> bool {
        let Some(offset) = sequence.checked_sub(self.base) else { return false };
        let (word, bit) = (offset as usize / 64, 1_u64 << (offset % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        let is_new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        while self.seen.front() == Some(&u64::MAX) {
            self.seen.pop_front();
            self.base += 64;
        }
        is_new
    }

    /// What has not come of the first `sent` numbers.
    pub(crate) fn missing(&self, sent: u32) -> impl Iterator<Item = Missing> {
        let has_come = |sequence: &u32| {
            let offset = sequence - self.base;
            self.seen.get(offset as usize / 64).is_some_and(|word| word & 1 << (offset % 64) != 0)
        };
        let lost = (self.base..sent).filter(move |sequence| !has_come(sequence));
        lost.map(|from| Missing { from, to: from + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_agrees_with_a_set(sequences in prop::collection::vec(0_u32..300, 0..600)) {
            let mut flow = SharedFlow::default();
            let mut seen = BTreeSet::new();
            for sequence in sequences {
                prop_assert_eq!(flow.take(sequence), seen.insert(sequence));
            }
            let expected: Vec<u32> = (0..300).filter(|sequence| !seen.contains(sequence)).collect();
            let missing: Vec<u32> = flow.missing(300).map(|missing| missing.from).collect();
            prop_assert_eq!(missing, expected);
        }
    }
}
