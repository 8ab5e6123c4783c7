use crate::fault;
use crate::{Connect, DecodeError, DecodeLimits, Direction, Packet, ProtocolVersion};

/// Looks at the front of `input` for the length of the first packet, fixed header included.
///
/// `Ok(None)`: more bytes are needed. What is returned may be longer than `input`.
///
/// # Errors
/// As early as they can be seen: packet type 0, a PUBLISH of QoS 3, a Remaining Length of five bytes, a packet
/// above `packet_size_max` (0x95).
pub fn frame_length(input: &[u8], limits: &DecodeLimits) -> Result<Option<usize>, DecodeError> {
    let _ = (input, limits);
    Err(fault::FRAME_LENGTH_WRONG.error(None))
}

/// Decodes `frame`, which must be exactly one packet as measured by [`frame_length`].
///
/// # Errors
/// The first rule that the packet breaks.
pub fn decode<'a>(
    frame: &'a [u8],
    version: ProtocolVersion,
    direction: Direction,
    limits: &DecodeLimits,
) -> Result<Packet<'a>, DecodeError> {
    let _ = (frame, direction, limits);
    Err(fault::FRAME_LENGTH_WRONG.error(Some(version)))
}

/// Decodes the first packet of a connection, which must be CONNECT, and finds the protocol version in it.
///
/// # Errors
/// The first rule that the packet breaks; `unsupported_version` is set if it asks for another protocol.
pub fn decode_connect<'a>(frame: &'a [u8], limits: &DecodeLimits) -> Result<Connect<'a>, DecodeError> {
    let _ = (frame, limits);
    Err(fault::FRAME_LENGTH_WRONG.error(None))
}
