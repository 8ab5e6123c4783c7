//! What a changed configuration changes: at once, or only at the next start.

use super::option::{Reload, Section, SectionSpec};
use super::{Config, Listener, SECTIONS};

/// One option with another value than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The option's full name; a listener is named by its address.
    pub option: String,
    /// The value before, as written in `ferry.toml`; empty for a new listener.
    pub before: String,
    /// The value now; empty for a listener that is gone.
    pub after: String,
}

/// The difference between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What a reload applies.
    pub live: Vec<Change>,
    /// What needs a restart.
    pub restart: Vec<Change>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty() && self.restart.is_empty()
    }
}

/// For each listener of `after` the one of `before` that it continues: the one with the same address.
pub(crate) fn pairs(before: &[Listener], after: &[Listener]) -> Vec<Option<usize>> {
    let mut taken = vec![false; before.len()];
    let pair = |listener: &Listener| {
        let same = |index: &usize| !taken[*index] && before[*index].address == listener.address;
        let found = (0..before.len()).find(same)?;
        taken[found] = true;
        Some(found)
    };
    after.iter().map(pair).collect()
}

/// Compares the configuration in force with a new one. Listeners are the same if their addresses are.
pub fn diff(before: &Config, after: &Config) -> Changes {
    let mut changes = Changes::default();
    for spec in SECTIONS {
        if let (Some(before), Some(after)) = (before.section(spec.name), after.section(spec.name)) {
            changes.compare(spec, spec.name, before, after);
        }
    }
    let pairs = pairs(&before.listeners, &after.listeners);
    for (index, listener) in before.listeners.iter().enumerate() {
        if !pairs.contains(&Some(index)) {
            changes.listener(listener.address.to_string(), String::new());
        }
    }
    for (listener, pair) in after.listeners.iter().zip(pairs) {
        let address = listener.address.to_string();
        match pair {
            Some(index) => {
                let name = format!("listener[{address}]");
                changes.compare(&Listener::SPEC, &name, &before.listeners[index], listener);
            }
            None => changes.listener(String::new(), address),
        }
    }
    changes
}

impl Changes {
    fn listener(&mut self, before: String, after: String) {
        self.live.push(Change { option: "listener".to_owned(), before, after });
    }

    fn compare(&mut self, spec: &SectionSpec, name: &str, before: &dyn Section, after: &dyn Section) {
        for option in spec.options {
            let (Some(before), Some(after)) = (before.setting(option.key), after.setting(option.key)) else {
                continue;
            };
            if before == after {
                continue;
            }
            let change = Change {
                option: format!("{name}.{}", option.key),
                before: option.kind.show(&before),
                after: option.kind.show(&after),
            };
            match option.reload {
                Reload::Live => self.live.push(change),
                Reload::Restart => self.restart.push(change),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_come_and_go_but_a_backlog_needs_a_restart() {
        let before = Config::default();
        let mut after = before.clone();
        assert!(diff(&before, &after).is_empty());
        after.limits.queue_messages_max = 5;
        after.listeners[0].maximum_qos = ferry_codec::QoS::AtMostOnce;
        after.listeners[0].backlog = 5;
        after.listeners[1].address = "tcp://127.0.0.1:1".parse().unwrap();
        let changes = diff(&before, &after);
        let texts = |changes: &[Change]| -> Vec<String> {
            changes
                .iter()
                .map(|change| format!("{} {} {}", change.option, change.before, change.after))
                .collect()
        };
        assert_eq!(
            texts(&changes.live),
            [
                "limits.queue_messages_max 10000 5",
                "listener ws://127.0.0.1:8083/mqtt ",
                "listener[tcp://127.0.0.1:1883].maximum_qos 2 0",
                "listener  tcp://127.0.0.1:1",
            ]
        );
        assert_eq!(texts(&changes.restart), ["listener[tcp://127.0.0.1:1883].backlog 4096 5"]);
    }

    #[test]
    fn listeners_with_the_same_free_port_are_told_apart_by_their_order() {
        let listener = |port: u16, maximum_qos| Listener {
            address: format!("tcp://127.0.0.1:{port}").parse().unwrap(),
            maximum_qos,
            ..Listener::default()
        };
        use ferry_codec::QoS::{AtLeastOnce, AtMostOnce};
        let before = [listener(0, AtMostOnce), listener(7, AtMostOnce), listener(0, AtMostOnce)];
        let after = [listener(0, AtLeastOnce), listener(0, AtMostOnce), listener(0, AtMostOnce)];
        assert_eq!(pairs(&before, &after), [Some(0), Some(2), None]);
    }
}
