//! What to simulate.

use crate::PlantedBug;

/// Everything that a seed does not decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Virtual seconds of traffic and faults, before everything heals.
    pub trouble_seconds: u64,
    /// A bug to be caught; none for the real program.
    pub planted_bug: Option<PlantedBug>,
    /// What becomes of the lines that describe what happens.
    pub trace: Trace,
}

/// What happens, line by line: packets, faults, and what the oracles are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trace {
    /// Nobody wants to know.
    #[default]
    Off,
    /// Each line is printed to standard error.
    Print,
    /// That many lines, the last ones before the first violation, are kept in the report.
    Keep(usize),
}

impl Default for Options {
    fn default() -> Self {
        Self { trouble_seconds: 60, planted_bug: None, trace: Trace::Off }
    }
}
