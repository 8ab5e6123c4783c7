//! What a script is run against: something that takes bytes from clients and sends bytes back.

mod access;
mod clean_up;
mod core;
mod server;
mod tcp;

use std::time::Duration;

pub use access::Access;
pub use clean_up::clean_up;
pub use core::{CoreBroker, CoreSetup};
pub use server::{ScratchFile, Server, ferry_binary, free_port};
pub use tcp::TcpBroker;

/// What a client finds when it looks at its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// Some bytes, at least one.
    Bytes(Vec<u8>),
    /// Nothing so far.
    Nothing,
    /// The broker has closed the connection.
    Closed,
}

/// A broker and the connections of a script's clients to it.
pub trait Broker {
    /// Opens a connection for this client; an older one of the same client is forgotten.
    ///
    /// # Errors
    /// When there is no broker.
    fn open(&mut self, client: &str) -> Result<(), String>;

    /// Sends bytes. That the broker has closed shows in [`Broker::receive`], not here.
    fn send(&mut self, client: &str, bytes: &[u8]);

    /// Takes what has come, waiting at most `patience` for the first byte.
    fn receive(&mut self, client: &str, patience: Duration) -> Received;

    /// The connection fails without a word.
    fn drop_connection(&mut self, client: &str);

    /// Lets time pass.
    fn advance(&mut self, duration: Duration);

    /// From now on a topic is out of bounds: `receive t/#`.
    ///
    /// # Errors
    /// When this broker cannot be told.
    fn deny(&mut self, rule: &str) -> Result<(), String> {
        Err(format!("this broker cannot be told to deny {rule}"))
    }

    /// Whether everything that follows from a call has happened when it returns.
    fn is_immediate(&self) -> bool;
}
