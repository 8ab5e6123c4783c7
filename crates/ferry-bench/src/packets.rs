//! The packets of a load: encoded once and patched when they are sent, scanned in place when they come.

use std::num::NonZeroU16;

use ferry_codec::wire_shape::encode_publish;
use ferry_codec::{
    Connect, ConnectProperties, PacketId, ProtocolVersion, Publish, QoS, RetainHandling, Subscribe,
    SubscribeFiltersBuf, SubscriptionOptions, Unsubscribe, UnsubscribeFiltersBuf, encode,
};

use crate::plan::{Credentials, Plan, Protocol};
use crate::stamp::{STAMP_BYTES, Stamp};

/// First bytes of the packets that are not worth a decoder.
pub(crate) const PUBLISH: u8 = 0x30;
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;
pub(crate) const PINGREQ: [u8; 2] = [0xC0, 0];
pub(crate) const DISCONNECT: [u8; 2] = [0xE0, 0];

/// DUP in the first byte of a PUBLISH.
pub(crate) const DUP: u8 = 0x08;

/// A session that outlives its connection does so for an hour.
const SESSION_EXPIRY_SECONDS: u32 = 3_600;

impl Protocol {
    pub(crate) const fn version(self) -> ProtocolVersion {
        match self {
            Self::V311 => ProtocolVersion::V311,
            Self::V5 => ProtocolVersion::V5,
        }
    }
}

pub(crate) fn connect(plan: &Plan, credentials: &Credentials, client_id: &str, out: &mut Vec<u8>) {
    let expiry = plan.persistent_sessions.then_some(SESSION_EXPIRY_SECONDS);
    let properties = ConnectProperties {
        session_expiry_interval: expiry,
        receive_maximum: NonZeroU16::new(u16::MAX),
        ..ConnectProperties::default()
    };
    let connect = Connect {
        protocol_version: plan.protocol.version(),
        bridge: false,
        clean_start: !plan.persistent_sessions,
        keep_alive_seconds: plan.keep_alive_seconds,
        client_id,
        will: None,
        user_name: credentials.user_name.as_deref(),
        password: credentials.password.as_deref().map(str::as_bytes),
        properties,
    };
    encode(&ferry_codec::Packet::Connect(connect), plan.protocol.version(), out);
}

/// SUBSCRIBE to these filters, with packet identifier 1.
pub(crate) fn subscribe(filters: &[String], qos: QoS, version: ProtocolVersion, out: &mut Vec<u8>) {
    let options = SubscriptionOptions {
        maximum_qos: qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::SendAtSubscribe,
    };
    let mut all = SubscribeFiltersBuf::default();
    for filter in filters {
        all.push(filter, options);
    }
    let subscribe = Subscribe {
        packet_id: PacketId::new(1).expect("1 is not 0"),
        subscription_id: None,
        user_properties: Default::default(),
        filters: all.as_filters(),
    };
    encode(&ferry_codec::Packet::Subscribe(subscribe), version, out);
}

/// UNSUBSCRIBE from a filter, with packet identifier 2.
pub(crate) fn unsubscribe(filter: &str, version: ProtocolVersion, out: &mut Vec<u8>) {
    let mut filters = UnsubscribeFiltersBuf::new();
    filters.push(filter);
    let unsubscribe = Unsubscribe {
        packet_id: PacketId::new(2).expect("2 is not 0"),
        user_properties: Default::default(),
        filters: filters.as_filters(),
    };
    encode(&ferry_codec::Packet::Unsubscribe(unsubscribe), version, out);
}

/// A retained PUBLISH without a payload, at QoS 0: it removes the retained message of its topic [MQTT-3.3.1-6].
pub(crate) fn remove_retained(topic: &str, version: ProtocolVersion, out: &mut Vec<u8>) {
    let publish = Publish { retain: true, topic, ..Publish::default() };
    encode(&ferry_codec::Packet::Publish(publish), version, out);
}

/// An encoded PUBLISH, with places for packet identifier and stamp.
#[derive(Debug)]
pub(crate) struct Template {
    bytes: Box<[u8]>,
    packet_id_at: Option<u32>,
    stamp_at: u32,
}

