use super::broker_under_fire::BrokerUnderFire;
use super::coordinator::{Coordinator, Mark};
use super::verdict::{connects, judge, take_outcomes};
use crate::BenchError;
use crate::Latencies;
use crate::agent::{Collection, LoadTimes, LookupKind, LookupOutcome, Order, Published, Who, Word};
use crate::clock::from_seconds;
use crate::plan::Scenario;
use crate::process::between;
use crate::report::{Connects, Distribution, Lookup, Report};
use crate::topology::parts;

/// Between an order to publish and the first message, so that all loops begin at the same time.
const START_NANOSECONDS: u64 = 20_000_000;

/// How often it is looked, at least, whether the load is to end.
const LOOK_NANOSECONDS: u64 = 1_000_000_000;

/// How often it is looked whether everything has come.
const DRAIN_LOOK_NANOSECONDS: u64 = 20_000_000;

impl Coordinator<'_> {
    /// All steps of a plan.
    ///
    /// # Errors
    /// The broker cannot be reached, or an event loop cannot go on.
    pub(crate) fn go_through(mut self, broker: Option<BrokerUnderFire>) -> Result<Report, BenchError> {
        if let Err(error) = self.steps(broker) {
            if !self.is_interrupted() || self.ends_early || self.report.connect.clients == 0 {
                return Err(error);
            }
            // What was on its way is not lost for that.
            self.collection = Collection::default();
            let note = format!("interrupted in the phase {}: messages are not verified", self.phase());
            self.report.notes.push(note);
        }
        self.report.interrupted = self.is_interrupted();
        self.ends_early = true;
        self.finish()
    }

    fn steps(&mut self, broker: Option<BrokerUnderFire>) -> Result<(), BenchError> {
        match self.plan.scenario {
            Scenario::Conn | Scenario::Idle => {
                self.connect(Who::Everyone)?;
                self.hold()?;
            }
            Scenario::Storm => self.storm()?,
            Scenario::Offline => self.offline()?,
            Scenario::Retained => self.retained()?,
            Scenario::P2p | Scenario::Fanout | Scenario::Sharedsub | Scenario::Wildcard | Scenario::Mixed => {
                self.connect(Who::Everyone)?;
                self.load(broker)?;
                let before = self.mark()?;
                self.drain()?;
                let after = self.mark()?;
                self.end_phase("drain", before, after);
            }
        }
        Ok(())
    }

    fn connect(&mut self, who: Who) -> Result<(), BenchError> {
        self.begin("connect", None);
        let before = self.mark()?;
        let connects = self.open(who)?;
        let after = self.mark()?;
        self.end_phase("connect", before, after);
        if let (Some(cost), Some(was), Some(is)) = (&mut self.report.broker_cost, before.broker, after.broker)
        {
            let seconds = between(was, is).cpu_seconds;
            cost.cpu_microseconds_per_connect = per(seconds * 1e6, connects.connected);
        }
        self.connected_memory(after, connects.connected, connects.subscriptions);
        self.report.connect = connects;
        Ok(())
    }

    /// What the broker's memory has grown to with its clients.
    fn connected_memory(&mut self, mark: Mark, clients: u64, subscriptions: u64) {
        if let (Some(cost), Some(broker)) = (&mut self.report.broker_cost, mark.broker) {
            cost.resident_bytes_connected = broker.resident_bytes;
            let grown = broker.resident_bytes.saturating_sub(cost.resident_bytes_before) as f64;
            cost.resident_bytes_per_client = per(grown, clients);
            cost.resident_bytes_per_subscription = per(grown, subscriptions);
        }
    }

    fn open(&mut self, who: Who) -> Result<Connects, BenchError> {
        self.links.tell(&Order::Connect(who));
        let outcomes = self.answers(|word| match word {
            Word::Connected(outcome) => Some(*outcome),
            _ => None,
        })?;
        let connects = connects(&outcomes);
        if connects.connected < connects.clients {
            let missing = connects.clients - connects.connected;
            let why = connects.failures.join("; ");
            let text = format!("{missing} of {} clients are not connected: {why}", connects.clients);
            if connects.connected == 0 {
                return Err(BenchError::new(format!("{}: {text}", self.plan.target)));
            }
            self.report.failures.push(text);
            let hint = "some clients got in and others did not: brokers have limits, also of connections per second, and \
                        --connect-rate or --ramp opens them slower";
            if !self.report.notes.iter().any(|note| note == hint) {
                self.report.notes.push(hint.to_owned());
            }
        }
        Ok(connects)
    }

    fn disconnect(&mut self, who: Who, abrupt: bool) -> Result<(), BenchError> {
        self.links.tell(&Order::Disconnect { who, abrupt });
        self.answers(|word| matches!(word, Word::Disconnected).then_some(()))?;
        Ok(())
    }

    /// All clients are connected and do nothing.
    fn hold(&mut self) -> Result<(), BenchError> {
        let until = self.clock.now() + from_seconds(self.plan.duration_seconds);
        self.begin("hold", Some(until));
        self.ends_early = true;
        let before = self.mark()?;
        self.wait_until(until)?;
        let after = self.mark()?;
        self.end_phase("hold", before, after);
        self.note_interruption(before, after);
        self.measured(before, after);
        let (clients, subscriptions) = (self.report.connect.connected, self.report.connect.subscriptions);
        self.connected_memory(after, clients, subscriptions);
        Ok(())
    }

    /// All connections break, and all come back at once.
    fn storm(&mut self) -> Result<(), BenchError> {
        self.connect(Who::Everyone)?;
        for _ in 0..self.plan.rounds {
            self.begin("storm", None);
            let before = self.mark()?;
            self.disconnect(Who::Everyone, true)?;
            let connects = self.open(Who::Everyone)?;
            let after = self.mark()?;
            self.end_phase("storm", before, after);
            self.report.storms.push(connects);
        }
        Ok(())
    }

    /// Messages are published while subscribers are away; then these come back.
    fn offline(&mut self) -> Result<(), BenchError> {
        self.connect(Who::Everyone)?;
        self.disconnect(Who::Subscribers, false)?;
        let messages = u32::try_from(self.plan.offline_messages).unwrap_or(u32::MAX);
        self.publish_each("publish", messages)?;
        self.begin("drain", None);
        let before = self.mark()?;
        let connects = self.open(Who::Subscribers)?;
        self.drain()?;
        let after = self.mark()?;
        self.end_phase("drain", before, after);
        self.measured(before, after);
        self.report.storms.push(connects);
        self.report.notes.push("the latency has the time in it that subscribers were away".to_owned());
        Ok(())
    }

    /// Publishes so many messages of every stream, and waits until they are acknowledged.
    fn publish_each(&mut self, name: &'static str, messages: u32) -> Result<(), BenchError> {
        self.begin(name, None);
        let before = self.mark()?;
        self.links.tell(&Order::PublishEach(messages));
        self.answers(|word| matches!(word, Word::Stopped).then_some(()))?;
        self.collection = self.collect()?;
        self.settle(0)?;
        let after = self.mark()?;
        self.end_phase(name, before, after);
        Ok(())
    }

    /// Retained messages are published, looked up in two ways, and removed.
    fn retained(&mut self) -> Result<(), BenchError> {
        self.connect(Who::Everyone)?;
        let before = self.mark()?;
        self.publish_each("publish", 1)?;
        let after = self.mark()?;
        if let (Some(was), Some(is)) = (before.broker, after.broker) {
            let grown = is.resident_bytes.saturating_sub(was.resident_bytes) as f64;
            let messages = after.ticked.sent - before.ticked.sent;
            let bytes = per(grown, messages).unwrap_or_default();
            self.report
                .notes
                .push(format!("{bytes:.0} bytes of the broker's memory for each retained message"));
        }
        for kind in [LookupKind::Everything, LookupKind::Groups] {
            self.look_up(kind)?;
        }
        self.begin("remove", None);
        self.links.tell(&Order::RemoveRetained);
        self.answers(|word| matches!(word, Word::Stopped).then_some(()))?;
        self.disconnect(Who::Publishers, false)
    }

    fn look_up(&mut self, kind: LookupKind) -> Result<(), BenchError> {
        self.begin("look up", None);
        let before = self.mark()?;
        self.links.tell(&Order::Lookup(kind));
        let outcomes = self.answers(|word| match word {
            Word::LookedUp(outcome) => Some(*outcome),
            _ => None,
        })?;
        let after = self.mark()?;
        let mut lookup = sum_of_lookups(&outcomes);
        lookup.broker = after.broker.map(|broker| between(before.broker.unwrap_or_default(), broker));
        if lookup.delivered < lookup.expected {
            let lost = lookup.expected - lookup.delivered;
            self.report.failures.push(format!("{lost} retained messages did not come to {}", lookup.filter));
        }
        self.report.lookups.push(lookup);
        self.end_phase("look up", before, after);
        Ok(())
    }

    /// Warm-up and measurement.
    fn load(&mut self, mut broker: Option<BrokerUnderFire>) -> Result<(), BenchError> {
        if broker.is_some() {
            self.links.tell(&Order::Reconnect);
            // Its processes come and go.
            self.report.broker_cost = None;
        }
        let start = self.clock.now() + START_NANOSECONDS;
        let measure_from = start + from_seconds(self.plan.warm_up_seconds);
        let until = measure_from + from_seconds(self.plan.duration_seconds);
        self.begin("warm-up", Some(measure_from));
        let begun = self.mark()?;
        self.ends_early = true;
        self.links.tell(&Order::Load(LoadTimes { start, measure_from, until }));
        let mut stopped = self.wait_until(measure_from)?;
        let measured = self.mark()?;
        self.end_phase("warm-up", begun, measured);
        self.begin("measure", Some(until));
        let mut is_told = false;
        while stopped < self.links.count() {
            if self.is_interrupted() && !std::mem::replace(&mut is_told, true) {
                self.links.tell(&Order::EndLoad);
            }
            let wake_at = match &mut broker {
                Some(broker) if !is_told => broker.look(self, until)?,
                _ => self.clock.now() + LOOK_NANOSECONDS,
            };
            if let Some(Word::Stopped) = self.next_word(wake_at)? {
                stopped += 1;
            }
        }
        let ended = self.mark()?;
        self.end_phase("measure", measured, ended);
        self.measured(measured, ended);
        self.note_interruption(measured, ended);
        if let Some(broker) = &mut broker {
            broker.settle(self)?;
        }
        self.links.keep(broker);
        Ok(())
    }

    /// Says how much of what was to be measured was.
    fn note_interruption(&mut self, before: Mark, after: Mark) {
        if self.is_interrupted() {
            let measured = (after.at - before.at) as f64 / 1e9;
            let planned = self.plan.duration_seconds;
            self.report.notes.push(format!("interrupted: {measured:.1} of {planned:.1} s were measured"));
        }
    }

    /// Between these two, costs count.
    fn measured(&mut self, before: Mark, after: Mark) {
        let generator = &mut self.report.generator;
        let delivered = after.ticked.delivered - before.ticked.delivered;
        let messages = delivered + after.ticked.sent - before.ticked.sent;
        generator.cpu_seconds = between(before.generator, after.generator).cpu_seconds;
        generator.cpu_microseconds_per_message = per(generator.cpu_seconds * 1e6, messages);
        if let (Some(cost), Some(was), Some(is)) = (&mut self.report.broker_cost, before.broker, after.broker)
        {
            let used = between(was, is);
            cost.cpu_seconds = used.cpu_seconds;
            cost.cpu_microseconds_per_delivered_message = per(used.cpu_seconds * 1e6, delivered);
            cost.voluntary_context_switches = used.voluntary_context_switches;
            cost.involuntary_context_switches = used.involuntary_context_switches;
        }
    }

    /// Waits until everything has come that should, or nothing comes any more.
    fn drain(&mut self) -> Result<(), BenchError> {
        self.begin("drain", None);
        self.collection = self.collect()?;
        self.settle(self.expected_copies())?;
        self.collection = self.collect()?;
        Ok(())
    }

    /// Waits for so many deliveries and for all acknowledgements, as long as there is some progress.
    fn settle(&mut self, expected: u64) -> Result<(), BenchError> {
        let parts = parts(&self.plan);
        let is_acknowledged = |stream: u32| {
            let part = parts.iter().rev().find(|part| part.traffic.streams() > 0 && part.stream(0) <= stream);
            part.is_some_and(|part| part.traffic.qos > 0)
        };
        let streams = self.collection.streams.iter().filter(|(stream, _)| is_acknowledged(*stream));
        let acknowledgements: u64 = streams.map(|(_, published)| u64::from(published.sent)).sum();
        let patience = from_seconds(self.plan.drain_seconds_max);
        let mut progress = (self.clock.now(), 0);
        while self.ticked.delivered < expected || self.ticked.acknowledged < acknowledgements {
            let now = self.clock.now();
            let total = self.ticked.delivered + self.ticked.acknowledged;
            if total > progress.1 {
                progress = (now, total);
            } else if now.saturating_sub(progress.0) >= patience {
                break;
            }
            self.next_word(now + DRAIN_LOOK_NANOSECONDS)?;
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<Collection, BenchError> {
        self.links.tell(&Order::Collect);
        let mut all = Collection::default();
        let collections = self.answers(|word| match word {
            Word::Collected(collection) => Some(collection),
            _ => None,
        })?;
        for collection in collections {
            all.streams.extend(collection.streams);
            all.unacknowledged.extend(collection.unacknowledged);
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
        let outcomes = self.answers(|word| match word {
            Word::Finished(outcome) => Some(*outcome),
            _ => None,
        })?;
        let is_gone = self.plan.kill_broker.is_none() && self.broker_is_gone();
        self.links.join();
        let mut report = self.report;
        if is_gone {
            report.notes.push("the broker's process has ended: what it cost is not known".to_owned());
        }
        report.series = self.series.into_seconds();
        take_outcomes(&mut report, &outcomes);
        judge(&mut report);
        Ok(report)
    }
}

fn per(value: f64, count: u64) -> Option<f64> {
    (count > 0).then(|| value / count as f64)
}

fn sum_of_lookups(outcomes: &[LookupOutcome]) -> Lookup {
    let mut time = Latencies::default();
    let mut lookup = Lookup::default();
    for outcome in outcomes.iter().filter(|outcome| outcome.subscriptions > 0) {
        lookup.filter.clone_from(&outcome.filter);
        lookup.subscriptions += outcome.subscriptions;
        lookup.expected += outcome.expected;
        lookup.delivered += outcome.delivered;
        time.merge(&outcome.time);
    }
    let first = outcomes.iter().map(|outcome| outcome.first_at).min().unwrap_or(0);
    let last = outcomes.iter().map(|outcome| outcome.last_at).max().unwrap_or(0);
    lookup.seconds = last.saturating_sub(first) as f64 / 1e9;
    lookup.delivered_per_second =
        if lookup.seconds > 0.0 { lookup.delivered as f64 / lookup.seconds } else { 0.0 };
    lookup.time = Distribution::of(&time);
    lookup
}
