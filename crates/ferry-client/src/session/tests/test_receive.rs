use std::num::NonZeroU16;

use ferry_codec::{Ack, ConnackProperties, Packet, Publish, QoS, ReasonCode};

use super::rig::{Rig, ack, both, id, persistent, publish, v5, v311};
use crate::Message;
use crate::session::ConnectOptions;

/// [MQTT-4.5.0-2], [MQTT3-4.5.0-2]
#[test]
fn messages_are_acknowledged_by_their_qos() {
    for options in both() {
        let mut rig = Rig::connected(options);
        assert!(rig.says(publish("a", QoS::AtMostOnce, 0)).is_empty());
        assert!(rig.says(publish("b", QoS::AtLeastOnce, 5)).is_empty());
        assert!(rig.says(publish("c", QoS::ExactlyOnce, 6)).is_empty());
        assert_eq!(rig.events(), ["message - a x", "message 1 b x", "message 2 c x"]);
        assert!(rig.session.acknowledge(rig.now, 1, ReasonCode::SUCCESS));
        assert!(rig.session.acknowledge(rig.now, 2, ReasonCode::SUCCESS));
        assert_eq!(rig.sent(), ["PUBACK 5 00", "PUBREC 6 00"]);
        assert_eq!(rig.says(Packet::Pubrel(ack(6))), ["PUBCOMP 6 00"]);
        assert!(!rig.session.acknowledge(rig.now, 2, ReasonCode::SUCCESS));
    }
}

/// [MQTT-4.6.0-2], [MQTT-4.6.0-3], [MQTT3-4.6.0-2], [MQTT3-4.6.0-3]
#[test]
fn acknowledgements_leave_in_the_order_of_the_messages() {
    for options in both() {
        let mut rig = Rig::connected(options);
        for (qos, packet_id) in
            [(QoS::AtLeastOnce, 1), (QoS::ExactlyOnce, 2), (QoS::AtLeastOnce, 3), (QoS::ExactlyOnce, 4)]
        {
            rig.says(publish("t", qos, packet_id));
        }
        for number in [4, 3, 1] {
            rig.session.acknowledge(rig.now, number, ReasonCode::SUCCESS);
        }
        assert_eq!(rig.sent(), ["PUBACK 1 00", "PUBACK 3 00"]);
        rig.session.acknowledge(rig.now, 2, ReasonCode::SUCCESS);
        assert_eq!(rig.sent(), ["PUBREC 2 00", "PUBREC 4 00"]);
    }
}

/// [MQTT-4.3.3-10], [MQTT-4.3.3-12]: exactly once, also when the connection breaks in between.
#[test]
fn a_qos_2_message_is_told_once() {
    let again = Packet::Publish(Publish {
        dup: true,
        ..match publish("t", QoS::ExactlyOnce, 1) {
            Packet::Publish(publish) => publish,
            _ => unreachable!(),
        }
    });
    let mut rig = Rig::connected(persistent(v5()));
    rig.says(publish("t", QoS::ExactlyOnce, 1));
    assert_eq!(rig.events(), ["message 1 t x"]);
    rig.reconnect(true, ConnackProperties::default());
    assert!(rig.says(again).is_empty(), "its owner has not acknowledged it");
    rig.session.acknowledge(rig.now, 1, ReasonCode::SUCCESS);
    assert_eq!(rig.sent(), ["PUBREC 1 00"]);
    rig.reconnect(true, ConnackProperties::default());
    assert_eq!(rig.says(again), ["PUBREC 1 00"]);
    assert_eq!(rig.says(Packet::Pubrel(ack(1))), ["PUBCOMP 1 00"]);
    assert_eq!(rig.events(), ["connected me present=1", "connected me present=1"]);
    rig.says(publish("t", QoS::ExactlyOnce, 1));
    assert_eq!(rig.events(), ["message 2 t x"]);
}

/// [MQTT-3.2.2-5]
#[test]
fn a_lost_session_is_discarded() {
    let mut rig = Rig::connected(persistent(v5()));
    rig.says(publish("t", QoS::ExactlyOnce, 1));
    rig.reconnect(false, ConnackProperties::default());
    assert!(!rig.session.acknowledge(rig.now, 1, ReasonCode::SUCCESS));
    rig.says(publish("t", QoS::ExactlyOnce, 1));
    assert_eq!(rig.events(), ["message 1 t x", "connected me present=0", "message 2 t x"]);
}

