//! Where what sessions, queues and retained messages must not lose is kept.
//!
//! A store knows keys, bytes and batches, no packet: everything one turn of a shard changed is handed over as one
//! [`Batch`] and answered with one [`Ticket`]; when the ticket is committed, whatever the turn promised to a client
//! (PUBACK, SUBACK, ...) may be sent.
//!
//! The engine is a [`Log`] of segments with an index in memory, on top of a [`Disk`], of which there is a real one
//! and a simulated one. A [`CommitThread`] runs it and commits what all shards hand over in groups.

mod batch;
mod commit;
mod disk;
mod entry;
mod key;
mod level;
mod log;
mod ticket;
mod verify;

pub use batch::Batch;
pub use commit::{CommitLatencies, CommitOptions, CommitThread, Health, Loaded, ShardStore, ShutdownError};
pub use disk::{Disk, DiskFile, Fault, FileDisk, Operation, RealFile, SimulatedDisk, SimulatedFile};
pub use entry::{Entry, VALUE_BYTES_MAX};
pub use key::Key;
pub use level::Level;
pub use log::{Log, LogFigures, LogOptions, OpenError, Problem, ProblemKind, RecoveryReport, Stored};
pub use ticket::Ticket;
pub use verify::verify;
