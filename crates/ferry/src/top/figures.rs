use std::collections::VecDeque;
use std::time::Duration;

/// What came in, second by second.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// Of the last seconds, the newest last: messages and bytes per second.
    history: VecDeque<(f64, f64)>,
    recent: (u64, u64),
}

/// A counter of the broker, and how fast it grows.
#[derive(Debug, Default)]
pub(super) struct Counter {
    last: Option<(u64, Duration)>,
    /// Per second, between the last two values that the broker has told.
    pub(super) rate: Option<f64>,
}

/// Seconds that are shown.
const HISTORY: usize = 120;

/// A rate is that of these last seconds.
const RATE_SECONDS: usize = 3;

impl Figures {
    pub(super) fn count(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
        self.recent.0 += 1;
        self.recent.1 += bytes as u64;
    }

    pub(super) fn tick(&mut self, seconds: f64) {
        let (messages, bytes) = std::mem::take(&mut self.recent);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back((messages as f64 / seconds, bytes as f64 / seconds));
    }

    /// Messages and bytes per second.
    pub(super) fn rates(&self) -> (f64, f64) {
        let last = self.history.iter().rev().take(RATE_SECONDS);
        let count = last.len().max(1) as f64;
        let (messages, bytes) = last.fold((0.0, 0.0), |sum, rate| (sum.0 + rate.0, sum.1 + rate.1));
        (messages / count, bytes / count)
    }

    /// Messages per second of the last `count` seconds, the newest last.
    pub(super) fn last_seconds(&self, count: usize) -> Vec<u64> {
        let from = self.history.len().saturating_sub(count);
        self.history.iter().skip(from).map(|(messages, _)| messages.round() as u64).collect()
    }
}

impl Counter {
    /// The broker has told a value.
    pub(super) fn told(&mut self, value: u64, now: Duration) {
        if let Some((before, then)) = self.last {
            let seconds = (now.saturating_sub(then)).as_secs_f64();
            // Two at once tell nothing of the time between them, and a smaller one that the broker has started anew.
            if seconds < 0.1 {
                return;
            }
            self.rate = value.checked_sub(before).map(|grown| grown as f64 / seconds);
        }
        self.last = Some((value, now));
    }
}

/// A rate for people: `0`, `0.3`, `12`, `1,234`.
pub(super) fn rate_text(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "0".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate => crate::progress::grouped(rate.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_seconds() {
        let mut figures = Figures::default();
        for messages in [100, 3, 6, 9] {
            (0..messages).for_each(|_| figures.count(10));
            figures.tick(1.0);
        }
        assert_eq!(figures.rates(), (6.0, 60.0));
        assert_eq!((figures.messages, figures.bytes), (118, 1_180));
        assert_eq!(figures.last_seconds(2), [6, 9]);
        (0..500).for_each(|_| figures.tick(1.0));
        assert_eq!(figures.last_seconds(500).len(), HISTORY);
    }

    #[test]
    fn counters_have_rates_between_two_values() {
        let mut counter = Counter::default();
        let at = Duration::from_secs;
        counter.told(100, at(1));
        assert_eq!(counter.rate, None);
        counter.told(100, at(1));
        counter.told(150, at(11));
        assert_eq!(counter.rate, Some(5.0));
        counter.told(3, at(12));
        assert_eq!(counter.rate, None);
        counter.told(4, at(13));
        assert_eq!(counter.rate, Some(1.0));
    }

    #[test]
    fn rates_are_for_people() {
        assert_eq!([0.0, 0.25, 9.9, 9.96, 1234.4].map(rate_text), ["0", "0.2", "9.9", "10", "1,234"]);
    }
}
