use std::collections::{BTreeMap, BTreeSet};

use super::CrashReport;
use super::client::{ClientSpec, Role};

/// What clients have said, held against what they may expect.
pub(super) struct Ledger {
    publishers: BTreeMap<&'static str, Published>,
    subscribers: BTreeMap<&'static str, Subscriber>,
    repeated: u64,
    /// The subscriber and publisher of a broken promise, and what came next between them.
    broken: Option<(&'static str, String, Vec<u64>)>,
}

struct Published {
    qos: u8,
    /// Whether its client sends again in order.
    keeps_order: bool,
    sent: u64,
    acknowledged: BTreeSet<u64>,
    connected: bool,
    done: bool,
}

struct Subscriber {
    qos: u8,
    connected: bool,
    subscribed: bool,
    received: BTreeMap<&'static str, BTreeSet<u64>>,
}

impl Ledger {
    pub(super) fn new(clients: &'static [ClientSpec]) -> Self {
        let mut ledger =
            Self { publishers: BTreeMap::new(), subscribers: BTreeMap::new(), repeated: 0, broken: None };
        for client in clients {
            if client.role == Role::Publisher {
                let published = Published {
                    qos: client.qos,
                    keeps_order: client.keeps_order(),
                    sent: 0,
                    acknowledged: BTreeSet::new(),
                    connected: false,
                    done: false,
                };
                ledger.publishers.insert(client.name, published);
            } else {
                let subscriber = Subscriber {
                    qos: client.qos,
                    connected: false,
                    subscribed: false,
                    received: BTreeMap::new(),
                };
                ledger.subscribers.insert(client.name, subscriber);
            }
        }
        ledger
    }

    /// Takes in what a client says.
    ///
    /// # Errors
    /// It shows that a promise was broken.
    pub(super) fn enter(&mut self, client: &'static str, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        match (words[0], number(1), number(2)) {
            ("connected", Some(present), _) => self.connected(client, present == 1)?,
            ("subscribed", ..) => self.subscriber(client)?.subscribed = true,
            ("sent", Some(number), _) => {
                let published = self.publisher(client)?;
                published.sent = published.sent.max(number);
            }
            ("acked", Some(number), _) => {
                self.publisher(client)?.acknowledged.insert(number);
            }
            ("done", ..) => self.publisher(client)?.done = true,
            ("received", _, Some(number)) => self.received(client, words[1], number)?,
            ("paused", ..) => {}
            _ => return Err(format!("{client} says: {line}")),
        }
        Ok(())
    }

    /// What came after a broken promise, from the same publisher to the same subscriber.
    pub(super) fn next_numbers(&self) -> String {
        let Some((_, _, next)) = &self.broken else { return String::new() };
        let shown: Vec<String> = next.iter().take(40).map(u64::to_string).collect();
        format!("; then {}", shown.join(" "))
    }

    pub(super) fn all_subscribed(&self) -> bool {
        self.subscribers.values().all(|subscriber| subscriber.subscribed)
            && self.publishers.values().all(|published| published.connected)
    }

    /// The highest number of each publisher that was acknowledged.
    pub(super) fn acknowledged(&self) -> BTreeMap<&'static str, u64> {
        let highest = |published: &Published| published.acknowledged.last().copied().unwrap_or(0);
        self.publishers.iter().map(|(name, published)| (*name, highest(published))).collect()
    }

    /// Whether all is acknowledged, and all that is acknowledged has arrived everywhere.
    pub(super) fn is_complete(&self) -> bool {
        self.publishers.values().all(|published| published.done) && self.first_missing().is_none()
    }

    /// What the wait for [`Ledger::is_complete`] was for.
    pub(super) fn missing(&self) -> String {
        let silent = self.subscribers.iter().find(|(_, subscriber)| !subscriber.subscribed);
        if let Some((name, _)) = silent {
            return format!("{name} has never subscribed");
        }
        if let Some((subscriber, publisher, number)) = self.first_missing() {
            return format!(
                "{subscriber} has never got message {number} of {publisher}, which was acknowledged"
            );
        }
        let waiting = self.publishers.iter().find(|(_, published)| !published.done);
        waiting.map_or_else(String::new, |(name, published)| {
            let (acknowledged, sent) = (published.acknowledged.len(), published.sent);
            format!("{name} has sent {sent} messages, and only {acknowledged} are acknowledged")
        })
    }

    pub(super) fn report(&self) -> CrashReport {
        let received = self.subscribers.values().flat_map(|subscriber| subscriber.received.values());
        CrashReport {
            acknowledged: self.publishers.values().map(|one| one.acknowledged.len() as u64).sum(),
            received: received.map(|numbers| numbers.len() as u64).sum(),
            repeated: self.repeated,
        }
    }

    fn connected(&mut self, client: &'static str, session_present: bool) -> Result<(), String> {
        let connected = match self.publishers.get_mut(client) {
            Some(published) => &mut published.connected,
            None => &mut self.subscriber(client)?.connected,
        };
        if std::mem::replace(connected, true) && !session_present {
            return Err(format!("{client} has lost its session"));
        }
        Ok(())
    }

    fn received(&mut self, client: &'static str, from: &str, number: u64) -> Result<(), String> {
        if let Some((subscriber, publisher, next)) = &mut self.broken {
            if *subscriber == client && publisher == from {
                next.push(number);
            }
            return Ok(());
        }
        self.broken = Some((client, from.to_owned(), Vec::new()));
        let Some((from, published)) = self.publishers.get_key_value(from) else {
            return Err(format!("{client} has got a message of {from}, which is not there"));
        };
        let Some(subscriber) = self.subscribers.get_mut(client) else {
            return Err(format!("{client} is no subscriber and has got a message"));
        };
        let numbers = subscriber.received.entry(*from).or_default();
        let highest = numbers.last().copied().unwrap_or(0);
        if !numbers.insert(number) {
            self.repeated += 1;
            if published.qos == 2 && subscriber.qos == 2 {
                return Err(format!("{client} has got message {number} of {from} twice at QoS 2"));
            }
        } else if published.keeps_order && number != highest + 1 {
            return Err(format!("{client} has got message {number} of {from} right after {highest}"));
        }
        self.broken = None;
        Ok(())
    }

    fn first_missing(&self) -> Option<(&'static str, &'static str, u64)> {
        for (subscriber, state) in &self.subscribers {
            for (publisher, published) in &self.publishers {
                let received = state.received.get(publisher);
                let is_missing = |number: &&u64| received.is_none_or(|received| !received.contains(number));
                if let Some(number) = published.acknowledged.iter().find(is_missing) {
                    return Some((subscriber, publisher, *number));
                }
            }
        }
        None
    }

    fn publisher(&mut self, name: &str) -> Result<&mut Published, String> {
        self.publishers.get_mut(name).ok_or_else(|| format!("{name} is no publisher"))
    }

    fn subscriber(&mut self, name: &str) -> Result<&mut Subscriber, String> {
        self.subscribers.get_mut(name).ok_or_else(|| format!("{name} is no subscriber"))
    }
}
