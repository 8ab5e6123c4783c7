//! A load generator for MQTT brokers: any broker, and every message verified.
//!
//! [`plan::resolve`] makes a [`plan::Plan`] of a scenario's name and what else was asked for; [`run()`] runs it and
//! returns a [`report::Report`].
//!
//! A run has one or more event loops (`agent`), each a thread with its share of the clients, on non-blocking sockets. What
//! they publish and expect follows from the plan alone (`topology`). The coordinator (`run`) tells them what to do, one step
//! after the other, and sums up what they say. Every payload begins with a `Stamp`; `verify` looks at its number.

mod agent;
mod bench_error;
mod clock;
pub mod html;
mod latencies;
mod limits;
mod packets;
pub mod plan;
mod process;
pub mod report;
mod run;
mod stamp;
mod topology;
mod transport;
mod verify;

pub use bench_error::BenchError;
pub use latencies::Latencies;
pub use run::{Environment, Interruption, Progress, agent, run};
