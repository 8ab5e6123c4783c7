use std::sync::Arc;

use ferry_session::Message;

/// Messages whose memory is kept for those to come, some 150 bytes each. They are freed as fast as they are made, a batch
/// after the other, and the last ones to be freed are still near the processor.
const SPARES_MAX: usize = 8 * 1024;

/// A message with a longer topic or publisher is not kept: what is kept is small.
const TEXT_BYTES_MAX: usize = 256;

/// How many acknowledged messages are looked at together, at most.
const BATCH: usize = 256;

/// Memory of messages that nobody is owed any longer.
#[derive(Debug, Default)]
pub(crate) struct SpareMessages {
    spares: Vec<Arc<Message>>,
    /// Acknowledged, and not looked at yet: a message that was sent a while ago is far from the processor, which fetches
    /// many at a time if it is asked for one right after the other, and waits for each one otherwise.
    acknowledged: Vec<Arc<Message>>,
}

impl SpareMessages {
    /// As [`Arc::new`].
    pub(crate) fn make(&mut self, message: Message) -> Arc<Message> {
        if let Some(mut spare) = self.spares.pop()
            && let Some(place) = Arc::get_mut(&mut spare)
        {
            *place = message;
            return spare;
        }
        Arc::new(message)
    }

    /// Keeps the memory of a message that was acknowledged, unless somebody else is owed it, from the next
    /// [`collect`](Self::collect) on.
    #[inline]
    pub(crate) fn keep(&mut self, message: Arc<Message>) {
        self.acknowledged.push(message);
        if self.acknowledged.len() == BATCH {
            self.collect();
        }
    }

    /// Lets go of what was acknowledged: to be called before anybody waits.
    #[inline]
    pub(crate) fn collect(&mut self) {
        for message in self.acknowledged.drain(..) {
            if Arc::strong_count(&message) == 1 && self.spares.len() < SPARES_MAX && is_small(&message) {
                self.spares.push(message);
            }
        }
    }
}

fn is_small(message: &Message) -> bool {
    message.topic.len() <= TEXT_BYTES_MAX
        && message.publisher.as_ref().is_none_or(|publisher| publisher.len() <= TEXT_BYTES_MAX)
        && !message.payload.spilled()
        && message.properties.is_empty()
}

#[cfg(test)]
mod tests {
    use ferry_codec::{MessageProperties, Publish, UserPropertiesBuf};
    use ferry_session::Timestamp;

    use super::*;

    fn message(publish: &Publish<'_>) -> Message {
        Message::from_publish(publish, publish.topic.into(), None, Timestamp(0))
    }

    fn small(payload: &'static [u8]) -> Message {
        message(&Publish { topic: "t", payload, ..Publish::default() })
    }

    #[test]
    fn memory_is_used_again() {
        let mut spares = SpareMessages::default();
        let first = spares.make(small(b"1"));
        let place = Arc::as_ptr(&first);
        spares.keep(first);
        spares.collect();
        let second = spares.make(small(b"2"));
        assert_eq!((Arc::as_ptr(&second), &*second), (place, &small(b"2")));
        assert_ne!(Arc::as_ptr(&spares.make(small(b"3"))), place);
    }

    #[test]
    fn what_is_owed_to_others_stays_theirs() {
        let mut spares = SpareMessages::default();
        let message = spares.make(small(b"1"));
        spares.keep(Arc::clone(&message));
        spares.collect();
        assert_ne!(Arc::as_ptr(&spares.make(small(b"2"))), Arc::as_ptr(&message));
        assert_eq!(*message, small(b"1"));
    }

    #[test]
    fn what_is_kept_is_small() {
        let mut spares = SpareMessages::default();
        let long = "t".repeat(TEXT_BYTES_MAX + 1);
        let mut user_properties = UserPropertiesBuf::default();
        user_properties.push("a", "b");
        let properties = MessageProperties {
            user_properties: user_properties.as_user_properties(),
            ..MessageProperties::default()
        };
        for publish in [
            Publish { topic: &long, ..Publish::default() },
            Publish { topic: "t", payload: &[0; 25], ..Publish::default() },
            Publish { topic: "t", properties, ..Publish::default() },
        ] {
            spares.keep(Arc::new(message(&publish)));
        }
        let publisher = Some(long.as_str().into());
        spares.keep(Arc::new(Message { publisher, ..small(b"") }));
        spares.collect();
        assert_eq!(spares.spares.len(), 0);
        for _ in 0..=SPARES_MAX {
            spares.keep(Arc::new(small(b"")));
        }
        spares.collect();
        assert_eq!(spares.spares.len(), SPARES_MAX);
    }
}
