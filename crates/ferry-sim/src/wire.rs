//! Bytes and packets.

use ferry_codec::{DecodeLimits, Direction, Packet, ProtocolVersion, decode, decode_connect, frame_length};

/// Cuts a stream of bytes into packets.
#[derive(Default)]
pub(crate) struct Framer {
    bytes: Vec<u8>,
}

impl Framer {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole packet. An error: these bytes are none.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Vec<u8>>, String> {
        let length =
            frame_length(&self.bytes, &DecodeLimits::UNLIMITED).map_err(|error| error.to_string())?;
        match length {
            Some(length) if length <= self.bytes.len() => Ok(Some(self.bytes.drain(..length).collect())),
            _ => Ok(None),
        }
    }
}

/// Decodes a packet of a client.
pub(crate) fn from_client(frame: &[u8], version: Option<ProtocolVersion>) -> Result<Packet<'_>, String> {
    match version {
        None => decode_connect(frame, &DecodeLimits::UNLIMITED).map(Packet::Connect),
        Some(version) => decode(frame, version, Direction::FromClient, &DecodeLimits::UNLIMITED),
    }
    .map_err(|error| error.to_string())
}

/// Decodes a packet of the broker.
pub(crate) fn from_server(frame: &[u8], version: ProtocolVersion) -> Result<Packet<'_>, String> {
    decode(frame, version, Direction::FromServer, &DecodeLimits::UNLIMITED).map_err(|error| error.to_string())
}

/// One packet as bytes.
pub(crate) fn encoded(packet: &Packet<'_>, version: ProtocolVersion) -> Vec<u8> {
    let mut bytes = Vec::new();
    ferry_codec::encode(packet, version, &mut bytes);
    bytes
}
