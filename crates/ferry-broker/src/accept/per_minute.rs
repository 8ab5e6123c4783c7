use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use ferry_session::Timestamp;

/// How long is counted.
pub(crate) const WINDOW_SECONDS: u32 = 60;

/// Keys known at the same time; others beyond it are not counted.
const KEYS_MAX: usize = 16_384;

/// Between two searches for keys whose minute is over.
const SWEEP_INTERVAL_SECONDS: u32 = 1;

/// How often something has happened in a minute, for each key.
#[derive(Debug)]
pub(crate) struct PerMinute<K> {
    windows: HashMap<K, Window>,
    swept_at: Timestamp,
}

#[derive(Debug)]
struct Window {
    begin: Timestamp,
    count: u32,
}

impl<K> Default for PerMinute<K> {
    fn default() -> Self {
        Self { windows: HashMap::new(), swept_at: Timestamp(0) }
    }
}

impl<K: Eq + Hash> PerMinute<K> {
    /// It has happened: whether it is the first time that it is more than `max` in this minute.
    pub(crate) fn exceeds(&mut self, key: K, max: u32, now: Timestamp) -> bool {
        if self.windows.len() >= KEYS_MAX && !self.windows.contains_key(&key) {
            if now >= self.swept_at.plus_seconds(SWEEP_INTERVAL_SECONDS) {
                self.swept_at = now;
                self.windows.retain(|_, window| !window.is_over(now));
            }
            if self.windows.len() >= KEYS_MAX {
                return false;
            }
        }
        let window = self.windows.entry(key).or_insert(Window { begin: now, count: 0 });
        if window.is_over(now) {
            *window = Window { begin: now, count: 0 };
        }
        window.count = window.count.saturating_add(1);
        window.count == max.saturating_add(1)
    }
}

impl<K> PerMinute<K> {
    /// Whether it has been more than `max` in the minute that is counted now.
    pub(crate) fn has_exceeded<Q: Eq + Hash + ?Sized>(&self, key: &Q, max: u32, now: Timestamp) -> bool
    where
        K: Eq + Hash + Borrow<Q>,
    {
        self.windows.get(key).is_some_and(|window| !window.is_over(now) && window.count > max)
    }
}

impl Window {
    fn is_over(&self, now: Timestamp) -> bool {
        self.begin.plus_seconds(WINDOW_SECONDS) <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_in_a_minute() {
        let mut events = PerMinute::default();
        let mut exceeds = |key, seconds| events.exceeds(key, 2, Timestamp(0).plus_seconds(seconds));
        assert!(!exceeds("a", 0) && !exceeds("a", 30) && !exceeds("b", 30));
        assert!(exceeds("a", 59));
        assert!(!exceeds("a", 59) && !exceeds("b", 59));
        assert!(!exceeds("a", 60) && !exceeds("a", 60) && exceeds("a", 61));
        let has_exceeded = |key, seconds| events.has_exceeded(key, 2, Timestamp(0).plus_seconds(seconds));
        assert!(has_exceeded("a", 119) && !has_exceeded("a", 120) && !has_exceeded("b", 61));
    }

    #[test]
    fn there_are_only_so_many_keys() {
        let mut events = PerMinute::default();
        for key in 0..KEYS_MAX + 10 {
            events.exceeds(key, 0, Timestamp(1));
        }
        assert_eq!(events.windows.len(), KEYS_MAX);
        assert!(!events.exceeds(KEYS_MAX + 10, 0, Timestamp(2)));
        assert!(events.exceeds(KEYS_MAX + 10, 0, Timestamp(0).plus_seconds(61)));
        assert_eq!(events.windows.len(), 1);
    }
}
