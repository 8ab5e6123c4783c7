//! Records that are easily forgotten: whatever changes, it must be there after a restart, and nothing else.

use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::{Connect, Disconnect, MessageProperties, Packet, Publish, ReasonCode, Will};

use super::harness::*;
use super::recorded_state::RecordedState;
use crate::*;

fn recorded() -> Broker {
    Broker::with(|config| config.durability = Durability::Fsync)
}

fn check(broker: &mut Broker) {
    RecordedState::default().check(broker);
}

fn has(broker: &Broker, is: impl Fn(&Record) -> bool) -> bool {
    broker.records.iter().any(is)
}

#[test]
fn a_copy_that_goes_to_another_member() {
    let mut broker = recorded();
    let mut packet = resume("leaving");
    packet.properties.receive_maximum = NonZeroU16::new(1);
    let leaving = broker.online(&packet);
    broker.subscribe(leaving, "$share/g/t", 1);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "sent");
    broker.publish(publisher, "t", 1, 2, "queued");
    let share = |record: &Record| match record {
        Record::Queued { shared_subscription, .. } => shared_subscription.clone(),
        _ => None,
    };
    let shares: Vec<_> = broker.records.iter().filter_map(share).collect();
    assert_eq!(shares.iter().map(|share| &**share).collect::<Vec<_>>(), ["$share/g/t"; 2]);
    let heir = broker.online(&resume("heir"));
    broker.subscribe(heir, "$share/g/t", 1);
    broker.cut(leaving);
    assert_eq!(broker.read(heir).len(), 2);
    check(&mut broker);
}

#[test]
fn copies_that_are_dropped_out_of_order() {
    let mut broker = Broker::with(|config| {
        config.durability = Durability::Fsync;
        config.queue_messages_max = 3;
    });
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 1);
    broker.cut(client);
    let publisher = broker.client("p");
    for (packet_id, expiry) in [(1, None), (2, Some(5)), (3, None)] {
        let properties =
            MessageProperties { message_expiry_interval: expiry, ..MessageProperties::default() };
        broker.publish_packet(
            publisher,
            1,
            packet_id,
            Publish { topic: "t", properties, ..Publish::default() },
        );
    }
    broker.advance(10);
    // The one in the middle makes room, then the oldest.
    broker.publish(publisher, "t", 1, 4, "x");
    broker.publish(publisher, "t", 1, 5, "x");
    assert_eq!((broker.drops(DropReason::Expired), broker.drops(DropReason::QueueFull)), (1, 1));
    check(&mut broker);
}

#[test]
fn a_copy_that_its_client_does_not_take() {
    let mut broker = recorded();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 2);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, &"x".repeat(50));
    broker.publish(publisher, "t", 2, 2, &"x".repeat(50));
    broker.cut(client);
    for (level, packet_id) in [(1, 3), (2, 4)] {
        broker.publish(publisher, "t", level, packet_id, &"x".repeat(50));
    }
    let mut packet = resume("c");
    packet.properties.maximum_packet_size = NonZeroU32::new(30);
    broker.online_with_present(&packet);
    assert_eq!(broker.drops(DropReason::PacketTooLarge), 4);
    assert_eq!(broker.counters().inflight_messages + broker.counters().queued_messages, 0);
    check(&mut broker);
}

#[test]
fn rights_that_were_taken_away() {
    struct Nothing;
    impl Authorizer for Nothing {
        fn may_publish(&self, _: &Identity, _: &str, _: ferry_codec::QoS, _: bool) -> bool {
            true
        }
        fn may_subscribe(&self, _: &Identity, filter: &str) -> bool {
            filter != "secret"
        }
    }
    let mut broker = recorded();
    let mut packet = resume("c");
    packet.properties.receive_maximum = NonZeroU16::new(1);
    let client = broker.online(&packet);
    for filter in ["secret", "gone", "kept"] {
        broker.subscribe(client, filter, 1);
    }
    let publisher = broker.client("p");
    for (packet_id, topic) in [(1, "kept"), (2, "secret"), (3, "gone")] {
        broker.publish(publisher, topic, 1, packet_id, "x");
    }
    // [MQTT-3.10.4-3]
    broker.unsubscribe(client, "gone");
    broker.cut(client);
    let config = broker.shards[0].config.clone();
    broker.handle(0, Event::Reload { config, authorizer: std::sync::Arc::new(Nothing) });
    let client = broker.connect(&resume("c"));
    assert_eq!(
        broker.read(client),
        ["CONNACK 0x00 present", "PUBLISH kept q1 id=1 dup x", "PUBLISH gone q1 id=2 x"]
    );
    assert_eq!(broker.drops(DropReason::NotAuthorized), 1);
    check(&mut broker);
}

