use hdrhistogram::Histogram;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Times in nanoseconds, from 100 ns to an hour, exact to 0.1 %. Longer ones count as an hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Latencies(Histogram<u64>);

const SHORTEST_NANOSECONDS: u64 = 100;
const LONGEST_NANOSECONDS: u64 = 3_600_000_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

impl Default for Latencies {
    fn default() -> Self {
        let histogram =
            Histogram::new_with_bounds(SHORTEST_NANOSECONDS, LONGEST_NANOSECONDS, SIGNIFICANT_DIGITS);
        Self(histogram.expect("the bounds are constants that the crate accepts"))
    }
}

impl Latencies {
    /// Records one time.
    #[inline]
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// Records the same time for several messages.
    #[inline]
    pub fn record_many(&mut self, nanoseconds: u64, count: u64) {
        self.0.saturating_record_n(nanoseconds, count);
    }

    /// Takes in what another has recorded.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// What was recorded, in nanoseconds.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

/// As pairs of a time and how often there was one. Times that the histogram does not tell apart are one pair.
impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let recorded = self.0.iter_recorded();
        serializer.collect_seq(recorded.map(|step| (step.value_iterated_to(), step.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut latencies = Self::default();
        for (nanoseconds, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            if count > u64::MAX / 2 {
                return Err(D::Error::custom("a count that cannot be"));
            }
            latencies.record_many(nanoseconds, count);
        }
        Ok(latencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Distribution;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let mut latencies = Latencies::default();
        for microsecond in 1..=10_000 {
            latencies.record(microsecond * 1_000);
        }
        let distribution = Distribution::of(&latencies);
        assert_eq!(distribution.count, 10_000);
        for (found, expected) in [
            (distribution.p50_microseconds, 5_000.0),
            (distribution.p90_microseconds, 9_000.0),
            (distribution.p99_microseconds, 9_900.0),
            (distribution.p99_9_microseconds, 9_990.0),
            (distribution.p99_99_microseconds, 9_999.0),
            (distribution.max_microseconds, 10_000.0),
        ] {
            assert!((found - expected).abs() / expected < 0.002, "{found} {expected}");
        }
        assert!(distribution.points.len() > 20 && distribution.points.len() < 100);
        assert!(distribution.points.is_sorted_by(|a, b| a.microseconds <= b.microseconds));
    }

    proptest! {
        /// Merging what two have recorded is the same as recording everything in one, also by way of JSON.
        #[test]
        fn merging_loses_nothing(
            first in prop::collection::vec(0_u64..5_000_000_000_000, 0..50),
            second in prop::collection::vec(0_u64..5_000_000_000_000, 0..50),
        ) {
            let of = |times: &[u64]| {
                let mut latencies = Latencies::default();
                times.iter().for_each(|time| latencies.record(*time));
                latencies
            };
            let text = serde_json::to_string(&of(&second)).unwrap();
            let mut merged = of(&first);
            merged.merge(&serde_json::from_str(&text).unwrap());
            let both = of(&[first, second].concat());
            prop_assert_eq!(Distribution::of(&merged).points, Distribution::of(&both).points);
            prop_assert_eq!(merged.histogram().len(), both.histogram().len());
        }
    }
}
