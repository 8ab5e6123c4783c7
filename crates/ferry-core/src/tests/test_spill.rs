//! Queues that are longer than what is kept of them in memory.

use ferry_codec::{MessageProperties, Publish};

use super::harness::*;
use crate::*;

/// One session that is away, of whose queue three messages stay in memory.
fn away(configure: impl FnOnce(&mut CoreConfig)) -> (Broker, Client) {
    let mut broker = Broker::with(|config| {
        config.durability = Durability::Fsync;
        config.queue_messages_in_memory_max = 3;
        configure(config);
    });
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 1);
    broker.cut(client);
    let publisher = broker.client("p");
    (broker, publisher)
}

fn publish(broker: &mut Broker, publisher: Client, numbers: std::ops::Range<usize>) {
    for number in numbers {
        broker.publish(publisher, "t", 1, 1, &number.to_string());
    }
}

/// Takes and acknowledges everything; the payloads.
fn drain(broker: &mut Broker, client: Client) -> Vec<usize> {
    let mut payloads = Vec::new();
    loop {
        let received = broker.read(client);
        if received.is_empty() {
            return payloads;
        }
        for text in received {
            let words: Vec<_> = text.split(' ').collect();
            if words[0] == "PUBLISH" {
                payloads.push(words.last().unwrap().parse().unwrap());
                let id = words.iter().find_map(|word| word.strip_prefix("id=")).unwrap();
                broker.puback(client, id.parse().unwrap());
            }
        }
    }
}

fn nothing_is_left(broker: &Broker) {
    let counters = broker.counters();
    assert_eq!((counters.queued_messages, counters.queued_bytes, counters.inflight_messages), (0, 0, 0));
    // The session and its subscription.
    assert_eq!(broker.store.live.values.len(), 2);
}

#[test]
fn what_is_not_in_memory_comes_in_order() {
    let (mut broker, publisher) = away(|_| {});
    publish(&mut broker, publisher, 0..1000);
    assert_eq!(broker.counters().queued_messages, 1000);
    let session = broker.shards[0].sessions().find(|session| session.client_id == "c").unwrap();
    assert_eq!(session.queued_messages, 1000);
    let client = broker.connect(&resume("c"));
    assert_eq!(drain(&mut broker, client), (0..1000).collect::<Vec<_>>());
    nothing_is_left(&broker);
}

#[test]
fn new_messages_come_behind_those_in_the_store() {
    let (mut broker, publisher) = away(|_| {});
    publish(&mut broker, publisher, 0..10);
    broker.loads_at_once = false;
    let client = broker.connect(&resume("c"));
    broker.read(client);
    publish(&mut broker, publisher, 10..20);
    // Three were in memory; the others are awaited, and nothing overtakes them [MQTT-4.6.0-5].
    (1..=3).for_each(|id| broker.puback(client, id));
    assert!(broker.read(client).is_empty());
    assert_eq!(broker.loads.len(), 1);
    broker.loads_at_once = true;
    broker.load();
    assert_eq!(drain(&mut broker, client), (3..20).collect::<Vec<_>>());
    nothing_is_left(&broker);
}

#[test]
fn bytes_in_memory_are_limited_too() {
    let (mut broker, publisher) = away(|config| config.queue_bytes_in_memory_max = 400);
    publish(&mut broker, publisher, 0..10);
    broker.loads_at_once = false;
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client).len(), 1 + 2);
    assert_eq!(broker.loads[0].1.sequences, [3, 4]);
    broker.loads_at_once = true;
    broker.load();
    assert_eq!(drain(&mut broker, client).len(), 8);
}

#[test]
fn the_overflow_policies_hold() {
    for (policy, kept) in [
        (OverflowPolicy::DropOldest, 10..20),
        (OverflowPolicy::DropNewest, 0..10),
        (OverflowPolicy::RejectPublisher, 0..10),
    ] {
        let (mut broker, publisher) = away(|config| {
            config.queue_messages_max = 10;
            config.overflow_policy = policy;
        });
        publish(&mut broker, publisher, 0..20);
        let refused = broker.read(publisher).iter().filter(|text| text.ends_with("0x97")).count();
        assert_eq!(refused, if policy == OverflowPolicy::RejectPublisher { 10 } else { 0 });
        assert_eq!(broker.drops(DropReason::QueueFull), 10);
        let client = broker.connect(&resume("c"));
        assert_eq!(drain(&mut broker, client), kept.collect::<Vec<_>>(), "{policy:?}");
        nothing_is_left(&broker);
    }
}

#[test]
fn messages_in_the_store_expire() {
    let (mut broker, publisher) = away(|config| config.queue_messages_max = 10);
    for number in 0..10 {
        let message_expiry_interval = (number % 2 == 0).then_some(5);
        let properties = MessageProperties { message_expiry_interval, ..Default::default() };
        let payload = number.to_string();
        let publish = Publish { topic: "t", payload: payload.as_bytes(), properties, ..Publish::default() };
        broker.publish_packet(publisher, 1, 1, publish);
    }
    broker.advance(10);
    // They make room [MQTT-3.3.2-5].
    publish(&mut broker, publisher, 10..14);
    assert_eq!((broker.drops(DropReason::Expired), broker.drops(DropReason::QueueFull)), (5, 0));
    let client = broker.connect(&resume("c"));
    assert_eq!(drain(&mut broker, client), [1, 3, 5, 7, 9, 10, 11, 12, 13]);
    nothing_is_left(&broker);
}

