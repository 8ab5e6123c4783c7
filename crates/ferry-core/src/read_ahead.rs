use ferry_codec::peek_topic;
use smallvec::SmallVec;

use crate::packed_messages::OpenPack;
use crate::shard::Shard;

/// Messages whose topics are looked up at a time: about as many places in memory as a processor waits for at once.
pub(crate) const MESSAGES_AHEAD: usize = 16;

/// With fewer there is nothing to wait for at once.
const TOPICS_MIN: usize = 2;

/// Longer ones take their time wherever the tables are.
const TOPIC_BYTES_MAX: usize = 256;

impl Shard {
    /// Whether the tables are large, and the topics of the messages that came were all different.
    #[inline]
    pub(crate) fn reads_ahead(&self) -> bool {
        match self.shard_count() {
            1 => self.last_matches.is_scattered(&self.subscriptions),
            _ => self.route_cache.is_scattered(&self.shared.route_table),
        }
    }

    /// Reads what the first packets in `bytes` will look up, and returns how many bytes these are. Nothing is decided: each
    /// is judged when its turn comes.
    pub(crate) fn read_ahead(&mut self, bytes: &[u8]) -> usize {
        let mut topics: SmallVec<[&str; MESSAGES_AHEAD]> = SmallVec::new();
        let mut length = 0;
        for _ in 0..MESSAGES_AHEAD {
            let Some((packet_length, topic)) = peek_topic(&bytes[length..], &self.config.decode) else {
                break;
            };
            length += packet_length;
            topics.extend(topic.filter(|topic| topic.len() <= TOPIC_BYTES_MAX));
        }
        if topics.len() < TOPICS_MIN {
            return length;
        }
        if self.shard_count() > 1 {
            let mut here: SmallVec<[&str; MESSAGES_AHEAD]> = SmallVec::new();
            self.route_cache.ask_ahead(&self.shared.route_table, &topics, |topic, shards| {
                here.extend(shards.contains(&self.id).then_some(topic));
            });
            topics = here;
        }
        self.subscriptions.read_ahead(&topics);
        length
    }

    /// As [`Self::read_ahead`], for the next messages of a pack: returns how many were looked at, at most.
    pub(crate) fn read_pack_ahead(&self, pack: &OpenPack<'_>) -> usize {
        if !self.last_matches.is_scattered(&self.subscriptions) {
            return 0;
        }
        let mut topics: SmallVec<[&str; MESSAGES_AHEAD]> = SmallVec::new();
        topics.extend(pack.next_topics(MESSAGES_AHEAD).filter(|topic| topic.len() <= TOPIC_BYTES_MAX));
        if topics.len() >= TOPICS_MIN {
            self.subscriptions.read_ahead(&topics);
        }
        MESSAGES_AHEAD
    }
}
