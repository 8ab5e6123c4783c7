//! MQTT 3.1, 3.1.1 and 5.0 packets: one model, decoded without copying

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
pub use frame::frame_length;
pub use message_properties::MessageProperties;
pub use packet::{
    Ack, Auth, Connack, ConnackProperties, Connect, ConnectProperties, Disconnect, Packet, Publish,
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
