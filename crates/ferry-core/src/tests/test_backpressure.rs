//! Clients that do not read, queues that are full.

use std::num::NonZeroU16;

use ferry_codec::{Packet, ReasonCode};

use super::harness::*;
use crate::*;

fn small_output() -> Broker {
    Broker::with(|config| config.output_bytes_max = 1000)
}

const PAYLOAD: &str =
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

#[test]
fn qos_0_is_dropped_when_the_output_is_full() {
    let mut broker = small_output();
    let slow = broker.client("slow");
    let fast = broker.client("fast");
    for client in [slow, fast] {
        broker.subscribe(client, "t", 0);
    }
    broker.clients[slow].reads = false;
    let publisher = broker.client("p");
    for _ in 0..100 {
        broker.publish(publisher, "t", 0, 0, PAYLOAD);
    }
    assert_eq!(broker.read(fast).len(), 100);
    broker.read_again(slow);
    let received = broker.read(slow).len();
    assert!((10..12).contains(&received), "{received}");
    assert_eq!(broker.drops(DropReason::Qos0Backpressure), 100 - received as u64);
    let entry = broker.counters().drops.entry(DropReason::Qos0Backpressure);
    assert_eq!((&*entry.last_client_id, &*entry.last_topic), ("slow", "t"));
    broker.publish(publisher, "t", 0, 0, "again");
    assert_eq!(broker.read(slow), ["PUBLISH t q0 again"]);
}

#[test]
fn qos_1_waits_when_the_output_is_full() {
    let mut broker = small_output();
    let slow = broker.client("slow");
    broker.subscribe(slow, "t", 1);
    broker.clients[slow].reads = false;
    let publisher = broker.client("p");
    for packet_id in 1..=100 {
        broker.publish(publisher, "t", 1, packet_id, PAYLOAD);
    }
    assert!(broker.counters().inflight_messages < 12);
    assert_eq!(broker.counters().queued_messages + broker.counters().inflight_messages, 100);
    let conn = broker.clients[slow].conn;
    assert!(broker.shards[0].output(conn).unwrap().len() < 1200);
    broker.read_again(slow);
    for packet_id in 1..=100 {
        broker.puback(slow, packet_id);
    }
    assert_eq!(broker.read(slow).len(), 100);
    assert_eq!(broker.counters().drops.total(), 0);
}

#[test]
fn who_does_not_read_is_not_read() {
    let mut broker = small_output();
    let client = broker.client("c");
    broker.clients[client].reads = false;
    for _ in 0..10_000 {
        broker.send(client, &Packet::Pingreq);
    }
    assert!(broker.clients[client].paused);
    let conn = broker.clients[client].conn;
    assert!(broker.shards[0].output(conn).unwrap().len() <= 1002);
    broker.read_again(client);
    assert!(!broker.clients[client].paused);
    assert_eq!(broker.read(client).len(), 10_000);
}

#[test]
fn a_full_output_that_does_not_move_ends_the_connection() {
    let mut broker = Broker::with(|config| {
        config.output_bytes_max = 1000;
        config.output_stall_seconds_max = 60;
    });
    let stuck = broker.online(&ferry_codec::Connect { keep_alive_seconds: 10, ..connect("stuck") });
    broker.clients[stuck].reads = false;
    for _ in 0..1000 {
        broker.send(stuck, &Packet::Pingreq);
    }
    // Its keep alive rests: it is not heard.
    broker.advance(59);
    assert!(!broker.is_closed(stuck));
    broker.advance(1);
    assert!(broker.is_closed(stuck));
    assert_eq!((broker.counters().output_stalls, broker.counters().keep_alive_timeouts), (1, 0));
}

#[test]
fn a_client_that_takes_a_little_and_then_nothing_is_not_kept_for_ever() {
    let mut broker = Broker::with(|config| {
        config.output_bytes_max = 1000;
        config.output_stall_seconds_max = 60;
    });
    let stuck = broker.client("stuck");
    broker.clients[stuck].reads = false;
    for _ in 0..1000 {
        broker.send(stuck, &Packet::Pingreq);
    }
    broker.advance(59);
    // Not full any more, and not so empty that it is read again.
    let conn = broker.clients[stuck].conn;
    broker.shards[0].output(conn).unwrap().advance(100);
    broker.handle(0, Event::Written { conn });
    assert!(broker.clients[stuck].paused);
    broker.advance(59);
    assert!(!broker.is_closed(stuck));
    broker.advance(1);
    assert!(broker.is_closed(stuck));
    assert_eq!(broker.counters().output_stalls, 1);
}

#[test]
fn an_output_filled_by_messages_must_move_too() {
    for level in [0, 1] {
        let mut broker = Broker::with(|config| {
            config.output_bytes_max = 1000;
            config.output_stall_seconds_max = 60;
        });
        let stuck = broker.client("stuck");
        broker.subscribe(stuck, "t", level);
        broker.clients[stuck].reads = false;
        let publisher = broker.client("p");
        for packet_id in 1..=100 {
            broker.publish(publisher, "t", level, packet_id, PAYLOAD);
        }
        broker.advance(59);
        assert!(!broker.is_closed(stuck));
        broker.advance(1);
        assert!(broker.is_closed(stuck), "with QoS {level}");
        assert_eq!(broker.counters().output_stalls, 1);
    }
}

