use std::num::NonZeroU64;

use ferry_codec::{MessageProperties, QoS};
use ferry_router::ShareGroupId;

use crate::publication::Publication;

/// A payload of at most this much is copied for each shard that wants it: that takes less time than to allocate it,
/// to count its references from several threads, and to have another one free it.
const PAYLOAD_BYTES_MAX: usize = 4 * 1024;

/// Once a pack holds so much, the next message begins another one: it is read while it is still near the processor, and
/// its memory is used again.
const PACK_BYTES_MAX: usize = 64 * 1024;

/// Messages on their way from one shard to another, one after the other in memory of their own: a message costs
/// neither an allocation nor a reference count for which two processors would contend.
///
/// It is for messages that leave nothing behind at their sender. Those that a publisher waits for, that expire, that
/// are stored or large travel alone, as [`Mail::Publish`](crate::Mail::Publish).
#[derive(Clone, Debug, Default)]
pub struct PackedMessages {
    /// One for messages that follow each other and are alike but for their payloads.
    heads: Vec<Head>,
    messages: usize,
    /// Topics, in the order of the messages; one that comes twice in a row is there once.
    topics: String,
    /// Where the last of them begins.
    last_topic: usize,
    /// The properties, without a length in front, and the payload of each message.
    contents: Vec<u8>,
}

/// What is not text or bytes.
#[derive(Clone, Copy, Debug)]
struct Head {
    /// For one member of this share group only: its number and one.
    group: Option<NonZeroU64>,
    properties_bytes: u32,
    /// 0: the topic is that of the message before.
    topic_bytes: u16,
    payload_bytes: u16,
    /// Messages with this head.
    count: u16,
    qos: QoS,
    retain: bool,
}

/// A pack while its messages are taken out of it, in the order in which they were packed.
pub(crate) struct OpenPack<'a> {
    heads: std::slice::Iter<'a, Head>,
    /// That of the message that was taken last.
    head: Option<&'a Head>,
    /// Messages with that head that were not taken yet.
    alike: u16,
    topics: &'a str,
    contents: &'a [u8],
    /// One for all: most of it is alike from one message to the next.
    publication: Publication<'a>,
}

impl PackedMessages {
    /// Bytes that the messages count for, each with a head of its own: those that are alike take less memory, but messages
    /// without one would count for nothing in the limits.
    pub(crate) fn size_bytes(&self) -> usize {
        self.messages * size_of::<Head>() + self.topics.len() + self.contents.len()
    }

    /// Bytes of memory held.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.heads.capacity() * size_of::<Head>() + self.topics.capacity() + self.contents.capacity()
    }

    /// Whether the next message is to begin another pack.
    pub(crate) fn is_full(&self) -> bool {
        self.size_bytes() >= PACK_BYTES_MAX
    }

    pub(crate) fn clear(&mut self) {
        self.heads.clear();
        self.messages = 0;
        self.topics.clear();
        self.last_topic = 0;
        self.contents.clear();
    }

    /// Whether a message can be packed.
    pub(crate) fn takes(publication: &Publication<'_>) -> bool {
        // What is left of an expiry interval follows from when the message came, which is not kept here.
        publication.payload.len() <= PAYLOAD_BYTES_MAX
            && publication.properties.message_expiry_interval.is_none()
    }

    /// Appends a message that [can be packed](Self::takes): for one member of a share group, or for all who want it.
    pub(crate) fn push(&mut self, publication: &Publication<'_>, group: Option<ShareGroupId>) {
        let topic = publication.topic;
        let is_known = !self.heads.is_empty() && self.topics[self.last_topic..] == *topic;
        if !is_known {
            self.last_topic = self.topics.len();
            self.topics.push_str(topic);
        }
        let start = self.contents.len();
        if !publication.properties.is_empty() {
            publication.properties.encode_into(&mut self.contents);
        }
        let properties_bytes = self.contents.len() - start;
        self.contents.extend_from_slice(publication.payload);
        self.messages += 1;
        let head = Head {
            group: group.map(|group| NonZeroU64::MIN.saturating_add(group.0)),
            // A packet has less than 2^28 bytes, a topic name less than 2^16 (section 1.5.4).
            properties_bytes: properties_bytes as u32,
            topic_bytes: if is_known { 0 } else { topic.len() as u16 },
            payload_bytes: publication.payload.len() as u16,
            count: 1,
            qos: publication.qos,
            retain: publication.retain,
        };
        match self.heads.last_mut().filter(|last| is_known && last.is_also_of(&head)) {
            Some(last) => last.count += 1,
            None => self.heads.push(head),
        }
    }

    /// Its messages, to be taken one by one.
    pub(crate) fn open(&self) -> OpenPack<'_> {
        OpenPack {
            heads: self.heads.iter(),
            head: None,
            alike: 0,
            topics: &self.topics,
            contents: &self.contents,
            publication: Publication::of_pack(),
        }
    }
}

