use std::time::Duration;

/// Who publishes to whom, and how much may be on its way.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    /// Groups of clients with a topic of their own.
    pub flows: usize,
    /// Publishers of each flow; only with [`Filters::Shared`] more than one.
    pub publishers: usize,
    /// Subscribers of each flow.
    pub subscribers: usize,
    /// How they subscribe.
    pub filters: Filters,
    /// Of publishers and subscribers.
    pub qos: u8,
    /// At least 8: that many bytes are the number of the message.
    pub payload_bytes: usize,
    /// What of each publisher may be on its way.
    pub pace: Pace,
}

/// How subscribers subscribe to the topics of their flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filters {
    /// To its topic.
    Exact,
    /// By a filter with `+`, among so many others with `+` that never match.
    Wildcard(usize),
    /// Each message goes to one of them.
    Shared,
}

/// When a publisher publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it goes, with so many messages on their way, so that no broker has to drop anything.
    Window(usize),
    /// One message in this time.
    Every(Duration),
}

const SMALL: Scenario = Scenario {
    name: "",
    flows: 1,
    publishers: 1,
    subscribers: 1,
    filters: Filters::Exact,
    qos: 0,
    payload_bytes: 16,
    pace: Pace::Window(100),
};

const PAIRS_50: Scenario = Scenario { flows: 50, ..SMALL };
const PAIRS_1000: Scenario = Scenario { flows: 1000, pace: Pace::Window(20), ..SMALL };
const FAN_OUT: Scenario = Scenario { subscribers: 1000, ..SMALL };

/// Small messages, mostly as fast as the broker takes them.
pub const SCENARIOS: [Scenario; 14] = [
    Scenario { name: "1:1, QoS 0", pace: Pace::Window(1000), ..SMALL },
    Scenario { name: "1:1, QoS 1", qos: 1, pace: Pace::Window(1000), ..SMALL },
    Scenario { name: "50:50, QoS 0", ..PAIRS_50 },
    Scenario { name: "50:50, QoS 1", qos: 1, ..PAIRS_50 },
    Scenario { name: "50:50, QoS 2", qos: 2, ..PAIRS_50 },
    Scenario { name: "50:50, QoS 0, 1 KB", payload_bytes: 1024, ..PAIRS_50 },
    Scenario { name: "50:50, QoS 0, 100,000 wildcards", filters: Filters::Wildcard(100_000), ..PAIRS_50 },
    Scenario { name: "1000:1000, QoS 0", ..PAIRS_1000 },
    Scenario { name: "1000:1000, QoS 1", qos: 1, ..PAIRS_1000 },
    Scenario { name: "1000:1000, QoS 0, 1/s each", pace: Pace::Every(Duration::from_secs(1)), ..PAIRS_1000 },
    Scenario { name: "1:100, QoS 0", subscribers: 100, ..SMALL },
    Scenario { name: "1:1000, QoS 0", ..FAN_OUT },
    Scenario { name: "1:1000, QoS 1", qos: 1, ..FAN_OUT },
    Scenario {
        name: "1000:5 shared, QoS 1",
        publishers: 1000,
        subscribers: 5,
        filters: Filters::Shared,
        qos: 1,
        pace: Pace::Window(20),
        ..SMALL
    },
];
