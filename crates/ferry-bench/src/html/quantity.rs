/// What a number counts, and so how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Just a number.
    Count,
    /// Messages or connections in a second.
    PerSecond,
    /// Written as µs, ms or s.
    Microseconds,
    /// Since the run began.
    Seconds,
    /// Written in powers of 1,024.
    Bytes,
    /// 1 is one processor that is always busy.
    Processors,
    /// How many nines a percentile has: 2 is 99 %.
    Nines,
}

impl Unit {
    /// With three significant digits.
    pub(super) fn text(self, value: f64) -> String {
        match self {
            Self::Count => large(value),
            Self::PerSecond => format!("{}/s", large(value)),
            Self::Microseconds => match value {
                less if less < 1e3 => format!("{} µs", significant(less)),
                less if less < 1e6 => format!("{} ms", significant(less / 1e3)),
                more => format!("{} s", significant(more / 1e6)),
            },
            Self::Seconds => format!("{} s", significant(value)),
            Self::Bytes => bytes(value),
            Self::Processors => significant(value),
            Self::Nines => percentile(value),
        }
    }
}

/// A whole number with commas.
pub(super) fn whole(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits, more where they are before the point; no zeros at the end.
pub(super) fn significant(value: f64) -> String {
    if value.abs() >= 100.0 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", whole(value.abs().round() as u64));
    }
    let decimals = match value.abs() {
        small if small >= 10.0 => 1,
        small if small >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn large(value: f64) -> String {
    match value.abs() {
        more if more >= 1e9 => format!("{} G", significant(value / 1e9)),
        more if more >= 1e6 => format!("{} M", significant(value / 1e6)),
        more if more >= 1e4 => format!("{} k", significant(value / 1e3)),
        _ => significant(value),
    }
}

fn bytes(value: f64) -> String {
    const KIB: f64 = 1024.0;
    match value.abs() {
        more if more >= KIB * KIB * KIB => format!("{} GiB", significant(value / KIB / KIB / KIB)),
        more if more >= KIB * KIB => format!("{} MiB", significant(value / KIB / KIB)),
        more if more >= KIB => format!("{} KiB", significant(value / KIB)),
        _ => format!("{} B", significant(value)),
    }
}

fn percentile(nines: f64) -> String {
    let percent = 100.0 - 100.0 / libm::exp10(nines);
    let decimals = (nines - 2.0).max(0.0).ceil() as usize;
    format!("{percent:.decimals$} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (value, text) in [
            (0.0, "0"),
            (0.1234, "0.123"),
            (1.5, "1.5"),
            (12.34, "12.3"),
            (99.96, "100"),
            (1_234.5, "1,235"),
            (-250.0, "-250"),
        ] {
            assert_eq!(significant(value), text);
        }
        assert_eq!(
            (whole(7), whole(1_000), whole(1_234_567)),
            ("7".into(), "1,000".into(), "1,234,567".into())
        );
    }

    #[test]
    fn units_are_written() {
        for (unit, value, text) in [
            (Unit::Count, 12_300.0, "12.3 k"),
            (Unit::PerSecond, 2_500_000.0, "2.5 M/s"),
            (Unit::Microseconds, 12.0, "12 µs"),
            (Unit::Microseconds, 1_250.0, "1.25 ms"),
            (Unit::Microseconds, 2e6, "2 s"),
            (Unit::Bytes, 512.0, "512 B"),
            (Unit::Bytes, 5.0 * 1_048_576.0, "5 MiB"),
            (Unit::Nines, 0.0, "0 %"),
            (Unit::Nines, 1.0, "90 %"),
            (Unit::Nines, 2.0, "99 %"),
            (Unit::Nines, 4.0, "99.99 %"),
        ] {
            assert_eq!(unit.text(value), text);
        }
    }
}
