//! Packets as bytes, with nothing that would keep one from writing wrong ones.

/// A packet with this first byte and the right Remaining Length.
pub(crate) fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    [&[first_byte][..], &variable_byte_integer(body.len()), body].concat()
}

/// Section 1.5.5.
pub(crate) fn variable_byte_integer(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// A string or binary data with its length.
pub(crate) fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let length = u16::try_from(bytes.len()).expect("at most 65,535 bytes");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A section of properties with its length; nothing before MQTT 5.0.
pub(crate) fn properties(level: u8, section: &[u8]) -> Vec<u8> {
    if level < 5 { Vec::new() } else { [&variable_byte_integer(section.len())[..], section].concat() }
}

/// CONNECT with a clean session.
pub(crate) fn connect(level: u8, client_id: &str) -> Vec<u8> {
    connect_with(level, client_id, 0x02, 0, &[], &[])
}

/// CONNECT; `rest` is what follows the client identifier.
pub(crate) fn connect_with(
    level: u8,
    client_id: &str,
    flags: u8,
    keep_alive_seconds: u16,
    section: &[u8],
    rest: &[u8],
) -> Vec<u8> {
    let name = if level == 3 { "MQIsdp" } else { "MQTT" };
    let keep_alive = keep_alive_seconds.to_be_bytes();
    let header = [&text(name)[..], &[level, flags], &keep_alive, &properties(level, section)].concat();
    packet(0x10, &[&header[..], &text(client_id), rest].concat())
}

/// SUBSCRIBE to filters with options.
pub(crate) fn subscribe(level: u8, packet_id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = [&packet_id.to_be_bytes()[..], &properties(level, &[])].concat();
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

/// PUBLISH; the packet identifier is left out with QoS 0.
pub(crate) fn publish(level: u8, qos: u8, packet_id: u16, topic: &str, payload: &[u8]) -> Vec<u8> {
    publish_with(level, qos, packet_id, topic, &[], payload)
}

/// PUBLISH with properties.
pub(crate) fn publish_with(
    level: u8,
    qos: u8,
    packet_id: u16,
    topic: &str,
    section: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let packet_id = if qos == 0 { Vec::new() } else { packet_id.to_be_bytes().to_vec() };
    let body = [&text(topic)[..], &packet_id, &properties(level, section), payload].concat();
    packet(0x30 | qos << 1, &body)
}

/// PUBACK (0x40), PUBREC (0x50), PUBREL (0x62) or PUBCOMP (0x70).
pub(crate) fn acknowledgement(first_byte: u8, packet_id: u16) -> Vec<u8> {
    packet(first_byte, &packet_id.to_be_bytes())
}

/// PINGREQ
pub(crate) const PINGREQ: &[u8] = &[0xC0, 0];
