use serde::{Deserialize, Serialize};

use crate::Latencies;

/// Times, summed up. All of them are 0 if there is nothing, and exact to 0.1 %.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many times there were.
    pub count: u64,
    /// The shortest.
    pub min_microseconds: f64,
    /// The average.
    pub mean_microseconds: f64,
    /// Half of them are at most this.
    pub p50_microseconds: f64,
    /// 90 of 100 are at most this.
    pub p90_microseconds: f64,
    /// 99 of 100.
    pub p99_microseconds: f64,
    /// 999 of 1,000.
    pub p99_9_microseconds: f64,
    /// 9,999 of 10,000.
    pub p99_99_microseconds: f64,
    /// The longest.
    pub max_microseconds: f64,
    /// The whole curve, for charts: some 60 points, closer together towards the longest.
    pub points: Vec<DistributionPoint>,
}

/// One point of a curve of percentiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DistributionPoint {
    /// Of 100.
    pub percentile: f64,
    /// So many are at most this.
    pub microseconds: f64,
}

/// Points for each halving of what is left up to 100 %.
const POINTS_PER_HALVING: u32 = 4;

impl Distribution {
    /// Sums up what was recorded.
    #[must_use]
    pub fn of(latencies: &Latencies) -> Self {
        let histogram = latencies.histogram();
        if histogram.is_empty() {
            return Self::default();
        }
        let at = |quantile: f64| microseconds(histogram.value_at_quantile(quantile));
        let point = |quantile: f64| DistributionPoint {
            percentile: 100.0 * quantile,
            microseconds: microseconds(histogram.value_at_quantile(quantile).min(histogram.max())),
        };
        Self {
            count: histogram.len(),
            min_microseconds: microseconds(histogram.min()),
            mean_microseconds: histogram.mean() / 1e3,
            p50_microseconds: at(0.5),
            p90_microseconds: at(0.9),
            p99_microseconds: at(0.99),
            p99_9_microseconds: at(0.999),
            p99_99_microseconds: at(0.9999),
            max_microseconds: microseconds(histogram.max()),
            points: quantiles(histogram.len()).into_iter().map(point).collect(),
        }
    }
}

/// From 0 to 1, equally many in each half of what is left to 1, until less than one of `count` is left.
fn quantiles(count: u64) -> Vec<f64> {
    let mut quantiles = Vec::new();
    let mut left = 1.0;
    while left * count as f64 >= 1.0 {
        let steps = (0..POINTS_PER_HALVING).map(|step| f64::from(step) / f64::from(2 * POINTS_PER_HALVING));
        quantiles.extend(steps.map(|step| 1.0 - left * (1.0 - step)));
        left /= 2.0;
    }
    quantiles.push(1.0);
    quantiles
}

fn microseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e3
}
