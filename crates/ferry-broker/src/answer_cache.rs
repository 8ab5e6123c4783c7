use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use ring::{digest, hmac, rand};

/// Answers about clients, for a while. What was asked is not in it, but a hash of it by a key that nobody else has: a password
/// cannot be found by trying.
///
/// Those that let in and those that do not have room each: whoever tries passwords cannot push others out.
pub(crate) struct AnswerCache<Answer> {
    key: Option<hmac::Key>,
    lifetime: Duration,
    allowed: Shelf<Answer>,
    refused: Shelf<Answer>,
}

type Key = [u8; digest::SHA256_OUTPUT_LEN];

struct Shelf<Answer> {
    entries_max: usize,
    entries: HashMap<Key, (Instant, Answer)>,
    /// Oldest first; each key once.
    order: VecDeque<Key>,
}

impl<Answer: Clone> AnswerCache<Answer> {
    /// For `lifetime`, none if it is zero, and at most `entries_max` answers of each kind.
    pub(crate) fn new(lifetime: Duration, entries_max: usize) -> Self {
        // Without random numbers nothing is remembered.
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).ok();
        let shelf = || Shelf { entries_max, entries: HashMap::new(), order: VecDeque::new() };
        Self { key: key.filter(|_| !lifetime.is_zero()), lifetime, allowed: shelf(), refused: shelf() }
    }

    /// What was answered to this question not long before `now`.
    pub(crate) fn get(&self, question: &[u8], now: Instant) -> Option<Answer> {
        let key = self.hash(question)?;
        let found = self.allowed.entries.get(&key).or_else(|| self.refused.entries.get(&key));
        let (since, answer) = found?;
        (now.saturating_duration_since(*since) < self.lifetime).then(|| answer.clone())
    }

    /// Remembers an answer, which lets a client in or does not.
    pub(crate) fn put(&mut self, question: &[u8], answer: &Answer, lets_in: bool, now: Instant) {
        let Some(key) = self.hash(question) else { return };
        let (to, other) = match lets_in {
            true => (&mut self.allowed, &mut self.refused),
            false => (&mut self.refused, &mut self.allowed),
        };
        other.entries.remove(&key);
        to.put(key, (now, answer.clone()));
    }

    fn hash(&self, question: &[u8]) -> Option<Key> {
        hmac::sign(self.key.as_ref()?, question).as_ref().try_into().ok()
    }
}

impl<Answer> Shelf<Answer> {
    fn put(&mut self, key: Key, entry: (Instant, Answer)) {
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

    #[test]
    fn answers_are_kept_for_a_while_and_the_oldest_goes_first() {
        let mut cache = AnswerCache::new(Duration::from_secs(10), 2);
        let start = Instant::now();
        cache.put(b"a", &"no", false, start);
        cache.put(b"b", &"never", false, start);
        assert_eq!(cache.get(b"a", start), Some("no"));
        assert_eq!(cache.get(b"a", start + Duration::from_secs(9)), Some("no"));
        assert_eq!(cache.get(b"a", start + Duration::from_secs(10)), None);
        cache.put(b"c", &"no", false, start);
        assert_eq!(cache.get(b"a", start), None, "no room");
        assert_eq!(cache.get(b"b", start), Some("never"));
        assert_eq!(cache.refused.entries.len(), 2);
    }

    #[test]
    fn refusals_push_nobody_out_who_was_let_in() {
        let mut cache = AnswerCache::new(Duration::from_secs(10), 2);
        let start = Instant::now();
        cache.put(b"in", &"yes", true, start);
        for number in 0_u32..100 {
            cache.put(&number.to_le_bytes(), &"no", false, start);
        }
        assert_eq!(cache.get(b"in", start), Some("yes"));
        // The newest answer counts.
        cache.put(b"in", &"no", false, start);
        assert_eq!(cache.get(b"in", start), Some("no"));
        cache.put(b"in", &"yes", true, start);
        assert_eq!(cache.get(b"in", start), Some("yes"));
        for number in 0_u32..100 {
            cache.put(&number.to_le_bytes(), &"no", false, start);
            assert!(cache.refused.order.len() <= 2 && cache.refused.entries.len() <= 2);
        }
    }

    #[test]
    fn nothing_is_remembered_without_a_time() {
        let mut cache = AnswerCache::new(Duration::ZERO, 2);
        cache.put(b"a", &"no", false, Instant::now());
        assert_eq!(cache.get(b"a", Instant::now()), None);
        assert!(cache.refused.entries.is_empty());
    }
}
