use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::{Ack, ConnackProperties, Packet, QoS, ReasonCode};

use super::rig::{Rig, ack, both, id, persistent, suback, v5, v311};
use crate::Message;
use crate::session::{ConnectOptions, NotPublished, OutgoingOverflow, PublishRefused};

fn message(topic: &str, qos: QoS) -> Message {
    Message::new(topic, "x").qos(qos)
}

/// [MQTT-3.6.1-1], [MQTT3-3.6.1-1]: the rig decodes PUBREL as a server does.
#[test]
fn the_three_qualities_of_service() {
    for options in both() {
        let mut rig = Rig::connected(options);
        assert_eq!(rig.session.publish(rig.now, message("a", QoS::AtMostOnce)), Ok(None));
        assert_eq!(rig.session.publish(rig.now, message("b", QoS::AtLeastOnce)), Ok(Some(1)));
        assert_eq!(rig.session.publish(rig.now, message("c", QoS::ExactlyOnce)), Ok(Some(2)));
        assert_eq!(rig.sent(), ["PUBLISH - qos=0 a", "PUBLISH 1 qos=1 b", "PUBLISH 2 qos=2 c"]);
        assert!(rig.says(Packet::Puback(ack(1))).is_empty());
        assert_eq!(rig.says(Packet::Pubrec(ack(2))), ["PUBREL 2 00"]);
        assert_eq!(rig.events(), ["published 1 00"]);
        assert!(rig.says(Packet::Pubcomp(ack(2))).is_empty());
        assert_eq!(rig.events(), ["published 2 00"]);
        assert_eq!((rig.session.outgoing_len(), rig.session.outgoing_bytes()), (0, 0));
    }
}

/// The age that a message gets counts as its own expiry does, and does not take the place of one.
#[test]
fn what_has_no_expiry_of_its_own_gets_an_age() {
    for options in both() {
        let options = ConnectOptions { outgoing_age_max_seconds: Some(10), ..persistent(options) };
        let mut rig = Rig::new(options);
        rig.session.publish(rig.now, message("old", QoS::AtLeastOnce)).unwrap();
        rig.session.publish(rig.now, message("own", QoS::AtLeastOnce).expiry_seconds(20)).unwrap();
        rig.pass_seconds(11);
        rig.session.publish(rig.now, message("new", QoS::AtLeastOnce)).unwrap();
        let sent = rig.reconnect(false, ConnackProperties::default());
        assert_eq!(rig.events(), ["connected me present=0", "not published 1 Expired"]);
        let topics: Vec<_> = sent.iter().filter_map(|line| line.split(' ').nth(3)).collect();
        assert_eq!(topics, ["own", "new"]);
    }
}

#[test]
fn a_refusal_of_the_server_is_told() {
    let mut rig = Rig::connected(v5());
    rig.session.publish(rig.now, message("a", QoS::AtLeastOnce)).unwrap();
    rig.session.publish(rig.now, message("a", QoS::ExactlyOnce)).unwrap();
    rig.says(Packet::Puback(Ack::new(id(1), ReasonCode::NOT_AUTHORIZED)));
    rig.says(Packet::Pubrec(Ack::new(id(2), ReasonCode::QUOTA_EXCEEDED)));
    assert_eq!(rig.events(), ["published 1 87", "published 2 97"]);
    assert_eq!(rig.session.outgoing_len(), 0);
}

/// [MQTT-3.3.4-7]; [MQTT-3.3.4-8]: SUBSCRIBE does not wait for the quota.
#[test]
fn the_receive_maximum_of_the_server_is_kept() {
    let properties =
        ConnackProperties { receive_maximum: NonZeroU16::new(2), ..ConnackProperties::default() };
    let mut rig = Rig::connected_to(v5(), properties);
    for topic in ["a", "b", "c", "d"] {
        rig.session.publish(rig.now, message(topic, QoS::AtLeastOnce)).unwrap();
    }
    rig.session.subscribe(rig.now, vec!["s".into()]).unwrap();
    assert_eq!(rig.sent(), ["PUBLISH 1 qos=1 a", "PUBLISH 2 qos=1 b", "SUBSCRIBE 61441 sub=1 s:1"]);
    assert_eq!(rig.says(Packet::Puback(ack(2))), ["PUBLISH 3 qos=1 c"]);
    assert!(rig.says(suback(61_441, &[1])).is_empty());
    assert_eq!(rig.says(Packet::Puback(ack(1))), ["PUBLISH 4 qos=1 d"]);
}

