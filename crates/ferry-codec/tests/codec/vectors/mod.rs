//! Tables of packets as bytes, one row for each packet, version and malformation.

pub(crate) mod ack;
pub(crate) mod connack;
pub(crate) mod connect;
pub(crate) mod notation;
pub(crate) mod others;
pub(crate) mod publish;
pub(crate) mod subscribe;
pub(crate) mod unsubscribe;
