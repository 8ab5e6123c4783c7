//! Several shards and the mail between them.

use std::sync::Arc;

use ferry_codec::{Packet, ProtocolVersion, Publish, encode};

use super::harness::*;
use crate::*;

/// A client identifier whose home is `shard`.
fn name(shard: u16, count: u16, number: usize) -> String {
    let names = (0..).map(|n| format!("client-{n}"));
    names.filter(|name| home_shard(name, count).0 == shard).nth(number).unwrap()
}

fn broker(count: u16, durability: Durability) -> Broker {
    Broker::with_shards(count, Arc::new(AllowAll), |config| config.durability = durability)
}

#[test]
fn messages_cross_shards() {
    let mut broker = broker(3, Durability::Memory);
    let clients: Vec<_> = (0..3).map(|shard| broker.client(&name(shard, 3, 0))).collect();
    for client in &clients {
        broker.subscribe(*client, "t/+", 2);
    }
    broker.publish(clients[0], "t/x", 2, 9, "x");
    assert_eq!(broker.read(clients[0]), ["PUBLISH t/x q2 id=1 x", "PUBREC 9"]);
    for client in &clients[1..] {
        assert_eq!(broker.read(*client), ["PUBLISH t/x q2 id=1 x"]);
    }
    assert_eq!(broker.mail_count, 2);
    // Nobody there wants this.
    broker.publish(clients[0], "other", 0, 0, "x");
    assert_eq!(broker.mail_count, 2);
}

#[test]
fn mail_goes_only_where_somebody_has_subscribed() {
    let mut broker = broker(2, Durability::Memory);
    let here = broker.client(&name(0, 2, 0));
    let there = broker.client(&name(1, 2, 0));
    let also_there = broker.client(&name(1, 2, 1));
    broker.subscribe(there, "t", 0);
    broker.subscribe(also_there, "t", 0);
    broker.publish(here, "t", 1, 1, "x");
    assert_eq!(broker.mail_count, 1);
    assert_eq!(broker.read(here), ["PUBACK 1"]);
    assert_eq!(broker.unsubscribe(there, "t"), ["PUBLISH t q0 x", "UNSUBACK 60001 [00]"]);
    broker.publish(here, "t", 1, 1, "x");
    assert_eq!(broker.mail_count, 2);
    broker.cut(also_there);
    broker.publish(here, "t", 1, 1, "x");
    assert_eq!(broker.mail_count, 2);
    assert_eq!(broker.read(here), ["PUBACK 1", "PUBACK 1 0x10"]);
    assert!(broker.read(there).is_empty());
}

/// [MQTT-4.6.0-5] [MQTT-4.6.0-6] [MQTT3-4.6.0-5] [MQTT3-4.6.0-6]: whichever way they take.
#[test]
fn messages_that_travel_differently_keep_their_order() {
    let mut broker = broker(2, Durability::Memory);
    let there = broker.client(&name(1, 2, 0));
    broker.subscribe(there, "t", 1);
    let publisher = broker.client(&name(0, 2, 0));
    let large = "x".repeat(5000);
    let payloads = ["1", "2", &large, "4", &large, "6", "7"];
    // In one turn.
    let mut bytes = Vec::new();
    for (packet_id, payload) in (1..).zip(payloads) {
        let (qos, packet_id) = (qos(1), Some(id(packet_id)));
        let publish =
            Publish { topic: "t", qos, packet_id, payload: payload.as_bytes(), ..Publish::default() };
        encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut bytes);
    }
    broker.send_bytes(publisher, &bytes);
    assert_eq!(broker.mail_count, 5);
    let received = broker.read_with(there, |packet| match packet {
        Packet::Publish(publish) => String::from_utf8_lossy(publish.payload).into_owned(),
        _ => String::new(),
    });
    assert_eq!(received, payloads);
}

#[test]
fn a_share_group_whose_members_have_left_meanwhile() {
    let mut broker = broker(2, Durability::Memory);
    let there = broker.client(&name(1, 2, 0));
    broker.subscribe(there, "$share/g/t", 1);
    let publisher = broker.client(&name(0, 2, 0));
    broker.delivers = false;
    for packet_id in 1..=3 {
        broker.publish(publisher, "t", 1, packet_id, "x");
    }
    let here = broker.client(&name(0, 2, 1));
    broker.subscribe(here, "$share/g/t", 1);
    broker.cut(there);
    broker.deliver();
    assert_eq!(broker.read(here).len(), 3);
}

