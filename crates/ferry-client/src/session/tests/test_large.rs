use ferry_codec::Packet;

use super::rig::{Rig, ack, both, publish, v5, v311};
use crate::session::{ConnectOptions, DisconnectOptions};
use crate::{Message, QoS};

const LARGE_BYTES: usize = 1_000_000;

fn large(qos: QoS) -> Message {
    let payload: Vec<u8> = (0..LARGE_BYTES).map(|at| (at % 251) as u8).collect();
    Message::new("large", payload).qos(qos).retain(true)
}

fn piece(rig: &mut Rig) -> Vec<u8> {
    let mut bytes = Vec::new();
    rig.session.take_output(rig.now, &mut bytes);
    bytes
}

/// It comes as if it had been written at once, and what is sent meanwhile comes behind it.
#[test]
fn a_large_message_is_given_in_pieces() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let mut rig = Rig::connected(v311());
        rig.session.publish(rig.now, large(qos)).unwrap();
        rig.session.publish(rig.now, Message::new("small", "").qos(qos)).unwrap();
        let first = piece(&mut rig);
        assert!(first.len() < 20, "the head alone");
        assert!(rig.session.may_have_output());
        rig.receive(publish("in", QoS::AtLeastOnce, 7));
        assert!(rig.session.acknowledge(rig.now, 1, ferry_codec::ReasonCode::SUCCESS));
        let mut bytes = first;
        while rig.session.may_have_output() {
            let next = piece(&mut rig);
            assert!(next.len() <= 300 * 1024);
            bytes.extend(next);
        }
        let packets = rig.decoded(&bytes);
        let number = |number: &str| if qos == QoS::AtMostOnce { "-".to_owned() } else { number.to_owned() };
        let qos_number = qos.to_byte();
        let large_line = format!("PUBLISH {} qos={qos_number} large", number("1"));
        let small_line = format!("PUBLISH {} qos={qos_number} small", number("2"));
        assert_eq!(packets, [large_line, "PUBACK 7 00".to_owned(), small_line]);
        let payload = large(qos).payload;
        let at = bytes.windows(64).position(|window| window == &payload[..64]).unwrap();
        assert_eq!(&bytes[at..at + LARGE_BYTES], payload);
    }
}

#[test]
fn half_a_message_is_sent_again() {
    for options in both() {
        let options = ConnectOptions { session_expiry_interval: 60, clean_start: false, ..options };
        let mut rig = Rig::connected(options);
        rig.session.publish(rig.now, large(QoS::AtLeastOnce)).unwrap();
        piece(&mut rig);
        piece(&mut rig);
        assert_eq!(rig.reconnect(true, Default::default()), ["PUBLISH 1 qos=1 dup large"]);
        rig.receive(Packet::Puback(ack(1)));
        assert_eq!(rig.session.outgoing_len(), 0);
    }
}

/// A slow server is there as long as it takes what is sent: no PINGREQ could reach it before.
#[test]
fn a_slow_server_is_not_blamed_for_a_large_message() {
    let mut rig = Rig::connected(ConnectOptions { keep_alive_seconds: 10, ..v5() });
    rig.session.publish(rig.now, large(QoS::AtLeastOnce)).unwrap();
    while rig.session.has_output() {
        rig.now = rig.now.plus_seconds(8);
        rig.session.tick(rig.now);
        assert!(rig.session.close_reason().is_none());
        piece(&mut rig);
    }
    assert_eq!(rig.pass_seconds(9), ["PINGREQ"]);
    assert!(rig.pass_seconds(10).is_empty());
    assert_eq!(rig.close_reason(), "the server did not answer PINGREQ in time");
}

#[test]
fn disconnect_comes_behind_a_large_message() {
    let mut rig = Rig::connected(v5());
    rig.session.publish(rig.now, large(QoS::AtMostOnce)).unwrap();
    rig.session.disconnect(rig.now, &DisconnectOptions::default()).unwrap();
    let mut bytes = Vec::new();
    while rig.session.has_output() {
        bytes.extend(piece(&mut rig));
    }
    assert_eq!(rig.decoded(&bytes), ["PUBLISH - qos=0 large", "DISCONNECT 00"]);
}
