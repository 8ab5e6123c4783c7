//! Using up what there is a number of: packet identifiers, topic aliases, sessions, retained messages.

use ferry_tests::ferry::Transport;
use ferry_tests::wire::{PacketKind, Value};

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

/// Messages that a subscriber never acknowledges: every packet identifier is used once, then the queue fills, then
/// messages are dropped and counted; the first acknowledgement frees an identifier. [MQTT-2.2.1-4] [MQTT-4.9.0-2]
#[test]
fn every_packet_id_to_a_silent_subscriber() {
    let mut arena = Arena::new("inflight_messages_max = 65535\nqueue_messages_max = 100");
    let mut subscriber = Attacker::online(&arena.ferry, 5, "subscriber");
    subscriber.send(&packet::subscribe(5, 1, &[("t", 1)]));
    subscriber.expect(PacketKind::Suback);
    let mut publisher = Attacker::online(&arena.ferry, 4, "publisher");
    for round in 0..66 {
        let burst: Vec<u8> = (1..=1000).flat_map(|id| packet::publish(4, 1, id, "t", &[round])).collect();
        publisher.send(&burst);
        (0..1000).for_each(|_| drop(publisher.expect(PacketKind::Puback)));
        let sent = if round == 65 { 535 } else { 1000 };
        for _ in 0..sent {
            subscriber.expect(PacketKind::Publish);
        }
    }
    // 66,000 messages: 65,535 have an identifier, 100 wait, the others are gone.
    arena.figures.wait_for("messages/inflight", 65_535);
    arena.figures.wait_for("messages/queued", 100);
    arena.figures.wait_for("drops/queue_full", 365);
    subscriber.send(&packet::acknowledgement(0x40, 4711));
    let next = subscriber.expect(PacketKind::Publish);
    assert_eq!(next.number("id"), Some(4711), "{next}");
    arena.took_at_most(32);
    arena.ends_undisturbed();
}

/// [MQTT-3.3.4-7]
#[test]
fn endless_qos_2_without_pubrel_exceeds_receive_maximum() {
    let mut arena = Arena::new("receive_maximum = 50");
    let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
    let burst: Vec<u8> = (1..=51).flat_map(|id| packet::publish(5, 2, id, "t", b"x")).collect();
    attacker.send(&burst);
    for id in 1..=50 {
        let pubrec = attacker.expect(PacketKind::Pubrec);
        assert_eq!(pubrec.number("id"), Some(id), "{pubrec}");
    }
    attacker.is_disconnected(0x93);
    arena.has_refused([0x93]);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// A session that comes back again and again, each time with new packet identifiers, is refused message by message; a
/// client of MQTT 3.1.1 cannot be told and is disconnected.
#[test]
fn endless_qos_2_over_many_connections_stops_at_a_limit() {
    let mut arena = Arena::new("qos2_awaiting_release_max = 100");
    // Session Expiry Interval of an hour.
    let connect = packet::connect_with(5, "attacker", 0, 0, &[0x11, 0, 0, 0x0E, 0x10], &[]);
    for round in 0..3_u16 {
        let mut attacker = Attacker::online_with(&arena.ferry, Transport::Tcp, 5, &connect);
        let ids = round * 50 + 1..=round * 50 + 50;
        attacker.send(&ids.clone().flat_map(|id| packet::publish(5, 2, id, "t", b"x")).collect::<Vec<u8>>());
        for id in ids {
            let pubrec = attacker.expect(PacketKind::Pubrec);
            let expected = if round < 2 { 0x10 } else { 0x97 };
            assert_eq!(pubrec.number("reason"), Some(expected), "message {id}: {pubrec}");
        }
        attacker.leave();
    }
    let mut attacker = Attacker::online(&arena.ferry, 4, "attacker311");
    attacker.send(&(1..=101).flat_map(|id| packet::publish(4, 2, id, "t", b"x")).collect::<Vec<u8>>());
    (0..100).for_each(|_| drop(attacker.expect(PacketKind::Pubrec)));
    attacker.is_closed();
    // 50 messages, and the connection.
    arena.has_refused([0x97; 51]);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// [MQTT-3.3.2-8] [MQTT-3.3.2-9]
#[test]
fn topic_aliases_beyond_the_limit_end_the_connection() {
    let mut arena = Arena::new("topic_alias_maximum = 10");
    let alias = |number: u16| [&[0x23][..], &number.to_be_bytes()].concat();
    for (topic, number, reason_code) in
        [("t", 0, 0x94), ("t", 11, 0x94), ("t", u16::MAX, 0x94), ("", 10, 0x82), ("", 11, 0x94)]
    {
        let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
        attacker.send(&packet::publish_with(5, 0, 0, topic, &alias(number), b"x"));
        attacker.is_disconnected(reason_code);
    }
    arena.has_refused([0x94, 0x94, 0x94, 0x82, 0x94]);
    arena.ends_undisturbed();
}

/// An alias may be given a new topic as often as one likes; only the last one is kept. [MQTT-3.3.2-12]
#[test]
fn topic_aliases_redefined_endlessly_take_no_memory() {
    let arena = Arena::new("");
    let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
    for round in 0..200 {
        let redefinitions = (1..=32_u8).flat_map(|alias| {
            let topic = format!("{round}/{}", "t".repeat(4000));
            packet::publish_with(5, 0, 0, &topic, &[0x23, 0, alias], b"x")
        });
        attacker.send(&redefinitions.collect::<Vec<u8>>());
    }
    attacker.send(packet::PINGREQ);
    attacker.expect(PacketKind::Pingresp);
    // 25 MiB of topics went through.
    arena.took_at_most(6);
    arena.ends_undisturbed();
}

/// New sessions are refused at the limit, and those that are there go on.
#[test]
fn sessions_stop_at_the_limit() {
    // With one shard; several have an equal part of the limit each.
    let mut arena = Arena::with_shards(1, "sessions_max = 20");
    // The bystander and the reader of $SYS are two of them.
    let mut clients: Vec<Attacker> =
        (0..18).map(|number| Attacker::online(&arena.ferry, 5, &format!("client{number}"))).collect();
    for number in 18..40 {
        let mut refused = Attacker::open(&arena.ferry, Transport::Tcp);
        refused.send(&packet::connect(5, &format!("client{number}")));
        refused.expect_reason(PacketKind::Connack, 0x97);
        refused.is_closed();
    }
    for client in &mut clients {
        client.send(packet::PINGREQ);
        client.expect(PacketKind::Pingresp);
    }
    arena.has_refused([0x97; 22]);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// Retained messages beyond the limit are delivered, not kept, and counted.
#[test]
fn retained_messages_stop_at_the_limit() {
    // Those under $SYS are retained too.
    let mut arena = Arena::new("retained_bytes_max = \"1 MiB\"");
    let mut subscriber = Attacker::online(&arena.ferry, 5, "subscriber");
    subscriber.send(&packet::subscribe(5, 1, &[("bomb/#", 0)]));
    subscriber.expect(PacketKind::Suback);
    let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
    for number in 0..1000 {
        let mut publish = packet::publish(5, 0, 0, &format!("bomb/{number}"), &[b'x'; 10_000]);
        publish[0] |= 1;
        attacker.send(&publish);
        let message = subscriber.expect(PacketKind::Publish);
        assert_eq!(message.get("topic"), Some(&Value::Bytes(format!("bomb/{number}").into_bytes())));
    }
    // About 100 of 1000 have room.
    let refused = arena.figures.wait_until("refusals/retained_limit", |count| count > 890);
    assert!(refused <= 905, "{refused} were not kept");
    arena.took_at_most(6);
    arena.ends_undisturbed();
}
