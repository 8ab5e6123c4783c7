use std::cell::Ref;
use std::sync::Arc;

use ferry_codec::{MessageProperties, QoS};
use ferry_core::{Activity, Event, ServerPublish, Shard};
use tokio::sync::Notify;

use super::{Decision, Driver, ShardReport};
use crate::storage::ShardStorage;
use crate::sys_topics::{presence_payload, presence_topic};

/// A topic cannot have more (section 1.5.4).
const TOPIC_BYTES_MAX: usize = 65_535;

/// Notices that something has happened on the shard since its last report, so that nobody need ask while nothing does.
#[derive(Default)]
pub(super) struct Watcher {
    /// That of the last report, and whom to alarm once.
    watch: Option<(Activity, Arc<Notify>)>,
}

impl Watcher {
    pub(super) fn watch(&mut self, activity: Activity, alarm: Arc<Notify>) {
        self.watch = Some((activity, alarm));
    }

    /// Gives the alarm if something has happened.
    pub(super) fn look(&mut self, activity: impl FnOnce() -> Activity) {
        if let Some((reported, _)) = &self.watch
            && *reported != activity()
        {
            self.alarm();
        }
    }

    /// Something has happened that the core does not count.
    pub(super) fn alarm(&mut self) {
        if let Some((_, alarm)) = self.watch.take() {
            alarm.notify_one();
        }
    }

    /// What has happened between `before` and `after` is no news.
    fn overlook(&mut self, before: Activity, after: Activity) {
        if let Some((reported, _)) = &mut self.watch
            && *reported == before
        {
            *reported = after;
        }
    }
}

impl Driver {
    /// What the core has.
    pub(crate) fn shard(&self) -> Ref<'_, Shard> {
        self.shard.borrow()
    }

    /// What was decided about a client, oldest first.
    pub(crate) fn decisions(&self, client_id: &str) -> Vec<Decision> {
        self.history.borrow().of(client_id).cloned().collect()
    }

    pub(crate) fn report(&self, topics: &[String]) -> ShardReport {
        let shard = self.shard.borrow();
        ShardReport {
            counters: shard.counters().clone(),
            messages_stored: self.storage.borrow().as_ref().map_or(0, ShardStorage::messages),
            turns: self.turns.get(),
            refusals: self.refusals.borrow().clone(),
            has_subscriber: topics.iter().any(|topic| shard.has_subscriber(topic)),
        }
    }

    /// Tells of the clients that came and went; `false` if none did.
    pub(super) fn publish_presence(&self) -> bool {
        let changes = std::mem::take(&mut self.effects.borrow_mut().presence);
        for presence in &changes {
            let (topic, payload) = (presence_topic(presence), presence_payload(presence));
            if topic.len() > TOPIC_BYTES_MAX {
                continue;
            }
            self.handle(Event::Publish(ServerPublish {
                topic: &topic,
                payload: payload.as_bytes(),
                qos: QoS::AtLeastOnce,
                retain: false,
                properties: MessageProperties::default(),
            }));
        }
        !changes.is_empty()
    }

    /// Publishes messages of the broker itself, retained: topics and payloads.
    pub(super) fn publish_own(&self, messages: Vec<(String, String)>) {
        let before = self.shard.borrow().counters().activity();
        for (topic, payload) in messages {
            self.handle(Event::Publish(ServerPublish {
                topic: &topic,
                payload: payload.as_bytes(),
                qos: QoS::ExactlyOnce,
                retain: true,
                properties: MessageProperties::default(),
            }));
        }
        let after = self.shard.borrow().counters().activity();
        self.watcher.borrow_mut().overlook(before, after);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use ferry_core::Counters;

    use super::*;

    fn activity(bytes_received: u64) -> Activity {
        Counters { bytes_received, ..Counters::default() }.activity()
    }

    fn was_alarmed(alarm: &Notify) -> bool {
        pin!(alarm.notified()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn what_happens_is_an_alarm_once() {
        let alarm = Arc::new(Notify::new());
        let mut watcher = Watcher::default();
        watcher.watch(activity(1), Arc::clone(&alarm));
        watcher.look(|| activity(1));
        assert!(!was_alarmed(&alarm), "nothing has happened");
        watcher.look(|| activity(2));
        assert!(was_alarmed(&alarm));
        watcher.look(|| panic!("nobody waits for it any more"));
    }

    #[test]
    fn what_the_broker_says_itself_is_none() {
        let alarm = Arc::new(Notify::new());
        let mut watcher = Watcher::default();
        watcher.watch(activity(1), Arc::clone(&alarm));
        watcher.overlook(activity(1), activity(5));
        watcher.look(|| activity(5));
        assert!(!was_alarmed(&alarm));
        // Something else had happened before.
        watcher.overlook(activity(6), activity(9));
        watcher.look(|| activity(9));
        assert!(was_alarmed(&alarm));
    }
}
