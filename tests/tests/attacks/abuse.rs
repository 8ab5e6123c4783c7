//! Many clients at once, each of which does nothing that one may not do. How long the bystander waited meanwhile is
//! printed: `cargo test -p ferry-tests --test attacks abuse -- --nocapture --test-threads 1`.

use std::time::{Duration, Instant};

use ferry_tests::ferry::Transport;
use ferry_tests::wire::PacketKind;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

const CROWD: usize = 300;

/// [`Arena`] has two connections of its own.
const OWN: u64 = 2;

/// Two devices with one client identifier: both are named, once. [MQTT-3.1.4-3] [MQTT3-3.1.4-2]
#[test]
fn a_duel_names_both_devices() {
    let mut arena = Arena::new("[abuse]\ntakeovers_per_minute_max = 5");
    let mut last = Attacker::online(&arena.ferry, 4, "twin");
    for _ in 0..20 {
        let next = Attacker::online(&arena.ferry, 4, "twin");
        last.is_closed();
        last = next;
    }
    arena.figures.wait_for("refusals/client_id_duel", 1);
    let log = arena.ferry.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("again and again")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!(lines[0].matches("127.0.0.1:").count(), 3, "both and the listener: {}", lines[0]);
    assert!(lines[0].contains("client \"twin\"") && lines[0].contains("give each its own"), "{}", lines[0]);
    drop(last);
    arena.ends_undisturbed();
}

/// An address that is refused again and again is soon not even listened to.
#[test]
fn a_login_flood_is_banned() {
    let limits = "[abuse]\nexempt_networks = []\nfaults_per_minute_per_address_max = 50";
    let mut arena = Arena::new(&format!("client_id_bytes_max = 23\n{limits}"));
    let connect = packet::connect(5, "a client identifier that is too long");
    let mut refused = 0;
    for _ in 0..1_000 {
        let mut attacker = Attacker::open(&arena.ferry, Transport::Tcp);
        attacker.send(&connect);
        refused += u64::from(attacker.bytes_until_closed().len() > 4);
    }
    // What was on its way when the ban came is still answered.
    assert!((50..100).contains(&refused), "{refused} were answered");
    arena.figures.wait_until("refusals/banned", |count| count == 1_000 - refused);
    arena.ferry.wait_for_log("banned 127.0.0.1 for 600 seconds: more than 50 connections that failed");
    arena.took_at_most(3);
    arena.ends_undisturbed();
}

/// Everything goes to clients that take nothing.
#[test]
fn a_subscription_bomb() {
    let mut arena = Arena::new("write_buffer_bytes_max = \"64 KiB\"");
    let crowd: Vec<Attacker> = (0..CROWD)
        .map(|number| {
            let mut attacker = Attacker::online(&arena.ferry, 5, &format!("bomb{number}"));
            attacker.send(&packet::subscribe(5, 1, &[("#", 0)]));
            attacker.expect(PacketKind::Suback);
            attacker
        })
        .collect();
    let mut flooder = Attacker::online(&arena.ferry, 5, "flooder");
    for _ in 0..50 {
        (0..10).for_each(|_| flooder.send(&packet::publish(5, 0, 0, "flood", &[b'x'; 1_000])));
        flooder.send(packet::PINGREQ);
        flooder.expect(PacketKind::Pingresp);
    }
    // 300 buffers of 64 KiB, and what the driver holds of each.
    arena.took_at_most(64);
    flooder.leave();
    crowd.into_iter().for_each(Attacker::reset);
    arena.leaves_nothing(OWN, 2);
    arena.ends_undisturbed();
}

