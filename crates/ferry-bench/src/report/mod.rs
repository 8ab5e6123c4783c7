//! The result document: what a run was, what was measured, and what is wrong with it.
//!
//! It is written by `--json`. Names have their units; what could not be measured is absent.

mod counts;
mod distribution;
mod machine;
mod summary;

pub use counts::Counts;
pub use distribution::{Distribution, DistributionPoint};
pub use machine::Machine;

use serde::{Deserialize, Serialize};

use crate::plan::Plan;

/// The version of this document's form; it goes up when a field changes its meaning.
pub const REPORT_FORMAT: u32 = 1;

/// Everything about one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_FORMAT`].
    pub format: u32,
    /// Of Ferry, whose `bench` this was.
    pub tool_version: String,
    /// Seconds since the Unix epoch.
    pub started_at_unix_seconds: u64,
    /// The scenario and its parameters.
    pub plan: Plan,
    /// Where the load was generated.
    pub machine: Machine,
    /// The broker, as far as it is known.
    pub broker: Broker,
    /// Messages in all phases together.
    pub total: Counts,
    /// What happened one after the other.
    pub phases: Vec<Phase>,
    /// From sending to arrival, of the messages of the measured phase. With a rate it counts from the time at which
    /// the message should have been sent.
    pub latency: Distribution,
    /// The latency is mostly the time in queues, since publishers sent as fast as they could.
    pub latency_is_queueing: bool,
    /// From PUBLISH to PUBACK (QoS 1) or PUBCOMP (QoS 2), of the measured phase.
    pub acknowledgement: Distribution,
    /// How much later than planned messages were sent, with a rate: what the generator itself or back-pressure adds.
    pub send_lag: Distribution,
    /// Opening connections.
    pub connect: Connects,
    /// The measured phase and its neighbours, second by second.
    pub series: Vec<Second>,
    /// What the load cost its generator.
    pub generator: GeneratorCost,
    /// What it cost the broker, if its process is known.
    pub broker_cost: Option<BrokerCost>,
    /// Of the scenario retained.
    pub lookups: Vec<Lookup>,
    /// Of the scenario storm: one entry for each round.
    pub storms: Vec<Connects>,
    /// With `--kill-broker`: one entry for each kill.
    pub kills: Vec<Kill>,
    /// Somebody ended it before its time.
    #[serde(default)]
    pub interrupted: bool,
    /// What is wrong. Any of it makes the exit status 1.
    pub failures: Vec<String>,
    /// What one has to know to read the numbers right.
    pub notes: Vec<String>,
}

/// The broker under load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Broker {
    /// The topic `$SYS/broker/version`, if the broker has it.
    pub version: Option<String>,
    /// Processes that were sampled.
    pub pids: Vec<u32>,
}

/// One part of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// `connect`, `warm-up`, `measure`, `drain`, ...
    pub name: String,
    /// When it began, in seconds since the run began.
    pub started_at_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// Messages, by the phase in which they were sent and should have been delivered.
    pub counts: Counts,
    /// Messages sent in each second.
    pub sent_per_second: f64,
    /// Messages delivered in each second.
    pub delivered_per_second: f64,
    /// What the broker used.
    pub broker: Option<Usage>,
    /// What this generator used.
    pub generator: Usage,
}

/// What processes used in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// In user and kernel mode.
    pub cpu_seconds: f64,
    /// Memory at the end.
    pub resident_bytes: u64,
    /// They waited for something.
    pub voluntary_context_switches: u64,
    /// Others had their turn.
    pub involuntary_context_switches: u64,
}

/// Opening connections.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connects {
    /// Clients that should be connected.
    pub clients: u64,
    /// Clients that have got a CONNACK that lets them in, and all their SUBACKs.
    pub connected: u64,
    /// Attempts that were refused or broke off.
    pub failed: u64,
    /// The first of each kind of failure.
    pub failures: Vec<String>,
    /// From the first attempt to the last success.
    pub seconds: f64,
    /// Clients connected per second.
    pub per_second: f64,
    /// Topic filters subscribed to.
    pub subscriptions: u64,
    /// Until TCP is connected.
    pub tcp: Distribution,
    /// From then until TLS and WebSocket are there, with `mqtts`, `ws` and `wss`.
    pub handshake: Distribution,
    /// From CONNECT to CONNACK.
    pub connack: Distribution,
    /// From SUBSCRIBE to SUBACK.
    pub suback: Distribution,
}

/// One second of a run. Rates are of this second, everything else as it was at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// The end of the second, in seconds since the run began.
    pub at_seconds: f64,
    /// Connected clients.
    pub connected: u64,
    /// Messages sent.
    pub sent: u64,
    /// Publishes acknowledged.
    pub acknowledged: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Median latency of what was delivered in this second; absent if there was nothing.
    pub latency_p50_microseconds: Option<f64>,
    /// 99 of 100 were faster.
    pub latency_p99_microseconds: Option<f64>,
    /// The slowest.
    pub latency_max_microseconds: Option<f64>,
    /// Processors that the broker kept busy: 1.0 is one.
    pub broker_cpus: Option<f64>,
    /// Memory of the broker.
    pub broker_resident_bytes: Option<u64>,
    /// Of the broker, voluntary and not.
    pub broker_context_switches: Option<u64>,
    /// Processors that this generator kept busy.
    pub generator_cpus: f64,
}

/// What the load cost its generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorCost {
    /// In the measured phase, of all its processes.
    pub cpu_seconds: f64,
    /// For each message sent or received in the measured phase; absent if there was none.
    pub cpu_microseconds_per_message: Option<f64>,
    /// The most memory of all its processes.
    pub resident_bytes_max: u64,
}

/// What the load cost the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BrokerCost {
    /// In the measured phase.
    pub cpu_seconds: f64,
    /// For each message delivered in the measured phase; absent if there was none.
    pub cpu_microseconds_per_delivered_message: Option<f64>,
    /// For each client connected, with its subscriptions; absent if there was none.
    pub cpu_microseconds_per_connect: Option<f64>,
    /// Before the first connection.
    pub resident_bytes_before: u64,
    /// With all clients connected, before the first message.
    pub resident_bytes_connected: u64,
    /// The most that was seen.
    pub resident_bytes_max: u64,
    /// `resident_bytes_connected` without `resident_bytes_before`, for each client.
    pub resident_bytes_per_client: Option<f64>,
    /// The same, for each subscription.
    pub resident_bytes_per_subscription: Option<f64>,
    /// In the measured phase.
    pub voluntary_context_switches: u64,
    /// In the measured phase.
    pub involuntary_context_switches: u64,
}

/// Retained messages looked up by one kind of filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    /// An example of the filters.
    pub filter: String,
    /// How many subscriptions asked.
    pub subscriptions: u64,
    /// Retained messages that should have come.
    pub expected: u64,
    /// Retained messages that came.
    pub delivered: u64,
    /// From SUBSCRIBE to the last message.
    pub seconds: f64,
    /// Messages per second.
    pub delivered_per_second: f64,
    /// From each SUBSCRIBE to its last message.
    pub time: Distribution,
    /// What the broker used.
    pub broker: Option<Usage>,
}

/// One kill of the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Kill {
    /// When, in seconds since the run began.
    pub at_seconds: f64,
    /// Until the broker listened again.
    pub listening_after_seconds: Option<f64>,
    /// Until all clients were connected again.
    pub connected_after_seconds: Option<f64>,
    /// Until the first message was delivered.
    pub delivering_after_seconds: Option<f64>,
}
