use serde::{Deserialize, Serialize};

use super::check::check;
use super::{Load, Pattern, Plan, Protocol, Target, Traffic};
use crate::BenchError;

/// What kind of run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Connections are opened and held.
    Conn,
    /// Each publisher has its own subscriber.
    P2p,
    /// Every subscriber hears every publisher.
    Fanout,
    /// Many publishers, few subscribers that share a subscription.
    Sharedsub,
    /// As `P2p`, with very many subscriptions, most with wildcards.
    Wildcard,
    /// Very many retained messages, then subscribers that look them up.
    Retained,
    /// Messages for clients that are away, which then come back.
    Offline,
    /// All clients lose their connection and come back, several times.
    Storm,
    /// All patterns and qualities of service at once.
    Mixed,
    /// Connections with one subscription and nothing to do: what they cost in memory.
    Idle,
}

/// Short names of the sizes that the open MQTT benchmark suite has, and its own names.
pub const NAMED_SCENARIOS: [(&str, &str); 8] = [
    ("conn-10k", "singlenode-conn-tcp-10K-100"),
    ("conn-1m", "singlenode-conn-tcp-1M-5K"),
    ("fanout-1k", "singlenode-fanout-1-1K-1-1K"),
    ("fanout-250k", "singlenode-fanout-5-1000-5-250K"),
    ("p2p-1k", "singlenode-p2p-1K-1K-1K-1K"),
    ("p2p-50k", "singlenode-p2p-50K-50K-50K-50K"),
    ("sharedsub-1k", "singlenode-sharedsub-1K-5-1K-1K"),
    ("sharedsub-50k", "singlenode-sharedsub-50K-500-50K-50K"),
];

/// What the command line says; the rest is the scenario's.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Clients that publish.
    pub publishers: Option<usize>,
    /// Clients that subscribe; of conn, idle and storm: all clients.
    pub subscribers: Option<usize>,
    /// Topics; of wildcard: subscriptions; of retained: retained messages.
    pub topics: Option<usize>,
    /// 0, 1 or 2.
    pub qos: Option<u8>,
    /// At least 16.
    pub payload_bytes: Option<usize>,
    /// Messages per second of each publisher.
    pub rate: Option<f64>,
    /// Saturate, with so many messages of each publisher on their way.
    pub window: Option<usize>,
    /// Saturate, with the window that suits the number of publishers.
    pub saturate: bool,
    /// Seconds that are measured.
    pub duration_seconds: Option<f64>,
    /// Seconds before that.
    pub warm_up_seconds: Option<f64>,
    /// Seconds over which connections are opened.
    pub ramp_seconds: Option<f64>,
    /// Connections opened per second.
    pub connects_per_second: Option<f64>,
    /// The version that clients speak.
    pub protocol: Option<Protocol>,
    /// The broker.
    pub target: Option<Target>,
    /// Of every client; 0 is none.
    pub keep_alive_seconds: Option<u16>,
    /// Sessions outlive their connections.
    pub persistent_sessions: bool,
    /// Processes that generate load.
    pub processes: Option<usize>,
    /// Event loops in each of them.
    pub threads: Option<usize>,
    /// A range of addresses to connect from.
    pub source_addresses: Option<String>,
    /// Makes client identifiers, topics and payloads of this run its own.
    pub seed: u64,
    /// Rounds of a storm.
    pub rounds: Option<usize>,
    /// Messages for each topic of offline.
    pub offline_messages: Option<usize>,
    /// Seconds without any answer after which connecting has failed.
    pub connect_seconds_max: Option<f64>,
    /// Seconds without a delivery after which what is missing is lost.
    pub drain_seconds_max: Option<f64>,
    /// Process IDs of the broker.
    pub broker_pids: Vec<u32>,
    /// The command that starts the broker.
    pub kill_broker: Option<String>,
    /// Seconds between kills.
    pub kill_interval_seconds: Option<f64>,
}

/// Bytes of a payload that has nothing but publisher, number, time and checksum.
pub(crate) const PAYLOAD_BYTES_MIN: usize = 16;

