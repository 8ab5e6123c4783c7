use crate::Latencies;
use crate::agent::Tick;
use crate::report::{Distribution, Second, Usage};

/// Second by second, as ticks and samples come in.
#[derive(Default)]
pub(crate) struct Series {
    seconds: Vec<Open>,
    /// Connected clients of each event loop.
    connected: Vec<u64>,
    before: Option<(Usage, Usage)>,
}

#[derive(Default)]
struct Open {
    second: Second,
    latencies: Option<Latencies>,
}

const NANOSECONDS: u64 = 1_000_000_000;

impl Series {
    pub(crate) fn tick(&mut self, worker: usize, tick: &Tick) {
        if self.connected.len() <= worker {
            self.connected.resize(worker + 1, 0);
        }
        self.connected[worker] = tick.connected;
        let connected = self.connected.iter().sum();
        let open = self.at(tick.at);
        open.second.connected = connected;
        open.second.sent += tick.sent;
        open.second.acknowledged += tick.acknowledged;
        open.second.delivered += tick.delivered;
        if !tick.latencies.histogram().is_empty() {
            open.latencies.get_or_insert_default().merge(&tick.latencies);
        }
    }

    /// Clients that are connected, by the latest ticks.
    pub(crate) fn connected(&self) -> u64 {
        self.connected.iter().sum()
    }

    /// What was used until the end of a second.
    pub(crate) fn sample(&mut self, at: u64, broker: Option<Usage>, generator: Usage) {
        let broker_now = broker.unwrap_or_default();
        let before = self.before.replace((broker_now, generator));
        let Some((broker_before, generator_before)) = before else { return };
        let second = &mut self.at(at).second;
        second.generator_cpus = (generator.cpu_seconds - generator_before.cpu_seconds).max(0.0);
        if broker.is_some() {
            let used = crate::process::between(broker_before, broker_now);
            second.broker_cpus = Some(used.cpu_seconds);
            second.broker_resident_bytes = Some(used.resident_bytes);
            second.broker_context_switches =
                Some(used.voluntary_context_switches + used.involuntary_context_switches);
        }
    }

    pub(crate) fn into_seconds(self) -> Vec<Second> {
        let close = |open: Open| {
            let mut second = open.second;
            if let Some(latencies) = open.latencies {
                let distribution = Distribution::of(&latencies);
                second.latency_p50_microseconds = Some(distribution.p50_microseconds);
                second.latency_p99_microseconds = Some(distribution.p99_microseconds);
                second.latency_max_microseconds = Some(distribution.max_microseconds);
            }
            second
        };
        self.seconds.into_iter().map(close).collect()
    }

    /// The second that ends at this time or after it.
    fn at(&mut self, nanoseconds: u64) -> &mut Open {
        // A tick comes shortly after the time it is for.
        let index = (nanoseconds.saturating_sub(NANOSECONDS / 20) / NANOSECONDS) as usize;
        while self.seconds.len() <= index {
            let at_seconds = (self.seconds.len() + 1) as f64;
            self.seconds.push(Open { second: Second { at_seconds, ..Second::default() }, latencies: None });
        }
        &mut self.seconds[index]
    }
}
