use ferry_codec::{Disconnect, Packet, QoS, ReasonCode};

use super::rig::{Rig, both, v5, v311};
use crate::Message;
use crate::session::{CloseReason, ConnectOptions, DisconnectOptions};

/// [MQTT-3.14.4-1], [MQTT-3.14.4-2], [MQTT3-3.14.4-1], [MQTT3-3.14.4-2]
#[test]
fn nothing_is_sent_after_disconnect() {
    for options in both() {
        let mut rig = Rig::connected(options);
        rig.session.disconnect(rig.now, &DisconnectOptions::default()).unwrap();
        rig.session.publish(rig.now, Message::new("t", "x")).unwrap();
        rig.session.subscribe(rig.now, vec!["t".into()]).unwrap();
        assert_eq!(rig.sent(), ["DISCONNECT 00"]);
        assert!(rig.says(Packet::Pingresp).is_empty());
        assert!(rig.session.close_reason().is_some());
        assert_eq!(rig.session.closed(), Some(CloseReason::Requested(ReasonCode::SUCCESS)));
    }
}

/// The will is published when there is no DISCONNECT, or one that says so.
#[test]
fn disconnect_with_will() {
    let options = DisconnectOptions {
        reason_code: ReasonCode::DISCONNECT_WITH_WILL_MESSAGE,
        session_expiry_interval: Some(5),
        ..DisconnectOptions::default()
    };
    for connect in both() {
        let is_v3 = connect.protocol_version.is_v3();
        let mut rig = Rig::connected(connect);
        rig.session.disconnect(rig.now, &options).unwrap();
        assert_eq!(rig.sent().len(), usize::from(!is_v3));
    }
}

/// U5-075
#[test]
fn the_session_expiry_is_not_changed_from_zero() {
    let options = DisconnectOptions { session_expiry_interval: Some(5), ..DisconnectOptions::default() };
    for (in_connect, sent) in [(0, &b"\xE0\x00"[..]), (60, b"\xE0\x07\x00\x05\x11\x00\x00\x00\x05")] {
        let mut rig = Rig::connected(ConnectOptions { session_expiry_interval: in_connect, ..v5() });
        rig.session.disconnect(rig.now, &options).unwrap();
        let mut bytes = Vec::new();
        rig.session.take_output(rig.now, &mut bytes);
        assert_eq!(bytes, sent);
    }
}

#[test]
fn the_reason_of_the_server_is_told() {
    let mut rig = Rig::connected(v5());
    let disconnect =
        Disconnect { reason_string: Some("another one"), ..Disconnect::new(ReasonCode::SESSION_TAKEN_OVER) };
    assert!(rig.says(Packet::Disconnect(disconnect)).is_empty());
    assert_eq!(rig.close_reason(), "the server disconnected: Session taken over (0x8E): another one");
    let mut rig = Rig::connected(v311());
    rig.session.publish(rig.now, Message::new("t", "x").qos(QoS::AtLeastOnce)).unwrap();
    assert_eq!(rig.close_reason(), "-");
    assert_eq!(rig.session.outgoing_len(), 1);
}