/// [MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15]
#[test]
fn what_the_server_does_not_take_is_not_sent() {
    let properties = ConnackProperties {
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: NonZeroU32::new(30),
        ..ConnackProperties::default()
    };
    let refused = |rig: &mut Rig, message: Message| match rig.session.publish(rig.now, message) {
        Err((_, PublishRefused::Server(reason))) => reason,
        other => panic!("{other:?}"),
    };
    let mut rig = Rig::connected_to(v5(), properties);
    assert_eq!(refused(&mut rig, message("t", QoS::ExactlyOnce)), NotPublished::QosNotSupported);
    assert_eq!(refused(&mut rig, Message::new("t", "x").retain(true)), NotPublished::RetainNotSupported);
    assert_eq!(refused(&mut rig, Message::new("t", [0; 30])), NotPublished::PacketTooLarge);
    // What was taken before the server said so.
    let mut rig = Rig::new(v5());
    rig.session.publish(rig.now, message("t", QoS::ExactlyOnce)).unwrap();
    rig.session.publish(rig.now, message("t", QoS::AtLeastOnce).retain(true)).unwrap();
    rig.session.publish(rig.now, Message::new("t", [0; 30]).qos(QoS::AtLeastOnce)).unwrap();
    rig.session.publish(rig.now, Message::new("t", [0; 30])).unwrap();
    rig.session.publish(rig.now, message("good", QoS::AtLeastOnce)).unwrap();
    rig.session.subscribe(rig.now, vec!["a-filter-that-is-too-long-for-it".into()]).unwrap();
    assert_eq!(rig.reconnect(false, properties), ["PUBLISH 1 qos=1 good"]);
    let told = [
        "connected me present=0",
        "subscribed 1 95",
        "not published 1 QosNotSupported",
        "not published 2 RetainNotSupported",
        "not published 3 PacketTooLarge",
        "not published 4 PacketTooLarge",
    ];
    assert_eq!(rig.events(), told);
}

/// [MQTT-3.2.2-17], [MQTT-3.2.2-18], [MQTT-3.3.2-9]
#[test]
fn aliases_only_as_many_as_the_server_takes() {
    let mut rig = Rig::connected(v5());
    rig.session.publish(rig.now, message("a/long/topic", QoS::AtMostOnce)).unwrap();
    assert_eq!(rig.sent(), ["PUBLISH - qos=0 a/long/topic"]);
    let properties = ConnackProperties { topic_alias_maximum: Some(1), ..ConnackProperties::default() };
    let mut rig = Rig::connected_to(v5(), properties);
    for topic in ["a/long/topic", "another/topic", "a/long/topic"] {
        rig.session.publish(rig.now, message(topic, QoS::AtMostOnce)).unwrap();
    }
    let sent =
        ["PUBLISH - qos=0 alias=1 a/long/topic", "PUBLISH - qos=0 another/topic", "PUBLISH - qos=0 alias=1 "];
    assert_eq!(rig.sent(), sent);
    // They end with the connection [MQTT-3.3.2-7].
    rig.reconnect(false, properties);
    rig.session.publish(rig.now, message("a/long/topic", QoS::AtMostOnce)).unwrap();
    assert_eq!(rig.sent(), ["PUBLISH - qos=0 alias=1 a/long/topic"]);
}

/// [MQTT-3.3.2-2], [MQTT-4.7.0-1], [MQTT3-3.3.2-2], [MQTT3-4.7.1-1], [MQTT-3.3.2-14]
#[test]
fn what_no_server_may_get_is_refused() {
    for options in both() {
        let mut rig = Rig::connected(options);
        for topic in ["", "a/+", "#", "a\0b"] {
            let refused = rig.session.publish(rig.now, message(topic, QoS::AtMostOnce));
            assert!(matches!(refused, Err((_, PublishRefused::Topic(_)))), "{topic:?}");
        }
        let bad = [
            Message::new("t", "").response_topic("a/#"),
            Message::new("t", "").content_type("\0"),
            Message::new("t", "").user_property("a", "x".repeat(65_536)),
            Message::new("t", "").correlation_data(vec![0; 65_536]),
        ];
        for message in bad {
            let refused = rig.session.publish(rig.now, message);
            assert!(matches!(refused, Err((_, PublishRefused::Property(_)))));
        }
        assert!(rig.sent().is_empty());
    }
}

