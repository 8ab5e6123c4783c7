//! Deterministic simulation of the broker's core.
//!
//! Shards, clients, networks and disks in one thread, with a virtual clock and all choices drawn from one seed:
//! bytes arrive late and in portions, connections break or fall silent, clients acknowledge late or never, come
//! back, take over and expire, commits take their time. Meanwhile the oracles watch everything that passes between
//! broker and clients and compare it with what the standard promises. A seed that breaks a promise can be run
//! again, with a trace, as often as one likes.
//!
//! ```
//! let report = ferry_sim::run(1, &ferry_sim::Options { trouble_seconds: 5, ..Default::default() });
//! assert_eq!(report.violations, []);
//! ```

mod broker;
mod client;
mod conditions;
mod damage;
mod fact;
mod host;
mod journal;
mod model;
mod network;
mod options;
mod oracle;
mod planted_bug;
mod random;
mod report;
mod store;
mod wire;
mod world;

pub use options::{Options, Trace};
pub use planted_bug::PlantedBug;
pub use report::{Report, Violation};

/// Runs the world of `seed` from beginning to end.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    world::World::new(seed, options).run(seed)
}

/// The client identifier of a client.
fn client_id(client: usize) -> String {
    format!("client-{client}")
}
