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

/// Compares the configuration in force with a new one. Listeners are the same if their addresses are.
pub fn diff(before: &Config, after: &Config) -> Changes {
    let mut changes = Changes::default();
    for spec in SECTIONS {
        if let (Some(before), Some(after)) = (before.section(spec.name), after.section(spec.name)) {
            changes.compare(spec, spec.name, before, after);
        }
    }
    for listener in &before.listeners {
        match after.listeners.iter().find(|other| other.address == listener.address) {
            Some(other) => {
                changes.compare(&Listener::SPEC, &format!("listener[{}]", listener.address), listener, other);
            }
            None => changes.restart.push(Change {
                option: "listener".to_owned(),
                before: listener.address.to_string(),
                after: String::new(),
            }),
        }
    }
    for listener in &after.listeners {
        if !before.listeners.iter().any(|other| other.address == listener.address) {
            changes.restart.push(Change {
                option: "listener".to_owned(),
                before: String::new(),
                after: listener.address.to_string(),
            });
        }
    }
    changes
}

impl Changes {
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
    fn limits_are_live_and_listeners_need_a_restart() {
        let before = Config::default();
        let mut after = before.clone();
        assert!(diff(&before, &after).is_empty());
        after.limits.queue_messages_max = 5;
        after.listeners[0].maximum_qos = ferry_codec::QoS::AtMostOnce;
        after.listeners.remove(1);
        let changes = diff(&before, &after);
        assert_eq!(
            changes.live,
            [Change {
                option: "limits.queue_messages_max".to_owned(),
                before: "10000".to_owned(),
                after: "5".to_owned(),
            }]
        );
        let names: Vec<&str> = changes.restart.iter().map(|change| change.option.as_str()).collect();
        assert_eq!(names, ["listener[tcp://127.0.0.1:1883].maximum_qos", "listener"]);
    }
}