#[test]
fn retained_messages_are_everywhere() {
    let mut broker = broker(2, Durability::Memory);
    let here = broker.client(&name(0, 2, 0));
    let there = broker.client(&name(1, 2, 0));
    broker.retain(here, "t", 0, 0, "r");
    assert_eq!(broker.subscribe(there, "#", 0).len(), 2);
}

#[test]
fn a_puback_waits_for_the_other_shard() {
    let mut broker = broker(2, Durability::Fsync);
    let subscriber = broker.connect(&resume(&name(1, 2, 0)));
    broker.subscribe(subscriber, "t", 1);
    broker.commits = false;
    let publisher = broker.client(&name(0, 2, 0));
    broker.publish(publisher, "t", 1, 1, "x");
    broker.publish(publisher, "t", 1, 2, "x");
    assert!(broker.read(publisher).is_empty());
    assert!(broker.tickets.iter().all(|(shard, _)| *shard == 1));
    broker.commit();
    assert_eq!(broker.read(publisher), ["PUBACK 1", "PUBACK 2"]);
    // A session that is not durable there makes nobody wait for a commit.
    let other = broker.client(&name(1, 2, 1));
    broker.subscribe(other, "fast", 1);
    broker.publish(publisher, "fast", 1, 3, "x");
    assert_eq!(broker.read(publisher), ["PUBACK 3"]);
}

#[test]
fn a_refusal_comes_back_from_the_other_shard() {
    let mut broker = Broker::with_shards(2, Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
        config.overflow_policy = OverflowPolicy::RejectPublisher;
        config.queue_messages_max = 1;
    });
    let subscriber = broker.connect(&resume(&name(1, 2, 0)));
    broker.subscribe(subscriber, "t", 1);
    broker.cut(subscriber);
    let publisher = broker.client(&name(0, 2, 0));
    broker.publish(publisher, "t", 1, 1, "x");
    broker.publish(publisher, "t", 1, 2, "x");
    assert_eq!(broker.read(publisher), ["PUBACK 1", "PUBACK 2 0x97"]);
}

#[test]
fn a_share_group_over_several_shards() {
    let mut broker = broker(3, Durability::Memory);
    let members: Vec<_> = (0..3).map(|shard| broker.client(&name(shard, 3, 0))).collect();
    for member in &members {
        broker.subscribe(*member, "$share/g/t", 1);
    }
    let publisher = broker.client(&name(0, 3, 1));
    for packet_id in 1..=300 {
        broker.publish(publisher, "t", 1, packet_id, "x");
    }
    let counts: Vec<_> = members.iter().map(|member| broker.read(*member).len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 300);
    assert!(counts.iter().all(|count| *count > 60), "{counts:?}");
}

#[test]
fn a_member_on_another_shard_inherits() {
    let mut broker = broker(2, Durability::Memory);
    let dying = broker.client(&name(0, 2, 0));
    broker.subscribe(dying, "$share/g/t", 1);
    let publisher = broker.client(&name(0, 2, 1));
    for packet_id in 1..=3 {
        broker.publish(publisher, "t", 1, packet_id, "x");
    }
    let heir = broker.client(&name(1, 2, 0));
    broker.subscribe(heir, "$share/g/t", 1);
    broker.cut(dying);
    assert_eq!(broker.read(heir).len(), 3);
}

#[test]
fn wills_cross_shards() {
    let mut broker = broker(2, Durability::Memory);
    let watcher = broker.client(&name(1, 2, 0));
    broker.subscribe(watcher, "will", 0);
    let will = ferry_codec::Will { topic: "will", ..Default::default() };
    let client_id = name(0, 2, 0);
    let client = broker.online(&ferry_codec::Connect { will: Some(will), ..connect(&client_id) });
    broker.cut(client);
    assert_eq!(broker.read(watcher), ["PUBLISH will q0 "]);
}

#[test]
fn mail_has_a_size() {
    let mut message = ferry_session::Message::from_publish(
        &ferry_codec::Publish { payload: &[0; 1000], ..Default::default() },
        "topic".into(),
        None,
        Timestamp(0),
    );
    let size = |message: &ferry_session::Message| {
        Mail::Publish { message: Arc::new(message.clone()), receipt: None, forwarded: None }.size_bytes()
    };
    let large = size(&message);
    message.payload = ferry_session::Payload::new();
    assert_eq!(large - size(&message), 1000);
}
