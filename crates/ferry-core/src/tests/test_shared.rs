//! Shared subscriptions (section 4.8.2).

use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::{Ack, Connect, Packet, ReasonCode, SubscriptionOptions};

use super::harness::*;
use crate::*;

const GROUP: &str = "$share/g/t";

fn window(client_id: &str, maximum: u16) -> Connect<'_> {
    let mut packet = resume(client_id);
    packet.properties.receive_maximum = NonZeroU16::new(maximum);
    packet
}

/// Reads and counts.
fn counts(broker: &mut Broker, clients: &[Client]) -> Vec<usize> {
    clients.iter().map(|client| broker.read(*client).len()).collect()
}

#[test]
fn one_member_gets_each_message() {
    let mut broker = Broker::new();
    let members: Vec<_> = ["a", "b", "c"].map(|name| broker.client(name)).to_vec();
    for member in &members {
        broker.subscribe(*member, GROUP, 0);
    }
    let publisher = broker.client("p");
    for _ in 0..30 {
        broker.publish(publisher, "t", 0, 0, "x");
    }
    assert_eq!(counts(&mut broker, &members), [10, 10, 10]);
}

#[test]
fn each_group_gets_each_message() {
    let mut broker = Broker::new();
    let first = broker.client("a");
    let second = broker.client("b");
    broker.subscribe(first, GROUP, 0);
    broker.subscribe(second, "$share/h/t", 0);
    broker.subscribe(second, "$share/h/#", 0);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 0, 0, "x");
    assert_eq!(counts(&mut broker, &[first, second]), [1, 2]);
}

#[test]
fn a_shared_and_a_plain_subscription_are_two() {
    // Trap 28.
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, GROUP, 0);
    broker.subscribe(client, "t", 0);
    broker.publish(client, "t", 0, 0, "x");
    assert_eq!(broker.read(client).len(), 2);
    assert_eq!(broker.unsubscribe(client, GROUP), ["UNSUBACK 60001 [00]"]);
    broker.publish(client, "t", 0, 0, "x");
    assert_eq!(broker.read(client).len(), 1);
}

#[test]
fn the_granted_qos_and_options_hold() {
    // [MQTT-4.8.2-3]
    let mut broker = Broker::new();
    let client = broker.client("c");
    let options = SubscriptionOptions { retain_as_published: true, ..SubscriptionOptions::with_qos(qos(1)) };
    broker.subscribe_with(client, GROUP, options, Some(3));
    let publisher = broker.client("p");
    broker.retain(publisher, "t", 2, 1, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=1 retain sub=[3] x"]);
}

#[test]
fn the_least_in_flight_is_chosen() {
    let mut broker = Broker::new();
    let slow = broker.client("slow");
    let fast = broker.client("fast");
    for client in [slow, fast] {
        broker.subscribe(client, GROUP, 1);
    }
    let publisher = broker.client("p");
    let mut fast_count = 0;
    for packet_id in 1..=10 {
        broker.publish(publisher, "t", 1, packet_id, "x");
        for line in broker.read(fast) {
            let packet_id = line.split("id=").nth(1).unwrap().split(' ').next().unwrap();
            broker.puback(fast, packet_id.parse().unwrap());
            fast_count += 1;
        }
    }
    // The one that never acknowledges has one.
    assert_eq!((broker.read(slow).len(), fast_count), (1, 9));
}

#[test]
fn nobody_offline_while_somebody_is_online() {
    // Trap 29.
    let mut broker = Broker::new();
    let away = broker.online(&resume("away"));
    let here = broker.client("here");
    for client in [away, here] {
        broker.subscribe(client, GROUP, 1);
    }
    broker.cut(away);
    let publisher = broker.client("p");
    for packet_id in 1..=5 {
        broker.publish(publisher, "t", 1, packet_id, "x");
    }
    assert_eq!(broker.read(here).len(), 5);
    broker.cut(here);
    // Now there is nobody else: it is stored [trap 28].
    broker.publish(publisher, "t", 1, 6, "stored");
    let away = broker.connect(&resume("away"));
    let received = broker.read(away);
    assert_eq!(received[0], "CONNACK 0x00 present");
    // What the member who left had not acknowledged came here too.
    assert_eq!(received.len(), 1 + 5 + 1);
}

#[test]
fn unacknowledged_qos_1_goes_to_another_member() {
    // Section 4.8.2: when the session ends, and at once if somebody else is online.
    for ends in [true, false] {
        let mut broker = Broker::new();
        let mut packet = window("dying", 2);
        packet.properties.session_expiry_interval = Some(if ends { 0 } else { NEVER });
        let dying = broker.online(&packet);
        broker.subscribe(dying, GROUP, 1);
        let publisher = broker.client("p");
        for packet_id in 1..=4 {
            broker.publish(publisher, "t", 1, packet_id, &packet_id.to_string());
        }
        assert_eq!(broker.read(dying).len(), 2);
        let heir = broker.client("heir");
        broker.subscribe(heir, GROUP, 1);
        broker.cut(dying);
        assert_eq!(
            broker.read(heir),
            ["PUBLISH t q1 id=1 1", "PUBLISH t q1 id=2 2", "PUBLISH t q1 id=3 3", "PUBLISH t q1 id=4 4"]
        );
        if !ends {
            let back = broker.connect(&resume("dying"));
            assert_eq!(broker.read(back), ["CONNACK 0x00 present"]);
        }
        assert_eq!(broker.counters().inflight_messages, 4);
    }
}

#[test]
fn qos_2_stays_with_its_member() {
    // [MQTT-4.8.2-4] [MQTT-4.8.2-5]
    let mut broker = Broker::new();
    let member = broker.online(&resume("member"));
    broker.subscribe(member, GROUP, 2);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 2, 1, "x");
    let other = broker.client("other");
    broker.subscribe(other, GROUP, 2);
    broker.cut(member);
    assert!(broker.read(other).is_empty());
    let member = broker.connect(&resume("member"));
    assert_eq!(broker.read(member), ["CONNACK 0x00 present", "PUBLISH t q2 id=1 dup x"]);
    // Its session ends: the message is lost rather than doubled.
    broker.cut(member);
    let clean = broker.online(&connect("member"));
    assert!(broker.read(other).is_empty() && broker.read(clean).is_empty());
    assert_eq!(broker.drops(DropReason::SessionEnded), 1);
}

