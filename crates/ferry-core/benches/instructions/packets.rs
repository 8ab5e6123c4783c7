//! Packets of clients, encoded.

use ferry_codec::{
    Connect, ConnectProperties, MessageProperties, Packet, PacketId, ProtocolVersion, Publish, QoS,
    Subscribe, SubscribeFiltersBuf, SubscriptionOptions, UserProperties, UserPropertiesBuf, encode,
};

pub(crate) const VERSION: ProtocolVersion = ProtocolVersion::V311;

pub(crate) fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(packet, version, &mut bytes);
    bytes
}

pub(crate) fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("0 is not used")
}

/// With a clean session and no keep alive.
pub(crate) fn connect(client_id: &str) -> Vec<u8> {
    let connect = Connect {
        protocol_version: VERSION,
        bridge: false,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id,
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    };
    encoded(&Packet::Connect(connect), VERSION)
}

pub(crate) fn subscribe(filter: &str, qos: QoS) -> Vec<u8> {
    let mut filters = SubscribeFiltersBuf::new();
    filters.push(filter, SubscriptionOptions::with_qos(qos));
    let subscribe = Subscribe {
        packet_id: packet_id(1),
        subscription_id: None,
        user_properties: UserProperties::EMPTY,
        filters: filters.as_filters(),
    };
    encoded(&Packet::Subscribe(subscribe), VERSION)
}

/// 16 bytes of payload, as in most measurements of brokers.
pub(crate) fn small_publish(topic: &str, qos: QoS, id: u16) -> Publish<'_> {
    let packet_id = PacketId::new(id).filter(|_| qos != QoS::AtMostOnce);
    Publish { qos, packet_id, topic, payload: b"0123456789abcdef", ..Publish::default() }
}

pub(crate) fn user_properties() -> UserPropertiesBuf {
    let mut properties = UserPropertiesBuf::default();
    properties.push("unit", "celsius");
    properties
}

/// Of 5.0, with what such messages often have.
pub(crate) fn publish_with_properties(user_properties: &UserPropertiesBuf) -> Publish<'_> {
    let properties = MessageProperties {
        message_expiry_interval: Some(60),
        content_type: Some("application/json"),
        user_properties: user_properties.as_user_properties(),
        ..MessageProperties::default()
    };
    Publish { properties, ..small_publish("sites/42/rooms/7/temperature", QoS::AtLeastOnce, 1) }
}

pub(crate) fn publish(topic: &str, qos: QoS, id: u16) -> Vec<u8> {
    encoded(&Packet::Publish(small_publish(topic, qos, id)), VERSION)
}

/// First bytes of the acknowledgements.
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;

/// An acknowledgement, by its first byte.
pub(crate) fn ack(first: u8, id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [first, 2, high, low]
}

/// Changes a packet identifier in place, so that making packets is not counted.
pub(crate) fn set_packet_id(bytes: &mut [u8], at: usize, id: u16) {
    bytes[at..at + 2].copy_from_slice(&id.to_be_bytes());
}