#[test]
fn keep_alive_goes_on_when_the_client_is_read_again() {
    let mut broker = small_output();
    let client = broker.online(&ferry_codec::Connect { keep_alive_seconds: 10, ..connect("c") });
    broker.clients[client].reads = false;
    for _ in 0..1000 {
        broker.send(client, &Packet::Pingreq);
    }
    broker.advance(50);
    broker.read_again(client);
    broker.advance(14);
    assert!(!broker.is_closed(client));
    broker.advance(1);
    assert!(broker.is_closed(client));
}

fn overflowing(policy: OverflowPolicy) -> (Broker, Client, Client) {
    let mut broker = Broker::with(|config| {
        config.overflow_policy = policy;
        config.queue_messages_max = 2;
        config.inflight_messages_max = NonZeroU16::MIN;
    });
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 1);
    let publisher = broker.client("p");
    for packet_id in 1..=5 {
        broker.publish(publisher, "t", 1, packet_id, &packet_id.to_string());
    }
    (broker, client, publisher)
}

/// Acknowledges until nothing more comes.
fn payloads(broker: &mut Broker, client: Client) -> Vec<String> {
    let mut payloads = Vec::new();
    for packet_id in 1..10 {
        for line in broker.read(client) {
            payloads.push(line.rsplit(' ').next().unwrap().to_owned());
        }
        broker.puback(client, packet_id);
    }
    payloads
}

#[test]
fn who_acknowledges_nothing_gets_only_so_many_bytes() {
    let mut broker = Broker::with(|config| config.inflight_bytes_max = 20_000);
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 1);
    let publisher = broker.client("p");
    for packet_id in 1..=5 {
        broker.publish(publisher, "t", 1, packet_id, &packet_id.to_string().repeat(8_000));
    }
    assert_eq!(broker.read(publisher).last().unwrap(), "PUBACK 5");
    assert_eq!(broker.read(client).len(), 3);
    broker.puback(client, 1);
    assert_eq!(broker.read(client).len(), 1);
    broker.puback(client, 2);
    broker.puback(client, 3);
    assert_eq!(broker.read(client).len(), 1);
}

#[test]
fn drop_the_oldest() {
    let (mut broker, client, publisher) = overflowing(OverflowPolicy::DropOldest);
    assert_eq!(broker.read(publisher).last().unwrap(), "PUBACK 5");
    assert_eq!(payloads(&mut broker, client), ["1", "4", "5"]);
    assert_eq!(broker.drops(DropReason::QueueFull), 2);
}

#[test]
fn drop_the_newest() {
    let (mut broker, client, publisher) = overflowing(OverflowPolicy::DropNewest);
    assert_eq!(broker.read(publisher).last().unwrap(), "PUBACK 5");
    assert_eq!(payloads(&mut broker, client), ["1", "2", "3"]);
}

#[test]
fn reject_the_publisher() {
    let (mut broker, client, publisher) = overflowing(OverflowPolicy::RejectPublisher);
    assert_eq!(broker.read(publisher)[3..], ["PUBACK 4 0x97", "PUBACK 5 0x97"]);
    broker.publish(publisher, "t", 2, 6, "6");
    assert_eq!(broker.read(publisher), ["PUBREC 6 0x97"]);
    assert_eq!(payloads(&mut broker, client), ["1", "2", "3"]);
}

#[test]
fn disconnect_the_slow_reader() {
    let (mut broker, client, publisher) = overflowing(OverflowPolicy::DisconnectReceiver);
    assert_eq!(broker.read(publisher).last().unwrap(), "PUBACK 5");
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=1 1", "DISCONNECT 0x97"]);
    assert!(broker.is_closed(client));
    assert_eq!(broker.counters().refusals.of(ReasonCode::QUOTA_EXCEEDED), 1);
    // While it is away the oldest go.
    let back = broker.connect(&resume("c"));
    broker.puback(back, 1);
    broker.puback(back, 2);
    assert_eq!(
        broker.read(back),
        ["CONNACK 0x00 present", "PUBLISH t q1 id=1 dup 1", "PUBLISH t q1 id=2 3", "PUBLISH t q1 id=3 5"]
    );
}

#[test]
fn all_queues_together_have_a_limit() {
    let mut broker = Broker::with(|config| config.queue_messages_total_max = 3);
    let clients = ["a", "b"].map(|name| broker.online(&resume(name)));
    for client in clients {
        broker.subscribe(client, "t", 1);
        broker.cut(client);
    }
    let publisher = broker.client("p");
    for packet_id in 1..=5 {
        broker.publish(publisher, "t", 1, packet_id, "x");
    }
    assert_eq!(broker.counters().queued_messages, 3);
    assert_eq!(broker.drops(DropReason::TotalQueueFull), 7);
    let mut broker = Broker::with(|config| config.queue_bytes_total_max = 1000);
    let client = broker.online(&resume("a"));
    broker.subscribe(client, "t", 1);
    broker.cut(client);
    let publisher = broker.client("p");
    for packet_id in 1..=50 {
        broker.publish(publisher, "t", 1, packet_id, PAYLOAD);
    }
    assert!(broker.counters().queued_bytes <= 1000 && broker.counters().queued_messages > 0);
}

#[test]
fn the_output_is_named_once_until_it_is_looked_at() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    let conn = broker.clients[client].conn;
    let mut effects = Effects::new();
    for _ in 0..3 {
        broker.shards[0].receive(broker.now, conn, &[0xC0, 0], &mut effects);
    }
    assert_eq!(effects.dirty, [conn]);
    assert_eq!(broker.shards[0].output(conn).unwrap().len(), 6);
    effects.dirty.clear();
    broker.shards[0].receive(broker.now, conn, &[0xC0, 0], &mut effects);
    assert_eq!(effects.dirty, [conn]);
}
