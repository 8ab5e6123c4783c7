use ferry_codec::{ConnackProperties, Packet, QoS};

use super::rig::{Rig, ack, both, persistent};
use crate::Message;

fn in_flight(options: crate::session::ConnectOptions) -> Rig {
    let mut rig = Rig::connected(persistent(options));
    for (topic, qos) in [("a", 1), ("b", 2), ("c", 2), ("d", 1)] {
        let message = Message::new(topic, "x").qos(QoS::from_byte(qos).unwrap());
        rig.session.publish(rig.now, message).unwrap();
    }
    rig.says(Packet::Pubrec(ack(3)));
    rig
}

/// [MQTT-4.6.0-1], [MQTT3-4.6.0-1], [MQTT-4.4.0-1], [MQTT3-2.3.1-3]: in their order, with their old identifiers.
#[test]
fn what_is_in_flight_goes_on_with_the_session() {
    for options in both() {
        let mut rig = in_flight(options);
        let resent = rig.reconnect(true, ConnackProperties::default());
        let publishes = ["PUBLISH 1 qos=1 dup a", "PUBLISH 2 qos=2 dup b", "PUBLISH 4 qos=1 dup d"];
        assert_eq!(resent[0], "PUBREL 3 00");
        assert_eq!(resent[1..], publishes);
        rig.says(Packet::Pubcomp(ack(3)));
        rig.says(Packet::Puback(ack(1)));
        assert_eq!(rig.events(), ["connected me present=1", "published 3 00", "published 1 00"]);
    }
}

/// [MQTT-3.2.2-5]: QoS 1 begins anew, as a new message; QoS 2 must not, and is told, unless it is known to have arrived.
#[test]
fn what_is_in_flight_when_the_session_is_lost() {
    for options in both() {
        let mut rig = in_flight(options);
        let sent = rig.reconnect(false, ConnackProperties::default());
        assert_eq!(sent, ["PUBLISH 5 qos=1 a", "PUBLISH 6 qos=1 d"]);
        let told = ["published 3 00", "not published 2 SessionLost", "connected me present=0"];
        assert_eq!(rig.events(), told);
        rig.says(Packet::Puback(ack(5)));
        rig.says(Packet::Puback(ack(6)));
        assert_eq!(rig.events(), ["published 1 00", "published 4 00"]);
        assert_eq!((rig.session.outgoing_len(), rig.session.outgoing_bytes()), (0, 0));
    }
}

/// What was published without a connection comes after what was in flight.
#[test]
fn the_order_of_publishing_is_kept() {
    for options in both() {
        let mut rig = in_flight(options);
        rig.session.closed();
        rig.session.publish(rig.now, Message::new("e", "x").qos(QoS::AtLeastOnce)).unwrap();
        let sent = rig.reconnect(true, ConnackProperties::default());
        assert_eq!(sent.last().unwrap(), "PUBLISH 5 qos=1 e");
    }
}
