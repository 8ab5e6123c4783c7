//! SCRAM (RFC 5802, and RFC 7677 for SHA-256): a client proves that it knows a password, and a server that it knows
//! what was made of it, and neither shows it to the other.
//!
//! Messages go in, messages come out: no packets, no sockets, no random numbers. [`ScramClient`] is one side, what
//! [`ClientFirst::parse`] begins is the other; a server keeps [`ScramCredentials`] in the place of a password.
//!
//! There is no channel binding: a client that asks for it is turned away.

mod client;
mod client_first;
mod credentials;
mod error;
mod hash;
mod message;
mod preparation;
mod server_exchange;

pub use client::ScramClient;
pub use client_first::ClientFirst;
pub use credentials::ScramCredentials;
pub use error::ScramError;
pub use hash::ScramHash;
pub use server_exchange::ServerExchange;

/// Bytes of a message, from either side: a name, two nonces and a salt have room many times over.
pub const MESSAGE_BYTES_MAX: usize = 8192;

/// The fewest iterations that a client computes: RFC 7677, section 4, and RFC 5802, section 5.1, let a server ask for no
/// fewer. With fewer, whoever passes for the server could try passwords quickly.
pub const ITERATIONS_MIN: u32 = 4096;

/// The most iterations that a client computes, a second or so of a processor: a server that means harm could have it
/// compute for ever.
pub const ITERATIONS_MAX: u32 = 1_000_000;
