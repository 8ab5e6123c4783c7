//! What a run does: everything that was left open by the command line is decided here, so a plan is repeatable.

mod check;
mod scenario;
mod target;

pub use scenario::{NAMED_SCENARIOS, Overrides, Scenario, resolve};
pub use target::{Scheme, Target};

use serde::{Deserialize, Serialize};

/// A run, completely decided. It is part of the result document, and what is sent to the processes of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The name that was asked for, as `p2p` or `singlenode-fanout-5-1000-5-250K`.
    pub name: String,
    /// What kind of run it is.
    pub scenario: Scenario,
    /// Who publishes to whom; several parts run at the same time.
    pub parts: Vec<Traffic>,
    /// The broker.
    pub target: Target,
    /// The version that clients speak.
    pub protocol: Protocol,
    /// Of every client; 0 is none.
    pub keep_alive_seconds: u16,
    /// Sessions outlive their connections: no Clean Start, and a session expiry in 5.0.
    pub persistent_sessions: bool,
    /// How long messages are published before anything is measured.
    pub warm_up_seconds: f64,
    /// How long is measured: publishing, or for connections how long they are held.
    pub duration_seconds: f64,
    /// Connections opened per second; none: as fast as the broker takes them.
    pub connects_per_second: Option<f64>,
    /// How long nothing may happen to any of the connections that are being opened, before they count as refused.
    #[serde(default = "default_connect_seconds_max")]
    pub connect_seconds_max: f64,
    /// How long to wait, after the last message was published, without any delivery, before what is missing counts as lost.
    pub drain_seconds_max: f64,
    /// Processes that generate load; 1 is this one alone.
    pub processes: usize,
    /// Event loops in each process.
    pub threads: usize,
    /// A range of addresses to connect from, as `127.0.0.0/24`.
    pub source_addresses: Option<String>,
    /// Makes client identifiers, topics and payloads of this run its own.
    pub seed: u64,
    /// Rounds of a reconnect storm.
    pub rounds: usize,
    /// Messages for each topic that are published while its subscribers are away.
    pub offline_messages: usize,
    /// Process IDs of the broker, to be sampled; empty: found by its port if it is on this machine.
    pub broker_pids: Vec<u32>,
    /// The command that starts the broker, if it is to be killed under load.
    pub kill_broker: Option<String>,
    /// Seconds between kills.
    pub kill_interval_seconds: f64,
}

/// Of plans that do not say it.
pub(crate) fn default_connect_seconds_max() -> f64 {
    20.0
}

/// Clients that publish and subscribe among themselves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Which subscribers hear which topics.
    pub pattern: Pattern,
    /// Clients that publish.
    pub publishers: usize,
    /// Clients that subscribe. Of [`Pattern::Idle`]: all clients.
    pub subscribers: usize,
    /// Topics; with fewer than publishers, several publish to the same.
    pub topics: usize,
    /// Of messages and subscriptions: 0, 1 or 2.
    pub qos: u8,
    /// Bytes of each payload, at least 16: publisher, number, time and checksum.
    pub payload_bytes: usize,
    /// How fast each publisher is.
    pub load: Load,
}

/// Which subscribers hear which topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// Subscriber i has the topics i, i + subscribers, ...; with fewer topics than subscribers, several have the same.
    Pairs,
    /// Every subscriber has every topic.
    Everyone,
    /// All subscribers share one subscription to all topics: each message goes to one of them.
    Shared,
    /// As `Pairs`, with filters of which three of four have a wildcard, each matching one topic.
    Wildcards,
    /// As `Pairs`, with nobody who publishes.
    Idle,
    /// One message for each topic, retained; then subscribers look them up.
    Retained,
}

/// How fast a publisher is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Load {
    /// Open loop: messages have a schedule, and latency counts from it.
    Rate {
        /// Of each publisher.
        messages_per_second: f64,
    },
    /// As fast as it goes, with a limit of what is on its way. Latency is then mostly the time in queues.
    Saturate {
        /// Messages of one publisher that are not yet acknowledged, or not yet delivered to all their subscribers.
        window: usize,
    },
}

/// The versions that clients can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// MQTT 3.1.1.
    #[serde(rename = "3.1.1")]
    V311,
    /// MQTT 5.0.
    #[serde(rename = "5")]
    V5,
}

/// What only the clients may know: it is not in the result document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    /// In CONNECT.
    pub user_name: Option<String>,
    /// In CONNECT.
    pub password: Option<String>,
    /// Trust only certificates of these authorities, a PEM file; none: those of the system.
    pub ca_file: Option<String>,
    /// The clients' certificate chain, a PEM file.
    pub certificate_file: Option<String>,
    /// Its private key, a PEM file.
    pub key_file: Option<String>,
    /// Take any certificate of the broker.
    pub insecure: bool,
}

impl Plan {
    /// All event loops, over all processes.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.processes.max(1) * self.threads.max(1)
    }

    /// Clients that publish, in all parts.
    #[must_use]
    pub fn publishers(&self) -> usize {
        self.parts.iter().map(|part| part.publishers).sum()
    }

    /// Clients that subscribe, in all parts.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.parts.iter().map(|part| part.subscribers).sum()
    }

    /// Whether latency is mostly the time in queues, since some publisher is as fast as it can.
    #[must_use]
    pub fn saturates(&self) -> bool {
        self.parts.iter().any(|part| part.publishers > 0 && matches!(part.load, Load::Saturate { .. }))
    }
}

impl Traffic {
    /// Streams of messages, each from one publisher to one topic, numbered on its own.
    #[must_use]
    pub fn streams(&self) -> usize {
        if self.publishers == 0 { 0 } else { self.topics.max(self.publishers) }
    }

    /// Copies that a message has to be delivered in, if every subscriber hears the same.
    #[must_use]
    pub fn copies(&self) -> f64 {
        match self.pattern {
            Pattern::Everyone => self.subscribers as f64,
            Pattern::Shared => 1.0,
            Pattern::Pairs | Pattern::Wildcards => (self.subscribers as f64 / self.topics as f64).max(1.0),
            Pattern::Idle | Pattern::Retained => 0.0,
        }
    }
}
