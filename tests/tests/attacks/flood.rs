//! More connections than there is room for.

use ferry_tests::ferry::Transport;
use ferry_tests::wire::PacketKind;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

/// [`Arena`] has two connections of its own.
const OWN: usize = 2;

#[test]
fn connections_beyond_the_limit_are_closed_at_once() {
    let mut arena = Arena::new("connections_max = 50");
    let mut clients: Vec<Attacker> =
        (OWN..50).map(|number| Attacker::online(&arena.ferry, 5, &format!("client{number}"))).collect();
    for transport in [Transport::Tcp, Transport::Tls, Transport::WebSocket, Transport::Unix] {
        for _ in 0..50 {
            Attacker::open(&arena.ferry, transport).is_closed();
        }
    }
    for client in &mut clients {
        client.send(packet::PINGREQ);
        client.expect(PacketKind::Pingresp);
    }
    arena.figures.wait_for("refusals/connections_max", 200);
    clients.into_iter().for_each(Attacker::leave);
    // There is room again when the broker has closed its end too.
    arena.figures.wait_for("clients/connected", OWN as u64);
    drop(Attacker::online(&arena.ferry, 5, "late"));
    arena.took_at_most(6);
    arena.ends_undisturbed();
}

#[test]
fn strangers_count_as_connections() {
    let mut arena = Arena::new("connections_max = 50\nconnect_timeout_seconds = 1");
    let mut strangers: Vec<Attacker> =
        (OWN..50).map(|_| Attacker::open(&arena.ferry, Transport::Tcp)).collect();
    Attacker::open(&arena.ferry, Transport::Tcp).is_closed();
    // Their time is soon over, and there is room again.
    strangers.iter_mut().for_each(Attacker::is_closed);
    arena.figures.wait_for("refusals/connections_max", 1);
    drop(Attacker::online(&arena.ferry, 5, "late"));
    arena.ends_undisturbed();
}

#[test]
fn connections_that_come_too_fast_are_closed_at_once() {
    let mut arena = Arena::new("connects_per_second_max = 20");
    // None waits for the answer to another one, or a slow machine would keep to the rate.
    let clients: Vec<Attacker> = (0..200)
        .map(|number| {
            let mut client = Attacker::open(&arena.ferry, Transport::Tcp);
            client.send(&packet::connect(5, &format!("client{number}")));
            client
        })
        .collect();
    let refused = clients.into_iter().map(|mut client| u64::from(!client.is_accepted())).sum();
    assert!(refused > 0, "200 connections came in a flash");
    let counted = arena.figures.wait_until("refusals/connect_rate", |count| count >= refused);
    assert_eq!(counted, refused);
    arena.ends_undisturbed();
}

#[test]
fn unfinished_handshakes_have_a_limit_of_their_own() {
    let mut arena = Arena::new("handshakes_max = 10");
    let silent: Vec<Attacker> = (0..20).map(|_| Attacker::open(&arena.ferry, Transport::Tls)).collect();
    // Not always the last ten: several shards accept at the same time.
    arena.figures.wait_for("refusals/handshakes_max", 10);
    silent.into_iter().for_each(Attacker::leave);
    arena.figures.wait_for("refusals/disconnected", 10);
    drop(Attacker::online(&arena.ferry, 5, "late"));
    arena.ends_undisturbed();
}

/// One client identifier, again and again: each connection ends the one before. [MQTT-3.1.4-3]
#[test]
fn takeovers_leave_nothing_behind() {
    let mut arena = Arena::new("");
    let mut last = Attacker::online(&arena.ferry, 5, "same");
    for _ in 0..300 {
        let next = Attacker::online(&arena.ferry, 5, "same");
        last.is_disconnected(0x8E);
        last = next;
    }
    arena.figures.wait_for("clients/taken_over", 300);
    arena.figures.wait_for("clients/connected", OWN as u64 + 1);
    arena.took_at_most(3);
    arena.ends_undisturbed();
}
