//! A connection that ends after each byte of what a client says.

use ferry_tests::ferry::Transport;
use ferry_tests::wire::PacketKind;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

/// CONNECT with a will, SUBSCRIBE, PUBLISH with each QoS, PUBREL, DISCONNECT; and where CONNECT ends.
fn conversation(level: u8) -> (Vec<u8>, usize) {
    // Clean session, and a will of QoS 0.
    let will = [packet::properties(level, &[]), packet::text("will"), packet::text("gone")].concat();
    let connect = packet::connect_with(level, "cut", 0x06, 0, &[], &will);
    let conversation = [
        connect.clone(),
        packet::subscribe(level, 1, &[("cut/#", 2), ("$share/group/cut", 1)]),
        packet::publish(level, 0, 0, "cut/a", b"zero"),
        packet::publish(level, 1, 2, "cut/b", b"one"),
        packet::publish(level, 2, 3, "cut/c", b"two"),
        packet::acknowledgement(0x62, 3),
        vec![0xE0, 0],
    ];
    (conversation.concat(), connect.len())
}

/// The will is published exactly when CONNECT was complete and DISCONNECT was not, and nothing is left of the client.
/// [MQTT-3.1.2-8] [MQTT-3.14.4-3] [MQTT3-3.1.2-8] [MQTT3-3.14.4-3]
#[test]
fn the_end_of_the_stream_at_each_byte() {
    for (transport, level) in [(Transport::Tcp, 5), (Transport::Unix, 4)] {
        let mut arena = Arena::new("");
        let mut witness = Attacker::online(&arena.ferry, 4, "witness");
        witness.send(&packet::subscribe(4, 1, &[("will", 0)]));
        witness.expect(PacketKind::Suback);
        let (bytes, connect_length) = conversation(level);
        for length in 0..=bytes.len() {
            let mut client = Attacker::open(&arena.ferry, transport);
            client.send(&bytes[..length]);
            client.leave();
            if (connect_length..bytes.len()).contains(&length) {
                witness.expect(PacketKind::Publish);
            }
        }
        witness.send(packet::PINGREQ);
        witness.expect(PacketKind::Pingresp);
        arena.leaves_nothing(3, 3);
        arena.took_at_most(3);
        arena.ends_undisturbed();
    }
}

/// A reset may overtake what was sent, so that what counts is what is left: nothing.
#[test]
fn a_reset_at_each_byte() {
    let mut arena = Arena::new("");
    for level in [4, 5] {
        let (bytes, _) = conversation(level);
        for length in 0..=bytes.len() {
            let mut client = Attacker::open(&arena.ferry, Transport::Tcp);
            client.send(&bytes[..length]);
            client.reset();
        }
    }
    arena.leaves_nothing(2, 2);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// A subscriber that is gone in the middle of a delivery, again and again.
#[test]
fn a_reset_while_messages_come() {
    let mut arena = Arena::new("");
    let mut publisher = Attacker::online(&arena.ferry, 4, "publisher");
    for round in 0..50 {
        let mut subscriber = Attacker::online(&arena.ferry, 5, "subscriber");
        subscriber.send(&packet::subscribe(5, 1, &[("t", 2)]));
        subscriber.expect(PacketKind::Suback);
        let publish = packet::publish(4, round % 2, 1, "t", &[b'x'; 20_000]);
        publisher.send(&publish.repeat(20));
        subscriber.expect(PacketKind::Publish);
        subscriber.reset();
        publisher.send(packet::PINGREQ);
        while publisher.next().kind != PacketKind::Pingresp {}
    }
    arena.leaves_nothing(3, 2);
    arena.took_at_most(4);
    arena.ends_undisturbed();
}
