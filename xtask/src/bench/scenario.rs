use serde_json::Value;

use super::figures::{Figure, Target, Unit};
use super::peer::{Need, Part};

/// Something that is measured with each broker.
pub(super) struct Scenario {
    /// For `--only`, and as part of file names.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// Of `ferry bench`; none: the broker is only watched.
    pub(super) arguments: &'static [&'static str],
    pub(super) need: Need,
    pub(super) group: Group,
    /// At least so long, however short others are: where the broker has little to do.
    pub(super) seconds_min: f64,
    pub(super) figures: &'static [Figure],
}

/// Who takes part in a scenario, and so in which table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Ferry in memory, and all peers.
    Peers,
    /// Ferry with its store, and in memory.
    Durable,
    /// Ferry with one shard and with two.
    Shards,
}

impl Group {
    /// Whether a broker takes part.
    pub(super) fn has(self, part: Option<Part>) -> bool {
        match self {
            Self::Peers => matches!(part, None | Some(Part::Main)),
            Self::Durable => matches!(part, Some(Part::Main | Part::Durable)),
            Self::Shards => matches!(part, Some(Part::Main | Part::Shards)),
        }
    }
}

impl Scenario {
    /// What follows `ferry bench`; with a tenth of the largest sizes if it has to be quick.
    pub(super) fn arguments(&self, seconds: f64, quick: bool) -> Vec<String> {
        let mut arguments: Vec<String> = self.arguments.iter().map(|word| (*word).to_owned()).collect();
        if quick {
            for word in &mut arguments {
                if let Some(number) = word.parse::<u64>().ok().filter(|number| *number >= 10_000) {
                    *word = (number / 10).to_string();
                }
            }
        }
        let seconds = if quick { seconds } else { seconds.max(self.seconds_min) };
        let times = ["--warm-up", "1", "--duration", &seconds.to_string()].map(str::to_owned);
        arguments.extend(times);
        arguments
    }
}

const PLAIN: Need = Need { tls: false, v5: false };
const TLS: Need = Need { tls: true, v5: false };
const V5: Need = Need { tls: false, v5: true };

const fn cpu(target: Target) -> Figure {
    Figure { name: "broker CPU per message", unit: Unit::Microseconds, value: cpu_per_message, target }
}

const RATE: Figure = Figure {
    name: "delivered",
    unit: Unit::PerSecond,
    value: |run| Some(measured(run)?["delivered_per_second"].as_f64()?.round()).filter(|rate| *rate > 0.0),
    target: Target::None,
};

const fn message(
    id: &'static str,
    title: &'static str,
    arguments: &'static [&'static str],
    figures: &'static [Figure],
) -> Scenario {
    Scenario { id, title, arguments, need: PLAIN, group: Group::Peers, seconds_min: 0.0, figures }
}