/// Three hundred clients that vanish at the same moment, each with a will. [MQTT-3.1.2-8] [MQTT3-3.1.2-8]
#[test]
fn a_will_storm() {
    let mut arena = Arena::new("");
    let mut subscriber = Attacker::online(&arena.ferry, 4, "subscriber");
    subscriber.send(&packet::subscribe(4, 1, &[("will/#", 0)]));
    subscriber.expect(PacketKind::Suback);
    // All of it fits into the write buffer of one subscriber.
    let payload = [b'x'; 1_000];
    let crowd: Vec<Attacker> = (0..CROWD)
        .map(|number| {
            let will = [packet::text(format!("will/{number}")), packet::text(payload)].concat();
            // Clean Session and Will Flag.
            let connect = packet::connect_with(4, &format!("doomed{number}"), 0x06, 0, &[], &will);
            Attacker::online_with(&arena.ferry, Transport::Tcp, 4, &connect)
        })
        .collect();
    crowd.into_iter().for_each(Attacker::reset);
    (0..CROWD).for_each(|_| drop(subscriber.expect(PacketKind::Publish)));
    arena.figures.wait_for("publish/messages/wills", CROWD as u64);
    arena.took_at_most(24);
    subscriber.leave();
    arena.leaves_nothing(OWN, 2);
    arena.ends_undisturbed();
}

/// Retained messages for whoever asks for everything, again and again.
#[test]
fn a_retained_bomb() {
    let arena = Arena::new("subscribes_per_second_max = 20\nretained_bytes_max = \"4 MiB\"");
    let mut planter = Attacker::online(&arena.ferry, 5, "planter");
    for number in 0..2_000 {
        let mut publish = packet::publish(5, 0, 0, &format!("bomb/{number}"), &[b'x'; 1_000]);
        publish[0] |= 1;
        planter.send(&publish);
    }
    planter.send(packet::PINGREQ);
    planter.expect(PacketKind::Pingresp);
    let mut crowd: Vec<Attacker> =
        (0..20).map(|number| Attacker::online(&arena.ferry, 5, &format!("bomb{number}"))).collect();
    for attacker in &mut crowd {
        let subscribe = packet::subscribe(5, 1, &[("bomb/#", 0)]);
        attacker.send_while_taken(&subscribe, 100);
    }
    // 20 clients that read nothing of 2 MB each, at most once in each fiftieth of a second.
    arena.took_at_most(96);
    crowd.into_iter().for_each(Attacker::reset);
    arena.ends_undisturbed();
}

/// Handshakes that begin well and go on with garbage.
#[test]
fn a_flood_of_tls_garbage() {
    let mut arena = Arena::new("");
    let hello =
        [&[0x16, 0x03, 0x01, 0x01, 0x00, 0x01, 0x00, 0x00, 0xFC, 0x03, 0x03][..], &[0xFF; 250]].concat();
    let crowd: Vec<Attacker> = (0..CROWD)
        .map(|_| {
            let mut attacker = Attacker::open(&arena.ferry, Transport::Tls);
            attacker.send(&hello);
            attacker
        })
        .collect();
    for mut attacker in crowd {
        attacker.bytes_until_closed();
    }
    arena.figures.wait_for("refusals/tls_garbage", CROWD as u64);
    arena.took_at_most(12);
    arena.ends_undisturbed();
}

/// Whoever sends more than it may waits, and so does what it sends.
#[test]
fn a_flood_above_its_rate_is_read_slowly() {
    let mut arena = Arena::new("received_bytes_per_second_max = \"256 KiB\"");
    let begin = Instant::now();
    let mut attacker = Attacker::online(&arena.ferry, 4, "flooder");
    for _ in 0..8 {
        attacker.send(&packet::publish(4, 0, 0, "flood", &[b'x'; 100_000]));
    }
    attacker.send(packet::PINGREQ);
    attacker.expect(PacketKind::Pingresp);
    // 800,000 bytes, of which a second's worth may come at once.
    assert!(begin.elapsed() >= Duration::from_secs(2), "{:?}", begin.elapsed());
    arena.figures.wait_until("refusals/rate_limited", |count| count > 0);
    arena.took_at_most(6);
    arena.ends_undisturbed();
}
