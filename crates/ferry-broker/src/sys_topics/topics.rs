use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ferry_core::DropReason;
use ferry_store::Health;

use super::figures::{Figures, Totals};
use super::load_average::LoadAverage;
use crate::storage::StorageFigures;

/// What was published last under `$SYS`, and the averages, which need their own past.
#[derive(Default)]
pub(crate) struct SysTopics {
    published: HashMap<String, String>,
    loads: [LoadAverage; LOADS.len()],
    bytes_stored: LoadAverage,
    clients_connected_max: usize,
}

/// Picks the number that an average is made of.
type Total = fn(&Totals) -> u64;

/// What averages are made of, by the name in the topic.
const LOADS: [(&str, Total); 9] = [
    ("messages/received", |totals| totals.messages_received),
    ("messages/sent", |totals| totals.messages_sent),
    ("publish/received", |totals| totals.publish_received),
    ("publish/sent", |totals| totals.publish_sent),
    ("publish/dropped", |totals| totals.publish_dropped),
    ("bytes/received", |totals| totals.bytes_received),
    ("bytes/sent", |totals| totals.bytes_sent),
    ("sockets", |totals| totals.connections_opened),
    ("connections", |totals| totals.connects_received),
];

impl SysTopics {
    /// The topics that have been published.
    pub(crate) fn names(&self) -> Arc<[String]> {
        self.published.keys().cloned().collect()
    }

    /// Topics and payloads that differ from what was published before; all of them the first time. `elapsed` is the
    /// time since the last call.
    pub(crate) fn changes(&mut self, figures: &Figures, elapsed: Duration) -> Vec<(String, String)> {
        let mut changes = Vec::new();
        let mut publish = |name: &str, payload: String| {
            let topic = format!("$SYS/broker/{name}");
            if self.published.get(&topic) != Some(&payload) {
                self.published.insert(topic.clone(), payload.clone());
                changes.push((topic, payload));
            }
        };
        publish("version", format!("ferry version {}", env!("CARGO_PKG_VERSION")));
        publish("uptime", format!("{} seconds", figures.uptime.as_secs()));
        // Exact for one shard; for several, the highest that was ever seen here.
        let seen =
            if figures.shard_count == 1 { figures.clients_connected_max } else { figures.clients_connected };
        self.clients_connected_max = self.clients_connected_max.max(seen);
        publish("clients/maximum", self.clients_connected_max.to_string());
        for (name, count) in present(figures) {
            publish(name, count.to_string());
        }
        for (name, count) in totals(&figures.totals) {
            publish(name, count.to_string());
        }
        if let Some(storage) = &figures.storage {
            for (name, count) in stored(storage, figures.messages_stored) {
                publish(name, count.to_string());
            }
            let health = match storage.health {
                Health::Writable => "writable",
                Health::Full { .. } => "full",
                Health::Failed { .. } => "failed",
            };
            publish("store/health", health.to_owned());
            self.bytes_stored.update(storage.log.bytes_written, elapsed);
            for (average, (span, _)) in self.bytes_stored.per_minute().into_iter().zip(LoadAverage::SPANS) {
                publish(&format!("load/store/bytes/written/{span}"), format!("{average:.2}"));
            }
        }
        for (reason, count) in DropReason::ALL.into_iter().zip(figures.drops) {
            publish(&format!("drops/{}", reason.name()), count.to_string());
        }
        for (reason, count) in &figures.refusals {
            publish(&format!("refusals/{reason}"), count.to_string());
        }
        for (code, count) in &figures.reason_codes {
            publish(&format!("refusals/reason_code/0x{code:02X}"), count.to_string());
        }
        for (load, (name, total)) in self.loads.iter_mut().zip(LOADS) {
            load.update(total(&figures.totals), elapsed);
            for (average, (span, _)) in load.per_minute().into_iter().zip(LoadAverage::SPANS) {
                publish(&format!("load/{name}/{span}"), format!("{average:.2}"));
            }
        }
        changes
    }
}

