//! Scripts: what goes out is compared as text, such as `PUBLISH 1 qos=1 dup a`.

use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::{PacketId, QoS, ReasonCode, StoredProperties};

use super::*;
use crate::{Message, Payload};

const NOW: Timestamp = Timestamp(1_000_000);

const LIMITS: QueueLimits = QueueLimits {
    queue_messages_max: 3,
    queue_bytes_max: 10_000,
    overflow: OverflowPolicy::DropOldest,
    queue_qos0: false,
    queue_messages_in_memory_max: usize::MAX,
    queue_bytes_in_memory_max: usize::MAX,
};

fn copy(topic: &str, qos: u8) -> Delivery {
    expiring(topic, qos, None)
}

fn expiring(topic: &str, qos: u8, expires_at: Option<Timestamp>) -> Delivery {
    let message = Message {
        topic: topic.into(),
        payload: Payload::new(),
        properties: StoredProperties::default(),
        qos: QoS::ExactlyOnce,
        retain: false,
        received_at: NOW,
        expires_at,
        publisher: None,
    };
    Delivery::new(Arc::new(message), QoS::from_byte(qos).unwrap(), false)
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

fn maximum(value: u16) -> NonZeroU16 {
    NonZeroU16::new(value).unwrap()
}

fn connected(receive_maximum: u16) -> Sender {
    let mut sender = Sender::new();
    sender.resume(maximum(receive_maximum));
    sender
}

fn text(outgoing: &Outgoing<'_>) -> String {
    match outgoing {
        Outgoing::Publish { packet_id, delivery, dup } => {
            let packet_id = packet_id.map_or("-".to_owned(), |id| id.to_string());
            let dup = if *dup { " dup" } else { "" };
            format!("PUBLISH {packet_id} qos={}{dup} {}", delivery.qos.to_byte(), delivery.message.topic)
        }
        Outgoing::Pubrel { packet_id } => format!("PUBREL {packet_id}"),
        Outgoing::Dropped(dropped) => format!("drop {} {}", dropped.reason, dropped.topic()),
    }
}

/// Everything that is to be sent now.
fn pump_at(sender: &mut Sender, now: Timestamp) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(outgoing) = sender.next(now) {
        sent.push(text(&outgoing));
    }
    sent
}

fn pump(sender: &mut Sender) -> Vec<String> {
    pump_at(sender, NOW)
}

/// Queues the copies and returns what was dropped, in the order it happened.
fn enqueue(
    sender: &mut Sender,
    limits: &QueueLimits,
    copies: impl IntoIterator<Item = Delivery>,
) -> Vec<String> {
    let mut dropped = Vec::new();
    for delivery in copies {
        let mut on_drop = |drop: Dropped| dropped.push(format!("{} {}", drop.reason, drop.topic()));
        if let Err(refused) = sender.enqueue(NOW, delivery, limits, &mut on_drop) {
            let Refused { delivery, reason, .. } = refused;
            dropped.push(format!("refused {reason} {}", delivery.message.topic));
        }
    }
    dropped
}

fn queue(sender: &mut Sender, copies: impl IntoIterator<Item = Delivery>) {
    let limits = QueueLimits { queue_messages_max: usize::MAX, queue_bytes_max: usize::MAX, ..LIMITS };
    assert!(enqueue(sender, &limits, copies).is_empty());
}

#[test]
fn an_idle_session_is_small() {
    // The whole sender, without anything on the heap.
    assert!(size_of::<Sender>() <= 184, "{}", size_of::<Sender>());
}

/// [MQTT-4.3.2-1], [MQTT-4.3.2-2], [MQTT-4.3.3-1], [MQTT-4.3.3-2], [MQTT-2.2.1-4], [MQTT-3.3.1-3]
#[test]
fn new_messages_get_unused_ids_and_no_dup() {
    let mut sender = connected(10);
    queue(&mut sender, [copy("a", 1), copy("b", 2), copy("c", 1)]);
    assert_eq!(pump(&mut sender), ["PUBLISH 1 qos=1 a", "PUBLISH 2 qos=2 b", "PUBLISH 3 qos=1 c"]);
}

