//! What the broker tells about itself under `$SYS`.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ferry_tests::ferry::Ferry;
use ferry_tests::wire::{PacketKind, Value};

use crate::attacker::Attacker;
use crate::packet;

/// How long the broker may take until a figure is what it should be.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that has subscribed to `$SYS/broker/#`.
pub(crate) struct Figures {
    client: Attacker,
    latest: HashMap<String, String>,
}

impl Figures {
    pub(crate) fn new(ferry: &Ferry) -> Self {
        let mut client = Attacker::online(ferry, 4, "figures");
        client.send(&packet::subscribe(4, 1, &[("$SYS/broker/#", 0)]));
        client.expect(PacketKind::Suback);
        Self { client, latest: HashMap::new() }
    }

    /// Waits until a figure is exactly this.
    pub(crate) fn wait_for(&mut self, name: &str, expected: u64) {
        self.wait_until(name, |value| {
            assert!(value <= expected || !name.starts_with("refusals"), "{name}: {value} and not {expected}");
            value == expected
        });
    }

    /// Waits until a figure is good enough, and returns it.
    pub(crate) fn wait_until(&mut self, name: &str, enough: impl Fn(u64) -> bool) -> u64 {
        // Other figures change all the time, so that something always comes.
        let deadline = Instant::now() + PATIENCE;
        loop {
            let value = self.latest.get(name).and_then(|value| value.parse().ok());
            if let Some(value) = value.filter(|value| enough(*value)) {
                return value;
            }
            assert!(Instant::now() < deadline, "{name} is {:?} for too long", self.latest.get(name));
            self.read_one(name);
        }
    }

    fn read_one(&mut self, awaited: &str) {
        let story = format!("{awaited} is {:?}", self.latest.get(awaited));
        let message = self.client.next_or_panic_with(&story);
        let (Some(Value::Bytes(topic)), Some(Value::Bytes(payload))) =
            (message.get("topic"), message.get("payload"))
        else {
            panic!("not a message: {message}");
        };
        let topic = String::from_utf8_lossy(topic);
        let name = topic.strip_prefix("$SYS/broker/").expect("only that was subscribed");
        self.latest.insert(name.to_owned(), String::from_utf8_lossy(payload).into_owned());
    }
}