impl Head {
    /// Whether a message with the same topic and the head `other` may share this one.
    fn is_also_of(&self, other: &Self) -> bool {
        self.payload_bytes == other.payload_bytes
            && self.qos == other.qos
            && self.retain == other.retain
            && self.group == other.group
            && self.properties_bytes == 0
            && other.properties_bytes == 0
            && self.count < u16::MAX
    }
}

impl<'a> OpenPack<'a> {
    /// The next message, and the share group for one of whose members it is.
    pub(crate) fn next(&mut self) -> Option<(Option<ShareGroupId>, &mut Publication<'a>)> {
        let mut topic = None;
        if self.alike > 0 {
            self.alike -= 1;
        } else {
            let head = self.heads.next()?;
            if head.topic_bytes > 0 {
                let (next, rest) = self.topics.split_at(usize::from(head.topic_bytes));
                self.topics = rest;
                topic = Some(next);
            }
            self.alike = head.count - 1;
            self.head = Some(head);
        }
        let head = self.head?;
        let properties = self.take(head.properties_bytes as usize);
        let payload = self.take(usize::from(head.payload_bytes));
        let publication = &mut self.publication;
        publication.follow_in_pack(topic, payload, head.qos, head.retain);
        if !properties.is_empty() || !publication.properties.is_empty() {
            // They were encoded here.
            publication.properties = MessageProperties::decode(properties).unwrap_or_default();
        }
        // Of a share group nobody else wants it.
        publication.is_wanted_again = head.group.is_none();
        Some((head.group.map(|group| ShareGroupId(group.get() - 1)), publication))
    }

    /// Whether the next message is alike the last one but for its payload.
    pub(crate) fn is_next_alike(&self) -> bool {
        self.alike > 0
    }