#[test]
fn what_is_on_its_way_is_bounded_in_bytes() {
    let size = u32::try_from(copy("a", 1).size_bytes()).unwrap();
    let mut sender = connected(10);
    sender.limit_inflight_bytes(2 * size);
    queue(&mut sender, [copy("a", 1), copy("b", 2), copy("c", 1)]);
    assert_eq!(pump(&mut sender), ["PUBLISH 1 qos=1 a", "PUBLISH 2 qos=2 b"]);
    assert_eq!(text(&sender.send_now(copy("d", 0)).unwrap()), "PUBLISH - qos=0 d");
    assert_eq!(sender.inflight_bytes(), 2 * size as usize);
    // A QoS 2 message is the receiver's with the PUBREC.
    sender.pubrec(PacketId::new(2).unwrap(), ReasonCode::SUCCESS);
    assert_eq!(pump(&mut sender), ["PUBLISH 3 qos=1 c"]);
    sender.puback(PacketId::new(1).unwrap());
    sender.pubcomp(PacketId::new(2).unwrap());
    sender.puback(PacketId::new(3).unwrap());
    assert_eq!((sender.inflight_len(), sender.inflight_bytes()), (0, 0));
    // One message is sent however large it is.
    sender.limit_inflight_bytes(0);
    queue(&mut sender, [copy("f", 1), copy("g", 1)]);
    assert_eq!(pump(&mut sender), ["PUBLISH 4 qos=1 f"]);
    sender.puback(PacketId::new(4).unwrap());
    assert_eq!(pump(&mut sender), ["PUBLISH 5 qos=1 g"]);
    // Sent again after a lost connection, and counted once.
    sender.resume(NonZeroU16::MAX);
    assert_eq!(pump(&mut sender), ["PUBLISH 5 qos=1 dup g"]);
    assert_eq!(sender.inflight_bytes(), size as usize);
}

/// [MQTT-2.2.1-2], [MQTT-3.3.1-2], [MQTT-4.3.1-1], [MQTT-3.3.4-10]
#[test]
fn qos_0_needs_no_id_and_no_quota() {
    let mut sender = connected(1);
    queue(&mut sender, [copy("a", 1), copy("b", 1)]);
    assert_eq!(pump(&mut sender), ["PUBLISH 1 qos=1 a"]);
    assert_eq!(sender.quota(), 0);
    let outgoing = sender.send_now(copy("z", 0)).unwrap();
    assert_eq!(text(&outgoing), "PUBLISH - qos=0 z");
    assert_eq!(sender.inflight_len(), 1);
}

#[test]
fn send_now_gives_the_copy_back_if_something_is_ahead_of_it() {
    let mut sender = Sender::new();
    assert!(sender.send_now(copy("a", 0)).is_err());
    assert!(sender.send_now(copy("a", 1)).is_err());
    sender.resume(maximum(2));
    assert_eq!(text(&sender.send_now(copy("a", 1)).unwrap()), "PUBLISH 1 qos=1 a");
    queue(&mut sender, [copy("b", 1)]);
    assert!(sender.send_now(copy("c", 1)).is_err());
    assert_eq!(pump(&mut sender), ["PUBLISH 2 qos=1 b"]);
    assert!(sender.send_now(copy("c", 1)).is_err());
}