/// [MQTT-3.3.4-6]: a message that is passed on as it was received.
#[test]
fn no_subscription_identifier_is_sent() {
    let mut rig = Rig::connected(v5());
    let mut received = message("t", QoS::AtMostOnce);
    received.properties_mut().subscription_identifiers = vec![7];
    rig.session.publish(rig.now, received).unwrap();
    // The rig refuses a PUBLISH of a client that has one.
    assert_eq!(rig.sent(), ["PUBLISH - qos=0 t"]);
}

#[test]
fn memory_is_bounded() {
    let limits = |messages, bytes| ConnectOptions {
        outgoing_messages_max: messages,
        outgoing_bytes_max: bytes,
        ..v311()
    };
    let mut rig = Rig::new(limits(2, 10_000));
    rig.session.publish(rig.now, message("a", QoS::AtMostOnce)).unwrap();
    rig.session.publish(rig.now, message("b", QoS::AtLeastOnce)).unwrap();
    let refused = rig.session.publish(rig.now, message("c", QoS::AtLeastOnce));
    assert_eq!(refused, Err((message("c", QoS::AtLeastOnce), PublishRefused::Full)));
    // What is on its way counts too, until it is acknowledged.
    rig.reconnect(false, ConnackProperties::default());
    rig.session.publish(rig.now, message("c", QoS::AtLeastOnce)).unwrap();
    assert!(rig.session.publish(rig.now, message("d", QoS::AtLeastOnce)).is_err());
    rig.says(Packet::Puback(ack(1)));
    rig.session.publish(rig.now, message("d", QoS::AtLeastOnce)).unwrap();
    let mut rig = Rig::new(limits(1_000, 5_000));
    let taken = (0..100).filter(|_| {
        rig.session.publish(rig.now, Message::new("t", [0; 1_000]).qos(QoS::AtLeastOnce)).is_ok()
    });
    assert_eq!(taken.count(), 4);
}

#[test]
fn what_waited_too_long_is_told() {
    let mut rig = Rig::new(v5());
    rig.session.publish(rig.now, message("a", QoS::AtLeastOnce).expiry_seconds(10)).unwrap();
    rig.session.publish(rig.now, message("b", QoS::AtLeastOnce).expiry_seconds(20)).unwrap();
    rig.pass_seconds(15);
    assert_eq!(rig.reconnect(false, ConnackProperties::default()), ["PUBLISH 1 qos=1 b"]);
    assert_eq!(rig.events(), ["connected me present=0", "not published 1 Expired"]);
}

/// [MQTT-2.2.1-3], [MQTT3-2.3.1-2]: SUBSCRIBE and PUBLISH never share an identifier, however many there are.
#[test]
fn packet_identifiers_are_unused() {
    let mut rig = Rig::connected(ConnectOptions { inflight_max: Some(u16::MAX), ..v311() });
    for _ in 0..65_000 {
        rig.session.publish(rig.now, message("t", QoS::AtLeastOnce)).unwrap();
    }
    for _ in 0..5_000 {
        rig.session.subscribe(rig.now, vec!["t".into()]).unwrap();
    }
    let mut ids: Vec<u16> = Vec::new();
    for line in rig.sent() {
        ids.push(line.split(' ').nth(1).unwrap().parse().unwrap());
    }
    assert_eq!(ids.len(), 65_535, "the others wait for one");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), ids[0]), (65_535, 1));
}

/// [MQTT-4.6.0-4], [MQTT3-4.6.0-4]
#[test]
fn pubrels_in_the_order_of_the_pubrecs() {
    for options in both() {
        let mut rig = Rig::connected(options);
        for topic in ["a", "b", "c"] {
            rig.session.publish(rig.now, message(topic, QoS::ExactlyOnce)).unwrap();
        }
        rig.sent();
        let mut bytes = Vec::new();
        for packet_id in [2, 3, 1] {
            ferry_codec::encode(&Packet::Pubrec(ack(packet_id)), v311().protocol_version, &mut bytes);
        }
        assert_eq!(rig.says_bytes(&bytes), ["PUBREL 2 00", "PUBREL 3 00", "PUBREL 1 00"]);
    }
}

