//! The coordinator: what happens one after the other, and what it amounts to.

mod agent_process;
mod broker_under_fire;
mod broker_version;
mod coordinator;
mod interruption;
mod links;
mod series;
mod steps;
mod verdict;

pub use agent_process::agent;
pub use interruption::Interruption;

use std::path::PathBuf;

use coordinator::Coordinator;

use crate::BenchError;
use crate::limits;
use crate::plan::{Credentials, Plan};
use crate::process::exists;
use crate::report::Report;

/// What a run needs besides its plan.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// What clients tell the broker, and nobody else.
    pub credentials: Credentials,
    /// The program, with its arguments, that calls [`agent`]: for runs of several processes.
    pub agent_command: Option<(PathBuf, Vec<String>)>,
    /// Ends the run before its time.
    pub interruption: Interruption,
}

/// How far a run is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What is going on: `connect`, `measure`, ...
    pub phase: &'static str,
    /// Seconds since the run began.
    pub seconds: f64,
    /// When the phase should end, in seconds since the run began; none if that depends on the broker.
    pub phase_ends_at_seconds: Option<f64>,
    /// Clients that should be connected.
    pub clients: u64,
    /// Clients that are.
    pub connected: u64,
    /// Messages sent so far.
    pub sent: u64,
    /// Messages delivered so far.
    pub delivered: u64,
}

/// Runs a plan. `progress` is told now and then how far it is.
///
/// # Errors
/// The broker cannot be reached, or this machine cannot generate the load. What is wrong with the broker's answers is in
/// the report.
pub fn run(
    plan: Plan,
    environment: Environment,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Report, BenchError> {
    limits::check(&plan)?;
    if let Some(pid) = plan.broker_pids.iter().find(|pid| !exists(**pid)) {
        return Err(BenchError::new(format!("--pid {pid}: there is no such process")));
    }
    let interruption = &environment.interruption;
    let start = |command| broker_under_fire::start(command, &plan.target, interruption);
    let broker = plan.kill_broker.as_deref().map(start).transpose()?;
    let version = broker_version::broker_version(&plan, &environment.credentials);
    let mut coordinator = Coordinator::start(plan, environment, progress)?;
    coordinator.report.broker.version = version;
    coordinator.go_through(broker)
}
