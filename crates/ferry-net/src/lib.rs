//! Listeners and byte streams: TCP, TLS, WebSocket, Unix socket, PROXY protocol.
//!
//! This crate moves bytes and knows no MQTT packet. The way of a connection:
//!
//! ```text
//! ListenAddress --BoundListener::bind--> BoundListener --attach--> Listener
//!     --accept--> Accepted --handshake (PROXY, TLS, WebSocket)--> Stream
//!     --into_detached--> DetachedStream --attach (on another runtime)--> Stream
//! ```
//!
//! # The rule of readiness
//!
//! [`Stream::try_read`] and [`Stream::try_write`] never block. After `Err(WouldBlock)` wait for
//! [`Stream::readable`] or [`Stream::writable`], then try again. `readable` also looks at input that has
//! already left the socket (decrypted by TLS, or read together with a handshake), so no wake-up is lost
//! when the socket itself is idle. A driver that waits for sockets by other means uses [`DetachedStream`].
//!
//! # Memory
//!
//! A waiting connection holds no buffer of ours: plain streams nothing, TLS the state of rustls, WebSocket
//! the few bytes of a frame header. What `try_write` cannot pass on it does not take.

mod channel;
mod detached_socket;
mod detached_stream;
mod failure;
mod handshake;
mod layers;
mod listen_address;
mod listener;
mod peer;
pub mod proxy_protocol;
mod sniff;
mod socket;
mod stream;
mod tls;
mod unix_socket;
pub mod websocket;

pub use detached_socket::Readiness;
pub use detached_stream::DetachedStream;
pub use failure::failure_name;
pub use handshake::{HandshakeError, HandshakeLimits, HandshakeReason};
pub use listen_address::{HostPort, ListenAddress, ListenAddressError};
pub use listener::{Accepted, BindError, BindOptions, BoundListener, Listener, ListenerOptions};
pub use peer::{PeerAddress, PeerInfo, Transport};
pub use stream::{CloseCode, Stream};
pub use tls::{
    CertificateNames, ClientCertificates, PskOptions, TlsAcceptor, TlsError, TlsExpiry, TlsExpiryKind,
    TlsOptions, TlsPeer, TlsVersion,
};
pub use websocket::origin::{OriginError, OriginRule};
