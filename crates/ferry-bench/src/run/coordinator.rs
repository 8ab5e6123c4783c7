use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::links::Links;
use super::series::Series;
use super::{Environment, Interruption, Progress};
use crate::BenchError;
use crate::agent::{Collection, Order, Word};
use crate::clock::{Clock, process_cpu_seconds};
use crate::plan::Plan;
use crate::process::{between, exists, listening_on, usage};
use crate::report::{
    Broker, BrokerCost, Connects, Counts, Distribution, GeneratorCost, Machine, Phase, REPORT_FORMAT, Report,
    Usage,
};

/// A run while it goes on: tells the event loops what to do, and listens to them.
pub(crate) struct Coordinator<'a> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) clock: Clock,
    pub(crate) links: Links,
    pub(crate) report: Report,
    /// Sums of all ticks.
    pub(crate) ticked: Ticked,
    /// What was published, as far as it was asked for.
    pub(crate) collection: Collection,
    pub(crate) series: Series,
    /// This step ends before its time if it is asked to.
    pub(crate) ends_early: bool,
    interruption: Interruption,
    next_sample: u64,
    progress: &'a mut dyn FnMut(&Progress),
    state: Progress,
}

/// Sums of all ticks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ticked {
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) delivered: u64,
}

/// A moment, with everything that has been used and counted until then.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) at: u64,
    pub(crate) broker: Option<Usage>,
    pub(crate) generator: Usage,
    pub(crate) ticked: Ticked,
}

const SAMPLE_NANOSECONDS: u64 = 1_000_000_000;

impl<'a> Coordinator<'a> {
    /// Starts the event loops.
    ///
    /// # Errors
    /// This machine cannot generate the load, or the broker's address cannot be found.
    pub(crate) fn start(
        plan: Plan,
        environment: Environment,
        progress: &'a mut dyn FnMut(&Progress),
    ) -> Result<Self, BenchError> {
        let clock = Clock::start();
        let plan = Arc::new(plan);
        let pids = broker_pids(&plan);
        let interruption = environment.interruption.clone();
        let links = Links::start(&plan, environment, clock)?;
        let clients = (plan.publishers() + plan.subscribers()) as u64;
        let mut coordinator = Self {
            clock,
            links,
            report: empty_report(&plan, pids),
            series: Series::default(),
            ends_early: false,
            interruption,
            next_sample: 0,
            ticked: Ticked::default(),
            progress,
            state: Progress { clients, ..Progress::default() },
            collection: Collection::default(),
            plan,
        };
        coordinator.sample();
        Ok(coordinator)
    }

    /// Begins a phase, for the progress line.
    pub(crate) fn begin(&mut self, phase: &'static str, ends_at: Option<u64>) {
        self.state.phase = phase;
        self.state.phase_ends_at_seconds = ends_at.map(|at| at as f64 / 1e9);
        self.tell_progress();
    }

    /// Puts a phase into the report.
    pub(crate) fn end_phase(&mut self, name: &str, before: Mark, after: Mark) {
        let seconds = (after.at - before.at) as f64 / 1e9;
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        self.report.phases.push(Phase {
            name: name.to_owned(),
            started_at_seconds: before.at as f64 / 1e9,
            seconds,
            counts: Counts::default(),
            sent_per_second: rate(after.ticked.sent - before.ticked.sent),
            delivered_per_second: rate(after.ticked.delivered - before.ticked.delivered),
            broker: after.broker.map(|broker| between(before.broker.unwrap_or_default(), broker)),
            generator: between(before.generator, after.generator),
        });
    }

    /// Takes an answer of every event loop: `wanted` returns what is in the word that is waited for.
    ///
    /// # Errors
    /// An event loop cannot go on.
    pub(crate) fn answers<T>(
        &mut self,
        mut wanted: impl FnMut(Word) -> Option<T>,
    ) -> Result<Vec<T>, BenchError> {
        let mut answers = Vec::new();
        while answers.len() < self.links.count() {
            answers.extend(self.next_word(u64::MAX)?.and_then(&mut wanted));
        }
        Ok(answers)
    }

