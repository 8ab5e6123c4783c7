use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

fn resumed(receive_maximum: u16, exchanges_max: u16) -> Receiver {
    let mut receiver = Receiver::new();
    resume(&mut receiver, receive_maximum, exchanges_max);
    receiver
}

fn resume(receiver: &mut Receiver, receive_maximum: u16, exchanges_max: u16) {
    receiver.resume(NonZeroU16::new(receive_maximum).unwrap(), NonZeroU16::new(exchanges_max).unwrap());
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Receiver>() <= 40, "{}", size_of::<Receiver>());
}

/// [MQTT-4.3.3-10], [MQTT-4.3.3-12]: the id is a duplicate until its PUBREL, and new after it.
#[test]
fn qos_2_is_a_duplicate_until_pubrel() {
    let mut receiver = resumed(10, 10);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(1)), Received::Fresh);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(1)), Received::Duplicate);
    receiver.pubrec_sent(id(1), ReasonCode::SUCCESS);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(1)), Received::Duplicate);
    assert!(receiver.pubrel(id(1)));
    // [MQTT-4.3.3-11]: a repeated PUBREL is answered too, 0x92 because the id is unknown.
    assert!(!receiver.pubrel(id(1)));
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(1)), Received::Fresh);
}

/// [MQTT-4.3.3-10] holds across connections and restarts.
#[test]
fn qos_2_is_a_duplicate_after_reconnect_and_restart() {
    let mut receiver = resumed(10, 10);
    receiver.publish(QoS::ExactlyOnce, id(7));
    resume(&mut receiver, 10, 10);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(7)), Received::Duplicate);
    let mut receiver = Receiver::restore(receiver.snapshot());
    resume(&mut receiver, 10, 10);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(7)), Received::Duplicate);
    assert!(receiver.pubrel(id(7)));
}

/// [MQTT-4.3.3-9]: a refused message leaves no trace.
#[test]
fn a_refused_qos_2_message_is_new_again() {
    let mut receiver = resumed(1, 1);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(1)), Received::Fresh);
    receiver.pubrec_sent(id(1), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(1)), Received::Fresh);
}

/// [MQTT-4.3.2-5]: QoS 1 has no memory.
#[test]
fn qos_1_is_always_new() {
    let mut receiver = resumed(10, 10);
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(1)), Received::Fresh);
    receiver.puback_sent();
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(1)), Received::Fresh);
    assert!(receiver.snapshot().is_empty());
}

/// [MQTT-3.3.4-7]: one quota for both; PUBREC below 0x80 gives nothing back.
#[test]
fn receive_maximum_counts_qos_1_and_2_together() {
    let mut receiver = resumed(2, 10);
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(1)), Received::Fresh);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(2)), Received::Fresh);
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(3)), Received::ReceiveMaximumExceeded);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(3)), Received::ReceiveMaximumExceeded);
    assert!(!receiver.contains(id(3)));
    assert_eq!(receiver.publish(QoS::AtMostOnce, id(3)), Received::Fresh);
    // A repetition on the same connection takes no second place.
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(2)), Received::Duplicate);
    receiver.pubrec_sent(id(2), ReasonCode::SUCCESS);
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(3)), Received::ReceiveMaximumExceeded);
    receiver.puback_sent();
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(3)), Received::Fresh);
    receiver.pubrel(id(2));
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(4)), Received::Fresh);
    assert_eq!(receiver.occupied(), 2);
}

/// The quota belongs to the connection (section 4.9).
#[test]
fn a_new_connection_has_its_whole_receive_maximum() {
    let mut receiver = resumed(1, 10);
    receiver.publish(QoS::ExactlyOnce, id(1));
    resume(&mut receiver, 1, 10);
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(2)), Received::Fresh);
    // What is sent again counts.
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(1)), Received::ReceiveMaximumExceeded);
    // The PUBREL of an exchange of the last connection gives back what it did not take.
    assert!(receiver.pubrel(id(1)));
    assert_eq!(receiver.occupied(), 1);
}

#[test]
fn endless_qos_2_without_pubrel_is_limited_over_all_connections() {
    let mut receiver = Receiver::new();
    for value in 1..=100 {
        resume(&mut receiver, 5, 3);
        let expected = if value <= 3 { Received::Fresh } else { Received::TooManyExchanges };
        assert_eq!(receiver.publish(QoS::ExactlyOnce, id(value)), expected);
    }
    assert_eq!(receiver.exchanges_len(), 3);
    assert_eq!(receiver.publish(QoS::ExactlyOnce, id(2)), Received::Duplicate);
}

#[test]
fn qos_1_may_not_use_the_id_of_an_open_qos_2_exchange() {
    let mut receiver = resumed(2, 10);
    receiver.publish(QoS::ExactlyOnce, id(1));
    assert_eq!(receiver.publish(QoS::AtLeastOnce, id(1)), Received::PacketIdInUse);
    receiver.puback_sent();
    assert_eq!(receiver.occupied(), 1);
    assert!(receiver.contains(id(1)));
}

