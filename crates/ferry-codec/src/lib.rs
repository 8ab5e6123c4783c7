//! MQTT 3.1, 3.1.1 and 5.0 packets: one model, decoded without copying.
//!
//! There is one [`Packet`] for the three versions; the version is an argument of [`decode()`] and [`encode()`].
//! A decoded packet borrows from the bytes it was decoded from: strings and payloads are slices, lists and user
//! properties are validated slices with iterators. Decoding allocates nothing and cannot panic.
//!
//! [`decode()`] checks all that can be checked without knowing the connection: the form of the packet, which
//! properties it may have and how often, their values, UTF-8, topic names and filters, reason codes, and which
//! side may send it. What is wrong comes back as a [`DecodeError`] with the reason code to answer and the
//! number of the statement that was broken.
//!
//! # Example
//!
//! A server reads a connection: first CONNECT, then whatever follows.
//!
//! ```
//! use ferry_codec::{
//!     Connack, DecodeLimits, Direction, Packet, QoS, ReasonCode, decode, decode_connect, encode, frame_length,
//! };
//!
//! let limits = DecodeLimits::default();
//! let input = b"\x10\x0F\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x02me\x30\x08\x00\x03a/b\x00hi\x30";
//!
//! // The first packet must be CONNECT; it tells the version.
//! let length = frame_length(input, &limits)?.expect("a whole packet");
//! let (frame, input) = input.split_at(length);
//! let connect = decode_connect(frame, &limits)?;
//! assert_eq!((connect.client_id, connect.keep_alive_seconds), ("me", 60));
//! let version = connect.protocol_version;
//!
//! // The answer.
//! let mut output = Vec::new();
//! encode(&Packet::Connack(Connack::default()), version, &mut output);
//! assert_eq!(output, [0x20, 0x03, 0x00, 0x00, 0x00]);
//!
//! let length = frame_length(input, &limits)?.expect("a whole packet");
//! let (frame, input) = input.split_at(length);
//! let Packet::Publish(publish) = decode(frame, version, Direction::FromClient, &limits)? else {
//!     panic!("not a PUBLISH");
//! };
//! assert_eq!((publish.topic, publish.qos, publish.payload), ("a/b", QoS::AtMostOnce, &b"hi"[..]));
//!
//! // The rest has not arrived yet.
//! assert_eq!(frame_length(input, &limits)?, None);
//!
//! // A topic name must not have wildcards.
//! let error = decode(b"\x30\x04\x00\x01#\x00", version, Direction::FromClient, &limits).unwrap_err();
//! assert_eq!(error.reason_code, ReasonCode::TOPIC_NAME_INVALID);
//! assert_eq!(error.statement, "MQTT-3.3.2-2");
//! # Ok::<(), ferry_codec::DecodeError>(())
//! ```
//!
//! # Where things are
//!
//! `decode` dispatches by packet type; each file of [`packet`] has one packet with its fields, its decoding and
//! its encoding. `fault` and `property_rules` are the tables of all rules that a packet can break. To send one
//! PUBLISH to many connections see [`wire_shape`]; for topic filters see [`topic`].

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic
)]

mod decode;
mod decode_error;
mod decode_limits;
mod direction;
mod encode;
mod fault;
mod frame;
mod message_properties;
pub mod packet;
mod packet_id;
mod primitive;
mod property;
mod property_rules;
mod protocol_version;
mod qos;
mod reason_code;
mod stored_properties;
mod subscription_ids;
pub mod topic;
mod user_properties;
pub mod wire_shape;

pub use decode::{decode, decode_connect};
pub use decode_error::{DecodeError, UnsupportedVersion};
pub use decode_limits::DecodeLimits;
pub use direction::Direction;
pub use encode::{encode, encoded_length};
pub use frame::{frame_length, peek_topic};
pub use message_properties::MessageProperties;
pub use packet::{
    Ack, AckKind, Auth, Connack, ConnackProperties, Connect, ConnectProperties, Disconnect, Packet, Publish,
    RetainHandling, Suback, Subscribe, SubscribeFilter, SubscribeFilters, SubscribeFiltersBuf,
    SubscriptionOptions, Unsuback, Unsubscribe, UnsubscribeFilters, UnsubscribeFiltersBuf, Will,
};
pub use packet_id::PacketId;
pub use protocol_version::ProtocolVersion;
pub use qos::QoS;
pub use reason_code::ReasonCode;
pub use stored_properties::StoredProperties;
pub use subscription_ids::{SubscriptionIds, SubscriptionIdsIter};
pub use user_properties::{UserProperties, UserPropertiesBuf, UserPropertiesIter};
