use std::time::Duration;

/// How long groups took to be written, and synced if somebody waited for that: a histogram whose buckets are counted up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitLatencies {
    /// Groups that took at most as long as [`CommitLatencies::BOUNDS`] says, each counted in one bucket; the last one has
    /// those that took longer.
    pub buckets: [u64; CommitLatencies::BOUNDS.len() + 1],
    /// The sum of all times.
    pub total: Duration,
}

impl CommitLatencies {
    /// The longest times of the buckets, in microseconds.
    pub const BOUNDS: [u64; 15] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
        2_500_000, 10_000_000,
    ];

    /// How many groups there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    pub(crate) fn add(&mut self, took: Duration) {
        let bucket = Self::BOUNDS.partition_point(|bound| u128::from(*bound) < took.as_micros());
        self.buckets[bucket] += 1;
        self.total += took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_where_it_fits() {
        let mut latencies = CommitLatencies::default();
        for microseconds in [0, 100, 101, 10_000_000, 10_000_001] {
            latencies.add(Duration::from_micros(microseconds));
        }
        assert_eq!((latencies.buckets[0], latencies.buckets[1]), (2, 1));
        assert_eq!((latencies.buckets[14], latencies.buckets[15], latencies.count()), (1, 1, 5));
    }
}