    /// The payload of the next message if it is alike the last one but for that.
    pub(crate) fn next_alike(&mut self) -> Option<&'a [u8]> {
        let head = self.head.filter(|_| self.is_next_alike())?;
        self.alike -= 1;
        Some(self.take(usize::from(head.payload_bytes)))
    }

    /// The topics of the next messages, at most so many; without those that are for a share group or that have the topic
    /// of the message before.
    pub(crate) fn next_topics(&self, messages_max: usize) -> impl Iterator<Item = &'a str> {
        let mut topics = self.topics;
        self.heads.clone().take(messages_max).filter_map(move |head| {
            let (topic, rest) = topics.split_at(usize::from(head.topic_bytes));
            topics = rest;
            (head.group.is_none() && !topic.is_empty()).then_some(topic)
        })
    }

    /// The message that was taken last, but not by [`Self::next_alike`].
    pub(crate) fn last(&self) -> &Publication<'a> {
        &self.publication
    }

    /// The next so many bytes of the contents.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.contents.split_at(length);
        self.contents = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use ferry_codec::{Publish, UserPropertiesBuf};

    use super::*;
    use crate::session::SessionId;

    fn packed(messages: &[(Option<ShareGroupId>, Publish<'_>)]) -> PackedMessages {
        let mut pack = PackedMessages::default();
        for (group, publish) in messages {
            let publication = Publication::from_publish(publish, publish.topic, SessionId(0));
            assert!(PackedMessages::takes(&publication));
            pack.push(&publication, *group);
        }
        pack
    }

    #[test]
    fn what_is_packed_comes_out_in_order() {
        let mut user_properties = UserPropertiesBuf::default();
        user_properties.push("b", "1");
        user_properties.push("a", "2");
        let properties = MessageProperties {
            content_type: Some("text"),
            user_properties: user_properties.as_user_properties(),
            ..MessageProperties::default()
        };
        let group = Some(ShareGroupId(7));
        let messages = [
            (None, Publish { topic: "a", payload: b"1", ..Publish::default() }),
            (group, Publish { topic: "a", qos: QoS::ExactlyOnce, properties, ..Publish::default() }),
            (None, Publish { topic: "ä/b", payload: b"two", retain: true, ..Publish::default() }),
            (
                None,
                Publish { topic: "a", payload: &[9; PAYLOAD_BYTES_MAX], properties, ..Publish::default() },
            ),
        ];
        let mut pack = packed(&messages);
        for _ in 0..2 {
            let mut open = pack.open();
            for (group, publish) in &messages {
                let (packed_for, packed) = open.next().expect("none is missing");
                let Publish { topic, payload, properties, qos, retain, .. } = *publish;
                assert_eq!((packed_for, packed.topic, packed.payload), (*group, topic, payload));
                assert_eq!((packed.properties, packed.qos, packed.retain), (properties, qos, retain));
            }
            assert!(open.next().is_none());
            let size = pack.size_bytes();
            pack.clear();
            assert_eq!((pack.open().next().is_none(), pack.size_bytes()), (true, 0));
            assert!(pack.capacity_bytes() >= size);
            for (group, publish) in &messages {
                pack.push(&Publication::from_publish(publish, publish.topic, SessionId(0)), *group);
            }
        }
    }

    #[test]
    fn a_topic_that_is_repeated_is_there_once() {
        let message = |topic| (None, Publish { topic, payload: b"x", ..Publish::default() });
        let once = packed(&[message("a/long/topic")]).size_bytes();
        let twice = packed(&[message("a/long/topic"), message("a/long/topic")]).size_bytes();
        assert_eq!(twice - once, size_of::<Head>() + 1);
    }

    #[test]
    fn messages_alike_but_for_their_payloads_share_a_head() {
        let message = |topic, payload| (None, Publish { topic, payload, ..Publish::default() });
        let long = message("a", &b"22"[..]);
        let messages = [
            message("a", b"1"),
            message("a", b"2"),
            message("b", b"3"),
            message("b", b"4"),
            long,
            message("b", b"5"),
        ];
        let pack = packed(&messages);
        assert_eq!((pack.heads.len(), pack.messages), (4, 6));
        let mut open = pack.open();
        assert_eq!(open.next().map(|(_, publication)| publication.payload), Some(&b"1"[..]));
        assert_eq!(open.next_alike(), Some(&b"2"[..]));
        assert_eq!(open.next_alike(), None);
        assert_eq!(
            open.next().map(|(_, publication)| (publication.topic, publication.payload)),
            Some(("b", &b"3"[..]))
        );
        assert_eq!(open.next().map(|(_, publication)| publication.payload), Some(&b"4"[..]));
        assert_eq!(open.next_alike(), None);
    }

    #[test]
    fn what_is_large_or_expires_is_not_packed() {
        let takes = |publish: &Publish<'_>| {
            PackedMessages::takes(&Publication::from_publish(publish, "t", SessionId(0)))
        };
        assert!(!takes(&Publish { payload: &[0; PAYLOAD_BYTES_MAX + 1], ..Publish::default() }));
        let properties =
            MessageProperties { message_expiry_interval: Some(1), ..MessageProperties::default() };
        assert!(!takes(&Publish { properties, ..Publish::default() }));
    }

    #[test]
    fn a_head_is_small() {
        assert!(size_of::<Head>() <= 24, "{}", size_of::<Head>());
    }
}
