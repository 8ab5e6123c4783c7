//! Real sockets on this machine: every transport with clients that are not ours, and what goes wrong.
//!
//! The broker's side runs on the test's runtime, clients run as blocking code on threads of their own.

mod certificates;
mod proxy_protocol;
#[cfg(feature = "psk")]
mod psk;
mod server;
mod tcp;
mod tls;
mod tls_mistakes;
mod unix;
mod websocket;
