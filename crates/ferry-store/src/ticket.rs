/// Names one appended batch. Tickets of one store count up from 1 without gaps, and commit in that order, so a
/// ticket also stands for every batch before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

impl Ticket {
    /// Before the first batch: always committed.
    pub const ZERO: Self = Self(0);

    /// The ticket of the batch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