/// [MQTT-4.9.0-1], [MQTT-4.9.0-2], [MQTT-3.3.4-9]: QoS 1 and 2 share one quota.
#[test]
fn receive_maximum_limits_qos_1_and_2_together() {
    let mut sender = connected(2);
    queue(&mut sender, [copy("a", 1), copy("b", 2), copy("c", 1), copy("d", 2), copy("e", 1)]);
    assert_eq!(pump(&mut sender), ["PUBLISH 1 qos=1 a", "PUBLISH 2 qos=2 b"]);
    // A PUBREC below 0x80 does not give the place back.
    assert!(matches!(sender.pubrec(id(2), ReasonCode::SUCCESS), Acknowledged::SendPubrel(Some(_))));
    assert!(pump(&mut sender).is_empty());
    assert!(matches!(sender.puback(id(1)), Acknowledged::Complete { delivery: Some(_), .. }));
    assert_eq!(pump(&mut sender), ["PUBLISH 3 qos=1 c"]);
    assert!(matches!(sender.pubcomp(id(2)), Acknowledged::Complete { delivery: None, .. }));
    assert_eq!(pump(&mut sender), ["PUBLISH 4 qos=2 d"]);
    // From 0x80 it does.
    assert!(matches!(
        sender.pubrec(id(4), ReasonCode::QUOTA_EXCEEDED),
        Acknowledged::Complete { delivery: Some(_), .. }
    ));
    assert_eq!(pump(&mut sender), ["PUBLISH 5 qos=1 e"]);
}

/// [MQTT-4.4.0-1], [MQTT-3.3.1-1], [MQTT-4.3.3-6], [MQTT-4.3.2-3], [MQTT-4.3.3-3], [MQTT-4.3.3-5]
#[test]
fn resume_sends_again_in_order_with_the_original_ids_before_new_traffic() {
    let mut sender = connected(10);
    queue(&mut sender, [copy("a", 1), copy("b", 2), copy("c", 2), copy("d", 1)]);
    assert_eq!(pump(&mut sender).len(), 4);
    sender.pubrec(id(3), ReasonCode::SUCCESS);
    sender.puback(id(1));
    sender.on_disconnect();
    assert!(pump(&mut sender).is_empty());
    queue(&mut sender, [copy("new", 1)]);
    sender.resume(maximum(10));
    assert!(sender.send_now(copy("newer", 1)).is_err());
    assert_eq!(
        pump(&mut sender),
        ["PUBREL 3", "PUBLISH 2 qos=2 dup b", "PUBLISH 4 qos=1 dup d", "PUBLISH 5 qos=1 new"]
    );
    // [MQTT-4.4.0-1]: at no other time.
    assert!(pump(&mut sender).is_empty());
}

/// [MQTT-4.6.0-4]: PUBRELs go out again in the order of the PUBRECs.
#[test]
fn pubrels_are_sent_again_in_the_order_of_the_pubrecs() {
    let mut sender = connected(10);
    queue(&mut sender, [copy("a", 2), copy("b", 2), copy("c", 2)]);
    pump(&mut sender);
    sender.pubrec(id(3), ReasonCode::SUCCESS);
    sender.pubrec(id(1), ReasonCode::NO_MATCHING_SUBSCRIBERS);
    sender.resume(maximum(10));
    assert_eq!(pump(&mut sender), ["PUBREL 3", "PUBREL 1", "PUBLISH 2 qos=2 dup b"]);
}

/// [MQTT-3.3.4-9]: the new connection's Receive Maximum holds for what is sent again.
#[test]
fn resends_count_against_the_new_receive_maximum() {
    let mut sender = connected(10);
    queue(&mut sender, [copy("a", 1), copy("b", 1), copy("c", 2), copy("d", 1)]);
    pump(&mut sender);
    sender.pubrec(id(3), ReasonCode::SUCCESS);
    sender.resume(maximum(2));
    // The owed PUBREL takes one of the two places.
    assert_eq!(pump(&mut sender), ["PUBREL 3", "PUBLISH 1 qos=1 dup a"]);
    sender.puback(id(1));
    assert_eq!(pump(&mut sender), ["PUBLISH 2 qos=1 dup b"]);
    sender.pubcomp(id(3));
    assert_eq!(pump(&mut sender), ["PUBLISH 4 qos=1 dup d"]);
}

/// [MQTT-4.9.0-2]: more owed PUBRELs than places must not make the quota wrap round.
#[test]
fn more_pubrels_than_receive_maximum() {
    let mut sender = connected(3);
    queue(&mut sender, [copy("a", 2), copy("b", 2), copy("c", 2), copy("d", 1)]);
    pump(&mut sender);
    (1..=3).for_each(|value| drop(sender.pubrec(id(value), ReasonCode::SUCCESS)));
    sender.resume(maximum(1));
    assert_eq!(pump(&mut sender), ["PUBREL 1", "PUBREL 2", "PUBREL 3"]);
    (1..=2).for_each(|value| drop(sender.pubcomp(id(value))));
    assert!(pump(&mut sender).is_empty());
    sender.pubcomp(id(3));
    assert_eq!(pump(&mut sender), ["PUBLISH 4 qos=1 d"]);
}

