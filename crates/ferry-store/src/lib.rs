//! Where what sessions, queues and retained messages must not lose is kept.
//!
//! A store knows records, no packet. It takes batches: everything one turn of a shard changed is appended at once
//! and answered with one [`Ticket`]; when the ticket is committed, whatever the turn promised to a client (PUBACK,
//! SUBACK, ...) may be sent.

mod memory;
mod store;
mod ticket;

pub use memory::MemoryStore;
pub use store::Store;
pub use ticket::Ticket;
