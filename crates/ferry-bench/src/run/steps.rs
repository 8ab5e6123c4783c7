use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::links::Links;
use super::series::Series;
use crate::BenchError;
use crate::agent::{Collection, ConnectOutcome, LoadTimes, Order, Outcome, Published, Who, Word};
use crate::clock::{Clock, from_seconds, process_cpu_seconds};
use crate::plan::{Credentials, Plan};
use crate::process::{between, listening_on, usage};
use crate::report::{
    Broker, BrokerCost, Connects, Counts, Distribution, GeneratorCost, Machine, Phase, REPORT_FORMAT, Report,
    Usage,
};
use crate::topology::parts;

/// Runs a plan. `progress` is told now and then how far it is.
///
/// # Errors
/// The broker cannot be reached, or this machine cannot generate the load. What is wrong with the broker's answers is in
/// the report.
pub fn run(
    plan: Plan,
    credentials: Credentials,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Report, BenchError> {
    let mut run = Run::start(plan, credentials, progress)?;
    run.connect(Who::Everyone)?;
    run.load()?;
    run.drain()?;
    run.finish()
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

/// A run while it goes on.
struct Run<'a> {
    plan: Arc<Plan>,
    clock: Clock,
    links: Links,
    report: Report,
    series: Series,
    next_sample: u64,
    /// Messages in ticks so far.
    ticked: Ticked,
    progress: &'a mut dyn FnMut(&Progress),
    state: Progress,
    collection: Collection,
}

/// Sums of all ticks.
#[derive(Clone, Copy, Default)]
struct Ticked {
    sent: u64,
    acknowledged: u64,
    delivered: u64,
}

/// A moment, with everything that has been used and counted until then.
#[derive(Clone, Copy)]
struct Mark {
    at: u64,
    broker: Option<Usage>,
    generator: Usage,
    ticked: Ticked,
}

const SAMPLE_NANOSECONDS: u64 = 1_000_000_000;

/// Between an order to publish and the first message, so that all loops begin at the same time.
const START_NANOSECONDS: u64 = 20_000_000;

impl<'a> Run<'a> {
    fn start(
        plan: Plan,
        credentials: Credentials,
        progress: &'a mut dyn FnMut(&Progress),
    ) -> Result<Self, BenchError> {
        let clock = Clock::start();
        let plan = Arc::new(plan);
        let credentials = Arc::new(credentials);
        let pids = broker_pids(&plan);
        let links = Links::start(&plan, &credentials, clock)?;
        let report = empty_report(&plan, pids);
        let clients = (plan.publishers() + plan.subscribers()) as u64;
        let mut run = Self {
            clock,
            links,
            report,
            series: Series::default(),
            next_sample: 0,
            ticked: Ticked::default(),
            progress,
            state: Progress { clients, ..Progress::default() },
            collection: Collection::default(),
            plan,
        };
        run.sample();
        Ok(run)
    }

    fn connect(&mut self, who: Who) -> Result<(), BenchError> {
        self.begin("connect", None);
        let before = self.mark();
        self.links.tell(&Order::Connect(who));
        let mut outcomes = Vec::new();
        while outcomes.len() < self.links.count() {
            if let Some(Word::Connected(outcome)) = self.next_word(u64::MAX)? {
                outcomes.push(*outcome);
            }
        }
        let after = self.mark();
        let connects = connects(&outcomes);
        self.end_phase("connect", before, after, Counts::default());
        if let Some(cost) = &mut self.report.broker_cost {
            let broker = between(before.broker.unwrap_or_default(), after.broker.unwrap_or_default());
            cost.resident_bytes_connected = broker.resident_bytes;
            let per = |value: f64, count: u64| (count > 0).then(|| value / count as f64);
            let grown = broker.resident_bytes.saturating_sub(cost.resident_bytes_before) as f64;
            cost.cpu_microseconds_per_connect = per(broker.cpu_seconds * 1e6, connects.connected);
            cost.resident_bytes_per_client = per(grown, connects.connected);
            cost.resident_bytes_per_subscription = per(grown, connects.subscriptions);
        }
        if connects.connected < connects.clients {
            let why = connects.failures.join("; ");
            let text = format!(
                "{} of {} clients are not connected: {why}",
                connects.clients - connects.connected,
                connects.clients
            );
            if connects.connected == 0 {
                return Err(BenchError::new(format!("{}: {text}", self.plan.target)));
            }
            self.report.failures.push(text);
        }
        self.report.connect = connects;
        Ok(())
    }

    /// Warm-up and measurement.
    fn load(&mut self) -> Result<(), BenchError> {
        let start = self.clock.now() + START_NANOSECONDS;
        let measure_from = start + from_seconds(self.plan.warm_up_seconds);
        let until = measure_from + from_seconds(self.plan.duration_seconds);
        self.links.tell(&Order::Load(LoadTimes { start, measure_from, until }));
        self.begin("warm-up", Some(measure_from));
        let begun = self.mark();
        let mut stopped = self.wait_until(measure_from)?;
        let measured = self.mark();
        self.end_phase("warm-up", begun, measured, Counts::default());
        self.begin("measure", Some(until));
        while stopped < self.links.count() {
            if let Some(Word::Stopped) = self.next_word(u64::MAX)? {
                stopped += 1;
            }
        }
        let ended = self.mark();
        self.end_phase("measure", measured, ended, Counts::default());
        self.report.generator.cpu_seconds = between(measured.generator, ended.generator).cpu_seconds;
        if let (Some(cost), Some(before), Some(after)) =
            (&mut self.report.broker_cost, measured.broker, ended.broker)
        {
            let used = between(before, after);
            cost.cpu_seconds = used.cpu_seconds;
            cost.voluntary_context_switches = used.voluntary_context_switches;
            cost.involuntary_context_switches = used.involuntary_context_switches;
        }
        // Ticks are a little late; what the loops have counted is in them.
        let messages =
            (ended.ticked.sent - measured.ticked.sent) + (ended.ticked.delivered - measured.ticked.delivered);
        let delivered = ended.ticked.delivered - measured.ticked.delivered;
        let per = |seconds: f64, count: u64| (count > 0).then(|| seconds * 1e6 / count as f64);
        self.report.generator.cpu_microseconds_per_message = per(self.report.generator.cpu_seconds, messages);
        if let Some(cost) = &mut self.report.broker_cost {
            cost.cpu_microseconds_per_delivered_message = per(cost.cpu_seconds, delivered);
        }
        Ok(())
    }

    /// Waits until everything has come that should, or nothing comes any more.
    fn drain(&mut self) -> Result<(), BenchError> {
        self.begin("drain", None);
        let before = self.mark();
        self.collection = self.collect()?;
        let expected = self.expected_copies();
        let sent: u64 = self.collection.streams.iter().map(|(_, published)| u64::from(published.sent)).sum();
        let has_acknowledgements = self.plan.parts.iter().all(|part| part.qos > 0);
        let patience = from_seconds(self.plan.drain_seconds_max);
        let mut progress = (self.clock.now(), self.ticked.delivered + self.ticked.acknowledged);
        loop {
            let is_acknowledged = !has_acknowledgements || self.ticked.acknowledged >= sent;
            if self.ticked.delivered >= expected && is_acknowledged {
                break;
            }
            let now = self.clock.now();
            let total = self.ticked.delivered + self.ticked.acknowledged;
            if total > progress.1 {
                progress = (now, total);
            } else if now.saturating_sub(progress.0) >= patience {
                break;
            }
            self.next_word(now + DRAIN_LOOK_NANOSECONDS)?;
        }
        self.collection = self.collect()?;
        let after = self.mark();
        self.end_phase("drain", before, after, Counts::default());
        Ok(())
    }

    fn collect(&mut self) -> Result<Collection, BenchError> {
        self.links.tell(&Order::Collect);
        let mut all = Collection::default();
        let mut answers = 0;
        while answers < self.links.count() {
            if let Some(Word::Collected(collection)) = self.next_word(u64::MAX)? {
                answers += 1;
                all.streams.extend(collection.streams);
                all.unacknowledged.extend(collection.unacknowledged);
            }
        }
        Ok(all)
    }

    fn expected_copies(&self) -> u64 {
        let parts = parts(&self.plan);
        let copies = |(stream, published): &(u32, Published)| {
            let part =
                parts.iter().rev().find(|part| part.traffic.streams() > 0 && part.stream(0) <= *stream);
            part.map_or(0, |part| part.copies_of(*stream)) * u64::from(published.sent)
        };
        self.collection.streams.iter().map(copies).sum()
    }

    fn finish(mut self) -> Result<Report, BenchError> {
        let streams = self.plan.parts.iter().map(|part| part.streams()).sum();
        let mut published = vec![Published::default(); streams];
        let collection = std::mem::take(&mut self.collection);
        for (stream, entry) in collection.streams {
            published[stream as usize] = entry;
        }
        self.links.tell(&Order::Finish { published, unacknowledged: collection.unacknowledged });
        let mut outcomes = Vec::new();
        while outcomes.len() < self.links.count() {
            if let Some(Word::Finished(outcome)) = self.next_word(u64::MAX)? {
                outcomes.push(*outcome);
            }
        }
        self.links.join();
        let mut report = self.report;
        report.series = self.series.into_seconds();
        take_outcomes(&mut report, &outcomes);
        judge(&mut report);
        Ok(report)
    }

    /// Waits for a time; returns how many loops have stopped until then.
    fn wait_until(&mut self, time: u64) -> Result<usize, BenchError> {
        let mut stopped = 0;
        while self.clock.now() < time {
            if let Some(Word::Stopped) = self.next_word(time)? {
                stopped += 1;
            }
        }
        Ok(stopped)
    }

    /// The next word that is not a tick; none at the deadline, or now and then before it.
    fn next_word(&mut self, deadline: u64) -> Result<Option<Word>, BenchError> {
        loop {
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

    fn sample(&mut self) {
        let mark = self.mark();
        self.series.sample(mark.at, mark.broker, mark.generator);
        self.next_sample = mark.at + SAMPLE_NANOSECONDS - mark.at % SAMPLE_NANOSECONDS;
        if let (Some(cost), Some(broker)) = (&mut self.report.broker_cost, mark.broker) {
            cost.resident_bytes_max = cost.resident_bytes_max.max(broker.resident_bytes);
        }
        let generator = &mut self.report.generator;
        generator.resident_bytes_max = generator.resident_bytes_max.max(mark.generator.resident_bytes);
    }

    fn mark(&self) -> Mark {
        let pids = &self.report.broker.pids;
        let mut generator = usage(&[std::process::id()]);
        generator.cpu_seconds = process_cpu_seconds();
        Mark {
            at: self.clock.now(),
            broker: (!pids.is_empty()).then(|| usage(pids)),
            generator,
            ticked: self.ticked,
        }
    }

    fn begin(&mut self, phase: &'static str, ends_at: Option<u64>) {
        self.state.phase = phase;
        self.state.phase_ends_at_seconds = ends_at.map(|at| at as f64 / 1e9);
        self.tell_progress();
    }

    fn end_phase(&mut self, name: &str, before: Mark, after: Mark, counts: Counts) {
        let seconds = (after.at - before.at) as f64 / 1e9;
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        self.report.phases.push(Phase {
            name: name.to_owned(),
            started_at_seconds: before.at as f64 / 1e9,
            seconds,
            counts,
            sent_per_second: rate(after.ticked.sent - before.ticked.sent),
            delivered_per_second: rate(after.ticked.delivered - before.ticked.delivered),
            broker: after.broker.map(|broker| between(before.broker.unwrap_or_default(), broker)),
            generator: between(before.generator, after.generator),
        });
    }

    fn tell_progress(&mut self) {
        self.state.seconds = self.clock.now_seconds();
        self.state.connected = self.series.connected();
        self.state.sent = self.ticked.sent;
        self.state.delivered = self.ticked.delivered;
        (self.progress)(&self.state);
    }
}

/// How often it is looked whether everything has come.
const DRAIN_LOOK_NANOSECONDS: u64 = 20_000_000;

fn broker_pids(plan: &Plan) -> Vec<u32> {
    if !plan.broker_pids.is_empty() {
        return plan.broker_pids.clone();
    }
    let is_here = ["localhost", "127.", "::1"].iter().any(|host| plan.target.host.starts_with(host));
    if is_here { listening_on(plan.target.port) } else { Vec::new() }
}

fn empty_report(plan: &Plan, pids: Vec<u32>) -> Report {
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
        failures: Vec::new(),
        notes: Vec::new(),
    }
}

fn connects(outcomes: &[ConnectOutcome]) -> Connects {
    let mut all = ConnectOutcome { first_at: u64::MAX, ..ConnectOutcome::default() };
    for outcome in outcomes {
        all.clients += outcome.clients;
        all.connected += outcome.connected;
        all.failed += outcome.failed;
        all.subscriptions += outcome.subscriptions;
        all.failures.extend(outcome.failures.iter().cloned());
        all.first_at = all.first_at.min(outcome.first_at);
        all.last_at = all.last_at.max(outcome.last_at);
        all.tcp.merge(&outcome.tcp);
        all.handshake.merge(&outcome.handshake);
        all.connack.merge(&outcome.connack);
        all.suback.merge(&outcome.suback);
    }
    all.failures.dedup();
    let seconds = all.last_at.saturating_sub(all.first_at) as f64 / 1e9;
    Connects {
        clients: all.clients,
        connected: all.connected,
        failed: all.failed,
        failures: all.failures,
        seconds,
        per_second: if seconds > 0.0 { all.connected as f64 / seconds } else { 0.0 },
        subscriptions: all.subscriptions,
        tcp: Distribution::of(&all.tcp),
        handshake: Distribution::of(&all.handshake),
        connack: Distribution::of(&all.connack),
        suback: Distribution::of(&all.suback),
    }
}

fn take_outcomes(report: &mut Report, outcomes: &[Outcome]) {
    let mut all = Outcome::default();
    for outcome in outcomes {
        all.warm_up += outcome.warm_up;
        all.measured += outcome.measured;
        all.latency.merge(&outcome.latency);
        all.acknowledgement.merge(&outcome.acknowledgement);
        all.send_lag.merge(&outcome.send_lag);
        all.connections_lost += outcome.connections_lost;
        all.reconnected += outcome.reconnected;
        all.refused += outcome.refused;
        all.stalls += outcome.stalls;
        report.failures.extend(outcome.failures.iter().cloned());
    }
    report.failures.dedup();
    for phase in &mut report.phases {
        match phase.name.as_str() {
            "warm-up" => phase.counts = all.warm_up,
            "measure" => phase.counts = all.measured,
            _ => {}
        }
    }
    report.total = all.warm_up;
    report.total += all.measured;
    report.latency = Distribution::of(&all.latency);
    report.acknowledgement = Distribution::of(&all.acknowledgement);
    report.send_lag = Distribution::of(&all.send_lag);
    if all.refused > 0 {
        report.failures.push(format!("{} publishes were refused by their acknowledgement", all.refused));
    }
    if all.stalls > 0 {
        report.notes.push(format!(
            "publishers waited {} times for a second for deliveries that did not come, and then went on",
            all.stalls
        ));
    }
}

/// What is wrong with a run, and what one has to know.
fn judge(report: &mut Report) {
    let total = report.total;
    let qos: Vec<u8> = report.plan.parts.iter().map(|part| part.qos).collect();
    if total.corrupt > 0 {
        report
            .failures
            .push(format!("{} messages are not what was sent, or are for somebody else", total.corrupt));
    }
    if total.reordered > 0 {
        report
            .failures
            .push(format!("{} messages came after a later one of the same stream", total.reordered));
    }
    if total.lost_acknowledged > 0 {
        report.failures.push(format!("{} copies of acknowledged messages are lost", total.lost_acknowledged));
    } else if total.lost > 0 && !qos.contains(&0) {
        report.failures.push(format!("{} copies are lost", total.lost));
    } else if total.lost > 0 {
        report.notes.push(format!("{} copies are lost, which QoS 0 allows", total.lost));
    }
    if total.duplicates > 0 && qos.iter().all(|qos| *qos != 1) {
        report.failures.push(format!("{} copies came more than once", total.duplicates));
    } else if total.duplicates > 0 {
        report.notes.push(format!("{} copies came more than once, which QoS 1 allows", total.duplicates));
    }
    if report.latency_is_queueing {
        report.notes.push(
            "publishers sent as fast as they could: the latency is mostly the time in queues".to_owned(),
        );
    }
}
