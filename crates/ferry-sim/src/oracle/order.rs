//! Messages of one publisher on one topic with one QoS arrive in the order in which they were published
//! [MQTT-4.6.0-5] [MQTT-4.6.0-6].

use std::collections::{BTreeMap, BTreeSet};

use ferry_codec::QoS;

use super::{Oracle, is_shared_topic};
use crate::fact::Fact;
use crate::journal::MessageId;
use crate::model::Model;

/// Subscriber, publisher, topic, QoS of the publication, QoS of the copy.
type Stream = (usize, usize, String, QoS, QoS);

#[derive(Default)]
pub(super) struct Order {
    last: BTreeMap<Stream, MessageId>,
    seen: BTreeSet<(usize, MessageId)>,
    publications: BTreeMap<MessageId, u32>,
}

impl Oracle for Order {
    fn property(&self) -> &'static str {
        "order"
    }

    fn observe(&mut self, model: &Model, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Published { message: Some(message), is_repeated: false, .. } => {
                *self.publications.entry(*message).or_default() += 1;
                Ok(())
            }
            Fact::Delivered { client, copy, .. } if !copy.retain => {
                let Some(message) = copy.message else { return Ok(()) };
                let authored = model.journal.get(message);
                let is_first = self.seen.insert((*client, message));
                // What was published again may come again, in its old order.
                let is_single = self.publications.get(&message) == Some(&1);
                if authored.is_will || is_shared_topic(&authored.topic) || !is_first || !is_single {
                    return Ok(());
                }
                let stream = (*client, authored.publisher, authored.topic.clone(), authored.qos, copy.qos);
                match self.last.insert(stream, message) {
                    Some(last) if last > message => {
                        Err(format!("client {client} got {message:?} after {last:?}"))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
