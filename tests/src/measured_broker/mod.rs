//! A small load: what a broker's processor time per delivered message is, next to another broker.

mod broker_process;
mod clients;
mod contender;
mod packets;
mod process_figures;
mod scenario;
mod traffic;

pub use broker_process::BrokerProcess;
pub use contender::Contender;
pub use process_figures::ProcessFigures;
pub use scenario::{Filters, Pace, SCENARIOS, Scenario};
pub use traffic::{Idle, Measured, idle, measure};
