use std::fmt;

/// Milliseconds since the Unix epoch, made by the driver; it never goes back.
///
/// The protocol crates read no clock: every function that depends on time takes the current `Timestamp` as an
/// argument, so that a test or the simulator can run hours in a moment. All arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Later than every moment that is reached: the deadline of what has none.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `seconds` later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: u32) -> Self {
        self.plus_milliseconds(seconds as u64 * 1000)
    }

    /// The moment `milliseconds` later.
    #[must_use]
    pub const fn plus_milliseconds(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to `self`; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn milliseconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds from `earlier` to `self`, rounded down and capped at `u32::MAX`.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> u32 {
        let seconds = self.milliseconds_since(earlier) / 1000;
        if seconds > u32::MAX as u64 { u32::MAX } else { seconds as u32 }
    }

    /// Whether this is [`Timestamp::NEVER`].
    #[must_use]
    pub const fn is_never(self) -> bool {
        self.0 == Self::NEVER.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() { formatter.write_str("never") } else { write!(formatter, "{} ms", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::NEVER.plus_seconds(u32::MAX), Timestamp::NEVER);
        assert_eq!(Timestamp(5).milliseconds_since(Timestamp(9)), 0);
        assert_eq!(Timestamp::NEVER.seconds_since(Timestamp(0)), u32::MAX);
        assert_eq!(Timestamp(1_999).seconds_since(Timestamp(0)), 1);
    }
}
