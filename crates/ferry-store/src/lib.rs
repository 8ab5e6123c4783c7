//! Where sessions, queues and retained messages are kept.
//!
//! A store knows keys and records, no packet. It takes batches: everything one turn of a shard changed is
//! appended at once and answered with one [`Ticket`]; when the ticket is committed, whatever the turn promised
//! to a client (PUBACK, SUBACK, ...) may be sent. Engines that commit on another thread tell the shard by the
//! [`CommitWaker`] they were opened with.

mod memory;
mod record;
mod store;
mod ticket;

pub use memory::MemoryStore;
pub use record::Record;
pub use store::{CommitWaker, Store};
pub use ticket::Ticket;
