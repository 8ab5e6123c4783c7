use std::collections::VecDeque;

use super::{ConnectOutcome, LoadTimes};
use crate::clock::from_seconds;
use crate::plan::Plan;

/// Which connections are to be opened, and when.
#[derive(Default)]
pub(crate) struct Connector {
    pub(crate) outcome: ConnectOutcome,
    /// Lost connections come back.
    pub(crate) reconnects: bool,
    waiting: VecDeque<usize>,
    /// After a failure, each with its time.
    retries: VecDeque<(u64, usize)>,
    opening: usize,
    /// When something happened for the last time to a connection that is being opened.
    progress_at: u64,
    patience: u64,
    next_at: u64,
    interval: u64,
    is_answered: bool,
}

/// Connections that one event loop opens at the same time: more would overflow the backlog of a listener, and a SYN
/// that is dropped costs a second.
const OPENING_MAX: usize = 64;

/// Until a lost connection is tried again.
const RETRY_NANOSECONDS: u64 = 50_000_000;

const FAILURES_MAX: usize = 10;

impl Connector {
    pub(crate) fn new(plan: &Plan) -> Self {
        let interval = plan.connects_per_second.map_or(0, |rate| (1e9 * plan.workers() as f64 / rate) as u64);
        let patience = from_seconds(plan.connect_seconds_max);
        Self { interval, patience, is_answered: true, ..Self::default() }
    }

    /// Begins to open these, with figures of their own.
    pub(crate) fn start(&mut self, connections: impl Iterator<Item = usize>, now: u64) {
        self.waiting.extend(connections);
        self.outcome =
            ConnectOutcome { clients: self.waiting.len() as u64, first_at: now, ..ConnectOutcome::default() };
        self.next_at = now;
        self.is_answered = false;
    }

    /// The next connection to open now.
    pub(crate) fn next(&mut self, now: u64) -> Option<usize> {
        if self.opening >= OPENING_MAX {
            return None;
        }
        if self.opening == 0 {
            self.progress_at = now;
        }
        if self.retries.front().is_some_and(|(at, _)| *at <= now) {
            self.opening += 1;
            return self.retries.pop_front().map(|(_, connection)| connection);
        }
        if self.next_at > now {
            return None;
        }
        let connection = self.waiting.pop_front()?;
        self.next_at = if self.interval == 0 { now } else { self.next_at + self.interval };
        self.opening += 1;
        Some(connection)
    }

    /// When there will be something to do without anything else happening.
    pub(crate) fn wakes_at(&self) -> Option<u64> {
        if self.opening >= OPENING_MAX {
            return None;
        }
        let retry = self.retries.front().map(|(at, _)| *at);
        let next = (!self.waiting.is_empty()).then_some(self.next_at);
        retry.into_iter().chain(next).min()
    }

    /// Something has come for a connection that is being opened.
    pub(crate) fn progressed(&mut self, now: u64) {
        self.progress_at = now;
    }

    /// Whether nothing has happened for too long to any connection that is being opened.
    pub(crate) fn is_stuck(&self, now: u64) -> bool {
        self.opening > 0 && now.saturating_sub(self.progress_at) > self.patience
    }

    /// Nobody answers: connections that were to be opened are not.
    pub(crate) fn give_up(&mut self) {
        if !self.reconnects {
            self.outcome.failed += self.waiting.len() as u64;
            self.waiting.clear();
        }
    }

    /// A connection is ready.
    pub(crate) fn succeeded(&mut self, now: u64) {
        self.opening = self.opening.saturating_sub(1);
        self.outcome.connected += 1;
        self.outcome.last_at = now;
    }

    /// A connection could not be opened.
    pub(crate) fn failed(&mut self, connection: usize, why: String, now: u64) {
        self.opening = self.opening.saturating_sub(1);
        if self.reconnects {
            return self.retries.push_back((now + RETRY_NANOSECONDS, connection));
        }
        self.outcome.failed += 1;
        if self.outcome.failures.len() < FAILURES_MAX && !self.outcome.failures.contains(&why) {
            self.outcome.failures.push(why);
        }
    }

    /// A connection that was ready is lost.
    pub(crate) fn lost(&mut self, connection: usize, now: u64) {
        if self.reconnects {
            self.retries.push_back((now + RETRY_NANOSECONDS, connection));
        }
    }

    /// The figures, once when everything that was to be opened is, or has failed.
    pub(crate) fn take_outcome(&mut self) -> Option<Box<ConnectOutcome>> {
        let is_over = !self.is_answered
            && self.waiting.is_empty()
            && self.outcome.connected + self.outcome.failed >= self.outcome.clients;
        if !is_over {
            return None;
        }
        self.is_answered = true;
        Some(Box::new(std::mem::take(&mut self.outcome)))
    }
}

impl LoadTimes {
    /// Everything counts, from now on.
    pub(crate) fn unlimited() -> Self {
        Self { start: 0, measure_from: 0, until: u64::MAX }
    }
}
