//! The thread that writes what all shards give it: everything that waits becomes one group, made durable by one
//! sync. A shard never waits for the disk: it hands over a [`Batch`](crate::Batch), gets a
//! [`Ticket`](crate::Ticket), and is rung when more tickets are written or synced.

mod commit_thread;
mod committer;
mod health;
mod inbox;
mod latency;
mod load;
mod progress;
mod shard_store;

pub use commit_thread::{CommitOptions, CommitThread, ShutdownError};
pub use health::Health;
pub use latency::CommitLatencies;
pub use load::Loaded;
pub use shard_store::ShardStore;