#[test]
fn every_packet_id_at_once() {
    let mut receiver = resumed(u16::MAX, u16::MAX);
    for value in 1..=u16::MAX {
        assert_eq!(receiver.publish(QoS::ExactlyOnce, id(value)), Received::Fresh);
    }
    assert_eq!(receiver.exchanges_len(), 65_535);
    assert!((1..=u16::MAX).all(|value| receiver.pubrel(id(value))));
    assert_eq!((receiver.exchanges_len(), receiver.occupied()), (0, 0));
}

#[derive(Clone, Debug)]
enum Operation {
    Publish(QoS, u16),
    PubackSent,
    PubrecSent(u16, bool),
    Pubrel(u16),
    Resume(u16, u16),
    Restart,
}

fn operation() -> impl Strategy<Value = Operation> {
    let qos = prop_oneof![Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)];
    prop_oneof![
        4 => (qos, 1..8_u16).prop_map(|(qos, id)| Operation::Publish(qos, id)),
        1 => Just(Operation::PubackSent),
        2 => (1..8_u16, any::<bool>()).prop_map(|(id, refuse)| Operation::PubrecSent(id, refuse)),
        2 => (1..8_u16).prop_map(Operation::Pubrel),
        1 => (1..5_u16, 1..5_u16).prop_map(|(maximum, exchanges)| Operation::Resume(maximum, exchanges)),
        1 => Just(Operation::Restart),
    ]
}

/// Open QoS 2 exchanges, those counted on this connection, and QoS 1 messages without PUBACK.
#[derive(Default)]
struct Model {
    open: BTreeSet<u16>,
    counted: BTreeSet<u16>,
    qos1: u16,
    receive_maximum: u16,
    exchanges_max: usize,
}

impl Model {
    fn has_room(&self) -> bool {
        self.counted.len() + usize::from(self.qos1) < usize::from(self.receive_maximum)
    }

    fn publish(&mut self, qos: QoS, id: u16) -> Received {
        let open = self.open.contains(&id);
        if qos == QoS::ExactlyOnce && self.counted.contains(&id) {
            return Received::Duplicate;
        }
        if !self.has_room() {
            return Received::ReceiveMaximumExceeded;
        }
        if qos == QoS::AtLeastOnce {
            self.qos1 += 1;
            return if open { Received::PacketIdInUse } else { Received::Fresh };
        }
        if !open && self.open.len() >= self.exchanges_max {
            return Received::TooManyExchanges;
        }
        self.counted.insert(id);
        self.open.insert(id);
        if open { Received::Duplicate } else { Received::Fresh }
    }

    fn close(&mut self, id: u16) -> bool {
        self.counted.remove(&id);
        self.open.remove(&id)
    }

    fn disconnect(&mut self) {
        self.counted.clear();
        self.qos1 = 0;
    }
}

proptest! {
    #[test]
    fn like_the_model(operations in prop::collection::vec(operation(), 0..100)) {
        let mut receiver = resumed(3, 4);
        let mut model = Model { receive_maximum: 3, exchanges_max: 4, ..Model::default() };
        for operation in operations {
            match operation {
                Operation::Publish(qos, value) => {
                    prop_assert_eq!(receiver.publish(qos, id(value)), model.publish(qos, value));
                }
                Operation::PubackSent if model.qos1 > 0 => {
                    receiver.puback_sent();
                    model.qos1 -= 1;
                }
                Operation::PubackSent => {}
                Operation::PubrecSent(value, refuse) => {
                    let code = if refuse { ReasonCode::UNSPECIFIED_ERROR } else { ReasonCode::SUCCESS };
                    receiver.pubrec_sent(id(value), code);
                    if refuse {
                        model.close(value);
                    }
                }
                Operation::Pubrel(value) => prop_assert_eq!(receiver.pubrel(id(value)), model.close(value)),
                Operation::Resume(receive_maximum, exchanges_max) => {
                    resume(&mut receiver, receive_maximum, exchanges_max);
                    model.disconnect();
                    model.receive_maximum = receive_maximum;
                    model.exchanges_max = usize::from(exchanges_max);
                }
                Operation::Restart => {
                    receiver = Receiver::restore(receiver.snapshot());
                    resume(&mut receiver, 3, 4);
                    model.disconnect();
                    (model.receive_maximum, model.exchanges_max) = (3, 4);
                }
            }
            let ids: Vec<_> = receiver.snapshot().into_iter().map(PacketId::get).collect();
            prop_assert!(ids.iter().eq(model.open.iter()));
            prop_assert_eq!(usize::from(receiver.occupied()), model.counted.len() + usize::from(model.qos1));
        }
    }
}