#[test]
fn answers_to_nothing() {
    let mut rig = Rig::connected(v5());
    assert!(rig.says(Packet::Puback(ack(9))).is_empty());
    assert_eq!(rig.says(Packet::Pubrec(ack(9))), ["PUBREL 9 92"]);
    assert!(rig.says(Packet::Pubcomp(ack(9))).is_empty());
    assert_eq!(rig.says(Packet::Pubrel(ack(9))), ["PUBCOMP 9 92"]);
    assert!(rig.says(suback(9, &[0])).is_empty());
    rig.session.publish(rig.now, message("t", QoS::ExactlyOnce)).unwrap();
    rig.sent();
    assert_eq!(rig.says(Packet::Puback(ack(1))), ["DISCONNECT 82"]);
}

/// What was sent before something that is acknowledged has arrived; of the rest nobody knows.
#[test]
fn qos_0_messages_without_a_sign_are_counted() {
    for options in both() {
        let mut rig = Rig::connected(ConnectOptions { keep_alive_seconds: 10, ..options });
        let publish = |rig: &mut Rig, qos| rig.session.publish(rig.now, message("a", qos)).unwrap();
        for qos in [QoS::AtMostOnce, QoS::ExactlyOnce, QoS::AtMostOnce, QoS::AtLeastOnce, QoS::AtMostOnce] {
            publish(&mut rig, qos);
        }
        rig.sent();
        assert_eq!(rig.session.unconfirmed_qos0(), 3);
        rig.says(Packet::Pubrec(ack(1)));
        assert_eq!(rig.session.unconfirmed_qos0(), 2);
        rig.says(Packet::Puback(ack(2)));
        assert_eq!(rig.session.unconfirmed_qos0(), 1);
        assert_eq!(rig.pass_seconds(9), ["PINGREQ"]);
        publish(&mut rig, QoS::AtMostOnce);
        rig.says(Packet::Pingresp);
        assert_eq!(rig.session.unconfirmed_qos0(), 1);
        rig.session.closed();
        // One that waits for the next connection is not lost.
        publish(&mut rig, QoS::AtMostOnce);
        assert_eq!(rig.session.unconfirmed_qos0(), 0);
        rig.reconnect(false, ConnackProperties::default());
        assert_eq!(rig.session.unconfirmed_qos0(), 1);
    }
}

/// More than the output takes at a time, also of what is sent again.
#[test]
fn what_the_output_has_no_room_for_follows() {
    for options in both() {
        let mut rig = Rig::connected(ConnectOptions { inflight_max: Some(1000), ..persistent(options) });
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            for _ in 0..600 {
                let message = Message::new("a", vec![b'x'; 1024]).qos(qos);
                rig.session.publish(rig.now, message).unwrap();
            }
        }
        assert!(rig.session.may_have_output());
        assert_eq!(rig.sent().len(), 1200);
        assert!(!rig.session.may_have_output());
        assert_eq!(rig.reconnect(true, ConnackProperties::default()).len(), 600);
        assert!(!rig.session.may_have_output());
    }
}

/// One that could never be sent is refused at once, whatever is to be done without room.
#[test]
fn what_is_larger_than_all_that_may_wait() {
    for outgoing_overflow in [OutgoingOverflow::Refuse, OutgoingOverflow::DropOldest] {
        let options = ConnectOptions { outgoing_bytes_max: 1_000, outgoing_overflow, ..v5() };
        let mut rig = Rig::new(options);
        rig.session.publish(rig.now, message("a", QoS::AtLeastOnce)).unwrap();
        let large = Message::new("b", vec![b'x'; 1_000]).qos(QoS::AtLeastOnce);
        let (back, refused) = rig.session.publish(rig.now, large.clone()).unwrap_err();
        assert_eq!(back, large);
        assert!(matches!(refused, PublishRefused::TooLarge { outgoing_bytes_max: 1_000, .. }), "{refused}");
        assert_eq!((rig.session.outgoing_len(), rig.events().len()), (1, 0));
    }
}