#[test]
fn a_connection_that_ends_while_copies_are_read_back() {
    let (mut broker, publisher) = away(|_| {});
    publish(&mut broker, publisher, 0..20);
    broker.loads_at_once = false;
    let first = broker.connect(&resume("c"));
    assert_eq!(broker.read(first).len(), 1 + 3);
    // Another connection takes over; what comes is for that.
    let second = broker.connect(&resume("c"));
    assert!(broker.is_closed(first));
    assert_eq!(broker.read(second).len(), 1 + 3);
    broker.cut(second);
    broker.load();
    assert_eq!(broker.counters().queued_messages, 17);
    broker.loads_at_once = true;
    let third = broker.connect(&resume("c"));
    assert_eq!(drain(&mut broker, third), (0..20).collect::<Vec<_>>());
    nothing_is_left(&broker);
}

#[test]
fn a_session_that_ends_while_copies_are_read_back() {
    let (mut broker, publisher) = away(|_| {});
    publish(&mut broker, publisher, 0..20);
    broker.loads_at_once = false;
    broker.connect(&resume("c"));
    let client = broker.online(&connect("c"));
    // Another session has its place.
    assert_eq!(broker.drops(DropReason::SessionEnded), 20);
    broker.load();
    assert!(broker.read(client).is_empty());
    assert_eq!((broker.counters().queued_messages, broker.store.live.values.len()), (0, 0));
}

#[test]
fn a_copy_that_cannot_be_read_back_is_counted() {
    let (mut broker, publisher) = away(|_| {});
    publish(&mut broker, publisher, 0..20);
    broker.loads_at_once = false;
    let client = broker.connect(&resume("c"));
    let (shard, request) = broker.loads.pop().unwrap();
    let mut copies = broker.store.live.load(&request);
    copies[0] = LoadedCopy::default();
    copies[1].value.as_mut().unwrap().truncate(3);
    broker.loads_at_once = true;
    broker.handle(shard, Event::Loaded { request, copies });
    let expected: Vec<_> = (0..20).filter(|number| ![3, 4].contains(number)).collect();
    assert_eq!(drain(&mut broker, client), expected);
    assert_eq!(broker.drops(DropReason::Lost), 2);
    nothing_is_left(&broker);
}

#[test]
fn copies_that_are_dropped_while_they_are_read_back() {
    let (mut broker, publisher) = away(|config| config.queue_messages_max = 10);
    publish(&mut broker, publisher, 0..10);
    broker.loads_at_once = false;
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client).len(), 4);
    publish(&mut broker, publisher, 10..20);
    broker.loads_at_once = true;
    broker.load();
    (1..=3).for_each(|id| broker.puback(client, id));
    assert_eq!(drain(&mut broker, client), (10..20).collect::<Vec<_>>());
    assert_eq!(broker.drops(DropReason::QueueFull), 7);
    nothing_is_left(&broker);
}

#[test]
fn a_subscription_that_is_taken_away() {
    struct Rules(std::sync::atomic::AtomicBool);
    impl Authorizer for Rules {
        fn may_publish(&self, _: &Identity, _: &str, _: ferry_codec::QoS, _: bool) -> bool {
            true
        }
        fn may_subscribe(&self, _: &Identity, filter: &str) -> bool {
            filter != "secret" || self.0.load(std::sync::atomic::Ordering::Relaxed)
        }
    }
    let rules = std::sync::Arc::new(Rules(true.into()));
    let mut broker = Broker::with_shards(1, std::sync::Arc::clone(&rules) as _, |config| {
        config.durability = Durability::Fsync;
        config.queue_messages_in_memory_max = 3;
    });
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "secret", 1);
    broker.subscribe(client, "open", 1);
    broker.cut(client);
    let publisher = broker.client("p");
    for number in 0..10 {
        let topic = if number % 2 == 0 { "secret" } else { "open" };
        broker.publish(publisher, topic, 1, 1, &number.to_string());
    }
    rules.0.store(false, std::sync::atomic::Ordering::Relaxed);
    let client = broker.connect(&resume("c"));
    assert_eq!(drain(&mut broker, client), [1, 3, 5, 7, 9]);
    assert_eq!(broker.drops(DropReason::NotAuthorized), 5);
    nothing_is_left(&broker);
}

#[test]
fn a_last_connection_gets_what_is_in_the_store() {
    // It ends the session, which need not survive a restart any more; but its queue is still to be read.
    let (mut broker, publisher) = away(|_| {});
    publish(&mut broker, publisher, 0..10);
    let properties = ferry_codec::ConnectProperties::default();
    let client = broker.connect(&ferry_codec::Connect { properties, ..resume("c") });
    assert_eq!(drain(&mut broker, client), (0..10).collect::<Vec<_>>());
    publish(&mut broker, publisher, 10..20);
    assert_eq!(drain(&mut broker, client), (10..20).collect::<Vec<_>>());
    broker.cut(client);
    assert_eq!(broker.store.live.values.len(), 0);
}
