//! Bytes by chance, from fixed seeds, on every listener.

use ferry_tests::ferry::{Ferry, Transport};

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;
use crate::web_socket::{UPGRADE, frame};

/// Connections with each kind of bytes on each listener.
const ROUNDS: u64 = 60;

/// xorshift64*: any will do that gives the same numbers everywhere.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Less than `end`.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

/// Packets of a client's whole life.
fn conversation(level: u8, random: &mut Random) -> Vec<Vec<u8>> {
    let id = format!("random{}", random.below(8));
    let mut packets = vec![packet::connect_with(level, &id, 0, 0, &[], &[])];
    for _ in 0..random.below(20) {
        let packet_id = 1 + random.below(5) as u16;
        let qos = random.below(3) as u8;
        let topic = ["r", "r/s", "r/s/t", ""][random.below(4)];
        packets.push(match random.below(6) {
            0 => packet::subscribe(level, packet_id, &[("r/+", qos), ("$share/g/r/#", qos), ("#", qos)]),
            1 | 2 => packet::publish(level, qos, packet_id, topic, &vec![0; random.below(2000)]),
            3 => packet::acknowledgement([0x40, 0x50, 0x62, 0x70][random.below(4)], packet_id),
            4 => packet::packet(
                0xA2,
                &[&[0, 1][..], &packet::properties(level, &[]), &packet::text("r/+")].concat(),
            ),
            _ => packet::PINGREQ.to_vec(),
        });
    }
    packets
}

/// Some bytes of it are changed, doubled or lost.
fn mutated(mut bytes: Vec<u8>, random: &mut Random) -> Vec<u8> {
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len().max(1));
        match random.below(4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.next().to_be_bytes()[0],
            2 => bytes.truncate(at),
            _ => bytes.extend_from_within(at..),
        }
        bytes.truncate(1 << 20);
    }
    bytes
}

fn attack(ferry: &Ferry, transport: Transport, seed: u64) {
    let random = &mut Random::new(seed);
    // Nothing but chance, before any handshake.
    let mut attacker = Attacker::open(ferry, transport);
    let length = random.below(3000);
    attacker.send(&random.bytes(length));
    attacker.leave();
    // Packets with mistakes, behind the right handshakes.
    let level = 3 + random.below(3) as u8;
    let packets = conversation(level, random);
    let (first, rest) = packets.split_at(1);
    let mut bytes = if random.below(8) == 0 { mutated(first.concat(), random) } else { first.concat() };
    bytes.extend(mutated(rest.concat(), random));
    let mut attacker = Attacker::open_secured(ferry, transport);
    if matches!(transport.scheme(), "ws" | "wss") {
        attacker.send(UPGRADE.as_bytes());
        bytes = frame(0x82, &bytes);
        if random.below(4) == 0 {
            bytes = mutated(bytes, random);
        }
    }
    attacker.send(&bytes);
    if random.below(2) == 0 { attacker.leave() } else { attacker.reset() }
}

#[test]
fn chance_does_no_harm() {
    for transport in Transport::ALL {
        let mut arena = Arena::new("queue_messages_max = 100");
        for seed in 1..=ROUNDS {
            attack(&arena.ferry, transport, seed);
        }
        // The bystander and the reader of $SYS.
        arena.figures.wait_for("clients/connected", 2);
        arena.took_at_most(4);
        arena.ends_undisturbed();
    }
}
