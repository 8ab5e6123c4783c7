//! The few packets of MQTT 3.1.1 that a load consists of. All messages have the same length, so that counting them
//! costs nothing.

/// Bytes of the payload of every message.
const PAYLOAD_BYTES: usize = 16;

/// CONNACK: accepted, no session.
pub(super) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// PUBACK, with the identifier still to be filled in.
pub(super) const PUBACK: [u8; 4] = [0x40, 2, 0, 0];

/// SUBSCRIBE's packet identifier is 1.
pub(super) fn suback(qos: u8) -> [u8; 5] {
    [0x90, 3, 0, 1, qos]
}

/// CONNECT with a clean session and no keep alive.
pub(super) fn connect(client_id: &str) -> Vec<u8> {
    packet(0x10, &[b"\0\x04MQTT\x04\x02\0\0", &text(client_id)[..]].concat())
}

pub(super) fn subscribe(topic: &str, qos: u8) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &text(topic), &[qos]].concat())
}

/// PUBLISH, and where its packet identifier is, if it has one.
pub(super) fn publish(topic: &str, qos: u8) -> (Vec<u8>, Option<usize>) {
    let mut body = text(topic);
    // After the fixed header of two bytes.
    let id_at = (qos > 0).then_some(2 + body.len());
    if qos > 0 {
        body.extend_from_slice(&[0, 0]);
    }
    body.extend_from_slice(&[b'x'; PAYLOAD_BYTES]);
    (packet(0x30 | qos << 1, &body), id_at)
}

/// # Panics
/// If the body has 128 bytes or more.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).ok().filter(|length| *length < 128).expect("a short packet");
    [&[first, length], body].concat()
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}
