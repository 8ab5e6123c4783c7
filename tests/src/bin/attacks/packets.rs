//! What attackers send, as bytes.

use ferry_codec::{
    Connect, ConnectProperties, MessageProperties, Packet, PacketId, ProtocolVersion, Publish, QoS,
    Subscribe, SubscribeFiltersBuf, SubscriptionOptions, UserProperties, Will, encode,
};

const VERSION: ProtocolVersion = ProtocolVersion::V311;

/// CONNECT of MQTT 3.1.1 with a clean session; the will goes to `will/CLIENT`.
pub(crate) fn connect(client_id: &str, will: Option<&[u8]>, login: Option<(&str, &[u8])>) -> Vec<u8> {
    let will_topic = format!("will/{client_id}");
    let will = will.map(|payload| Will {
        topic: &will_topic,
        payload,
        qos: QoS::AtMostOnce,
        retain: false,
        delay_interval_seconds: 0,
        properties: MessageProperties::default(),
    });
    bytes_of(&Packet::Connect(Connect {
        protocol_version: VERSION,
        bridge: false,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id,
        will,
        user_name: login.map(|(user_name, _)| user_name),
        password: login.map(|(_, password)| password),
        properties: ConnectProperties::default(),
    }))
}

/// SUBSCRIBE to one filter.
pub(crate) fn subscribe(filter: &str, maximum_qos: u8) -> Vec<u8> {
    let mut filters = SubscribeFiltersBuf::new();
    let maximum_qos = QoS::from_byte(maximum_qos).unwrap_or(QoS::AtMostOnce);
    filters.push(filter, SubscriptionOptions::with_qos(maximum_qos));
    bytes_of(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::MIN,
        subscription_id: None,
        user_properties: UserProperties::EMPTY,
        filters: filters.as_filters(),
    }))
}

/// PUBLISH of QoS 0.
pub(crate) fn publish(topic: &str, payload: &[u8], retain: bool) -> Vec<u8> {
    bytes_of(&Packet::Publish(Publish { topic, payload, retain, ..Publish::default() }))
}

/// PINGREQ.
pub(crate) fn ping() -> Vec<u8> {
    bytes_of(&Packet::Pingreq)
}

fn bytes_of(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(packet, VERSION, &mut bytes);
    bytes
}
