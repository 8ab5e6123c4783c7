//! Messages on their way through a shard, from the bytes of the publisher to those of the subscribers.

use std::sync::Arc;

use ferry_codec::QoS;
use ferry_core::{Authorizer, Identity};

use crate::broker::{Broker, Client};
use crate::packets::{PUBACK, PUBCOMP, PUBREC, PUBREL, ack, publish as publish_bytes, set_packet_id};

const TOPIC: &str = "bench/topic/042";

/// So many that none has to wait for an acknowledgement.
const INFLIGHT_MAX: u16 = 1_024;

/// Messages of a whole turn.
const BATCH: u16 = 32;

fn qos(level: u8) -> QoS {
    QoS::from_byte(level).expect("0 to 2")
}

/// What a publisher sends for one message: PUBLISH, and PUBREL if there is one.
struct Exchange {
    bytes: Vec<u8>,
    level: u8,
}

impl Exchange {
    fn new(level: u8) -> Self {
        let mut bytes = publish_bytes(TOPIC, qos(level), 1);
        if level == 2 {
            bytes.extend_from_slice(&ack(PUBREL, 1));
        }
        Self { bytes, level }
    }

    fn with_id(&mut self, id: u16) -> &[u8] {
        if self.level > 0 {
            set_packet_id(&mut self.bytes, TOPIC.len() + 4, id);
        }
        if self.level == 2 {
            let at = self.bytes.len() - 2;
            set_packet_id(&mut self.bytes, at, id);
        }
        &self.bytes
    }
}

/// A message for so many, one in a turn; nobody acknowledges it.
pub(crate) fn publish(level: u8, subscribers: u32, operations: u32) {
    let mut broker = Broker::new(1, INFLIGHT_MAX);
    for number in 0..subscribers {
        broker.subscriber(&format!("subscriber-{number}"), TOPIC, qos(level));
    }
    publish_again(&mut broker, level, operations);
}

/// The same where both the publisher and the subscribers have rules, which have been asked before.
pub(crate) fn publish_with_rules(level: u8, subscribers: u32, operations: u32) {
    let mut broker = Broker::with_rules(1, INFLIGHT_MAX, Arc::new(Rules));
    for number in 0..subscribers {
        broker.subscriber(&format!("subscriber-{number}"), TOPIC, qos(level));
    }
    publish_again(&mut broker, level, operations);
}

/// Rules that let everything pass, but not without being asked.
struct Rules;

impl Authorizer for Rules {
    fn may_publish(&self, _: &Identity, _: &str, _: QoS, _: bool) -> bool {
        true
    }

    fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
        true
    }

    fn restricts_receiving(&self) -> bool {
        true
    }

    fn answers_last(&self) -> bool {
        true
    }
}

/// A message for one of five.
pub(crate) fn publish_shared(operations: u32) {
    let mut broker = Broker::new(1, INFLIGHT_MAX);
    for number in 0..5 {
        broker.subscriber(&format!("subscriber-{number}"), &format!("$share/group/{TOPIC}"), qos(1));
    }
    publish_again(&mut broker, 1, operations);
}

/// A message for a subscriber on another shard.
pub(crate) fn publish_across(level: u8, operations: u32) {
    publish_again(&mut across(level), level, operations);
}

/// A broker with a subscriber that is not at the home of the publisher.
fn across(level: u8) -> Broker {
    let mut broker = Broker::new(2, INFLIGHT_MAX);
    let subscriber = (0..)
        .map(|number| format!("subscriber-{number}"))
        .find(|client_id| ferry_core::home_shard(client_id, 2) != ferry_core::home_shard("publisher", 2))
        .expect("some name has another home");
    broker.subscriber(&subscriber, TOPIC, qos(level));
    broker
}

/// So many messages, in one turn, for a subscriber on another shard.
pub(crate) fn publish_many_across(messages: usize, operations: u32) {
    let mut broker = across(0);
    let publisher = broker.client("publisher");
    let bytes = publish_bytes(TOPIC, qos(0), 1).repeat(messages);
    for _ in 0..operations {
        broker.turn(publisher, &bytes);
        assert!(broker.sent_bytes > 0);
    }
}

fn publish_again(broker: &mut Broker, level: u8, operations: u32) {
    let publisher = broker.client("publisher");
    let mut exchange = Exchange::new(level);
    for id in 1..=operations {
        broker.turn(publisher, exchange.with_id(id as u16));
        assert!(broker.sent_bytes > 0);
    }
}

/// Acknowledgements of messages that were sent before, one in a turn.
pub(crate) fn acknowledge(level: u8, operations: u32) {
    let mut broker = Broker::new(1, INFLIGHT_MAX);
    let subscriber = broker.subscriber("subscriber", TOPIC, qos(level));
    publish_again(&mut broker, level, u32::from(INFLIGHT_MAX) / 2);
    for id in 1..=operations {
        acknowledge_turn(&mut broker, subscriber, level, id as u16, 1);
    }
    let left = usize::from(INFLIGHT_MAX) / 2 - operations as usize;
    assert_eq!(broker.shards[0].counters().inflight_messages, left);
}

/// What a subscriber answers to so many messages from this packet identifier on, in as many turns as it takes.
fn acknowledge_turn(broker: &mut Broker, subscriber: Client, level: u8, first: u16, count: u16) {
    let steps: &[u8] = match level {
        0 => &[],
        1 => &[PUBACK],
        _ => &[PUBREC, PUBCOMP],
    };
    let mut bytes = Vec::with_capacity(usize::from(count) * 4);
    for &step in steps {
        bytes.clear();
        (first..first + count).for_each(|id| bytes.extend_from_slice(&ack(step, id)));
        broker.turn(subscriber, &bytes);
    }
}

/// From PUBLISH to the last acknowledgement, many messages in a turn.
pub(crate) fn whole(level: u8, operations: u32) {
    whole_turns(level, BATCH, INFLIGHT_MAX, operations);
}

/// More messages than may be on their way at a time.
pub(crate) fn whole_queued(operations: u32) {
    whole_turns(1, BATCH * 10, BATCH, operations);
}

fn whole_turns(level: u8, batch: u16, inflight_max: u16, operations: u32) {
    let mut broker = Broker::new(1, inflight_max);
    let subscriber = broker.subscriber("subscriber", TOPIC, qos(level));
    let publisher = broker.client("publisher");
    let mut exchange = Exchange::new(level);
    let bytes: Vec<u8> = (1..=batch).flat_map(|id| exchange.with_id(id).to_vec()).collect();
    let mut next_id = 1;
    for _ in 0..operations {
        broker.turn(publisher, &bytes);
        assert!(broker.sent_bytes > 0);
        for _ in 0..batch / batch.min(inflight_max) {
            acknowledge_turn(&mut broker, subscriber, level, next_id, batch.min(inflight_max));
            next_id += batch.min(inflight_max);
        }
    }
    let counters = broker.shards[0].counters();
    assert_eq!((counters.inflight_messages, counters.queued_messages), (0, 0));
}
