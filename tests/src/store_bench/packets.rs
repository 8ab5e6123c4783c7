//! Packets of MQTT 3.1.1. All messages of a run have the same length, so that reading them costs little.

pub(super) const PAYLOAD_BYTES: usize = 100;

/// Where the topic of a session is as long as any other.
pub(super) fn topic(session: usize) -> String {
    format!("store/{session:06}")
}

pub(super) fn connect(client_id: &str, clean_session: bool) -> Vec<u8> {
    let flags = if clean_session { 2 } else { 0 };
    packet(0x10, &[b"\0\x04MQTT\x04", &[flags, 0, 0][..], &text(client_id)].concat())
}

pub(super) fn subscribe(filter: &str) -> Vec<u8> {
    packet(0x82, &[&[0, 1][..], &text(filter), &[1]].concat())
}

/// PUBLISH with QoS 1, and where its packet identifier is.
pub(super) fn publish(topic: &str, retain: bool) -> (Vec<u8>, usize) {
    let mut body = text(topic);
    let id_at = body.len();
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(&[b'x'; PAYLOAD_BYTES]);
    let packet = packet(0x32 | u8::from(retain), &body);
    let id_at = packet.len() - body.len() + id_at;
    (packet, id_at)
}

/// # Panics
/// If the body has 16,384 bytes or more.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).ok().filter(|length| *length < 16_384).expect("a short packet");
    let mut packet = vec![first];
    if length < 128 {
        packet.push(length as u8);
    } else {
        packet.extend_from_slice(&[length as u8 | 0x80, (length >> 7) as u8]);
    }
    packet.extend_from_slice(body);
    packet
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}