    /// Whether somebody wants the run to end.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interruption.count() > 0
    }

    /// Which phase it is, for the person who interrupted it.
    pub(crate) fn phase(&self) -> &'static str {
        self.state.phase
    }

    /// Waits for a time, or until it is interrupted; returns how many loops have stopped to publish until then.
    ///
    /// # Errors
    /// An event loop cannot go on.
    pub(crate) fn wait_until(&mut self, time: u64) -> Result<usize, BenchError> {
        let mut stopped = 0;
        while self.clock.now() < time && !self.is_interrupted() {
            if let Some(Word::Stopped) = self.next_word(time)? {
                stopped += 1;
            }
        }
        Ok(stopped)
    }

    /// The next word that is not a tick; none at the deadline, and now and then before it.
    ///
    /// # Errors
    /// An event loop cannot go on.
    pub(crate) fn next_word(&mut self, deadline: u64) -> Result<Option<Word>, BenchError> {
        loop {
            if self.interruption.count() > usize::from(self.ends_early) {
                let Progress { phase, connected, clients, .. } = &self.state;
                let words =
                    format!("interrupted in the phase {phase}, {connected} of {clients} clients connected");
                return Err(BenchError::new(words));
            }
            let now = self.clock.now();
            if now >= self.next_sample {
                self.sample();
            }
            let wait = deadline.min(self.next_sample).saturating_sub(now);
            match self.links.words.recv_timeout(Duration::from_nanos(wait)) {
                Ok((worker, Word::Tick(tick))) => {
                    self.series.tick(worker, &tick);
                    self.ticked.sent += tick.sent;
                    self.ticked.acknowledged += tick.acknowledged;
                    self.ticked.delivered += tick.delivered;
                    self.tell_progress();
                    if deadline != u64::MAX {
                        return Ok(None);
                    }
                }
                Ok((_, Word::Failed(why))) => return Err(BenchError::new(why)),
                Ok((_, word)) => return Ok(Some(word)),
                Err(RecvTimeoutError::Timeout) if self.clock.now() >= deadline => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(BenchError::new("all event loops have ended before the run has"));
                }
            }
        }
    }

    /// This moment, with everything that the event loops have counted until now.
    ///
    /// # Errors
    /// An event loop cannot go on.
    pub(crate) fn mark(&mut self) -> Result<Mark, BenchError> {
        self.links.tell(&Order::Count);
        self.answers(|word| matches!(word, Word::Counted).then_some(()))?;
        Ok(self.mark_now())
    }

    /// Whether a process of the broker that is to be sampled has ended.
    pub(crate) fn broker_is_gone(&self) -> bool {
        !self.report.broker.pids.iter().all(|pid| exists(*pid))
    }

    /// Remembers the processes of a broker that was started anew.
    pub(crate) fn broker_is(&mut self, pid: u32) {
        self.report.broker.pids = vec![pid];
    }

    fn mark_now(&self) -> Mark {
        let pids = &self.report.broker.pids;
        let mut generator = usage(&[std::process::id()]);
        generator.cpu_seconds = process_cpu_seconds();
        let others = usage(self.links.other_processes());
        generator.cpu_seconds += others.cpu_seconds;
        generator.resident_bytes += others.resident_bytes;
        Mark {
            at: self.clock.now(),
            broker: (!pids.is_empty() && !self.broker_is_gone()).then(|| usage(pids)),
            generator,
            ticked: self.ticked,
        }
    }

    fn sample(&mut self) {
        let mark = self.mark_now();
        self.series.sample(mark.at, mark.broker, mark.generator);
        self.next_sample = mark.at + SAMPLE_NANOSECONDS - mark.at % SAMPLE_NANOSECONDS;
        if let (Some(cost), Some(broker)) = (&mut self.report.broker_cost, mark.broker) {
            cost.resident_bytes_max = cost.resident_bytes_max.max(broker.resident_bytes);
        }
        let generator = &mut self.report.generator;
        generator.resident_bytes_max = generator.resident_bytes_max.max(mark.generator.resident_bytes);
    }

    fn tell_progress(&mut self) {
        self.state.seconds = self.clock.now_seconds();
        self.state.connected = self.series.connected();
        self.state.sent = self.ticked.sent;
        self.state.delivered = self.ticked.delivered;
        (self.progress)(&self.state);
    }
}

fn broker_pids(plan: &Plan) -> Vec<u32> {
    if !plan.broker_pids.is_empty() {
        return plan.broker_pids.clone();
    }
    let is_here = ["localhost", "127.", "::1"].iter().any(|host| plan.target.host.starts_with(host));
    if is_here { listening_on(plan.target.port) } else { Vec::new() }
}

pub(super) fn empty_report(plan: &Plan, pids: Vec<u32>) -> Report {
    let broker_cost = (!pids.is_empty())
        .then(|| BrokerCost { resident_bytes_before: usage(&pids).resident_bytes, ..BrokerCost::default() });
    Report {
        format: REPORT_FORMAT,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at_unix_seconds: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs()),
        plan: plan.clone(),
        machine: Machine::here(),
        broker: Broker { version: None, pids },
        total: Counts::default(),
        phases: Vec::new(),
        latency: Distribution::default(),
        latency_is_queueing: plan.saturates(),
        acknowledgement: Distribution::default(),
        send_lag: Distribution::default(),
        connect: Connects::default(),
        series: Vec::new(),
        generator: GeneratorCost::default(),
        broker_cost,
        lookups: Vec::new(),
        storms: Vec::new(),
        kills: Vec::new(),
        interrupted: false,
        failures: Vec::new(),
        notes: Vec::new(),
    }
}
