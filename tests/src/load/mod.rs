//! A small load: what a broker's processor time per delivered message is, next to another broker.

mod broker_process;
mod packets;
mod process_figures;
mod scenario;
mod traffic;

pub use broker_process::{BrokerKind, BrokerProcess};
pub use process_figures::ProcessFigures;
pub use scenario::{SCENARIOS, Scenario};
pub use traffic::{Idle, Measured, idle, measure};
