//! Sizes and durations as people write them: `1 MiB`, `30s`.

/// One KiB in bytes.
pub(crate) const KIB: u64 = 1024;
/// One MiB in bytes.
pub(crate) const MIB: u64 = 1024 * KIB;
/// One day in seconds.
pub(crate) const DAY_SECONDS: u32 = 86_400;

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1024 * 1024 * MIB),
    ("GiB", 1024 * MIB),
    ("MiB", MIB),
    ("KiB", KIB),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

const DURATION_UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

/// Reads `1048576`, `1 MiB`, `1MB`: a whole number and an optional unit. The result is in bytes.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    parse_with_units(text, &SIZE_UNITS)
}

/// Reads `30`, `30s`, `5m`, `2h`, `7d`: a whole number and an optional unit. The result is in seconds.
pub(crate) fn parse_seconds(text: &str) -> Option<u64> {
    parse_with_units(text, &DURATION_UNITS)
}

/// The shortest exact way to write a size.
pub(crate) fn show_bytes(bytes: u64) -> String {
    SIZE_UNITS[..4]
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

fn parse_with_units(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'_').count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim();
    let factor = if unit.is_empty() { 1 } else { units.iter().find(|(name, _)| *name == unit)?.1 };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("1 MiB", MIB),
            ("1MiB", MIB),
            ("2 MB", 2_000_000),
            ("1_000", 1_000),
            ("7 B", 7),
            ("1 TiB", MIB * MIB),
        ] {
            assert_eq!(parse_bytes(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1 Mib", "-1", "1.5 MiB", "99999999999 GiB"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("30s", 30), ("30", 30), ("5 m", 300), ("2h", 7_200), ("1d", 86_400)] {
            assert_eq!(parse_seconds(text), Some(seconds), "{text}");
        }
        for text in ["500ms", "30 sec", "1h30m", ""] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn shown_as_they_are_read() {
        for bytes in [1, 1023, 1024, 1536, MIB, 5 * MIB, 1024 * MIB] {
            assert_eq!(parse_bytes(show_bytes(bytes).trim_matches('"')), Some(bytes));
        }
        for seconds in [0, 1, 59, 3600, 5400, 86_400] {
            let shown = show_seconds(seconds);
            assert_eq!(parse_seconds(shown.trim_matches('"')), Some(seconds));
        }
    }
}
