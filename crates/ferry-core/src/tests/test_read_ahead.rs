//! Messages of many topics, with so many subscriptions that tables are read ahead.

use std::sync::Arc;

use ferry_codec::{
    Packet, Publish, Subscribe, SubscribeFiltersBuf, SubscriptionOptions, UserProperties, encode,
};

use super::harness::*;
use crate::read_ahead::MESSAGES_AHEAD;
use crate::turn::Turn;
use crate::*;

/// As many as make reading ahead worth while.
const FILTERS: usize = 5000;

/// A client identifier whose home is `shard`.
fn name(shard: u16, count: u16, number: usize) -> String {
    let names = (0..).map(|n| format!("client-{n}"));
    names.filter(|name| home_shard(name, count).0 == shard).nth(number).unwrap()
}

fn publish(bytes: &mut Vec<u8>, topic: &str) {
    let publish = Publish { topic, payload: b"x", ..Publish::default() };
    encode(&Packet::Publish(publish), V5, bytes);
}

fn subscribe(bytes: &mut Vec<u8>, filter: &str) {
    let mut filters = SubscribeFiltersBuf::new();
    filters.push(filter, SubscriptionOptions::default());
    let filters = filters.as_filters();
    let user_properties = UserProperties::EMPTY;
    let subscribe = Subscribe { packet_id: id(1), subscription_id: None, user_properties, filters };
    encode(&Packet::Subscribe(subscribe), V5, bytes);
}

#[test]
fn what_was_read_ahead_is_decided_when_its_turn_comes() {
    for count in [1, 2] {
        let mut broker = Broker::with_shards(count, Arc::new(AllowAll), |_| {});
        let subscriber = broker.client(&name(count - 1, count, 0));
        for number in 0..FILTERS {
            broker.subscribe(subscriber, &format!("device/{number}/+"), 0);
        }
        let publisher = broker.client(&name(0, count, 1));
        let mut bytes = Vec::new();
        (0..100).for_each(|number| publish(&mut bytes, &format!("device/{number}/state")));
        // Among those that are read ahead together: a subscription, and what matters to it.
        publish(&mut bytes, "other");
        subscribe(&mut bytes, "other");
        publish(&mut bytes, "other");
        (100..200).for_each(|number| publish(&mut bytes, &format!("device/{number}/state")));
        // Half a packet is left for the next time.
        let half = bytes.len() - 3;
        broker.send_bytes(publisher, &bytes[..half]);
        assert!(broker.shards[0].reads_ahead());
        broker.send_bytes(publisher, &bytes[half..]);
        let expected: Vec<_> = (0..200).map(|number| format!("PUBLISH device/{number}/state q0 x")).collect();
        assert_eq!(broker.read(subscriber), expected);
        assert_eq!(broker.read(publisher), ["SUBACK 1 [00]", "PUBLISH other q0 x"]);
    }
}

#[test]
fn the_next_messages_of_a_pack_are_looked_at() {
    let mut broker = Broker::with_shards(2, Arc::new(AllowAll), |_| {});
    let subscriber = broker.client(&name(1, 2, 0));
    for number in 0..FILTERS {
        broker.subscribe(subscriber, &format!("device/{number}/+"), 0);
    }
    let publisher = broker.client(&name(0, 2, 1));
    let mut bytes = Vec::new();
    (0..10).for_each(|number| publish(&mut bytes, &format!("device/{number}/state")));
    broker.send_bytes(publisher, &bytes);
    broker.delivers = false;
    broker.send_bytes(publisher, &bytes);
    let [(_, _, Mail::Packed(pack))] = &broker.mail[..] else { panic!("one pack") };
    let topics: Vec<_> = pack.open().next_topics(3).collect();
    assert_eq!(topics, ["device/0/state", "device/1/state", "device/2/state"]);
    assert_eq!(broker.shards[1].read_pack_ahead(&pack.open()), MESSAGES_AHEAD);
    // One topic over and over is found without the tables.
    broker.delivers = true;
    (0..2).for_each(|_| broker.publish(publisher, "device/1/state", 0, 0, "x"));
    let [(_, _, Mail::Packed(pack))] = &broker.mail[..] else { panic!("one pack") };
    assert_eq!(broker.shards[1].read_pack_ahead(&pack.open()), 0);
}

/// Whoever may be anybody makes nobody look anything up.
#[test]
fn nothing_is_read_ahead_for_a_stranger() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    for number in 0..FILTERS {
        broker.subscribe(client, &format!("device/{number}/+"), 0);
    }
    let mut bytes = Vec::new();
    (0..10).for_each(|number| publish(&mut bytes, &format!("device/{number}/state")));
    broker.send_bytes(client, &bytes);
    let stranger = broker.open(V5);
    let mut connecting = Vec::new();
    encode(&Packet::Connect(connect("s")), V5, &mut connecting);
    connecting.extend(&bytes);
    let mut reads_ahead = |client: Client, bytes: &[u8]| {
        let mut effects = Effects::new();
        let turn = &mut Turn { now: broker.now, effects: &mut effects };
        let conn = broker.clients[client].conn;
        broker.shards[0].next_frame(turn, conn, bytes).map(|next| next.reads_ahead)
    };
    assert_eq!((reads_ahead(client, &bytes), reads_ahead(stranger, &connecting)), (Some(true), Some(false)));
}