#[test]
fn qos_2_that_was_not_sent_goes_on() {
    let mut broker = Broker::new();
    let member = broker.online(&window("member", 1));
    broker.subscribe(member, GROUP, 2);
    let publisher = broker.client("p");
    for packet_id in [1, 2] {
        broker.publish(publisher, "t", 2, packet_id, &packet_id.to_string());
    }
    let other = broker.client("other");
    broker.subscribe(other, GROUP, 2);
    broker.cut(member);
    assert_eq!(broker.read(other), ["PUBLISH t q2 id=1 2"]);
}

#[test]
fn a_refused_message_goes_to_nobody_else() {
    // [MQTT-4.8.2-6]; trap 19.
    let mut broker = Broker::new();
    let member = broker.client("member");
    broker.subscribe(member, GROUP, 2);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    broker.publish(publisher, "t", 2, 2, "y");
    let other = broker.client("other");
    broker.subscribe(other, GROUP, 2);
    let refused = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
    broker.send(member, &Packet::Puback(Ack::new(id(1), refused)));
    broker.send(member, &Packet::Pubrec(Ack::new(id(2), refused)));
    broker.cut(member);
    assert!(broker.read(other).is_empty());
    assert!(!broker.is_closed(other));
}

#[test]
fn a_message_too_large_for_one_member_goes_to_another() {
    // Trap 21.
    let mut broker = Broker::new();
    let mut packet = connect("small");
    packet.properties.maximum_packet_size = NonZeroU32::new(20);
    let small = broker.online(&packet);
    let large = broker.client("large");
    for client in [small, large] {
        broker.subscribe(client, GROUP, 1);
    }
    let publisher = broker.client("p");
    for packet_id in 1..=4 {
        broker.publish(publisher, "t", 1, packet_id, &"x".repeat(30));
    }
    assert_eq!(counts(&mut broker, &[small, large]), [0, 4]);
    broker.cut(large);
    broker.publish(publisher, "t", 0, 0, &"x".repeat(30));
    assert_eq!(broker.drops(DropReason::NoSharedSubscriber), 1 + 4);
}

#[test]
fn a_membership_survives_reconnecting() {
    // Trap 11.
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    let options = SubscriptionOptions::with_qos(qos(1));
    broker.subscribe_with(client, GROUP, options, Some(8));
    broker.cut(client);
    let client = broker.online_again("c");
    broker.publish(client, "t", 1, 1, "x");
    assert_eq!(broker.read(client)[0], "PUBLISH t q1 id=1 sub=[8] x");
    broker.cut(client);
    broker.online(&connect("c"));
    assert_eq!(broker.counters().shared_subscriptions, 0);
    assert!(broker.shards[0].share_groups.is_empty());
}

#[test]
fn when_all_queues_are_full_the_overflow_policy_decides() {
    let mut broker = Broker::with(|config| {
        config.queue_messages_max = 1;
        config.inflight_messages_max = NonZeroU16::MIN;
        config.overflow_policy = OverflowPolicy::RejectPublisher;
    });
    let members = [broker.client("a"), broker.client("b")];
    for member in members {
        broker.subscribe(member, GROUP, 1);
    }
    let publisher = broker.client("p");
    for packet_id in 1..=5 {
        broker.publish(publisher, "t", 1, packet_id, "x");
    }
    assert_eq!(broker.read(publisher), ["PUBACK 1", "PUBACK 2", "PUBACK 3", "PUBACK 4", "PUBACK 5 0x97"]);
    assert_eq!(counts(&mut broker, &members), [1, 1]);
}
