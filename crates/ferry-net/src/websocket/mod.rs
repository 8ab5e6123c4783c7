//! MQTT in WebSocket frames (RFC 6455; MQTT 5.0, section 6): pure frame decoder and encoder, upgrade request.

mod connection;
pub mod frame;
pub(crate) mod origin;
mod output;
pub mod upgrade;

pub(crate) use connection::WebSocket;