/// [MQTT-4.4.0-2]: a negative acknowledgement completes the exchange.
#[test]
fn acknowledged_with_an_error_is_acknowledged() {
    let mut sender = connected(10);
    queue(&mut sender, [copy("a", 1), copy("b", 2)]);
    pump(&mut sender);
    // The caller may look at the code of a PUBACK; to the exchange it makes no difference.
    assert!(matches!(sender.puback(id(1)), Acknowledged::Complete { delivery: Some(_), .. }));
    assert!(matches!(
        sender.pubrec(id(2), ReasonCode::NOT_AUTHORIZED),
        Acknowledged::Complete { delivery: Some(_), .. }
    ));
    sender.resume(maximum(10));
    assert!(pump(&mut sender).is_empty());
    assert_eq!(sender.inflight_len(), 0);
}

#[test]
fn unknown_and_late_acknowledgements_change_nothing() {
    let mut sender = connected(2);
    queue(&mut sender, [copy("a", 1), copy("b", 2)]);
    pump(&mut sender);
    assert!(matches!(sender.puback(id(9)), Acknowledged::UnknownPacketId));
    assert!(matches!(sender.pubrec(id(9), ReasonCode::SUCCESS), Acknowledged::UnknownPacketId));
    assert!(matches!(sender.pubcomp(id(9)), Acknowledged::UnknownPacketId));
    assert!(matches!(sender.pubrec(id(1), ReasonCode::SUCCESS), Acknowledged::Unexpected));
    assert!(matches!(sender.pubcomp(id(1)), Acknowledged::Unexpected));
    assert!(matches!(sender.puback(id(2)), Acknowledged::Unexpected));
    assert!(matches!(sender.pubcomp(id(2)), Acknowledged::Unexpected));
    sender.puback(id(1));
    assert!(matches!(sender.puback(id(1)), Acknowledged::UnknownPacketId));
    assert_eq!(sender.quota(), 1);
    sender.pubrec(id(2), ReasonCode::SUCCESS);
    // A repeated PUBREC is answered again.
    assert!(matches!(sender.pubrec(id(2), ReasonCode::SUCCESS), Acknowledged::SendPubrel(None)));
    assert!(matches!(sender.puback(id(2)), Acknowledged::Unexpected));
    assert!(matches!(
        sender.pubrec(id(2), ReasonCode::UNSPECIFIED_ERROR),
        Acknowledged::Complete { delivery: None, .. }
    ));
    assert_eq!(sender.quota(), 2);
}

/// A peer may acknowledge what it got on the last connection before it is sent again.
#[test]
fn acknowledgements_overtake_the_resends() {
    let mut sender = connected(10);
    queue(&mut sender, [copy("a", 1), copy("b", 2), copy("c", 1), copy("d", 2)]);
    pump(&mut sender);
    sender.resume(maximum(2));
    sender.puback(id(1));
    assert_eq!(sender.quota(), 2);
    sender.pubrec(id(2), ReasonCode::SUCCESS);
    assert_eq!(sender.quota(), 1);
    assert_eq!(pump(&mut sender), ["PUBLISH 3 qos=1 dup c"]);
    // 4 was not sent again: its acknowledgement frees no place.
    sender.pubrec(id(4), ReasonCode::UNSPECIFIED_ERROR);
    assert_eq!(sender.quota(), 0);
    sender.pubcomp(id(2));
    sender.puback(id(3));
    assert_eq!((sender.quota(), sender.inflight_len()), (2, 0));
}

