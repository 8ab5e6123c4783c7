//! MQTT as bytes, written a second time: scripts must be able to send what no codec would, and a mistake in
//! ferry-codec must not cancel out against itself.

mod decode;
mod encode;
mod packet_kind;
mod property;
mod reason_codes;
mod value;

pub use decode::{DecodedPacket, decode, frame_length};
pub use encode::encode;
pub use packet_kind::PacketKind;
pub use property::{PropertyType, property_by_identifier, property_by_name};
pub use value::{Field, Value};

/// The protocol level byte of a version: 3, 4 or 5.
pub type Level = u8;
