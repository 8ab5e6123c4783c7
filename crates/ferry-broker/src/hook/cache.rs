use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use ferry_auth::HookAnswer;
use ring::{digest, hmac, rand};

/// Answers of a hook, for a while. What was asked is not in it, but a hash of it by a key that nobody else has: a password
/// cannot be found by trying.
///
/// Those that let in and those that do not have room each: whoever tries passwords cannot push others out.
pub(super) struct Cache {
    key: Option<hmac::Key>,
    lifetime: Duration,
    allowed: Shelf,
    refused: Shelf,
}

type Key = [u8; digest::SHA256_OUTPUT_LEN];

struct Shelf {
    entries_max: usize,
    entries: HashMap<Key, (Instant, HookAnswer)>,
    /// Oldest first; each key once.
    order: VecDeque<Key>,
}

impl Cache {
    /// For `lifetime`, none if it is zero, and at most `entries_max` answers of each kind.
    pub(super) fn new(lifetime: Duration, entries_max: usize) -> Self {
        // Without random numbers nothing is remembered.
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok();
        let shelf = || Shelf { entries_max, entries: HashMap::new(), order: VecDeque::new() };
        Self { key: key.filter(|_| !lifetime.is_zero()), lifetime, allowed: shelf(), refused: shelf() }
    }

    /// What was answered to this question not long before `now`.
    pub(super) fn get(&self, question: &str, now: Instant) -> Option<HookAnswer> {
        let key = self.hash(question)?;
        let found = self.allowed.entries.get(&key).or_else(|| self.refused.entries.get(&key));
        let (since, answer) = found?;
        (now.saturating_duration_since(*since) < self.lifetime).then(|| answer.clone())
    }

    /// Remembers an answer.
    pub(super) fn put(&mut self, question: &str, answer: &HookAnswer, now: Instant) {
        let Some(key) = self.hash(question) else { return };
        let (to, other) = match answer {
            HookAnswer::Allow { .. } => (&mut self.allowed, &mut self.refused),
            HookAnswer::Deny { .. } | HookAnswer::Ignore => (&mut self.refused, &mut self.allowed),
        };
        other.entries.remove(&key);
        to.put(key, (now, answer.clone()));
    }

    fn hash(&self, question: &str) -> Option<Key> {
        hmac::sign(self.key.as_ref()?, question.as_bytes()).as_ref().try_into().ok()
    }
}

impl Shelf {
    fn put(&mut self, key: Key, entry: (Instant, HookAnswer)) {
        if self.entries.insert(key, entry).is_some() {
            return;
        }
        self.order.push_back(key);
        // A key may stand here whose entry has moved to the other shelf.
        while self.order.len() > self.entries_max {
            let Some(oldest) = self.order.pop_front() else { return };
            self.entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny() -> HookAnswer {
        HookAnswer::Deny { reason: None }
    }

    #[test]
    fn answers_are_kept_for_a_while_and_the_oldest_goes_first() {
        let mut cache = Cache::new(Duration::from_secs(10), 2);
        let start = Instant::now();
        cache.put("a", &deny(), start);
        cache.put("b", &HookAnswer::Ignore, start);
        assert_eq!(cache.get("a", start), Some(deny()));
        assert_eq!(cache.get("a", start + Duration::from_secs(9)), Some(deny()));
        assert_eq!(cache.get("a", start + Duration::from_secs(10)), None);
        cache.put("c", &deny(), start);
        assert_eq!(cache.get("a", start), None, "no room");
        assert_eq!(cache.get("b", start), Some(HookAnswer::Ignore));
        assert_eq!(cache.refused.entries.len(), 2);
    }

    #[test]
    fn refusals_push_nobody_out_who_was_let_in() {
        let mut cache = Cache::new(Duration::from_secs(10), 2);
        let start = Instant::now();
        let allow = HookAnswer::parse(br#"{"result":"allow"}"#).expect("an answer");
        cache.put("in", &allow, start);
        for number in 0..100 {
            cache.put(&number.to_string(), &deny(), start);
        }
        assert_eq!(cache.get("in", start), Some(allow.clone()));
        // The newest answer counts.
        cache.put("in", &deny(), start);
        assert_eq!(cache.get("in", start), Some(deny()));
        cache.put("in", &allow, start);
        assert_eq!(cache.get("in", start), Some(allow));
        for number in 0..100 {
            cache.put(&number.to_string(), &deny(), start);
            assert!(cache.refused.order.len() <= 2 && cache.refused.entries.len() <= 2);
        }
    }

    #[test]
    fn nothing_is_remembered_without_a_time() {
        let mut cache = Cache::new(Duration::ZERO, 2);
        cache.put("a", &deny(), Instant::now());
        assert_eq!(cache.get("a", Instant::now()), None);
        assert!(cache.refused.entries.is_empty());
    }
}