#[test]
fn a_message_can_be_refused() {
    for options in both() {
        let is_v3 = options.protocol_version.is_v3();
        let mut rig = Rig::connected(options);
        rig.says(publish("t", QoS::AtLeastOnce, 1));
        rig.says(publish("t", QoS::ExactlyOnce, 2));
        rig.session.acknowledge(rig.now, 1, ReasonCode::NOT_AUTHORIZED);
        rig.session.acknowledge(rig.now, 2, ReasonCode::NOT_AUTHORIZED);
        let sent = if is_v3 { ["PUBACK 1 00", "PUBREC 2 00"] } else { ["PUBACK 1 87", "PUBREC 2 87"] };
        assert_eq!(rig.sent(), sent);
        rig.events();
        // In 5.0 the exchange is over, and the identifier that of a new message [MQTT-4.3.3-9].
        rig.says(publish("t", QoS::ExactlyOnce, 2));
        assert_eq!(rig.events().len(), usize::from(!is_v3));
    }
}

/// [MQTT-3.3.2-10]: every alias from 1 to the maximum.
#[test]
fn aliases_of_the_server_are_resolved() {
    let mut rig = Rig::connected(ConnectOptions { topic_alias_maximum: 2, ..v5() });
    let send = |rig: &mut Rig, topic: &'static str, alias| {
        rig.says(Packet::Publish(Publish {
            topic,
            topic_alias: Some(alias),
            payload: b"x",
            ..Publish::default()
        }))
    };
    for (topic, alias) in [("a", 1), ("b", 2), ("", 1), ("", 2)] {
        assert!(send(&mut rig, topic, alias).is_empty());
    }
    assert_eq!(rig.events(), ["message - a x", "message - b x", "message - a x", "message - b x"]);
    assert_eq!(send(&mut rig, "c", 3), ["DISCONNECT 94"]);
}

/// U5-013, U5-084
#[test]
fn packets_that_are_too_large_or_malformed_end_the_connection() {
    let mut rig = Rig::connected(ConnectOptions { maximum_packet_size: Some(20), ..v5() });
    assert_eq!(rig.says(publish("a-topic-of-16-bytes", QoS::AtMostOnce, 0)), ["DISCONNECT 95"]);
    let mut rig = Rig::connected(v5());
    assert_eq!(rig.says_bytes(b"\x36\x05\x00\x01t\x00\x01"), ["DISCONNECT 81"]);
    assert!(rig.close_reason().starts_with("fault 81"));
    let mut rig = Rig::connected(v5());
    assert_eq!(rig.says(Packet::Pingreq), ["DISCONNECT 82"]);
    assert!(rig.says(publish("t", QoS::AtMostOnce, 0)).is_empty(), "nothing is taken after it");
    assert!(rig.events().is_empty());
}

#[test]
fn a_server_may_exceed_the_receive_maximum_by_a_few() {
    let mut rig = Rig::connected_to(
        ConnectOptions { receive_maximum: 1, ..v5() },
        ConnackProperties { receive_maximum: NonZeroU16::new(1), ..ConnackProperties::default() },
    );
    for packet_id in 1..=65 {
        assert!(rig.says(publish("t", QoS::AtLeastOnce, packet_id)).is_empty());
    }
    rig.session.acknowledge(rig.now, 1, ReasonCode::SUCCESS);
    assert_eq!(rig.says(publish("t", QoS::AtLeastOnce, 66)), ["PUBACK 1 00"]);
    assert_eq!(rig.says(publish("t", QoS::AtLeastOnce, 67)), ["DISCONNECT 93"]);
}

#[test]
fn a_3_1_1_server_is_not_listened_to_while_much_is_unacknowledged() {
    for options in both() {
        let is_v3 = options.protocol_version.is_v3();
        let mut rig = Rig::connected(ConnectOptions { receive_maximum: 2, ..options.clone() });
        rig.says(publish("t", QoS::AtLeastOnce, 1));
        assert!(!rig.session.is_receive_full());
        rig.says(publish("t", QoS::ExactlyOnce, 2));
        assert_eq!(rig.session.is_receive_full(), is_v3);
        rig.session.acknowledge(rig.now, 2, ReasonCode::SUCCESS);
        assert!(!rig.session.is_receive_full());
        let mut rig = Rig::connected(ConnectOptions { receive_bytes_max_v3: 1, ..options });
        rig.says(publish("t", QoS::AtLeastOnce, 1));
        assert_eq!(rig.session.is_receive_full(), is_v3);
        rig.session.closed();
        assert!(!rig.session.is_receive_full(), "it will come again");
    }
}

