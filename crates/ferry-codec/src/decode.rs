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
    let packet_type = frame.packet_type();
    if packet_type == frame::PUBLISH {
        let publish = frame
            .check_header(version)
            .and_then(|()| Publish::decode(frame.first, frame.reader(), version, direction, limits));
        return done(publish, Packet::Publish, version);
    }
    if packet_type == frame::CONNECT && direction == Direction::FromClient {
        return Connect::decode(frame, limits).map(Packet::Connect);
    }
    decode_frame(frame, version, direction, limits)
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

/// The whole protocol on one screen, but for CONNECT and PUBLISH.
fn decode_frame<'a>(
    frame: Frame<'a>,
    version: ProtocolVersion,
    direction: Direction,
    limits: &DecodeLimits,
) -> Result<Packet<'a>, DecodeError> {
    let packet_type = frame.packet_type();
    let checked = frame.check_header(version).and_then(|()| check_direction(packet_type, version, direction));
    if let Err(fault) = checked {
        return Err(fault.error(Some(version)));
    }
    let body = frame.reader();
    match packet_type {
        frame::CONNACK => done(Connack::decode(body, version, limits), Packet::Connack, version),
        frame::PUBACK => done(Ack::decode(AckKind::Puback, body, version, limits), Packet::Puback, version),
        frame::PUBREC => done(Ack::decode(AckKind::Pubrec, body, version, limits), Packet::Pubrec, version),
        frame::PUBREL => done(Ack::decode(AckKind::Pubrel, body, version, limits), Packet::Pubrel, version),
        frame::PUBCOMP => {
            done(Ack::decode(AckKind::Pubcomp, body, version, limits), Packet::Pubcomp, version)
        }
        frame::SUBSCRIBE => done(Subscribe::decode(body, version, limits), Packet::Subscribe, version),
        frame::SUBACK => done(Suback::decode(body, version, limits), Packet::Suback, version),
        frame::UNSUBSCRIBE => done(Unsubscribe::decode(body, version, limits), Packet::Unsubscribe, version),
        frame::UNSUBACK => done(Unsuback::decode(body, version, limits), Packet::Unsuback, version),
        frame::PINGREQ => done(body.end(), |()| Packet::Pingreq, version),
        frame::PINGRESP => done(body.end(), |()| Packet::Pingresp, version),
        frame::DISCONNECT => {
            done(Disconnect::decode(body, version, direction, limits), Packet::Disconnect, version)
        }
        frame::AUTH if version == ProtocolVersion::V5 => {
            done(Auth::decode(body, direction, limits), Packet::Auth, version)
        }
        frame::AUTH => Err(fault::PACKET_TYPE_AUTH_IN_V3.error(Some(version))),
        _ => Err(fault::PACKET_TYPE_RESERVED.error(Some(version))),
    }
}

/// Puts a packet where it is returned, in one move: `Packet` is large.
#[inline(always)]
fn done<'a, T>(
    decoded: Decoded<T>,
    packet: impl FnOnce(T) -> Packet<'a>,
    version: ProtocolVersion,
) -> Result<Packet<'a>, DecodeError> {
    match decoded {
        Ok(decoded) => Ok(packet(decoded)),
        Err(fault) => Err(fault.error(Some(version))),
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