/// [MQTT-2.2.1-4]: ids in use are skipped when the counter wraps, and 0 is never used.
#[test]
fn packet_ids_wrap_round_and_skip_those_in_use() {
    let mut sender = connected(10);
    let mut seen = Vec::new();
    for _ in 0..65_540 {
        queue(&mut sender, [copy("a", 1)]);
        let Some(Outgoing::Publish { packet_id: Some(packet_id), .. }) = sender.next(NOW) else { panic!() };
        seen.push(packet_id.get());
        if packet_id.get() != 3 {
            sender.puback(packet_id);
        }
    }
    assert_eq!(seen[65_533..], [65_534, 65_535, 1, 2, 4, 5, 6]);
}

/// All 65,535 ids in use: nothing more is sent, and nothing spins.
/// [MQTT-2.2.1-3], [MQTT3-2.3.1-2]: what a client keeps for SUBSCRIBE is never given to a PUBLISH.
#[test]
fn packet_ids_stay_below_their_limit() {
    let mut sender = connected(9);
    sender.limit_packet_ids(maximum(3));
    queue(&mut sender, (0..5).map(|_| copy("t", 1)));
    let sent = |sender: &mut Sender| match sender.next(NOW) {
        Some(Outgoing::Publish { packet_id: Some(packet_id), .. }) => Some(packet_id.get()),
        _ => None,
    };
    assert_eq!([(); 4].map(|()| sent(&mut sender)), [Some(1), Some(2), Some(3), None]);
    assert!(matches!(sender.puback(id(2)), Acknowledged::Complete { .. }));
    assert_eq!(sent(&mut sender), Some(2));
}

#[test]
fn packet_ids_can_run_out() {
    let mut sender = connected(u16::MAX);
    for _ in 0..65_535 {
        sender.send_now(copy("a", 1)).unwrap();
    }
    assert!(sender.send_now(copy("b", 1)).is_err());
    queue(&mut sender, [copy("b", 1)]);
    assert!(pump(&mut sender).is_empty());
    sender.puback(id(77));
    assert_eq!(pump(&mut sender), ["PUBLISH 77 qos=1 b"]);
    // In the worst order for anything that searches or moves.
    (1..=65_535)
        .rev()
        .for_each(|value| assert!(matches!(sender.puback(id(value)), Acknowledged::Complete { .. })));
    assert_eq!(sender.inflight_len(), 0);
}

/// [MQTT-3.3.2-5]: what waits too long is discarded, and said to be.
#[test]
fn queued_messages_expire() {
    let mut sender = Sender::new();
    let soon = NOW.plus_seconds(1);
    queue(
        &mut sender,
        [copy("a", 1), expiring("b", 1, Some(soon)), copy("c", 2), expiring("d", 2, Some(soon))],
    );
    let mut dropped = Vec::new();
    sender.drop_expired(NOW, &mut |drop| dropped.push(drop));
    assert!(dropped.is_empty());
    sender.resume(maximum(10));
    assert_eq!(
        pump_at(&mut sender, soon),
        ["PUBLISH 1 qos=1 a", "drop expired b", "PUBLISH 2 qos=2 c", "drop expired d"]
    );
    assert_eq!(sender.queue_bytes(), 0);
}

/// [MQTT-4.3.3-7]: an exchange that began does not expire.
#[test]
fn open_exchanges_do_not_expire() {
    let mut sender = connected(10);
    let soon = NOW.plus_seconds(1);
    queue(
        &mut sender,
        [expiring("a", 1, Some(soon)), expiring("b", 2, Some(soon)), expiring("c", 2, Some(soon))],
    );
    pump(&mut sender);
    sender.pubrec(id(2), ReasonCode::SUCCESS);
    sender.drop_expired(soon, &mut |_| panic!("nothing is queued"));
    sender.resume(maximum(10));
    assert_eq!(pump_at(&mut sender, soon), ["PUBREL 2", "PUBLISH 1 qos=1 dup a", "PUBLISH 3 qos=2 dup c"]);
}

