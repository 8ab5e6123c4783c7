//! Answers of the authorizer that are kept with a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ferry_codec::{Connect, MessageProperties, Packet, ProtocolVersion, QoS, Will};

use super::harness::{Broker, Client, connect, resume};
use crate::{AllowAll, Authorizer, ConnInfo, Event, Identity};

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

/// Publishing is for one address and one certificate; of QoS 2 nothing is granted.
struct FromHome;

impl Authorizer for FromHome {
    fn may_publish(&self, identity: &Identity, _: &str, _: QoS, _: bool) -> bool {
        identity.origin.as_ref().is_some_and(|origin| {
            &*origin.peer_address == "10.0.0.1:1" || origin.certificate_common_name.as_deref() == Some("pump")
        })
    }

    fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
        true
    }

    fn granted_qos(&self, _: &Identity, filter: &str) -> QoS {
        if filter == "low/#" { QoS::AtMostOnce } else { QoS::AtLeastOnce }
    }

    fn judges_origin(&self) -> bool {
        true
    }

    fn answers_last(&self) -> bool {
        true
    }
}

fn client_from(
    broker: &mut Broker,
    address: &str,
    certificate: Option<&str>,
    packet: &Connect<'_>,
) -> Client {
    let info = ConnInfo {
        peer_address: address.into(),
        certificate_common_name: certificate.map(Into::into),
        ..ConnInfo::default()
    };
    let client = broker.open_at(ProtocolVersion::V5, 0, info);
    broker.send(client, &Packet::Connect(*packet));
    client
}

#[test]
fn rights_may_depend_on_where_a_client_comes_from() {
    let mut broker = Broker::with_rules(FromHome);
    let watcher = broker.client("watcher");
    broker.subscribe(watcher, "#", 0);
    let will = Will {
        topic: "will",
        payload: b"gone",
        qos: QoS::AtMostOnce,
        retain: false,
        delay_interval_seconds: 0,
        properties: MessageProperties::default(),
    };
    for (address, certificate, may) in
        [("10.0.0.1:1", None, true), ("10.0.0.2:1", Some("pump"), true), ("10.0.0.2:1", None, false)]
    {
        let client = client_from(&mut broker, address, certificate, &connect("c"));
        assert_eq!(broker.read(client), ["CONNACK 0x00"]);
        broker.publish(client, "t", 0, 0, "x");
        assert_eq!(broker.read(watcher).len(), usize::from(may), "{address}");
        broker.disconnect(client);
        let client =
            client_from(&mut broker, address, certificate, &Connect { will: Some(will), ..connect("c") });
        assert_eq!(broker.read(client), [if may { "CONNACK 0x00" } else { "CONNACK 0x87" }]);
        // The connection is gone when the will is published, but not where it came from.
        broker.cut(client);
        assert_eq!(broker.read(watcher).len(), usize::from(may), "{address}");
    }
}

#[test]
fn rules_that_come_later_know_where_a_client_came_from() {
    let mut broker = Broker::with_rules(AllowAll);
    let watcher = broker.client("watcher");
    broker.subscribe(watcher, "#", 0);
    let client = client_from(&mut broker, "10.0.0.1:1", None, &connect("c"));
    broker.handle(0, Event::Reload { config: Arc::default(), authorizer: Arc::new(FromHome) });
    broker.publish(client, "t", 0, 0, "x");
    broker.publish(watcher, "t", 0, 0, "x");
    assert_eq!(broker.read(watcher).len(), 1);
}

#[test]
fn rules_may_grant_a_lower_qos() {
    let mut broker = Broker::with_rules(FromHome);
    let client = broker.client("c");
    assert_eq!(broker.subscribe(client, "low/#", 2), ["SUBACK 60000 [00]"]);
    assert_eq!(broker.subscribe(client, "a", 2), ["SUBACK 60000 [01]"]);
    assert_eq!(broker.subscribe(client, "$share/g/low/#", 1), ["SUBACK 60000 [00]"]);
    assert_eq!(broker.subscribe(client, "b", 0), ["SUBACK 60000 [00]"]);
}

/// Everything with this QoS at most.
struct Up(QoS);

impl Authorizer for Up {
    fn may_publish(&self, _: &Identity, _: &str, _: QoS, _: bool) -> bool {
        true
    }

    fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
        true
    }

    fn granted_qos(&self, _: &Identity, _: &str) -> QoS {
        self.0
    }
}

#[test]
fn a_lower_qos_holds_for_subscriptions_that_are_there() {
    let mut broker = Broker::with_rules(Up(QoS::ExactlyOnce));
    let publisher = broker.client("publisher");
    let client = broker.client("c");
    broker.subscribe(client, "plain", 2);
    broker.subscribe(client, "low", 0);
    broker.subscribe(client, "$share/g/shared", 1);
    let away = broker.online(&resume("away"));
    broker.subscribe(away, "plain", 2);
    broker.disconnect(away);
    let publish = |broker: &mut Broker, id| {
        broker.publish(publisher, "plain", 1, id, "x");
        broker.publish(publisher, "low", 1, id + 1, "x");
        broker.publish(publisher, "shared", 1, id + 2, "x");
    };
    broker.handle(0, Event::Rights { authorizer: Arc::new(Up(QoS::AtMostOnce)) });
    broker.read(publisher);
    publish(&mut broker, 1);
    assert_eq!(broker.read(client), ["PUBLISH plain q0 x", "PUBLISH low q0 x", "PUBLISH shared q0 x"]);
    assert_eq!(broker.counters().subscriptions_lowered, 2);
    // Of who is not here it is lowered when it is back.
    let away = broker.connect(&resume("away"));
    broker.read(away);
    assert_eq!(broker.counters().subscriptions_lowered, 3);
    broker.publish(publisher, "plain", 1, 7, "y");
    assert_eq!(broker.read(away), ["PUBLISH plain q0 y"]);
    // What was lowered stays so until the client subscribes again.
    broker.handle(0, Event::Rights { authorizer: Arc::new(Up(QoS::ExactlyOnce)) });
    broker.read(client);
    publish(&mut broker, 11);
    assert_eq!(broker.read(client), ["PUBLISH plain q0 x", "PUBLISH low q0 x", "PUBLISH shared q0 x"]);
    broker.subscribe(client, "plain", 2);
    broker.publish(publisher, "plain", 1, 21, "z");
    assert_eq!(broker.read(client).len(), 1);
    assert_eq!(broker.counters().subscriptions_lowered, 3);
}
