//! One line on a terminal that says how far something is.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use crate::output;

/// How often progress is shown.
const INTERVAL: Duration = Duration::from_millis(200);

/// On standard error if that is a terminal; nothing elsewhere.
pub(crate) struct Progress {
    shown: Option<Instant>,
    is_wanted: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { shown: None, is_wanted: !quiet && io::stderr().is_terminal() }
    }

    /// Whether there is a terminal to show it on.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Shows these words in place of those before, unless that was a moment ago.
    pub(crate) fn tell(&mut self, words: impl FnOnce() -> String) {
        if self.is_wanted && self.shown.is_none_or(|shown| shown.elapsed() >= INTERVAL) {
            self.shown = Some(Instant::now());
            output::part(format_args!("\r\x1b[K{}", words()));
        }
    }

    pub(crate) fn clear(&mut self) {
        if self.shown.take().is_some() {
            output::part(format_args!("\r\x1b[K"));
        }
    }
}

/// `1 message`, `1,000 messages`
pub(crate) fn messages(count: u64) -> String {
    format!("{} message{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A part of a whole, such as `42 %`.
pub(crate) fn percent(done: u64, total: u64) -> String {
    format!("{} %", done.saturating_mul(100).checked_div(total).unwrap_or(100))
}

/// A number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes, such as `1.5 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut rest = bytes;
    while rest >= 1024 * 10 && unit + 1 < units.len() {
        rest /= 1024;
        unit += 1;
    }
    format!("{} {}", grouped(rest), units[unit])
}

/// A duration, such as `1:02:03` or `0:07`.
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 9_999, 10_240, 52_428_800].map(size), ["0 bytes", "9,999 bytes", "10 KiB", "50 MiB"]);
        assert_eq!(
            [7, 67, 3_723].map(|seconds| clock(Duration::from_secs(seconds))),
            ["0:07", "1:07", "1:02:03"]
        );
        assert_eq!((percent(1, 3), percent(0, 0)), ("33 %".to_owned(), "100 %".to_owned()));
    }
}
