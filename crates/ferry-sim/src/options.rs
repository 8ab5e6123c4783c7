//! What to simulate.

use crate::PlantedBug;

/// Everything that a seed does not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Virtual seconds of traffic and faults, before everything heals.
    pub trouble_seconds: u64,
    /// A bug to be caught; none for the real program.
    pub planted_bug: Option<PlantedBug>,
    /// Print every packet and fault to standard error.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { trouble_seconds: 60, planted_bug: None, trace: false }
    }
}
