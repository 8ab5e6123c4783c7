use crate::Latencies;
use crate::agent::{LoadTimes, Tick};
use crate::report::Counts;

/// What an event loop counts.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) times: LoadTimes,
    pub(crate) warm_up: Counts,
    pub(crate) measured: Counts,
    pub(crate) latency: Latencies,
    pub(crate) acknowledgement: Latencies,
    pub(crate) send_lag: Latencies,
    pub(crate) refused: u64,
    pub(crate) stalls: u64,
    pub(crate) connections_lost: u64,
    pub(crate) reconnected: u64,
    pub(crate) failures: Vec<String>,
    /// Why connections were lost: each reason once.
    pub(crate) loss_reasons: Vec<String>,
    interval: Latencies,
    /// Sent, acknowledged and delivered until the last tick.
    before: [u64; 3],
    run: Run,
}

/// Messages one after the other that took the same time: recorded at once.
#[derive(Default)]
struct Run {
    latency: u64,
    is_measured: bool,
    count: u64,
}

/// Kinds of failure that are remembered.
const FAILURES_MAX: usize = 20;

impl Tally {
    /// The counts of the phase in which a message was sent.
    #[inline]
    pub(crate) fn counts(&mut self, sent_at: u64) -> &mut Counts {
        if sent_at >= self.times.measure_from { &mut self.measured } else { &mut self.warm_up }
    }

    /// A message has come for the first time.
    #[inline]
    pub(crate) fn delivered(&mut self, sent_at: u64, now: u64) {
        let latency = now.saturating_sub(sent_at);
        let is_measured = sent_at >= self.times.measure_from;
        if self.run.latency != latency || self.run.is_measured != is_measured {
            self.end_run();
            self.run = Run { latency, is_measured, count: 0 };
        }
        self.run.count += 1;
    }

    /// Records what is left of the last messages.
    pub(crate) fn end_run(&mut self) {
        let Run { latency, is_measured, count } = std::mem::take(&mut self.run);
        if count == 0 {
            return;
        }
        self.interval.record_many(latency, count);
        if is_measured {
            self.latency.record_many(latency, count);
            self.measured.delivered += count;
        } else {
            self.warm_up.delivered += count;
        }
    }

    /// A connection broke off when it should not.
    pub(crate) fn lost_because(&mut self, why: &str) {
        if self.loss_reasons.len() < FAILURES_MAX && !self.loss_reasons.iter().any(|reason| reason == why) {
            self.loss_reasons.push(why.to_owned());
        }
    }

    pub(crate) fn fail(&mut self, failure: impl FnOnce() -> String) {
        if self.failures.len() < FAILURES_MAX {
            let failure = failure();
            if !self.failures.contains(&failure) {
                self.failures.push(failure);
            }
        }
    }

    pub(crate) fn total_delivered(&self) -> u64 {
        self.warm_up.delivered + self.measured.delivered
    }

    /// Goes up with everything that a publisher does.
    pub(crate) fn total_sent_and_acknowledged(&self) -> u64 {
        let of = |counts: &Counts| counts.sent + counts.acknowledged;
        of(&self.warm_up) + of(&self.measured)
    }

    /// What happened since the last time.
    pub(crate) fn tick(&mut self, at: u64, connected: u64) -> Tick {
        self.end_run();
        let total = [
            self.warm_up.sent + self.measured.sent,
            self.warm_up.acknowledged + self.measured.acknowledged,
            self.total_delivered(),
        ];
        let before = std::mem::replace(&mut self.before, total);
        Tick {
            at,
            connected,
            sent: total[0] - before[0],
            acknowledged: total[1] - before[1],
            delivered: total[2] - before[2],
            latencies: std::mem::take(&mut self.interval),
        }
    }
}
