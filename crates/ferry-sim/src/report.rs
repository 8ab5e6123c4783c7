//! What came out of a simulation.

use std::fmt;

/// The result of one seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The seed that makes exactly this happen again.
    pub seed: u64,
    /// Steps of the world: arrivals of bytes, deadlines, commits, mail, clients' actions.
    pub events: u64,
    /// Messages that clients published, wills included.
    pub messages: u64,
    /// Copies that arrived at clients.
    pub deliveries: u64,
    /// A digest of all packets in both directions: the same for the same seed and program.
    pub digest: u64,
    /// What happened before the first violation, if [`Trace::Keep`](crate::Trace::Keep) asked for it.
    pub history: Vec<String>,
    /// Properties that did not hold, at most [`Report::VIOLATIONS_MAX`].
    pub violations: Vec<Violation>,
}

impl Report {
    /// One broken property usually shows many times; more than this are not kept.
    pub const VIOLATIONS_MAX: usize = 20;
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Name of the oracle.
    pub property: &'static str,
    /// Virtual milliseconds since the start of the world.
    pub at_milliseconds: u64,
    /// What happened.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ms: {}: {}", self.at_milliseconds, self.property, self.detail)
    }
}