impl Template {
    /// `filler` is what follows the stamp.
    pub(crate) fn new(topic: &str, qos: QoS, retain: bool, filler: &[u8], version: ProtocolVersion) -> Self {
        let payload = [&[0; STAMP_BYTES][..], filler].concat();
        let publish = Publish {
            dup: false,
            qos,
            retain,
            packet_id: None,
            topic,
            topic_alias: None,
            properties: Default::default(),
            subscription_ids: Default::default(),
            payload: &payload,
        };
        let mut bytes = Vec::new();
        let layout = encode_publish(&publish, version, &mut bytes);
        Self {
            packet_id_at: layout.packet_id_offset.map(|at| at as u32),
            stamp_at: (bytes.len() - payload.len()) as u32,
            bytes: bytes.into_boxed_slice(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a message. At QoS 0 the packet identifier is not used.
    #[inline]
    pub(crate) fn append(&self, stamp: Stamp, seed: u64, packet_id: u16, dup: bool, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let packet = &mut out[start..];
        if dup {
            packet[0] |= DUP;
        }
        if let Some(at) = self.packet_id_at {
            let at = at as usize;
            packet[at..at + 2].copy_from_slice(&packet_id.to_be_bytes());
        }
        let at = self.stamp_at as usize;
        packet[at..at + STAMP_BYTES].copy_from_slice(&stamp.encode(seed));
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP with reason code 0.
pub(crate) fn acknowledge(first: u8, packet_id: u16, out: &mut Vec<u8>) {
    let [high, low] = packet_id.to_be_bytes();
    out.extend_from_slice(&[first, 2, high, low]);
}

/// The first packet of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) first: u8,
    pub(crate) body: &'a [u8],
    /// Of the whole packet.
    pub(crate) length: usize,
}

/// The first packet of `input`; `Ok(None)`: more bytes are needed.
///
/// # Errors
/// The Remaining Length does not end.
#[inline]
pub(crate) fn first_frame(input: &[u8]) -> Result<Option<Frame<'_>>, &'static str> {
    let (&first, rest) = match input.split_first() {
        Some(parts) => parts,
        None => return Ok(None),
    };
    let Some((value, bytes)) = variable_byte_integer(rest)? else { return Ok(None) };
    let length = 1 + bytes + value;
    Ok(input.get(1 + bytes..length).map(|body| Frame { first, body, length }))
}

/// A PUBLISH as far as a load looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    /// 0 at QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) qos: u8,
    pub(crate) payload: &'a [u8],
}

/// Takes a PUBLISH apart. `None`: it is not one.
#[inline]
pub(crate) fn received(frame: Frame<'_>, is_v5: bool) -> Option<Received<'_>> {
    let qos = frame.first >> 1 & 3;
    let (topic_length, rest) = frame.body.split_first_chunk()?;
    let mut rest = rest.get(usize::from(u16::from_be_bytes(*topic_length))..)?;
    let mut packet_id = 0;
    if qos > 0 {
        let (id, behind) = rest.split_first_chunk()?;
        packet_id = u16::from_be_bytes(*id);
        rest = behind;
    }
    if is_v5 {
        let (properties, bytes) = variable_byte_integer(rest).ok()??;
        rest = rest.get(bytes + properties..)?;
    }
    Some(Received { packet_id, qos, payload: rest })
}

/// Value and length of a Variable Byte Integer; `Ok(None)`: it does not end within `bytes`.
#[inline]
fn variable_byte_integer(bytes: &[u8]) -> Result<Option<(usize, usize)>, &'static str> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err("a length of more than four bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_codec::{DecodeLimits, Direction, Packet, decode};

    #[test]
    fn a_template_is_the_packet_that_the_codec_reads() {
        let stamp = Stamp { stream: 1, sequence: 2, sent_at: 3 };
        for version in [ProtocolVersion::V311, ProtocolVersion::V5] {
            for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                for filler in [&[][..], &[9; 1_000]] {
                    let mut out = Vec::new();
                    let template = Template::new("a/b", qos, false, filler, version);
                    template.append(stamp, 5, 77, qos != QoS::AtMostOnce, &mut out);
                    let Packet::Publish(publish) =
                        decode(&out, version, Direction::FromClient, &DecodeLimits::default()).unwrap()
                    else {
                        panic!("not a PUBLISH")
                    };
                    assert_eq!((publish.topic, publish.qos), ("a/b", qos));
                    assert_eq!(
                        publish.packet_id.map_or(0, PacketId::get),
                        if qos == QoS::AtMostOnce { 0 } else { 77 }
                    );
                    let frame = first_frame(&out).unwrap().unwrap();
                    assert_eq!(frame.length, out.len());
                    let found = received(frame, version == ProtocolVersion::V5).unwrap();
                    assert_eq!(found.payload, publish.payload);
                    assert_eq!(found.qos, qos.to_byte());
                    let bytes = found.payload.first_chunk().unwrap();
                    assert_eq!(Stamp::decode(bytes, 5), Some(stamp));
                    assert!((0..out.len()).all(|length| first_frame(&out[..length]) == Ok(None)));
                }
            }
        }
        assert!(first_frame(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1]).is_err());
    }
}