/// [MQTT-3.1.2-25]: a packet too large is passed over as if it had been delivered; its id is used again.
#[test]
fn skip_frees_place_and_id() {
    let mut sender = connected(1);
    queue(&mut sender, [copy("big", 1), copy("b", 2), copy("big", 2), copy("c", 1)]);
    assert_eq!(text(&sender.next(NOW).unwrap()), "PUBLISH 1 qos=1 big");
    assert_eq!(&*sender.skip(id(1)).unwrap().message.topic, "big");
    assert_eq!(text(&sender.next(NOW).unwrap()), "PUBLISH 1 qos=2 b");
    assert!(sender.next(NOW).is_none());
    // Also one that fitted into the last connection's maximum.
    sender.resume(maximum(1));
    assert_eq!(text(&sender.next(NOW).unwrap()), "PUBLISH 1 qos=2 dup b");
    assert!(sender.skip(id(1)).is_some());
    assert_eq!(text(&sender.next(NOW).unwrap()), "PUBLISH 2 qos=2 big");
    assert!(sender.skip(id(2)).is_some());
    assert_eq!(pump(&mut sender), ["PUBLISH 2 qos=1 c"]);
    sender.puback(id(2));
    assert!(sender.skip(id(2)).is_none());
    assert_eq!(sender.quota(), 1);
}

#[test]
fn overflow_policies() {
    let four = || ["a", "b", "c", "d"].map(|topic| copy(topic, 1));
    let with = |overflow| QueueLimits { overflow, ..LIMITS };
    let mut sender = Sender::new();
    assert_eq!(enqueue(&mut sender, &with(OverflowPolicy::DropOldest), four()), ["queue_full a"]);
    for policy in
        [OverflowPolicy::DropNewest, OverflowPolicy::RejectPublisher, OverflowPolicy::DisconnectReceiver]
    {
        let mut sender = Sender::new();
        assert_eq!(enqueue(&mut sender, &with(policy), four()), ["refused queue_full d"]);
        assert_eq!(sender.queue_len(), 3);
        assert_eq!(sender.overflow(0, &with(policy)), Some(DropReason::QueueFull));
        let refused = sender.enqueue(NOW, copy("e", 1), &with(policy), &mut |_| ()).unwrap_err();
        assert_eq!(refused.policy, policy);
    }
}

#[test]
fn bytes_are_limited_too() {
    let limits = QueueLimits { queue_bytes_max: 2 * copy("a", 1).size_bytes(), ..LIMITS };
    let mut sender = Sender::new();
    let copies = ["a", "b", "c"].map(|topic| copy(topic, 1));
    assert_eq!(enqueue(&mut sender, &limits, copies), ["queue_bytes_full a"]);
    // One that never fits does not drive out the others.
    let large = copy(&"x".repeat(1_000), 1);
    assert_eq!(
        enqueue(&mut sender, &limits, [large]),
        [format!("refused queue_bytes_full {}", "x".repeat(1_000))]
    );
    assert_eq!((sender.queue_len(), sender.queue_bytes()), (2, limits.queue_bytes_max));
}

#[test]
fn expired_messages_make_room_before_others_do() {
    let mut sender = Sender::new();
    let copies = [copy("a", 1), expiring("b", 1, Some(NOW)), copy("c", 1), copy("d", 1)];
    assert_eq!(enqueue(&mut sender, &LIMITS, copies), ["expired b"]);
    assert_eq!(sender.queued().map(|copy| &*copy.message.topic).collect::<String>(), "acd");
}

#[test]
fn qos_0_waits_only_if_told() {
    let mut sender = Sender::new();
    assert_eq!(enqueue(&mut sender, &LIMITS, [copy("a", 0)]), ["refused qos0_offline a"]);
    let waiting = QueueLimits { queue_qos0: true, ..LIMITS };
    assert!(enqueue(&mut sender, &waiting, [copy("a", 0), copy("b", 1)]).is_empty());
    sender.resume(maximum(1));
    // A QoS 0 copy must not overtake one that waits.
    assert!(sender.send_now(copy("c", 0)).is_err());
    assert_eq!(enqueue(&mut sender, &LIMITS, [copy("c", 0)]), ["refused qos0_backpressure c"]);
    assert_eq!(pump(&mut sender), ["PUBLISH - qos=0 a", "PUBLISH 1 qos=1 b"]);
}

