//! What is read from a run, what it should be, and what several runs come to.

use serde_json::Value;

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    /// From the result of `ferry bench --json`; none if the run has no such figure.
    pub(super) value: fn(&Value) -> Option<f64>,
    pub(super) target: Target,
}

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Microseconds,
    Bytes,
    Mebibytes,
    PerSecond,
    Times,
}

/// What Ferry's figure should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// It is for information.
    None,
    AtMost(f64),
    /// As `AtMost`, and at most half of the best peer in the same run.
    Half(f64),
    AtLeast(f64),
    /// No more than the best peer.
    NoMoreThanPeers,
    /// So many times that of Ferry with one shard.
    Times(f64),
    /// At most so many times that of Ferry with one shard.
    AtMostTimes(f64),
}

impl Unit {
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Microseconds if value >= 1_000.0 => format!("{} ms", significant(value / 1_000.0)),
            Self::Microseconds => format!("{} µs", significant(value)),
            Self::Bytes => format!("{} B", significant(value.round())),
            Self::Mebibytes => format!("{} MiB", significant(value)),
            Self::PerSecond => format!("{}/s", significant(value)),
            Self::Times => significant(value),
        }
    }

    /// Whether more is better.
    pub(super) fn is_rate(self) -> bool {
        self == Self::PerSecond
    }

    /// The best of some values.
    pub(super) fn best(self, values: impl Iterator<Item = f64>) -> Option<f64> {
        values.reduce(if self.is_rate() { f64::max } else { f64::min })
    }
}

impl Target {
    /// As in the table; empty if there is none.
    pub(super) fn text(self, unit: Unit) -> String {
        match self {
            Self::None => String::new(),
            Self::AtMost(most) => format!("≤ {}", unit.text(most)),
            Self::Half(most) => format!("≤ {}, ≤ ½ of the best peer", unit.text(most)),
            Self::AtLeast(least) => format!("≥ {}", unit.text(least)),
            Self::NoMoreThanPeers => "≤ the best peer".to_owned(),
            Self::Times(factor) => format!("≥ {} × one shard", significant(factor)),
            Self::AtMostTimes(factor) => format!("≤ {} × one shard", significant(factor)),
        }
    }

    /// Whether a value meets it; `best_peer` is of the other brokers, of shards the value with one. None: there is no
    /// target, or nothing to compare with.
    pub(super) fn is_met(self, value: f64, best_peer: Option<f64>) -> Option<bool> {
        match self {
            Self::None => None,
            Self::AtMost(most) => Some(value <= most),
            Self::Half(most) => Some(value <= most && best_peer.is_none_or(|best| value <= best / 2.0)),
            Self::AtLeast(least) => Some(value >= least),
            Self::NoMoreThanPeers => best_peer.map(|best| value <= best),
            Self::Times(factor) => best_peer.map(|one| value >= factor * one),
            Self::AtMostTimes(factor) => best_peer.map(|one| value <= factor * one),
        }
    }
}

/// The middle one, or the mean of the two in the middle; none of nothing.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some((values[values.len() / 2 - 1] + upper) / 2.0) }
}

/// Three significant digits, and commas.
pub(super) fn significant(value: f64) -> String {
    let size = value.abs();
    if size >= 1e6 {
        return format!("{} M", significant(value / 1e6));
    }
    if size >= 100.0 {
        let digits = if size >= 1e4 { (value / 100.0).round() * 100.0 } else { value.round() };
        let thousands = (digits / 1_000.0).trunc();
        let rest = (digits - thousands * 1_000.0).abs();
        return if thousands == 0.0 { format!("{digits:.0}") } else { format!("{thousands:.0},{rest:03.0}") };
    }
    let decimals = if size >= 10.0 { 1 } else { 2 };
    let decimals = if size < 1.0 && size > 0.0 { 3 } else { decimals };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(vec![3.0, 100.0, 1.0]), Some(3.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), Some(3.0));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.1234, "0.123"),
            (4.5, "4.5"),
            (12.34, "12.3"),
            (471.3, "471"),
            (1_024.0, "1,024"),
            (39_767.0, "39,800"),
            (2_345_678.0, "2.35 M"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn targets_are_judged() {
        for (target, value, peer, met) in [
            (Target::None, 1.0, None, None),
            (Target::AtMost(1.0), 1.0, None, Some(true)),
            (Target::AtMost(1.0), 1.1, Some(9.0), Some(false)),
            (Target::Half(1.0), 0.9, Some(2.0), Some(true)),
            (Target::Half(1.0), 0.9, Some(1.5), Some(false)),
            (Target::Half(1.0), 0.9, None, Some(true)),
            (Target::AtLeast(5.0), 4.0, None, Some(false)),
            (Target::NoMoreThanPeers, 4.0, Some(4.0), Some(true)),
            (Target::NoMoreThanPeers, 4.0, None, None),
            (Target::Times(1.6), 3.0, Some(2.0), Some(false)),
            (Target::Times(1.6), 3.2, Some(2.0), Some(true)),
            (Target::AtMostTimes(1.25), 2.6, Some(2.0), Some(false)),
            (Target::AtMostTimes(1.25), 2.4, Some(2.0), Some(true)),
        ] {
            assert_eq!(target.is_met(value, peer), met, "{target:?} {value} {peer:?}");
        }
        assert_eq!(Target::Half(0.4).text(Unit::Microseconds), "≤ 0.4 µs, ≤ ½ of the best peer");
        assert_eq!(Target::AtMost(5_000.0).text(Unit::Microseconds), "≤ 5 ms");
        assert_eq!(Unit::PerSecond.best([1.0, 3.0, 2.0].into_iter()), Some(3.0));
        assert_eq!(Unit::Bytes.best([1.0, 3.0].into_iter()), Some(1.0));
    }
}