/// The table, in its order.
pub(super) const SCENARIOS: [Scenario; 26] = [
    message("p2p-qos0", "50 to 50, 16 B, QoS 0", &["p2p"], &[cpu(Target::Half(0.40)), RATE]),
    message("p2p-qos1", "50 to 50, 16 B, QoS 1", &["p2p", "--qos", "1"], &[cpu(Target::Half(0.6)), RATE]),
    message("p2p-qos2", "50 to 50, 16 B, QoS 2", &["p2p", "--qos", "2"], &[cpu(Target::Half(1.1)), RATE]),
    message(
        "p2p-1kb",
        "50 to 50, 1 KB, QoS 0",
        &["p2p", "--payload-bytes", "1024"],
        &[cpu(Target::AtMost(0.9)), RATE],
    ),
    message(
        "p2p-1000",
        "1,000 to 1,000, QoS 1",
        &["p2p", "--publishers", "1000", "--qos", "1"],
        &[cpu(Target::AtMost(1.8)), RATE],
    ),
    message("fanout-qos0", "1 to 1,000, QoS 0", &["fanout"], &[cpu(Target::AtMost(0.6)), RATE]),
    message("fanout-qos1", "1 to 1,000, QoS 1", &["fanout", "--qos", "1"], &[cpu(Target::AtMost(1.1)), RATE]),
    Scenario {
        need: V5,
        ..message(
            "sharedsub",
            "1,000 to 5 that share, QoS 1",
            &["sharedsub"],
            &[cpu(Target::AtMost(1.2)), RATE],
        )
    },
    message(
        "wildcard",
        "100,000 subscriptions, most with wildcards",
        &["wildcard", "--topics", "100000"],
        &[cpu(Target::AtMost(0.8)), cpu_per_subscription(2.0), bytes_per_subscription(150.0)],
    ),
    message(
        "wildcard-1m",
        "1,000,000 subscriptions",
        &["wildcard", "--topics", "1000000"],
        &[cpu(Target::AtMost(1.2)), cpu_per_subscription(3.0), bytes_per_subscription(225.0)],
    ),
    Scenario {
        seconds_min: 15.0,
        ..message(
            "slow",
            "1,000 to 1,000, 1 message/s each",
            &["p2p", "--publishers", "1000", "--rate", "1"],
            &[cpu(Target::NoMoreThanPeers)],
        )
    },
    message(
        "retained",
        "1,000,000 retained messages",
        &["retained", "--topics", "1000000", "--subscribers", "2"],
        &[
            Figure {
                name: "looked up by `#`",
                unit: Unit::PerSecond,
                value: |run| lookup(run, '#'),
                target: Target::AtLeast(1e6),
            },
            Figure {
                name: "looked up by `a/+/b`",
                unit: Unit::PerSecond,
                value: |run| lookup(run, '+'),
                target: Target::AtLeast(1e6),
            },
            Figure {
                name: "memory of each, topic and payload included",
                unit: Unit::Bytes,
                value: bytes_per_retained,
                target: Target::AtMost(300.0),
            },
        ],
    ),
    message(
        "idle-tcp",
        "10,000 idle connections, one subscription each",
        &["idle", "--subscribers", "10000"],
        &[
            bytes_per_client(1_024.0),
            Figure {
                name: "broker CPU per connect",
                unit: Unit::Microseconds,
                value: cpu_per_connect,
                target: Target::AtMost(50.0),
            },
        ],
    ),
    Scenario {
        need: TLS,
        ..message(
            "idle-tls",
            "10,000 idle connections over TLS",
            &["idle", "--subscribers", "10000", "--insecure"],
            &[
                bytes_per_client(12.0 * 1_024.0),
                Figure {
                    name: "broker CPU per connect",
                    unit: Unit::Microseconds,
                    value: cpu_per_connect,
                    target: Target::None,
                },
            ],
        )
    },
    message(
        "idle-broker",
        "a broker without clients",
        &[],
        &[
            Figure {
                name: "memory",
                unit: Unit::Mebibytes,
                value: |run| Some(run["watched"]["resident_bytes"].as_f64()? / 1_048_576.0),
                target: Target::AtMost(6.0),
            },
            Figure {
                name: "woken in 10 s",
                unit: Unit::Times,
                value: |run| run["watched"]["wakeups"].as_f64(),
                target: Target::AtMost(0.0),
            },
        ],
    ),
    message(
        "latency",
        "50 to 50 at 20,000 messages/s",
        &["p2p", "--rate", "400"],
        &[
            Figure {
                name: "latency p50",
                unit: Unit::Microseconds,
                value: |run| times(run, "latency", "p50_microseconds"),
                target: Target::None,
            },
            Figure {
                name: "latency p99",
                unit: Unit::Microseconds,
                value: |run| times(run, "latency", "p99_microseconds"),
                target: Target::AtMost(1_000.0),
            },
            Figure {
                name: "latency p99.9",
                unit: Unit::Microseconds,
                value: |run| times(run, "latency", "p99_9_microseconds"),
                target: Target::AtMost(5_000.0),
            },
            Figure {
                name: "sent later than planned, p99.9",
                unit: Unit::Microseconds,
                value: |run| times(run, "send_lag", "p99_9_microseconds"),
                target: Target::None,
            },
            cpu(Target::None),
        ],
    ),
    shards("shards-p2p", "50 to 50, QoS 0, half of the messages cross", &["p2p"]),
    shards("shards-p2p-qos1", "50 to 50, QoS 1, half of the messages cross", &["p2p", "--qos", "1"]),
    shards("shards-fanout", "1 to 1,000, QoS 0, each shard has half of the subscribers", &["fanout"]),
    shards(
        "shards",
        "2 to 2, QoS 0, every message crosses",
        // Client identifiers by which each shard has one publisher, and the subscriber of the other one.
        &["p2p", "--publishers", "2", "--seed", "1"],
    ),
    shards(
        "shards-wildcard",
        "2 to 2, QoS 0, 100,000 subscriptions, every message crosses",
        // The same clients, and a load that costs the generator little of the processors that it shares with the shards.
        &["wildcard", "--topics", "100000", "--publishers", "2", "--subscribers", "2", "--seed", "1"],
    ),
    durable("durable-p2p", "50 to 50, QoS 1, clean sessions", &["p2p", "--qos", "1"]),
    durable(
        "durable-p2p-kept",
        "50 to 50, QoS 1, sessions that are kept",
        &["p2p", "--qos", "1", "--persistent"],
    ),
    durable(
        "durable-p2p-1000-kept",
        "1,000 to 1,000, QoS 1, sessions that are kept",
        &["p2p", "--publishers", "1000", "--qos", "1", "--persistent"],
    ),
    durable(
        "durable-fanout-kept",
        "1 to 1,000, QoS 1, sessions that are kept",
        &["fanout", "--qos", "1", "--persistent"],
    ),
    Scenario {
        need: V5,
        ..durable("durable-sharedsub", "1,000 to 5 that share, QoS 1", &["sharedsub", "--persistent"])
    },
];

