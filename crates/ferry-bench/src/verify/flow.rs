/// What one subscriber has got of one stream. Numbers count from 0.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// The number after the highest that has come.
    next: u32,
    /// Numbers below `next` that have not come, in order.
    #[expect(clippy::box_collection, reason = "most flows have none, and there may be millions")]
    missing: Option<Box<Vec<Missing>>>,
}

/// Numbers that have not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) from: u32,
    /// Exclusive.
    pub(crate) to: u32,
}

/// What one message is for its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It came the first time, and none that is later came before it.
    InOrder,
    /// It came the first time, but a later one was there before.
    Late,
    /// It was there already.
    Duplicate,
}

impl Flow {
    /// Takes in the number of a message.
    #[inline]
    pub(crate) fn take(&mut self, sequence: u32) -> Arrival {
        if sequence == self.next {
            self.next = sequence.wrapping_add(1);
            return Arrival::InOrder;
        }
        self.take_unexpected(sequence)
    }

    /// What has not come of the first `sent` numbers.
    pub(crate) fn missing(&self, sent: u32) -> impl Iterator<Item = Missing> {
        let tail = Missing { from: self.next, to: sent.max(self.next) };
        let gaps = self.missing.as_deref().map(Vec::as_slice).unwrap_or_default();
        gaps.iter().copied().chain(std::iter::once(tail)).filter(|missing| missing.from < missing.to)
    }

    #[cold]
    fn take_unexpected(&mut self, sequence: u32) -> Arrival {
        if sequence > self.next {
            let gap = Missing { from: self.next, to: sequence };
            self.missing.get_or_insert_default().push(gap);
            self.next = sequence.wrapping_add(1);
            return Arrival::InOrder;
        }
        let Some(gaps) = &mut self.missing else { return Arrival::Duplicate };
        let at = gaps.partition_point(|gap| gap.to <= sequence);
        match gaps.get(at).copied() {
            Some(gap) if gap.from <= sequence => {
                let parts = [Missing { to: sequence, ..gap }, Missing { from: sequence + 1, ..gap }];
                gaps.splice(at..=at, parts.into_iter().filter(|part| part.from < part.to));
                Arrival::Late
            }
            _ => Arrival::Duplicate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn lost(flow: &Flow, sent: u32) -> Vec<u32> {
        flow.missing(sent).flat_map(|missing| missing.from..missing.to).collect()
    }

    #[test]
    fn loss_duplicates_and_disorder_are_told_apart() {
        let mut flow = Flow::default();
        let arrivals = [0, 1, 4, 4, 2, 1, 2].map(|sequence| flow.take(sequence));
        use Arrival::{Duplicate, InOrder, Late};
        assert_eq!(arrivals, [InOrder, InOrder, InOrder, Duplicate, Late, Duplicate, Duplicate]);
        assert_eq!(lost(&flow, 7), [3, 5, 6]);
    }

    proptest! {
        /// Against a set of everything that has come.
        #[test]
        fn it_agrees_with_a_set(sequences in prop::collection::vec(0_u32..40, 0..80)) {
            let mut flow = Flow::default();
            let mut seen = BTreeSet::new();
            for sequence in sequences {
                let expected = match seen.last() {
                    _ if seen.contains(&sequence) => Arrival::Duplicate,
                    Some(highest) if sequence < *highest => Arrival::Late,
                    _ => Arrival::InOrder,
                };
                prop_assert_eq!(flow.take(sequence), expected);
                seen.insert(sequence);
            }
            let expected: Vec<u32> = (0..40).filter(|sequence| !seen.contains(sequence)).collect();
            prop_assert_eq!(lost(&flow, 40), expected);
        }
    }
}