/// Four messages are there, where two may wait, and the answer to a fifth of its own is awaited.
fn overrun(options: ConnectOptions) -> Rig {
    let mut rig = Rig::connected(ConnectOptions { receive_maximum: 2, ..options });
    rig.session.publish(rig.now, Message::new("mine", "x").qos(QoS::AtLeastOnce)).unwrap();
    assert_eq!(rig.sent().len(), 1);
    for packet_id in 1..=4 {
        rig.says(publish("t", QoS::AtLeastOnce, packet_id));
    }
    assert_eq!(rig.events().len(), 4);
    rig
}

/// [MQTT3-4.6.0-2]: what there is no room for comes again with all that is behind it.
#[test]
fn a_3_1_1_server_that_sends_too_much_is_asked_again() {
    for is_answered in [true, false] {
        // The answer alone is no reason: there is no room yet.
        let mut rig = overrun(persistent(v311()));
        assert!(rig.says(publish("t", QoS::ExactlyOnce, 5)).is_empty());
        rig.session.acknowledge(rig.now, 1, ReasonCode::SUCCESS);
        assert_eq!(rig.sent(), ["PUBACK 1 00"]);
        assert!(rig.says(publish("t", QoS::AtLeastOnce, 6)).is_empty(), "it is behind the one before");
        assert!(rig.events().is_empty());
        if is_answered {
            assert!(rig.says(Packet::Puback(ack(1))).is_empty());
        }
        for number in [2, 3] {
            rig.session.acknowledge(rig.now, number, ReasonCode::SUCCESS);
        }
        assert_eq!(rig.sent(), ["PUBACK 2 00", "PUBACK 3 00", "DISCONNECT 00"]);
        assert_eq!(rig.close_reason(), "more came than may wait; the rest comes again");
        rig.reconnect(true, ConnackProperties::default());
        rig.events();
        rig.says(publish("t", QoS::AtLeastOnce, 4));
        rig.says(publish("t", QoS::ExactlyOnce, 5));
        assert_eq!(rig.events(), ["message 5 t x", "message 6 t x"]);
    }
}

/// [MQTT3-4.5.0-2], [MQTT3-4.6.0-2]
#[test]
fn what_would_not_come_again_is_told() {
    let mut rig = overrun(v311());
    assert!(rig.says(publish("much", QoS::AtLeastOnce, 5)).is_empty(), "those before it come first");
    assert_eq!(rig.says(publish("more", QoS::ExactlyOnce, 6)), ["PUBREC 6 00"]);
    assert_eq!(rig.events(), ["overflowed much", "overflowed more"]);
    for number in 1..=4 {
        rig.session.acknowledge(rig.now, number, ReasonCode::SUCCESS);
    }
    assert_eq!(rig.sent(), ["PUBACK 1 00", "PUBACK 2 00", "PUBACK 3 00", "PUBACK 4 00", "PUBACK 5 00"]);
    rig.says(publish("t", QoS::AtLeastOnce, 7));
    assert_eq!(rig.events(), ["message 7 t x"]);
}

/// U5-017
#[test]
fn explanations_that_were_not_asked_for_end_the_connection() {
    let mut rig = Rig::connected(ConnectOptions { request_problem_information: false, ..v5() });
    let explained = Ack { reason_string: Some("because"), ..Ack::new(id(1), ReasonCode::SUCCESS) };
    assert_eq!(rig.says(Packet::Puback(explained)), ["DISCONNECT 82"]);
    assert_eq!(rig.close_reason(), "fault 82 U5-017");
}

/// Packets that come in pieces are taken when they are whole.
#[test]
fn half_a_packet_waits_for_the_other_half() {
    let mut rig = Rig::connected(v5());
    let bytes = b"\x30\x05\x00\x01t\x00x\x30\x05\x00\x01t\x00y";
    assert_eq!(rig.session.receive(rig.now, &bytes[..4]), 0);
    assert_eq!(rig.session.receive(rig.now, &bytes[..9]), 7);
    assert_eq!(rig.session.receive(rig.now, &bytes[7..]), 7);
    assert_eq!(rig.events(), ["message - t x", "message - t y"]);
}
