//! The few packets of MQTT 3.1.1 that a load consists of. All messages of a scenario have the same length, so that
//! taking them apart costs nothing.

/// CONNACK: accepted, no session.
pub(super) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// First bytes of the acknowledgements, each of which has 4 bytes.
pub(super) const PUBACK: u8 = 0x40;
pub(super) const PUBREC: u8 = 0x50;
pub(super) const PUBREL: u8 = 0x62;
pub(super) const PUBCOMP: u8 = 0x70;

/// Bytes of an acknowledgement.
pub(super) const ACK_BYTES: usize = 4;

/// Filters in one SUBSCRIBE at most.
pub(super) const FILTERS_MAX: usize = 100;

/// An acknowledgement by its first byte, with the two bytes of its packet identifier.
pub(super) fn ack(first: u8, id: &[u8]) -> [u8; ACK_BYTES] {
    [first, 2, id[0], id[1]]
}

/// CONNECT with a clean session and no keep alive.
pub(super) fn connect(client_id: &str) -> Vec<u8> {
    packet(0x10, &[b"\0\x04MQTT\x04\x02\0\0", &text(client_id)[..]].concat())
}

/// SUBSCRIBE, and the SUBACK that is to come.
pub(super) fn subscribe(filters: &[String], qos: u8) -> (Vec<u8>, Vec<u8>) {
    let filters_bytes = filters.iter().flat_map(|filter| [text(filter), vec![qos]].concat());
    let body: Vec<u8> = [0, 1].into_iter().chain(filters_bytes).collect();
    let codes = vec![qos; filters.len()];
    (packet(0x82, &body), packet(0x90, &[&[0, 1][..], &codes].concat()))
}

/// Of the number of a message: the place of its publisher in its flow, and how many it has published before.
const PUBLISHER_SHIFT: u32 = 48;

/// A PUBLISH, and where to change it.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// Of the packet identifier, if there is one.
    pub(super) id_at: Option<usize>,
    /// Of the number of the message, 8 bytes.
    number_at: usize,
}

impl Message {
    pub(super) fn new(topic: &str, qos: u8, payload_bytes: usize) -> Self {
        let mut body = text(topic);
        if qos > 0 {
            body.extend_from_slice(&[0, 0]);
        }
        body.resize(body.len() + payload_bytes, b'x');
        let bytes = packet(0x30 | qos << 1, &body);
        let number_at = bytes.len() - payload_bytes;
        Self { bytes, id_at: (qos > 0).then(|| number_at - 2), number_at }
    }

    /// The publisher of a message of this form, and its number.
    pub(super) fn number(&self, bytes: &[u8]) -> (usize, u64) {
        let both = u64::from_be_bytes(bytes[self.number_at..self.number_at + 8].try_into().expect("8 bytes"));
        ((both >> PUBLISHER_SHIFT) as usize, both & ((1 << PUBLISHER_SHIFT) - 1))
    }

    /// Makes it the message of this publisher with this number.
    pub(super) fn set_number(&mut self, publisher: usize, number: u64) {
        let both = (publisher as u64) << PUBLISHER_SHIFT | number;
        self.bytes[self.number_at..self.number_at + 8].copy_from_slice(&both.to_be_bytes());
        if let Some(at) = self.id_at {
            let id = (number % u64::from(u16::MAX)) as u16 + 1;
            self.bytes[at..at + 2].copy_from_slice(&id.to_be_bytes());
        }
    }
}

/// # Panics
/// If the body has 16 KB or more.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    assert!(body.len() < 128 * 128, "two bytes for the length");
    let low = (body.len() % 128) as u8;
    let header = match body.len() / 128 {
        0 => vec![first, low],
        high => vec![first, low | 0x80, high as u8],
    };
    [&header[..], body].concat()
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}