#[test]
fn a_will_that_is_taken_over() {
    let mut broker = recorded();
    let will = Will { topic: "w", ..Will::default() };
    broker.online(&Connect { will: Some(will), ..resume("c") });
    broker.online_with_present(&resume("c"));
    assert_eq!(broker.counters().wills_published, 1);
    assert!(has(&broker, |record| matches!(record, Record::WillGone { .. })));
    check(&mut broker);
    // Published before the broker ends: not once more after it.
    let mut broker = recorded();
    broker.online(&Connect { will: Some(will), ..resume("c") });
    broker.handle(0, Event::PublishWills);
    assert_eq!(broker.counters().wills_published, 1);
    check(&mut broker);
}

#[test]
fn a_session_whose_last_connection_has_come() {
    let mut broker = recorded();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 1);
    broker.cut(client);
    let last = Connect { clean_start: false, ..connect("c") };
    let client = broker.online_with_present(&last);
    // If the broker stops now, the session ends [MQTT-4.1.0-2].
    check(&mut broker);
    assert!(broker.records.is_empty());
    broker.publish(client, "t", 1, 1, "x");
    broker.cut(client);
    assert!(broker.records.is_empty());
    assert_eq!(broker.counters().sessions, 0);
}

#[test]
fn what_the_broker_says_of_itself_is_not_recorded() {
    let mut broker = recorded();
    let publish = ServerPublish {
        topic: "$SYS/broker/uptime",
        payload: b"1",
        qos: qos(1),
        retain: true,
        properties: MessageProperties::default(),
    };
    broker.handle(0, Event::Publish(publish));
    assert!(broker.records.is_empty());
    assert_eq!(broker.shards[0].shared.retained.len(), 1);
    broker.handle(0, Event::Publish(ServerPublish { topic: "a", ..publish }));
    assert_eq!(broker.records.len(), 1);
}

#[test]
fn a_retained_message_that_expires() {
    let mut broker = recorded();
    let client = broker.client("c");
    let properties = MessageProperties { message_expiry_interval: Some(5), ..MessageProperties::default() };
    let publish = Publish { topic: "t", properties, payload: b"x", retain: true, ..Publish::default() };
    broker.publish_packet(client, 0, 0, publish);
    broker.advance(100);
    assert!(has(&broker, |record| matches!(record, Record::RetainedCleared { .. })));
    check(&mut broker);
}

#[test]
fn the_newest_retained_message_holds() {
    // One name for the message of a topic, whichever it is, until it has none any more.
    let mut broker = recorded();
    let client = broker.client("c");
    for (topic, payload) in [("t", "1"), ("u", "1"), ("t", "2"), ("t", ""), ("t", "3")] {
        broker.retain(client, topic, 0, 0, payload);
    }
    let numbers = broker.records.iter().map(|record| match record {
        Record::Retained { number, .. } => *number as i64,
        Record::RetainedCleared { number } => -(*number as i64),
        other => panic!("{other:?}"),
    });
    assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 1, -1, 3]);
    check(&mut broker);
}

/// A publisher on one shard and a durable subscriber that refuses on the same or the other one.
fn refusing(remote: bool) -> (Broker, String) {
    let mut broker = Broker::with_shards(2, std::sync::Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
        config.queue_messages_max = 1;
        config.overflow_policy = OverflowPolicy::RejectPublisher;
    });
    let name = |shard: u16, number: usize| {
        let names = (0..).map(|number| format!("client{number}"));
        names.filter(|name| home_shard(name, 2) == ShardId(shard)).nth(number).unwrap()
    };
    let subscriber = broker.online(&resume(&name(u16::from(remote), 1)));
    broker.subscribe(subscriber, "t", 2);
    broker.cut(subscriber);
    broker.commits = false;
    (broker, name(0, 0))
}

#[test]
fn a_refused_qos_2_message_is_not_known_later() {
    // [MQTT-4.3.3-9]: the packet identifier is free, also after a restart.
    for remote in [false, true] {
        let (mut broker, name) = refusing(remote);
        let publisher = broker.connect(&resume(&name));
        broker.commit();
        broker.publish(publisher, "t", 2, 1, "x");
        broker.publish(publisher, "t", 2, 2, "y");
        for _ in 0..4 {
            broker.commit();
        }
        assert_eq!(broker.read(publisher)[1..], ["PUBREC 1", "PUBREC 2 0x97"]);
        let of = |record: &Record| match record {
            Record::Received { packet_id, .. } => i32::from(packet_id.get()),
            Record::ReceivedReleased { packet_id, .. } => -i32::from(packet_id.get()),
            _ => 0,
        };
        assert_eq!(
            broker.records.iter().map(of).filter(|id| *id != 0).collect::<Vec<_>>(),
            [1, 2, -2],
            "{remote}"
        );
        // As before: the next one with this identifier is a new message.
        broker.publish(publisher, "other", 2, 2, "z");
        broker.commit();
        assert_eq!(broker.read(publisher), ["PUBREC 2 0x10"]);
    }
}

