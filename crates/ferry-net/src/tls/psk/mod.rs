//! TLS with pre-shared keys (RFC 4279; RFC 8446, section 2.2), by OpenSSL, since rustls has none.
//!
//! Records go in and come out through memory, so that the socket stays with the channel, as with rustls.

mod context;
mod failure;
mod key_file;
mod session;

pub(crate) use context::PskContext;
pub(crate) use failure::PskFailure;
pub(crate) use session::PskSession;

/// What a client has said in its handshake, kept at its connection.
#[derive(Debug)]
struct Claim {
    identity: String,
    is_known: bool,
}
