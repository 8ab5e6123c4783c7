/// Who publishes to whom, and how much may be on its way.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    /// Topics, each with one publisher.
    pub topics: usize,
    /// Subscribers of each topic.
    pub subscribers: usize,
    /// 0 or 1.
    pub qos: u8,
    /// Deliveries of a topic that may be on their way: publishers wait, so that no broker has to drop anything.
    pub window: usize,
}

/// Small messages, as fast as the broker takes them.
pub const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "1 to 1, QoS 0", topics: 1, subscribers: 1, qos: 0, window: 1_000 },
    Scenario { name: "1 to 1, QoS 1", topics: 1, subscribers: 1, qos: 1, window: 1_000 },
    Scenario { name: "50 to 50, QoS 0", topics: 50, subscribers: 1, qos: 0, window: 100 },
    Scenario { name: "50 to 50, QoS 1", topics: 50, subscribers: 1, qos: 1, window: 100 },
    Scenario { name: "1 to 100, QoS 0", topics: 1, subscribers: 100, qos: 0, window: 5_000 },
];