/// Messages on their way in a saturated run, if nothing else is said: divided among publishers and copies.
const WINDOW_TOTAL: f64 = 10_000.0;

/// Bytes of one publisher on their way in such a run: sessions have limits of this kind too.
const WINDOW_BYTES: usize = 8 * 1024 * 1024;

/// Makes a plan of a scenario's name and what the command line says besides.
///
/// # Errors
/// There is no such scenario, or something does not fit together; the text says what to do.
pub fn resolve(name: &str, overrides: &Overrides) -> Result<Plan, BenchError> {
    let known = NAMED_SCENARIOS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
    let size = Size::parse(known.map_or(name, |(_, long)| long))?;
    let mut plan = Plan {
        name: name.to_owned(),
        scenario: size.scenario,
        parts: size.parts,
        target: overrides.target.clone().unwrap_or(default_target()),
        protocol: overrides.protocol.unwrap_or(size.protocol),
        keep_alive_seconds: overrides.keep_alive_seconds.unwrap_or(300),
        persistent_sessions: overrides.persistent_sessions
            || overrides.kill_broker.is_some()
            || size.scenario == Scenario::Offline,
        warm_up_seconds: overrides.warm_up_seconds.unwrap_or(2.0),
        duration_seconds: overrides.duration_seconds.unwrap_or(10.0),
        connects_per_second: overrides.connects_per_second.or(size.connects_per_second),
        connect_seconds_max: overrides.connect_seconds_max.unwrap_or_else(super::default_connect_seconds_max),
        drain_seconds_max: overrides.drain_seconds_max.unwrap_or(5.0),
        processes: overrides.processes.unwrap_or(1),
        threads: overrides.threads.unwrap_or(1),
        source_addresses: overrides.source_addresses.clone(),
        seed: overrides.seed,
        rounds: overrides.rounds.unwrap_or(3),
        offline_messages: overrides.offline_messages.unwrap_or(100),
        broker_pids: overrides.broker_pids.clone(),
        kill_broker: overrides.kill_broker.clone(),
        kill_interval_seconds: overrides.kill_interval_seconds.unwrap_or(5.0),
    };
    for part in &mut plan.parts {
        override_traffic(part, overrides);
    }
    if let Some(ramp) = overrides.ramp_seconds.filter(|ramp| *ramp != 0.0) {
        plan.connects_per_second = Some((plan.publishers() + plan.subscribers()) as f64 / ramp);
    }
    check(&plan, overrides)?;
    Ok(plan)
}

fn default_target() -> Target {
    Target { scheme: super::Scheme::Tcp, host: "127.0.0.1".to_owned(), port: 1883, path: String::new() }
}

fn override_traffic(part: &mut Traffic, overrides: &Overrides) {
    let topics_followed_publishers = part.topics == part.publishers;
    let subscribers_followed_publishers = part.subscribers == part.publishers;
    if let Some(publishers) = overrides.publishers.filter(|_| part.pattern != Pattern::Idle) {
        part.publishers = publishers;
        if topics_followed_publishers {
            part.topics = publishers;
        }
        if subscribers_followed_publishers && part.pattern == Pattern::Pairs {
            part.subscribers = publishers;
        }
    }
    part.subscribers = overrides.subscribers.unwrap_or(part.subscribers);
    part.topics = overrides.topics.unwrap_or(part.topics);
    if part.pattern == Pattern::Idle {
        part.topics = part.subscribers;
    }
    part.qos = overrides.qos.unwrap_or(part.qos);
    part.payload_bytes = overrides.payload_bytes.unwrap_or(part.payload_bytes);
    if let Some(messages_per_second) = overrides.rate {
        part.load = Load::Rate { messages_per_second };
    }
    if let Some(window) = overrides.window {
        part.load = Load::Saturate { window };
    } else if overrides.saturate || matches!(part.load, Load::Saturate { .. }) {
        part.load = Load::Saturate { window: suitable_window(part) };
    }
}

