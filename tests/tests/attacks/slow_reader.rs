//! A subscriber that never reads.

use ferry_tests::ferry::Transport;
use ferry_tests::wire::PacketKind;

use crate::arena::Arena;
use crate::attacker::Attacker;
use crate::packet;

const MEBIBYTE: usize = 1 << 20;

/// 64 MiB of QoS 0 for somebody who reads nothing: what does not fit into the write buffer is dropped and counted, and
/// the publisher notices nothing.
#[test]
fn qos_0_beyond_the_write_buffer_is_dropped() {
    let mut arena = Arena::new("write_buffer_bytes_max = \"1 MiB\"");
    let mut reader = Attacker::online(&arena.ferry, 5, "reader");
    reader.send(&packet::subscribe(5, 1, &[("flood", 0)]));
    reader.expect(PacketKind::Suback);
    let mut publisher = Attacker::online(&arena.ferry, 5, "publisher");
    let publish = packet::publish(5, 0, 0, "flood", &vec![b'x'; 64 * 1024]);
    (0..1024).for_each(|_| publisher.send(&publish));
    publisher.send(packet::PINGREQ);
    publisher.expect(PacketKind::Pingresp);
    arena.took_at_most(6);
    // What was not dropped is still there, whole.
    reader.send(packet::PINGREQ);
    let mut received = 0;
    loop {
        match reader.next().kind {
            PacketKind::Publish => received += 1,
            PacketKind::Pingresp => break,
            other => panic!("{other:?}"),
        }
    }
    // The system's socket buffers take some of it.
    assert!(received < 524, "{received} messages were not dropped");
    arena.figures.wait_until("drops/qos0_backpressure", |count| count == 1024 - received);
    publisher.send(&packet::publish(5, 0, 0, "flood", b"last"));
    assert_eq!(reader.expect(PacketKind::Publish).length_bytes, 2 + 7 + 1 + 4);
    arena.ends_undisturbed();
}

/// QoS 1 waits in the session's queue, which has a limit of messages and one of bytes.
#[test]
fn qos_1_beyond_the_queue_is_dropped() {
    for (limit, reason) in [
        ("queue_messages_max = 50", "queue_full"),
        ("packet_size_bytes_max = \"1 MiB\"\nqueue_bytes_max = \"1 MiB\"", "queue_bytes_full"),
    ] {
        let mut arena = Arena::new(&format!("write_buffer_bytes_max = \"256 KiB\"\n{limit}"));
        let mut reader = Attacker::online(&arena.ferry, 5, "reader");
        reader.send(&packet::subscribe(5, 1, &[("flood", 1)]));
        reader.expect(PacketKind::Suback);
        let mut publisher = Attacker::online(&arena.ferry, 5, "publisher");
        for _ in 0..512 {
            publisher.send(&packet::publish(5, 1, 1, "flood", &vec![b'x'; 64 * 1024]));
            publisher.expect_reason(PacketKind::Puback, 0);
        }
        // Of 512 messages 128 may be on the way.
        arena.figures.wait_until(&format!("drops/{reason}"), |count| count > 200);
        // Messages on the way are kept until they are acknowledged, so that they can be sent again.
        arena.took_at_most(16);
        arena.ends_undisturbed();
    }
}

/// A reader that takes nothing for too long loses its connection.
#[test]
fn a_stalled_reader_is_cut_off() {
    let mut arena = Arena::new("write_buffer_bytes_max = \"64 KiB\"\nwrite_stall_timeout_seconds = 1");
    let mut reader = Attacker::online(&arena.ferry, 5, "reader");
    reader.send(&packet::subscribe(5, 1, &[("flood", 0)]));
    reader.expect(PacketKind::Suback);
    let mut publisher = Attacker::online(&arena.ferry, 5, "publisher");
    (0..32).for_each(|_| publisher.send(&packet::publish(5, 0, 0, "flood", &vec![b'x'; MEBIBYTE])));
    arena.figures.wait_for("refusals/write_stall", 1);
    // The bystander, the reader of $SYS and the publisher are left.
    arena.figures.wait_for("clients/connected", 3);
    arena.took_at_most(6);
    drop(reader);
    arena.ends_undisturbed();
}

/// The answers to a client that asks and never reads have a limit too: it is not read any more.
#[test]
fn a_client_that_only_asks_is_not_read_on() {
    let mut arena = Arena::new("write_buffer_bytes_max = \"64 KiB\"\nwrite_stall_timeout_seconds = 2");
    let connect = packet::connect(5, "asker");
    let mut asker = Attacker::online_with(&arena.ferry, Transport::Tcp, 5, &connect);
    // 64 MiB of questions, or as many as the broker takes until it ends the connection.
    let pings = packet::PINGREQ.repeat(MEBIBYTE / 2);
    (0..64).for_each(|_| asker.send(&pings));
    arena.figures.wait_for("refusals/write_stall", 1);
    arena.took_at_most(6);
    arena.ends_undisturbed();
}
