use crate::fault::{self, Decoded};
use crate::frame::{self, Frame};
use crate::packet::AckKind;
use crate::{
    Ack, Auth, Connack, Connect, DecodeError, DecodeLimits, Direction, Disconnect, Packet, ProtocolVersion,
    Publish, Suback, Subscribe, Unsuback, Unsubscribe,
};

/// Decodes `frame`, which must be exactly one packet as measured by [`frame_length`](crate::frame_length()).
///
/// A CONNECT is decoded too, in whatever version it names; that a second one is a Protocol Error
/// `[MQTT-3.1.0-2]` is for the connection to know.
///
/// # Errors
/// The first rule that the packet breaks.
#[inline]
pub fn decode<'a>(
    frame: &'a [u8],
    version: ProtocolVersion,
    direction: Direction,
    limits: &DecodeLimits,
) -> Result<Packet<'a>, DecodeError> {
    let frame = Frame::new(frame).map_err(|fault| fault.error(Some(version)))?;
    if frame.packet_type() == frame::CONNECT && direction == Direction::FromClient {
        return Connect::decode(frame, limits).map(Packet::Connect);
    }
    decode_frame(frame, version, direction, limits).map_err(|fault| fault.error(Some(version)))
}

/// Decodes the first packet of a connection, which must be CONNECT `[MQTT-3.1.0-1]`, and finds the protocol
/// version in it.
///
/// # Errors
/// The first rule that the packet breaks; `unsupported_version` is set if it asks for another protocol.
pub fn decode_connect<'a>(frame: &'a [u8], limits: &DecodeLimits) -> Result<Connect<'a>, DecodeError> {
    let frame = Frame::new(frame).map_err(|fault| fault.error(None))?;
    if frame.packet_type() != frame::CONNECT {
        return Err(fault::FIRST_PACKET_NOT_CONNECT.error(None));
    }
    Connect::decode(frame, limits)
}

/// The whole protocol on one screen.
fn decode_frame<'a>(
    frame: Frame<'a>,
    version: ProtocolVersion,
    direction: Direction,
    limits: &DecodeLimits,
) -> Decoded<Packet<'a>> {
    frame.check_header(version)?;
    let body = frame.reader();
    let packet_type = frame.packet_type();
    if packet_type == frame::PUBLISH {
        return Publish::decode(frame.first, body, version, direction, limits).map(Packet::Publish);
    }
    check_direction(packet_type, version, direction)?;
    match packet_type {
        frame::CONNACK => Connack::decode(body, version, limits).map(Packet::Connack),
        frame::PUBACK => Ack::decode(AckKind::Puback, body, version, limits).map(Packet::Puback),
        frame::PUBREC => Ack::decode(AckKind::Pubrec, body, version, limits).map(Packet::Pubrec),
        frame::PUBREL => Ack::decode(AckKind::Pubrel, body, version, limits).map(Packet::Pubrel),
        frame::PUBCOMP => Ack::decode(AckKind::Pubcomp, body, version, limits).map(Packet::Pubcomp),
        frame::SUBSCRIBE => Subscribe::decode(body, version, limits).map(Packet::Subscribe),
        frame::SUBACK => Suback::decode(body, version, limits).map(Packet::Suback),
        frame::UNSUBSCRIBE => Unsubscribe::decode(body, version, limits).map(Packet::Unsubscribe),
        frame::UNSUBACK => Unsuback::decode(body, version, limits).map(Packet::Unsuback),
        frame::PINGREQ => body.end().map(|()| Packet::Pingreq),
        frame::PINGRESP => body.end().map(|()| Packet::Pingresp),
        frame::DISCONNECT => Disconnect::decode(body, version, direction, limits).map(Packet::Disconnect),
        frame::AUTH if version == ProtocolVersion::V5 => {
            Auth::decode(body, direction, limits).map(Packet::Auth)
        }
        frame::AUTH => Err(&fault::PACKET_TYPE_AUTH_IN_V3),
        _ => Err(&fault::PACKET_TYPE_RESERVED),
    }
}

/// Table 2-1: which way each packet flows. 3.x servers do not send DISCONNECT.
fn check_direction(packet_type: u8, version: ProtocolVersion, direction: Direction) -> Decoded<()> {
    match (packet_type, direction) {
        (frame::CONNACK | frame::SUBACK | frame::UNSUBACK | frame::PINGRESP, Direction::FromClient) => {
            Err(&fault::NOT_FROM_CLIENT)
        }
        (frame::CONNECT | frame::SUBSCRIBE | frame::UNSUBSCRIBE | frame::PINGREQ, Direction::FromServer) => {
            Err(&fault::NOT_FROM_SERVER)
        }
        (frame::DISCONNECT, Direction::FromServer) if version.is_v3() => Err(&fault::NOT_FROM_SERVER),
        _ => Ok(()),
    }
}
