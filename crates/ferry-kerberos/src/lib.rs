//! Kerberos as an authentication method (`GS2-KRB5`, RFC 5801): a client proves by a ticket who it is, and a server by its
//! key that the ticket was meant for it.
//!
//! Messages go in, messages come out: no packets, no sockets of MQTT. What is inside of them is the business of the system's
//! Kerberos library, behind the feature `gssapi`: `Acceptor` is the side of the server, `Initiator` that of the client.
//! The library reads files, and that of the client asks the key distribution centre; so both may take time.
//!
//! There is no channel binding: a client that insists on it is turned away.

#[cfg(feature = "gssapi")]
mod acceptor;
mod gs2_header;
#[cfg(feature = "gssapi")]
mod initiator;
mod kerberos_error;
mod principal;
mod token_header;

#[cfg(feature = "gssapi")]
pub use acceptor::{Accepted, Acceptor};
pub use gs2_header::{ChannelBinding, Gs2Header};
#[cfg(feature = "gssapi")]
pub use initiator::Initiator;
pub use kerberos_error::KerberosError;
pub use principal::Principal;
pub use token_header::{with_header, without_header};

/// The name of the method.
pub const METHOD: &str = "GS2-KRB5";
