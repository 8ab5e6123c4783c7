//! What the topic of the message before matched.

use std::hash::Hash;

use crate::subscription_trie::SubscriptionTrie;

/// More subscriptions than this are not remembered: to visit them takes longer than to find them.
const SUBSCRIPTIONS_MAX: usize = 16;

/// Longer topics are looked up each time: what is remembered is small.
const TOPIC_BYTES_MAX: usize = 256;

/// Topics one after the other, each another one than before, after which the next ones are expected to be others too.
pub(crate) const CHANGES_MIN: u32 = 8;

/// Fewer than these are near the processor anyway.
pub(crate) const FILTERS_MIN: usize = 4096;

/// The last answer of one [`SubscriptionTrie`]. What a client publishes comes in runs on one topic, and comparing it takes
/// a fraction of the time that finding it does.
pub struct LastMatches<K, V> {
    topic: String,
    /// Of the trie when it was asked; 0: nothing is remembered.
    generation: u64,
    subscriptions: Vec<(K, V)>,
    /// Topics one after the other, each another one than before.
    changes: u32,
}

impl<K, V> Default for LastMatches<K, V> {
    fn default() -> Self {
        Self { topic: String::new(), generation: 0, subscriptions: Vec::new(), changes: 0 }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> LastMatches<K, V> {
    /// As [`SubscriptionTrie::matches`]: always of the same trie.
    pub fn matches(&mut self, trie: &SubscriptionTrie<K, V>, topic: &str, mut visit: impl FnMut(K, &V)) {
        if *self.topic == *topic {
            self.changes = 0;
            if self.generation == trie.generation() {
                return self.subscriptions.iter().for_each(|(key, value)| visit(*key, value));
            }
        } else {
            self.changes = self.changes.saturating_add(1);
            self.topic.clear();
            if topic.len() <= TOPIC_BYTES_MAX {
                self.topic.push_str(topic);
            }
        }
        self.generation = 0;
        self.subscriptions.clear();
        trie.matches(topic, |key, value| {
            // One more than are remembered tells that there are too many.
            if self.subscriptions.len() <= SUBSCRIPTIONS_MAX {
                self.subscriptions.push((key, *value));
            }
            visit(key, value);
        });
        if topic.len() <= TOPIC_BYTES_MAX && self.subscriptions.len() <= SUBSCRIPTIONS_MAX {
            self.generation = trie.generation();
        }
    }

    /// Whether the trie is to be [read ahead](SubscriptionTrie::read_ahead): it is large, and topics do not repeat.
    pub fn is_scattered(&self, trie: &SubscriptionTrie<K, V>) -> bool {
        self.changes >= CHANGES_MIN && trie.filter_count() >= FILTERS_MIN
    }
}
