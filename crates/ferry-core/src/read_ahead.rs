use ferry_codec::peek_topic;
use smallvec::SmallVec;

use crate::packed_messages::OpenPack;
use crate::shard::Shard;

/// Messages whose topics are looked up at a time: about as many places in memory as a processor waits for at once.
pub(crate) const MESSAGES_AHEAD: usize = 16;

impl Shard {
    /// Whether the tables are large, and the topics of the messages that came were all different.
    #[inline]
    pub(crate) fn reads_ahead(&self) -> bool {
        match self.shard_count() {
            1 => self.last_matches.is_scattered(&self.subscriptions),
            _ => self.route_cache.is_scattered(&self.shared.route_table),
        }
    }

    /// Reads what the first messages in `bytes` will look up, and returns how many bytes these are. Nothing is decided:
    /// each packet is judged when its turn comes.
    pub(crate) fn read_ahead(&mut self, bytes: &[u8]) -> usize {
        let mut topics: SmallVec<[&str; MESSAGES_AHEAD]> = SmallVec::new();
        let mut length = 0;
        while topics.len() < MESSAGES_AHEAD
            && let Some((packet_length, topic)) = peek_topic(&bytes[length..], &self.config.decode)
        {
            length += packet_length;
            topics.extend(topic);
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

    /// As [`Self::read_ahead`], for the next messages of a pack, whose number is returned.
    pub(crate) fn read_pack_ahead(&self, pack: &OpenPack<'_>) -> usize {
        if !self.last_matches.is_scattered(&self.subscriptions) {
            return 0;
        }
        let mut topics: SmallVec<[&str; MESSAGES_AHEAD]> = SmallVec::new();
        topics.extend(pack.next_topics().take(MESSAGES_AHEAD));
        self.subscriptions.read_ahead(&topics);
        topics.len()
    }
}
