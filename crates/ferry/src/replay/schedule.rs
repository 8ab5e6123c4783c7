use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;

/// How fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speed {
    /// So many times as fast as it was.
    Times(f64),
    /// Without waiting.
    Max,
}

/// When each message is due.
#[derive(Debug)]
pub(super) struct Schedule {
    speed: Speed,
    gap_max: Option<Duration>,
    last: Option<Timestamp>,
    due: Duration,
}

impl FromStr for Speed {
    type Err = String;

    /// # Errors
    /// It is neither a number above 0 nor `max`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let times = text.parse().ok().filter(|times: &f64| *times > 0.0 && times.is_finite());
        times.map(Self::Times).ok_or_else(|| "neither a number above 0 nor max".to_owned())
    }
}

impl Schedule {
    pub(super) fn new(speed: Speed, gap_max: Option<Duration>) -> Self {
        Self { speed, gap_max, last: None, due: Duration::ZERO }
    }

    /// When the message of this time is due, from the beginning on. One without a time is due with the one before it, and so is
    /// one that is older than that: recordings can be put together.
    pub(super) fn due(&mut self, time: Option<Timestamp>) -> Duration {
        let Some(time) = time else { return self.due };
        let gap =
            self.last.map_or(Duration::ZERO, |last| time.duration_since(last).try_into().unwrap_or_default());
        self.last = Some(time);
        if let Speed::Times(times) = self.speed {
            let gap = Duration::try_from_secs_f64(gap.as_secs_f64() / times).unwrap_or(Duration::MAX);
            self.due = self.due.saturating_add(gap.min(self.gap_max.unwrap_or(Duration::MAX)));
        }
        self.due
    }

    /// The recording begins again, at once.
    pub(super) fn next_round(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(speed: Speed, gap_max: Option<Duration>, seconds: &[Option<i64>]) -> Vec<u128> {
        let mut schedule = Schedule::new(speed, gap_max);
        let time = |second: &i64| Timestamp::from_second(*second).unwrap();
        seconds.iter().map(|second| schedule.due(second.as_ref().map(time)).as_millis()).collect()
    }

    #[test]
    fn messages_keep_their_distances() {
        let times = [Some(100), Some(102), None, Some(103), Some(50), Some(51)];
        assert_eq!(due(Speed::Times(1.0), None, &times), [0, 2000, 2000, 3000, 3000, 4000]);
        assert_eq!(due(Speed::Times(4.0), None, &times), [0, 500, 500, 750, 750, 1000]);
        assert_eq!(due(Speed::Max, None, &times), [0; 6]);
        let gap_max = Some(Duration::from_millis(1500));
        assert_eq!(due(Speed::Times(1.0), gap_max, &times), [0, 1500, 1500, 2500, 2500, 3500]);
    }

    #[test]
    fn a_round_follows_the_one_before() {
        let mut schedule = Schedule::new(Speed::Times(1.0), None);
        let [first, last] = [100, 105].map(|second| Timestamp::from_second(second).ok());
        assert_eq!([first, last].map(|time| schedule.due(time).as_secs()), [0, 5]);
        schedule.next_round();
        assert_eq!([first, last].map(|time| schedule.due(time).as_secs()), [5, 10]);
    }

    #[test]
    fn speeds_are_read() {
        assert_eq!("max".parse(), Ok(Speed::Max));
        assert_eq!("0.5".parse(), Ok(Speed::Times(0.5)));
        for text in ["0", "-1", "inf", "NaN", "fast", ""] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
    }
}