fn present(figures: &Figures) -> [(&'static str, usize); 13] {
    let disconnected = figures.sessions.saturating_sub(figures.clients_connected);
    let stored = figures.queued_messages + figures.inflight_messages + figures.retained_messages;
    [
        ("clients/connected", figures.clients_connected),
        ("clients/active", figures.clients_connected),
        ("clients/disconnected", disconnected),
        ("clients/inactive", disconnected),
        ("clients/total", figures.clients_connected + disconnected),
        ("subscriptions/count", figures.subscriptions),
        ("shared_subscriptions/count", figures.shared_subscriptions),
        ("retained messages/count", figures.retained_messages),
        ("messages/stored", stored),
        ("store/messages/count", stored),
        ("store/messages/bytes", figures.queued_bytes + figures.retained_bytes),
        ("messages/queued", figures.queued_messages),
        ("messages/inflight", figures.inflight_messages),
    ]
}

/// What the disk has done and holds.
fn stored(storage: &StorageFigures, messages: u64) -> [(&'static str, u64); 11] {
    let log = &storage.log;
    [
        ("store/bytes/written", log.bytes_written),
        ("store/bytes/recorded", log.bytes_of_records),
        ("store/bytes/compacted", log.bytes_compacted),
        ("store/bytes/live", log.live_bytes),
        ("store/bytes/total", log.total_bytes),
        ("store/messages/written", messages),
        ("store/messages/bytes_written_each", log.bytes_written.checked_div(messages).unwrap_or(0)),
        ("store/syncs", log.syncs),
        ("store/segments", log.segments),
        ("store/records_lost", log.records_lost),
        ("store/damages", storage.damages),
    ]
}

fn totals(totals: &Totals) -> [(&'static str, u64); 13] {
    [
        ("clients/expired", totals.sessions_expired),
        ("clients/taken_over", totals.takeovers),
        ("messages/received", totals.messages_received),
        ("messages/sent", totals.messages_sent),
        ("publish/messages/received", totals.publish_received),
        ("publish/messages/sent", totals.publish_sent),
        ("publish/messages/dropped", totals.publish_dropped),
        ("publish/messages/refused", totals.publish_refused),
        ("publish/messages/wills", totals.wills_published),
        ("publish/bytes/received", totals.publish_bytes_received),
        ("publish/bytes/sent", totals.publish_bytes_sent),
        ("bytes/received", totals.bytes_received),
        ("bytes/sent", totals.bytes_sent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    fn payload<'a>(changes: &'a [(String, String)], name: &str) -> Option<&'a str> {
        let topic = format!("$SYS/broker/{name}");
        changes.iter().find(|(changed, _)| *changed == topic).map(|(_, payload)| &**payload)
    }

    #[test]
    fn everything_is_told_once_and_then_what_changes() {
        let mut topics = SysTopics::default();
        let mut figures = Figures { shard_count: 1, ..Figures::default() };
        let first = topics.changes(&figures, Duration::ZERO);
        assert_eq!(payload(&first, "uptime"), Some("0 seconds"));
        assert_eq!(payload(&first, "clients/connected"), Some("0"));
        assert_eq!(payload(&first, "retained messages/count"), Some("0"));
        assert_eq!(payload(&first, "drops/queue_full"), Some("0"));
        assert_eq!(payload(&first, "load/messages/received/1min"), Some("0.00"));
        assert!(topics.changes(&figures, TEN_SECONDS).is_empty());
        figures.totals.messages_received = 5;
        let second = topics.changes(&figures, TEN_SECONDS);
        assert_eq!(payload(&second, "messages/received"), Some("5"));
        assert_eq!(payload(&second, "load/messages/received/1min"), Some("4.61"));
        assert_eq!(payload(&second, "messages/sent"), None);
    }

    #[test]
    fn clients_without_a_connection_are_those_whose_session_waits() {
        let mut topics = SysTopics::default();
        let figures = Figures { clients_connected: 3, sessions: 5, ..Figures::default() };
        let changes = topics.changes(&figures, TEN_SECONDS);
        assert_eq!(payload(&changes, "clients/disconnected"), Some("2"));
        assert_eq!(payload(&changes, "clients/total"), Some("5"));
    }

    #[test]
    fn the_maximum_of_several_shards_is_what_was_seen() {
        let mut topics = SysTopics::default();
        let mut figures = Figures { shard_count: 2, clients_connected: 7, ..Figures::default() };
        assert_eq!(payload(&topics.changes(&figures, TEN_SECONDS), "clients/maximum"), Some("7"));
        figures.clients_connected = 2;
        assert_eq!(payload(&topics.changes(&figures, TEN_SECONDS), "clients/maximum"), None);
    }

    #[test]
    fn refusals_appear_with_the_first_one() {
        let mut topics = SysTopics::default();
        let mut figures = Figures::default();
        topics.changes(&figures, TEN_SECONDS);
        figures.refusals.insert("connections_max", 2);
        figures.reason_codes.insert(0x97, 4);
        let changes = topics.changes(&figures, TEN_SECONDS);
        assert_eq!(payload(&changes, "refusals/connections_max"), Some("2"));
        assert_eq!(payload(&changes, "refusals/reason_code/0x97"), Some("4"));
    }
}