/// Much in total and something for each, so that batches can form, but no queue of a broker runs full.
fn suitable_window(part: &Traffic) -> usize {
    let ways = part.publishers.max(1) as f64 * part.copies().max(1.0);
    // At most 1,000 and at least 16.
    let messages = (WINDOW_TOTAL / ways).clamp(16.0, 1_000.0) as usize;
    messages.min((WINDOW_BYTES / part.payload_bytes.max(1)).max(2))
}

/// A scenario with its own numbers, before the command line's.
struct Size {
    scenario: Scenario,
    parts: Vec<Traffic>,
    protocol: Protocol,
    connects_per_second: Option<f64>,
}

impl Size {
    /// `p2p`, `singlenode-p2p-1K-1K-1K-1K`, `p2p-1k-1k-1k` and the like.
    fn parse(name: &str) -> Result<Self, BenchError> {
        let unknown = || {
            BenchError::new(format!(
                "there is no scenario {name}: they are conn, p2p, fanout, sharedsub, wildcard, retained, offline, \
                 storm, mixed and idle; those of the open MQTT benchmark suite, as {}; and any size, as \
                 p2p-50-50-50-20K (publishers, subscribers, topics, messages per second)",
                NAMED_SCENARIOS.map(|(short, long)| format!("{short} ({long})")).join(", ")
            ))
        };
        let lower = name.to_ascii_lowercase();
        let name = lower.strip_prefix("singlenode-").unwrap_or(&lower);
        let mut words = name.split('-').filter(|word| *word != "tcp");
        let kind = words.next().unwrap_or_default();
        let numbers: Option<Vec<usize>> = words.map(number).collect();
        let numbers = numbers.ok_or_else(unknown)?;
        match (kind, numbers.as_slice()) {
            (kind, []) => Self::plain(kind).ok_or_else(unknown),
            ("conn", [connections]) => Ok(Self::connections(*connections, None)),
            ("conn", [connections, rate]) => Ok(Self::connections(*connections, Some(*rate as f64))),
            ("p2p" | "fanout" | "sharedsub", [publishers, subscribers, topics, rest @ ..])
                if rest.len() < 2 =>
            {
                // Without a total rate, each publisher sends once a second.
                let default = if kind == "fanout" { publishers * subscribers } else { *publishers };
                let total = rest.first().copied().unwrap_or(default);
                Self::suite(kind, *publishers, *subscribers, *topics, total).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }

    fn connections(connections: usize, connects_per_second: Option<f64>) -> Self {
        let part = Traffic { subscribers: connections, ..idle() };
        Self { scenario: Scenario::Conn, parts: vec![part], protocol: Protocol::V311, connects_per_second }
    }

    /// Scenarios of the suite: QoS 1, 16 bytes; `total` is what comes out of the broker in a fan-out, else what goes in.
    fn suite(kind: &str, publishers: usize, subscribers: usize, topics: usize, total: usize) -> Option<Self> {
        let (scenario, pattern, ways, protocol) = match kind {
            "p2p" => (Scenario::P2p, Pattern::Pairs, publishers, Protocol::V311),
            "fanout" => (Scenario::Fanout, Pattern::Everyone, publishers * subscribers, Protocol::V311),
            "sharedsub" => (Scenario::Sharedsub, Pattern::Shared, publishers, Protocol::V5),
            _ => return None,
        };
        let load = Load::Rate { messages_per_second: total as f64 / ways.max(1) as f64 };
        let part = Traffic { pattern, publishers, subscribers, topics, qos: 1, payload_bytes: 16, load };
        Some(Self { scenario, parts: vec![part], protocol, connects_per_second: None })
    }

    /// A name without numbers: small and saturating, for a machine at hand.
    fn plain(kind: &str) -> Option<Self> {
        let saturate = Load::Saturate { window: 0 };
        let traffic = |pattern, publishers, subscribers, topics, qos| Traffic {
            pattern,
            publishers,
            subscribers,
            topics,
            qos,
            payload_bytes: PAYLOAD_BYTES_MIN,
            load: saturate,
        };
        let slow = |messages_per_second, part| Traffic { load: Load::Rate { messages_per_second }, ..part };
        let (scenario, parts) = match kind {
            "conn" => (Scenario::Conn, vec![idle()]),
            "idle" => (Scenario::Idle, vec![idle()]),
            "storm" => (Scenario::Storm, vec![Traffic { subscribers: 5_000, topics: 5_000, ..idle() }]),
            "p2p" => (Scenario::P2p, vec![traffic(Pattern::Pairs, 50, 50, 50, 0)]),
            "fanout" => (Scenario::Fanout, vec![traffic(Pattern::Everyone, 1, 1_000, 1, 0)]),
            "sharedsub" => (Scenario::Sharedsub, vec![traffic(Pattern::Shared, 1_000, 5, 1_000, 1)]),
            "wildcard" => (Scenario::Wildcard, vec![traffic(Pattern::Wildcards, 50, 50, 100_000, 0)]),
            "retained" => (Scenario::Retained, vec![traffic(Pattern::Retained, 10, 10, 100_000, 1)]),
            "offline" => (Scenario::Offline, vec![traffic(Pattern::Pairs, 10, 100, 100, 1)]),
            "mixed" => {
                let parts = vec![
                    slow(100.0, traffic(Pattern::Pairs, 50, 50, 50, 0)),
                    slow(10.0, traffic(Pattern::Everyone, 1, 200, 1, 1)),
                    slow(20.0, traffic(Pattern::Shared, 100, 5, 100, 1)),
                    slow(20.0, traffic(Pattern::Wildcards, 20, 20, 2_000, 2)),
                    Traffic { subscribers: 500, topics: 500, ..idle() },
                ];
                (Scenario::Mixed, parts)
            }
            _ => return None,
        };
        let protocol = match scenario {
            Scenario::Sharedsub | Scenario::Mixed => Protocol::V5,
            _ => Protocol::V311,
        };
        Some(Self { scenario, parts, protocol, connects_per_second: None })
    }
}

fn idle() -> Traffic {
    Traffic {
        pattern: Pattern::Idle,
        publishers: 0,
        subscribers: 10_000,
        topics: 10_000,
        qos: 0,
        payload_bytes: PAYLOAD_BYTES_MIN,
        load: Load::Saturate { window: 1 },
    }
}

/// `500`, `1K`, `1m`, `250K`.
fn number(word: &str) -> Option<usize> {
    let (digits, factor) = match word.as_bytes().last()? {
        b'k' | b'K' => (word.get(..word.len() - 1)?, 1_000),
        b'm' | b'M' => (word.get(..word.len() - 1)?, 1_000_000),
        _ => (word, 1),
    };
    digits.parse::<usize>().ok()?.checked_mul(factor).filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(name: &str) -> Plan {
        resolve(name, &Overrides::default()).unwrap()
    }

    fn rate(part: &Traffic) -> f64 {
        let Load::Rate { messages_per_second } = part.load else { panic!("{part:?}") };
        messages_per_second
    }

    #[test]
    fn the_suite_has_its_numbers() {
        let p2p = plan("singlenode-p2p-1K-1K-1K");
        assert_eq!(p2p.parts, plan("p2p-1k").parts);
        let part = &p2p.parts[0];
        assert_eq!((part.publishers, part.subscribers, part.topics, part.qos), (1_000, 1_000, 1_000, 1));
        assert!((rate(part) - 1.0).abs() < 1e-9);
        let fanout = plan("singlenode-fanout-5-1000-5-250K");
        assert!((rate(&fanout.parts[0]) - 50.0).abs() < 1e-9);
        assert!((rate(&plan("fanout-1k").parts[0]) - 1.0).abs() < 1e-9);
        let shared = plan("sharedsub-50k");
        assert_eq!((shared.parts[0].publishers, shared.parts[0].subscribers), (50_000, 500));
        assert_eq!(shared.protocol, Protocol::V5);
        assert!((rate(&shared.parts[0]) - 1.0).abs() < 1e-9);
        let conn = plan("singlenode-conn-tcp-1M-5K");
        assert_eq!((conn.parts[0].subscribers, conn.connects_per_second), (1_000_000, Some(5_000.0)));
    }

    #[test]
    fn every_name_makes_a_plan() {
        for (short, long) in NAMED_SCENARIOS {
            assert_eq!(plan(short).parts, plan(long).parts);
        }
        for name in [
            "p2p",
            "fanout",
            "sharedsub",
            "wildcard",
            "retained",
            "offline",
            "storm",
            "mixed",
            "idle",
            "conn",
        ] {
            assert!(!plan(name).parts.is_empty());
        }
    }

    #[test]
    fn the_command_line_wins() {
        let overrides =
            Overrides { publishers: Some(3), qos: Some(2), rate: Some(7.0), ..Overrides::default() };
        let part = resolve("p2p", &overrides).unwrap().parts.remove(0);
        assert_eq!((part.publishers, part.subscribers, part.topics, part.qos), (3, 3, 3, 2));
        assert!((rate(&part) - 7.0).abs() < 1e-9);
        let saturated =
            resolve("p2p-1k", &Overrides { saturate: true, ..Overrides::default() }).unwrap().parts.remove(0);
        assert_eq!(saturated.load, Load::Saturate { window: 16 });
        let ramp = Overrides { ramp_seconds: Some(10.0), ..Overrides::default() };
        assert_eq!(resolve("idle", &ramp).unwrap().connects_per_second, Some(1_000.0));
    }

    #[test]
    fn large_messages_are_few_on_their_way() {
        let window = |payload_bytes| {
            let large = Overrides { payload_bytes: Some(payload_bytes), ..Overrides::default() };
            resolve("p2p", &large).unwrap().parts[0].load
        };
        assert_eq!([16, 1 << 20, 1 << 27].map(window), [200, 8, 2].map(|window| Load::Saturate { window }));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let none = Overrides::default;
        for (name, overrides) in [
            ("p3p", none()),
            ("p2p-x", none()),
            ("p2p-1-2", none()),
            ("p2p", Overrides { payload_bytes: Some(15), ..none() }),
            ("p2p", Overrides { qos: Some(3), ..none() }),
            ("p2p", Overrides { rate: Some(0.0), ..none() }),
            ("p2p", Overrides { rate: Some(f64::INFINITY), ..none() }),
            ("p2p", Overrides { window: Some(0), ..none() }),
            ("p2p", Overrides { window: Some(1_000_000), ..none() }),
            ("p2p", Overrides { duration_seconds: Some(-1.0), ..none() }),
            ("p2p", Overrides { ramp_seconds: Some(f64::NAN), ..none() }),
            ("p2p", Overrides { ramp_seconds: Some(-1.0), ..none() }),
            ("p2p", Overrides { threads: Some(0), ..none() }),
            ("p2p", Overrides { processes: Some(0), ..none() }),
            ("conn", Overrides { subscribers: Some(0), ..none() }),
            ("storm", Overrides { rounds: Some(0), ..none() }),
            ("offline", Overrides { offline_messages: Some(0), ..none() }),
            (
                "p2p",
                Overrides { kill_interval_seconds: Some(0.0), kill_broker: Some("x".to_owned()), ..none() },
            ),
            // What would do nothing.
            ("conn", Overrides { kill_broker: Some("x".to_owned()), ..none() }),
            ("conn", Overrides { publishers: Some(5), ..none() }),
            ("idle", Overrides { saturate: true, ..none() }),
            ("retained", Overrides { rate: Some(1.0), ..none() }),
            ("p2p", Overrides { rounds: Some(2), ..none() }),
            ("p2p", Overrides { offline_messages: Some(2), ..none() }),
        ] {
            assert!(resolve(name, &overrides).is_err(), "{name} {overrides:?}");
        }
    }
}
