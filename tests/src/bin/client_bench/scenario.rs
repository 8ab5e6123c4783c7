//! What the clients do.

/// One thing that a client does again and again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    /// In the table.
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) qos: u8,
    /// Publishing: messages that are on their way at the same time.
    pub(crate) window: usize,
}

/// What the measured client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Publish,
    Subscribe,
}

impl Role {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }

    pub(crate) fn find(name: &str) -> Option<Self> {
        [Self::Publish, Self::Subscribe].into_iter().find(|role| role.name() == name)
    }
}

const WINDOW: usize = 100;

pub(crate) const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "publish, QoS 0", role: Role::Publish, qos: 0, window: WINDOW },
    Scenario { name: "publish, QoS 1, 100 at once", role: Role::Publish, qos: 1, window: WINDOW },
    Scenario { name: "publish, QoS 1, one by one", role: Role::Publish, qos: 1, window: 1 },
    Scenario { name: "subscribe, QoS 0", role: Role::Subscribe, qos: 0, window: WINDOW },
    Scenario { name: "subscribe, QoS 1", role: Role::Subscribe, qos: 1, window: WINDOW },
];