const fn shards(id: &'static str, title: &'static str, arguments: &'static [&'static str]) -> Scenario {
    const FIGURES: [Figure; 2] =
        [Figure { target: Target::Times(1.6), ..RATE }, cpu(Target::AtMostTimes(1.25))];
    Scenario { group: Group::Shards, ..message(id, title, arguments, &FIGURES) }
}

const fn durable(id: &'static str, title: &'static str, arguments: &'static [&'static str]) -> Scenario {
    const FIGURES: [Figure; 3] = [
        cpu(Target::None),
        RATE,
        Figure {
            name: "acknowledgement p99, saturated",
            unit: Unit::Microseconds,
            value: |run| times(run, "acknowledgement", "p99_microseconds"),
            target: Target::None,
        },
    ];
    Scenario { group: Group::Durable, ..message(id, title, arguments, &FIGURES) }
}

const fn cpu_per_subscription(microseconds_max: f64) -> Figure {
    let value = |run: &Value| {
        let seconds = phase(run, "connect")?["broker"]["cpu_seconds"].as_f64()?;
        Some(seconds * 1e6 / run["connect"]["subscriptions"].as_f64().filter(|count| *count > 0.0)?)
    };
    let target = Target::AtMost(microseconds_max);
    Figure { name: "broker CPU per subscription", unit: Unit::Microseconds, value, target }
}

const fn bytes_per_subscription(bytes_max: f64) -> Figure {
    let value = |run: &Value| run["broker_cost"]["resident_bytes_per_subscription"].as_f64();
    Figure { name: "memory per subscription", unit: Unit::Bytes, value, target: Target::AtMost(bytes_max) }
}

const fn bytes_per_client(bytes_max: f64) -> Figure {
    let value = |run: &Value| run["broker_cost"]["resident_bytes_per_client"].as_f64();
    Figure { name: "memory per connection", unit: Unit::Bytes, value, target: Target::AtMost(bytes_max) }
}

fn cpu_per_message(run: &Value) -> Option<f64> {
    run["broker_cost"]["cpu_microseconds_per_delivered_message"].as_f64()
}

fn cpu_per_connect(run: &Value) -> Option<f64> {
    run["broker_cost"]["cpu_microseconds_per_connect"].as_f64()
}

fn times(run: &Value, of: &str, percentile: &str) -> Option<f64> {
    run[of][percentile].as_f64().filter(|time| *time > 0.0)
}

fn lookup(run: &Value, wildcard: char) -> Option<f64> {
    let lookups = run["lookups"].as_array()?;
    let is_it = |lookup: &&Value| lookup["filter"].as_str().is_some_and(|filter| filter.contains(wildcard));
    Some(lookups.iter().find(is_it)?["delivered_per_second"].as_f64()?.round())
}

/// What the broker has grown between connecting and the first lookup.
fn bytes_per_retained(run: &Value) -> Option<f64> {
    let phases = run["phases"].as_array()?;
    let lookup = phases.iter().position(|phase| phase["name"] == "look up")?;
    let stored = phases[lookup.checked_sub(1)?]["broker"]["resident_bytes"].as_f64()?;
    let before = run["broker_cost"]["resident_bytes_connected"].as_f64()?;
    let topics = run["plan"]["parts"][0]["topics"].as_f64().filter(|topics| *topics > 0.0)?;
    Some((stored - before) / topics)
}

fn measured(run: &Value) -> Option<&Value> {
    phase(run, "measure")
}

fn phase<'a>(run: &'a Value, name: &str) -> Option<&'a Value> {
    run["phases"].as_array()?.iter().find(|phase| phase["name"] == name)
}
