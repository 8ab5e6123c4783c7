//! What is too large, or too much at once.

use ferry_tests::ferry::Transport;
use ferry_tests::wire::PacketKind;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

const MILLION: usize = 1_000_000;

/// A packet that is too large is refused by its header; nobody waits for the rest. [MQTT-3.2.2-15] U5-035
#[test]
fn a_huge_remaining_length_is_refused_at_once() {
    let mut arena = Arena::new("");
    for _ in 0..20 {
        let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
        // A PUBLISH of 256 MiB that ends after its topic.
        attacker.send(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F, 0, 1, b't', 0]);
        attacker.is_disconnected(0x95);
    }
    arena.has_refused([0x95; 20]);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// Many clients that announce the largest packet, and never send its last byte, hold what they have sent and no more.
#[test]
fn packets_without_an_end_take_what_was_sent() {
    let mut arena = Arena::new("connect_bytes_max = \"64 KiB\"\npacket_size_bytes_max = \"256 KiB\"");
    let strangers: Vec<Attacker> = (0..50)
        .map(|_| {
            let mut stranger = Attacker::open(&arena.ferry, Transport::Tcp);
            // A CONNECT of 60,000 bytes without the last one.
            let connect = packet::connect_with(5, &"c".repeat(59_980), 2, 0, &[], &[]);
            stranger.send(&connect[..connect.len() - 1]);
            stranger
        })
        .collect();
    let clients: Vec<Attacker> = (0..20)
        .map(|number| {
            let mut client = Attacker::online(&arena.ferry, 5, &format!("client{number}"));
            let publish = packet::publish(5, 0, 0, "t", &vec![0; 250_000]);
            client.send(&publish[..publish.len() - 1]);
            client
        })
        .collect();
    arena.figures.wait_for("clients/connected", 22);
    // 3 MB of the strangers and 5 MB of the clients, in buffers that may be twice as large.
    arena.took_at_most(24);
    clients.into_iter().chain(strangers).for_each(Attacker::leave);
    arena.figures.wait_for("clients/connected", 2);
    arena.ends_undisturbed();
}

/// More user properties than allowed are refused while they are counted, in time that grows with their number only.
#[test]
fn a_million_user_properties_are_refused() {
    let mut arena = Arena::new("packet_size_bytes_max = \"8 MiB\"\nconnect_bytes_max = \"8 MiB\"");
    let user_properties = [0x26, 0, 0, 0, 0].repeat(MILLION);
    let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
    attacker.send(&packet::publish_with(5, 1, 1, "t", &user_properties, b""));
    attacker.is_disconnected(0x97);
    let mut stranger = Attacker::open(&arena.ferry, Transport::Tcp);
    stranger.send(&packet::connect_with(5, "stranger", 2, 0, &user_properties, &[]));
    stranger.expect_reason(PacketKind::Connack, 0x97);
    stranger.is_closed();
    arena.has_refused([0x97, 0x97]);
    arena.took_at_most(24);
    arena.ends_undisturbed();
}

/// Where many are allowed, many are delivered, and nobody else waits for long.
#[test]
fn many_user_properties_are_forwarded_where_allowed() {
    let limits = "packet_size_bytes_max = \"8 MiB\"\nuser_properties_max = 65535";
    let arena = Arena::new(limits);
    let mut subscriber = Attacker::online(&arena.ferry, 5, "subscriber");
    subscriber.send(&packet::subscribe(5, 1, &[("t", 0)]));
    subscriber.expect(PacketKind::Suback);
    let user_properties = [0x26, 0, 1, b'n', 0, 1, b'v'].repeat(65_535);
    let mut publisher = Attacker::online(&arena.ferry, 5, "publisher");
    publisher.send(&packet::publish_with(5, 0, 0, "t", &user_properties, b""));
    let message = subscriber.expect(PacketKind::Publish);
    let count = message.fields.iter().filter(|field| field.name == "user_property").count();
    assert_eq!(count, 65_535);
    arena.took_at_most(6);
    arena.ends_undisturbed();
}

/// Tens of thousands of filters in one packet, most of them beyond the limit: each gets its own code. [MQTT-3.8.4-6]
#[test]
fn a_subscription_bomb_stops_at_the_limit() {
    let mut arena = Arena::new("subscriptions_per_session_max = 1000");
    let filters: Vec<String> = (0..60_000).map(|number| format!("a/{number}/+/b/#")).collect();
    let filters: Vec<(&str, u8)> = filters.iter().map(|filter| (filter.as_str(), 0)).collect();
    let mut attacker = Attacker::online(&arena.ferry, 5, "attacker");
    attacker.send(&packet::subscribe(5, 1, &filters));
    let suback = attacker.expect(PacketKind::Suback);
    let codes: Vec<u64> =
        suback.fields.iter().filter(|field| field.name == "code").filter_map(number).collect();
    assert_eq!(codes, [vec![0; 1000], vec![0x97; 59_000]].concat());
    // The bystander's, the one on $SYS, and the attacker's.
    arena.figures.wait_for("subscriptions/count", 1002);
    arena.figures.wait_for("refusals/reason_code/0x97", 59_000);
    arena.took_at_most(6);
    attacker.leave();
    arena.figures.wait_for("subscriptions/count", 2);
    arena.ends_undisturbed();
}

fn number(field: &ferry_tests::wire::Field) -> Option<u64> {
    match field.value {
        ferry_tests::wire::Value::Number(number) => Some(number),
        _ => None,
    }
}
