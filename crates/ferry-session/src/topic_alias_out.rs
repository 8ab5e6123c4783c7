use hashbrown::HashTable;

/// Assigns the Topic Aliases of one connection to the topics that are sent most (section 3.3.2.3.4).
///
/// While aliases are unused every topic gets one. Then a new topic competes with one alias at a time, in turn:
/// each time it is seen again while its memory lasts, it takes a point from that alias, and once the alias has
/// none left it takes its place. Each use of an alias earns it a point. So a topic keeps its alias as long as
/// it is sent more often than the average competitor, and a stream of topics that are sent once changes
/// nothing. One step costs the same whatever the number of aliases and topics.
#[derive(Debug, Default)]
pub struct TopicAliasOut {
    table: Option<Box<Table>>,
    topic_alias_maximum: u16,
}

/// How to send the topic of one PUBLISH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AliasChoice {
    /// The topic, no alias.
    None,
    /// An empty topic and this alias, which the peer knows.
    Existing(u16),
    /// The topic and this alias, which the peer takes as defined from now on. If the packet is not sent, tell
    /// [`TopicAliasOut::undo`].
    New(u16),
}

#[derive(Debug, Default)]
struct Table {
    /// Alias 1 is at 0.
    slots: Vec<AliasSlot>,
    /// Topic to slot.
    index: HashTable<u16>,
    /// The slot with which the next competitor competes.
    hand: usize,
    /// Fingerprints of topics without alias that were sent lately.
    seen: [u16; SEEN_LEN],
}

#[derive(Debug)]
struct AliasSlot {
    topic: Box<str>,
    topic_hash: u64,
    points: u8,
}

/// Topics without alias that are remembered until they are seen again.
const SEEN_LEN: usize = 32;

/// More points than this are not saved up, so that a topic that was busy once does not stay for ever.
const POINTS_MAX: u8 = 15;

/// An alias costs three bytes; a topic that is not longer gains nothing by it.
const ALIAS_PROPERTY_BYTES: usize = 3;

impl TopicAliasOut {
    /// `topic_alias_maximum` is that of the peer's CONNECT, or less; 0 or absent: no aliases
    /// `[MQTT-3.1.2-27]`. Allocates nothing.
    #[must_use]
    pub const fn new(topic_alias_maximum: u16) -> Self {
        Self { table: None, topic_alias_maximum }
    }

    /// Whether no topic ever gets an alias, so that none needs to be hashed.
    #[must_use]
    pub const fn is_off(&self) -> bool {
        self.topic_alias_maximum == 0
    }

    /// Decides how to send `topic`. The alias is 1 to the maximum `[MQTT-3.3.2-8]`, `[MQTT-3.1.2-26]`,
    /// `[MQTT-3.3.2-11]`. `topic_hash` is computed by the caller, once per message for all receivers, with a
    /// seed that publishers do not know.
    pub fn choose(&mut self, topic: &str, topic_hash: u64) -> AliasChoice {
        if self.topic_alias_maximum == 0 || topic.len() <= ALIAS_PROPERTY_BYTES {
            return AliasChoice::None;
        }
        let table = self.table.get_or_insert_default();
        if let Some(at) = table.find(topic, topic_hash) {
            let points = &mut table.slots[usize::from(at)].points;
            *points = points.saturating_add(1).min(POINTS_MAX);
            return AliasChoice::Existing(at + 1);
        }
        if table.slots.len() < usize::from(self.topic_alias_maximum) {
            return AliasChoice::New(table.append(topic, topic_hash) + 1);
        }
        match table.compete(topic, topic_hash) {
            Some(at) => AliasChoice::New(at + 1),
            None => AliasChoice::None,
        }
    }

    /// The PUBLISH that was to define `alias` was not sent: the alias is not defined.
    pub fn undo(&mut self, alias: u16) {
        let Some(table) = &mut self.table else { return };
        let at = usize::from(alias).wrapping_sub(1);
        if at < table.slots.len() {
            table.unbind(at);
            table.slots[at].points = 0;
            table.hand = at;
        }
    }
}

impl Table {
    fn find(&self, topic: &str, topic_hash: u64) -> Option<u16> {
        let is_topic = |&at: &u16| *self.slots[usize::from(at)].topic == *topic;
        self.index.find(topic_hash, is_topic).copied()
    }

    fn append(&mut self, topic: &str, topic_hash: u64) -> u16 {
        let at = u16::try_from(self.slots.len()).expect("fewer slots than the maximum, which is a u16");
        self.slots.push(AliasSlot { topic: topic.into(), topic_hash, points: 1 });
        self.insert(at, topic_hash);
        at
    }

    /// A topic without alias was sent while all are in use.
    fn compete(&mut self, topic: &str, topic_hash: u64) -> Option<u16> {
        let [low, .., high_1, high_0] = topic_hash.to_le_bytes();
        let seen = &mut self.seen[usize::from(low) % SEEN_LEN];
        // 0 is the mark of an unused place.
        let fingerprint = u16::from_le_bytes([high_1, high_0]) | 1;
        if *seen != fingerprint {
            *seen = fingerprint;
            return None;
        }
        let at = self.hand;
        self.hand = (self.hand + 1) % self.slots.len();
        if self.slots[at].points > 0 {
            self.slots[at].points -= 1;
            return None;
        }
        self.unbind(at);
        self.slots[at] = AliasSlot { topic: topic.into(), topic_hash, points: 1 };
        let at = u16::try_from(at).ok()?;
        self.insert(at, topic_hash);
        Some(at)
    }

    fn insert(&mut self, at: u16, topic_hash: u64) {
        let slots = &self.slots;
        self.index.insert_unique(topic_hash, at, |&at| slots[usize::from(at)].topic_hash);
    }

    /// Takes the topic of a slot out of the index, if it is in there.
    fn unbind(&mut self, at: usize) {
        let topic_hash = self.slots[at].topic_hash;
        if let Ok(entry) = self.index.find_entry(topic_hash, |&other| usize::from(other) == at) {
            entry.remove();
        }
        self.slots[at].topic = Box::default();
    }
}

#[cfg(test)]
mod tests;