#[test]
fn a_refusal_that_never_arrived_is_made_again() {
    // [MQTT-4.3.3-10]: and those who took the message do not get it twice.
    let (mut broker, name) = refusing(false);
    let other = broker.client("other");
    broker.subscribe(other, "t", 0);
    let publisher = broker.connect(&resume(&name));
    broker.commit();
    broker.publish(publisher, "t", 2, 1, "x");
    broker.publish(publisher, "t", 2, 2, "y");
    // The answers wait; then the connection breaks.
    broker.cut(publisher);
    broker.commit();
    let publisher = broker.connect(&resume(&name));
    broker.commit();
    broker.publish(publisher, "t", 2, 2, "y");
    for _ in 0..4 {
        broker.commit();
    }
    assert_eq!(broker.read(publisher)[1..], ["PUBREC 2 0x97"]);
    assert_eq!(broker.read(other), ["PUBLISH t q0 x", "PUBLISH t q0 y"]);
}

#[test]
fn a_v3_client_cannot_be_refused() {
    // [MQTT3-3.3.5-2]: the exchange goes on, and what was given to others is not given to them again.
    for remote in [false, true] {
        let (mut broker, name) = refusing(remote);
        let other = broker.client("other");
        broker.subscribe(other, "t", 0);
        let publisher = broker.connect(&Connect { protocol_version: V311, ..resume(&name) });
        broker.commit();
        broker.publish(publisher, "t", 2, 1, "x");
        broker.publish(publisher, "t", 2, 2, "y");
        for _ in 0..4 {
            broker.commit();
        }
        assert_eq!(broker.read(publisher)[1..], ["PUBREC 1", "PUBREC 2"], "{remote}");
        broker.publish(publisher, "t", 2, 2, "y");
        assert_eq!(broker.read(other), ["PUBLISH t q0 x", "PUBLISH t q0 y"]);
    }
}

#[test]
fn a_publisher_that_gets_its_own_message() {
    // Its copy waits in the same line as the answer, and the other shard's receipt is for the answer.
    let (mut broker, name) = refusing(true);
    let publisher = broker.connect(&resume(&name));
    broker.commit();
    broker.subscribe(publisher, "t", 2);
    broker.commit();
    broker.read(publisher);
    broker.publish(publisher, "t", 2, 1, "x");
    for _ in 0..4 {
        broker.commit();
    }
    assert_eq!(broker.read(publisher), ["PUBLISH t q2 id=1 x", "PUBREC 1"]);
}

#[test]
fn a_session_that_is_not_kept_is_not_kept_later() {
    let mut broker = Broker::with(|config| {
        config.durability = Durability::Fsync;
        config.session_expiry_seconds_max = 0;
    });
    let client = broker.online(&resume("c"));
    let config = CoreConfig { session_expiry_seconds_max: NEVER, ..(*broker.shards[0].config).clone() };
    broker.handle(0, Event::Reload { config: config.into(), authorizer: std::sync::Arc::new(AllowAll) });
    let disconnect = Disconnect { session_expiry_interval: Some(60), ..Disconnect::default() };
    broker.send(client, &Packet::Disconnect(disconnect));
    assert_eq!(broker.counters().sessions, 0);
    assert!(broker.records.is_empty());
}

#[test]
fn another_user_name() {
    let mut broker = recorded();
    let mut packet = resume("c");
    packet.properties.authentication_method = Some("M");
    let client = broker.online(&packet);
    broker.accepts = false;
    let auth = ferry_codec::Auth {
        reason_code: ReasonCode::RE_AUTHENTICATE,
        authentication_method: Some("M"),
        ..ferry_codec::Auth::default()
    };
    broker.send(client, &Packet::Auth(auth));
    broker.authenticated(
        client,
        AuthOutcome::Accept {
            user_name: Some("u".into()),
            data: None,
            until: Timestamp::NEVER,
            grants: None,
        },
    );
    check(&mut broker);
}

#[test]
fn no_v3_message_is_acknowledged_and_discarded() {
    // Its packet identifier belongs to a QoS 2 exchange [MQTT3-2.3.1-2], and there is no way to say so.
    let mut broker = Broker::new();
    let watcher = broker.client("watcher");
    broker.subscribe(watcher, "t", 0);
    let client = broker.online(&Connect { protocol_version: V311, ..connect("c") });
    broker.publish(client, "t", 2, 1, "x");
    broker.publish(client, "t", 1, 1, "y");
    assert!(broker.is_closed(client));
    assert_eq!(broker.read(client), ["PUBREC 1"]);
    assert_eq!(broker.read(watcher), ["PUBLISH t q0 x"]);
}
