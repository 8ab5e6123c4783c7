//! Sizes and durations as people write them: `1 MiB`, `30s`.

/// One KiB in bytes.
pub(crate) const KIB: u64 = 1024;
/// One MiB in bytes.
pub(crate) const MIB: u64 = 1024 * KIB;
/// One day in seconds.
pub(crate) const DAY_SECONDS: u32 = 86_400;

const SIZE_UNITS: [(&str, u64); 8] = [
    ("GiB", 1024 * MIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

const DURATION_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads `1048576`, `1 MiB`, `1MB`: a whole number and an optional unit. The result is in bytes.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    parse_with_units(text, &SIZE_UNITS, 1)
}

/// Reads `30s`, `500 ms`, `2h` (units ms, s, m, h, d), or a bare number in units of `unit_milliseconds`.
/// The result is in milliseconds.
pub(crate) fn parse_milliseconds(text: &str, unit_milliseconds: u64) -> Option<u64> {
    parse_with_units(text, &DURATION_UNITS, unit_milliseconds)
}

/// The shortest exact way to write a size.
pub(crate) fn show_bytes(bytes: u64) -> String {
    SIZE_UNITS[..3]
        .iter()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
        .map_or_else(|| bytes.to_string(), |(name, unit)| format!("\"{} {name}\"", bytes / unit))
}

/// The shortest exact way to write a number of seconds: bare below an hour, else in hours or days.
pub(crate) fn show_seconds(seconds: u64) -> String {
    let day = u64::from(DAY_SECONDS);
    if seconds > 0 && seconds.is_multiple_of(day) {
        format!("\"{}d\"", seconds / day)
    } else if seconds > 0 && seconds.is_multiple_of(3600) {
        format!("\"{}h\"", seconds / 3600)
    } else {
        seconds.to_string()
    }
}

fn parse_with_units(text: &str, units: &[(&str, u64)], bare_unit: u64) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim();
    let factor = if unit.is_empty() { bare_unit } else { units.iter().find(|(name, _)| *name == unit)?.1 };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("1 MiB", MIB), ("1MiB", MIB), ("2 MB", 2_000_000), ("1_000", 1_000), ("7 B", 7)]
        {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1 Mib", "-1", "1.5 MiB", "99999999999 GiB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, milliseconds) in
            [("30s", 30_000), ("30", 30_000), ("500 ms", 500), ("2h", 7_200_000), ("1d", 86_400_000)]
        {
            assert_eq!(parse_milliseconds(text, 1_000), Some(milliseconds), "{text}");
        }
        assert_eq!(parse_milliseconds("30 sec", 1_000), None);
    }

    #[test]
    fn shown_as_they_are_read() {
        for bytes in [1, 1023, 1024, 1536, MIB, 5 * MIB, 1024 * MIB] {
            assert_eq!(parse_bytes(show_bytes(bytes).trim_matches('"')), Some(bytes));
        }
        for seconds in [0, 1, 59, 3600, 5400, 86_400] {
            let shown = show_seconds(seconds);
            assert_eq!(parse_milliseconds(shown.trim_matches('"'), 1_000), Some(seconds * 1_000));
        }
    }
}
