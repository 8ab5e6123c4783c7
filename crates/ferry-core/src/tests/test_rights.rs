//! Answers of the authorizer that are kept with a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferry_codec::{Connect, QoS};

use super::harness::{Broker, connect};
use crate::{Authorizer, Event, Identity};

/// Counts how often it is asked. Nobody may do anything on topics that start with `denied`.
#[derive(Default)]
struct Rules {
    asked: Arc<AtomicUsize>,
    denied: &'static str,
}

impl Authorizer for Rules {
    fn may_publish(&self, identity: &Identity, topic: &str, _: QoS, retain: bool) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        !topic.starts_with(self.denied) && !retain && identity.user_name.as_deref() != Some("other")
    }

    fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
        true
    }

    fn may_receive(&self, _: &Identity, topic: &str) -> bool {
        self.asked.fetch_add(1, Ordering::Relaxed);
        topic != "unread"
    }

    fn restricts_receiving(&self) -> bool {
        true
    }

    fn answers_last(&self) -> bool {
        true
    }
}

fn rules(denied: &'static str) -> (Rules, Arc<AtomicUsize>) {
    let asked = Arc::<AtomicUsize>::default();
    (Rules { asked: Arc::clone(&asked), denied }, asked)
}

#[test]
fn the_same_question_is_asked_once() {
    let (rules, asked) = rules("denied");
    let mut broker = Broker::with_rules(rules);
    let client = broker.client("c");
    broker.subscribe(client, "#", 0);
    for _ in 0..3 {
        broker.publish(client, "a", 0, 0, "x");
        broker.publish(client, "unread", 0, 0, "x");
        broker.publish(client, "denied", 0, 0, "x");
    }
    assert_eq!(broker.read(client).len(), 3);
    assert_eq!(asked.load(Ordering::Relaxed), 5, "to publish three topics, to receive two");
    broker.retain(client, "a", 0, 0, "x");
    assert_eq!(asked.load(Ordering::Relaxed), 6, "whether it may be retained is another question");
    assert!(broker.read(client).is_empty());
}

#[test]
fn of_many_topics_only_the_last_are_kept() {
    let (rules, asked) = rules("denied");
    let mut broker = Broker::with_rules(rules);
    let client = broker.client("c");
    let topics: Vec<String> = (0..100).map(|number| format!("{}/{number}", "t".repeat(number))).collect();
    for topic in &topics {
        broker.publish(client, topic, 0, 0, "x");
        broker.publish(client, topic, 0, 0, "x");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 100);
    broker.publish(client, &topics[0], 0, 0, "x");
    assert_eq!(asked.load(Ordering::Relaxed), 101);
    let long = "l".repeat(1000);
    broker.publish(client, &long, 0, 0, "x");
    broker.publish(client, &long, 0, 0, "x");
    assert_eq!(asked.load(Ordering::Relaxed), 103, "no memory for a long one");
}

#[test]
fn a_reload_ends_what_was_said() {
    let mut broker = Broker::with_rules(rules("denied").0);
    let client = broker.client("c");
    broker.subscribe(client, "#", 0);
    broker.publish(client, "a", 0, 0, "x");
    broker.publish(client, "denied", 0, 0, "x");
    assert_eq!(broker.read(client), ["PUBLISH a q0 x"]);
    let authorizer = Arc::new(rules("a").0);
    broker.handle(0, Event::Reload { config: Arc::default(), authorizer });
    broker.publish(client, "a", 0, 0, "x");
    broker.publish(client, "denied", 0, 0, "x");
    assert_eq!(broker.read(client), ["PUBLISH denied q0 x"]);
}

/// A session goes over to whoever proves another name for its client identifier: not what was allowed before.
#[test]
fn another_user_has_the_rights_of_his_own() {
    let mut broker = Broker::with_rules(rules("denied").0);
    let watcher = broker.client("watcher");
    broker.subscribe(watcher, "#", 0);
    let client = broker.client("c");
    broker.publish(client, "a", 0, 0, "x");
    assert_eq!(broker.read(watcher).len(), 1);
    let client = broker.online(&Connect { user_name: Some("other"), clean_start: false, ..connect("c") });
    broker.publish(client, "a", 0, 0, "x");
    assert!(broker.read(watcher).is_empty());
}
