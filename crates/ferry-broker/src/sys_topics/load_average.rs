use std::time::Duration;

/// How much of something happens per minute, averaged over the last one, five and fifteen minutes with the
/// exponential decay that Mosquitto (and Unix load averages) use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LoadAverage {
    counted: u64,
    per_minute: [f64; 3],
}

impl LoadAverage {
    /// What each average spans, as it is named in the topic.
    pub(crate) const SPANS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

    /// Takes in that the counter stands at `counted`, `elapsed` after the last call.
    pub(crate) fn update(&mut self, counted: u64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "an average shown with two decimals")]
        let current = counted.saturating_sub(self.counted) as f64 * 60.0 / seconds;
        for (average, (_, span_seconds)) in self.per_minute.iter_mut().zip(Self::SPANS) {
            let decay = libm::exp(-seconds / span_seconds);
            *average = current + decay * (*average - current);
        }
        self.counted = counted;
    }

    /// The three averages, in the order of [`Self::SPANS`].
    pub(crate) fn per_minute(&self) -> [f64; 3] {
        self.per_minute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_is_what_the_averages_come_to() {
        let mut load = LoadAverage::default();
        for tick in 1..=1000 {
            load.update(tick * 100, Duration::from_secs(10));
        }
        for average in load.per_minute() {
            assert!((average - 600.0).abs() < 0.5, "{average}");
        }
    }

    #[test]
    fn the_shorter_the_span_the_faster_it_follows() {
        let mut load = LoadAverage::default();
        load.update(600, Duration::from_secs(60));
        let [one, five, fifteen] = load.per_minute();
        assert!((one - 600.0 * (1.0 - (-1.0f64).exp())).abs() < 1e-9);
        assert!(one > five && five > fifteen && fifteen > 0.0);
    }

    #[test]
    fn no_time_is_no_change() {
        let mut load = LoadAverage::default();
        load.update(10, Duration::ZERO);
        assert_eq!(load.per_minute(), [0.0; 3]);
    }
}