#[test]
fn queued_copies_can_be_withdrawn() {
    let mut sender = Sender::new();
    queue(&mut sender, [copy("a", 1), copy("b", 1), copy("c", 2)]);
    let mut dropped = Vec::new();
    let keep = |copy: &Delivery| &*copy.message.topic != "b";
    sender.retain_queued(keep, DropReason::NotAuthorized, &mut |drop| dropped.push(drop));
    assert_eq!((dropped.len(), dropped[0].reason), (1, DropReason::NotAuthorized));
    assert_eq!(sender.queued().map(|copy| &*copy.message.topic).collect::<String>(), "ac");
}

/// [MQTT-4.8.2-5] needs to know which copies were on their way.
#[test]
fn the_end_of_a_session_gives_back_its_copies() {
    let mut sender = connected(3);
    queue(&mut sender, [copy("a", 1), copy("b", 2), copy("c", 2), copy("d", 1)]);
    pump(&mut sender);
    sender.pubrec(id(2), ReasonCode::SUCCESS);
    let mut copies = Vec::new();
    sender.take_all(&mut |copy, sent| copies.push((copy.message.topic.to_string(), sent)));
    assert_eq!(copies, [("a".into(), true), ("c".into(), true), ("d".into(), false)]);
    assert_eq!((sender.inflight_len(), sender.queue_len(), sender.quota()), (0, 0, 0));
}

/// Nothing of the session state is lost with the process (section 4.1).
fn sequence(sender: &Sender, packet_id: u16) -> Option<u64> {
    sender.stored_copy(id(packet_id)).map(|stored| stored.sequence)
}

#[test]
fn a_snapshot_holds_everything() {
    let mut sender = connected(3);
    queue(&mut sender, [copy("a", 1), copy("b", 2), copy("c", 2), copy("d", 1)]);
    pump(&mut sender);
    sender.pubrec(id(2), ReasonCode::SUCCESS);
    let mut restored = Sender::restore(sender.snapshot()).unwrap();
    restored.resume(maximum(10));
    assert_eq!(
        pump(&mut restored),
        ["PUBREL 2", "PUBLISH 1 qos=1 dup a", "PUBLISH 3 qos=2 dup c", "PUBLISH 4 qos=1 d"]
    );
}

#[test]
fn copies_are_numbered() {
    let mut sender = connected(2);
    assert!(sender.send_now(copy("a", 2)).is_ok());
    queue(&mut sender, [copy("b", 1), copy("c", 1)]);
    pump(&mut sender);
    sender.pubrec(id(1), ReasonCode::SUCCESS);
    assert_eq!((sequence(&sender, 1), sequence(&sender, 2), sequence(&sender, 3)), (Some(1), Some(2), None));
    let mut restored = Sender::restore(sender.snapshot()).unwrap();
    queue(&mut restored, [copy("d", 1)]);
    assert!(restored.queued().map(|copy| copy.sequence).eq([3, 4]));
    assert_eq!(sequence(&restored, 1), Some(1));
}

#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    let exchange = |value, state, delivery| {
        let stored = StoredCopy { sequence: 1, ..StoredCopy::default() };
        Exchange { packet_id: id(value), state, stored, delivery }
    };
    let restore = |exchanges| {
        Sender::restore(SenderSnapshot { exchanges, ..SenderSnapshot::default() }).map(|_| ()).unwrap_err()
    };
    let twice = vec![
        exchange(7, InflightState::AwaitPubcomp, None),
        exchange(7, InflightState::AwaitPuback, Some(copy("a", 1))),
    ];
    assert_eq!(restore(twice), RestoreError::DuplicatePacketId(id(7)));
    for wrong in [
        exchange(7, InflightState::AwaitPuback, None),
        exchange(7, InflightState::AwaitPubrec, Some(copy("a", 1))),
        exchange(7, InflightState::AwaitPubcomp, Some(copy("a", 2))),
    ] {
        assert_eq!(restore(vec![wrong]), RestoreError::WrongDelivery(id(7)));
    }
}
