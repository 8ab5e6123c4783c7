//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11).

use std::num::NonZeroU32;

use ferry_codec::{
    Connect, Packet, QoS, Subscribe, SubscribeFiltersBuf, SubscriptionOptions, Unsubscribe,
    UnsubscribeFiltersBuf, UserProperties,
};

use super::harness::*;
use crate::*;

/// Subscribing to `no/...` is not allowed.
struct Rules;

impl Authorizer for Rules {
    fn may_publish(&self, _: &Identity, _: &str, _: QoS, _: bool) -> bool {
        true
    }
    fn may_subscribe(&self, _: &Identity, filter: &str) -> bool {
        !filter.starts_with("no/")
    }
}

fn subscribe_all(broker: &mut Broker, client: Client, wanted: &[(&str, u8)]) -> Vec<String> {
    let mut filters = SubscribeFiltersBuf::new();
    for (filter, level) in wanted {
        filters.push(filter, SubscriptionOptions::with_qos(qos(*level)));
    }
    let subscribe = Subscribe {
        packet_id: id(77),
        subscription_id: None,
        user_properties: UserProperties::EMPTY,
        filters: filters.as_filters(),
    };
    broker.send(client, &Packet::Subscribe(subscribe));
    broker.read(client)
}

#[test]
fn each_filter_gets_a_code_in_order() {
    // [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] [MQTT-3.9.3-2]
    // [MQTT-2.2.1-6] [MQTT3-3.8.4-1] [MQTT3-3.8.4-2] [MQTT3-3.8.4-4] [MQTT3-3.8.4-5] [MQTT3-3.9.3-1]
    // [MQTT3-3.9.3-2] [MQTT3-2.3.1-7]
    let wanted = [("a", 2), ("no/x", 1), ("b", 0), ("$share/g/no/x", 0), ("c", 1)];
    for (version, codes) in [
        (V5, "[02, 87, 00, 87, 01]"),
        (V311, "[02, 80, 00, 80, 01]"),
        // 3.1 has no failure.
        (V31, "[02, 00, 00, 00, 01]"),
    ] {
        let mut broker = Broker::with_rules(Rules);
        let client = broker.online(&Connect { protocol_version: version, ..connect("c") });
        assert_eq!(subscribe_all(&mut broker, client, &wanted), [format!("SUBACK 77 {codes}")]);
        // Trap 30: permission is asked for the filter without `$share`.
        assert_eq!((broker.counters().subscriptions, broker.counters().shared_subscriptions), (3, 0));
    }
}

#[test]
fn a_lower_qos_may_be_granted() {
    // [MQTT-3.2.2-10]; trap 33.
    let mut broker = Broker::with(|config| config.maximum_qos = QoS::AtLeastOnce);
    let client = broker.client("c");
    assert_eq!(broker.subscribe(client, "t", 2), ["SUBACK 60000 [01]"]);
}

#[test]
fn a_filter_given_twice() {
    // Trap 24: two codes, one subscription, with what came last.
    let mut broker = Broker::new();
    let client = broker.client("c");
    assert_eq!(subscribe_all(&mut broker, client, &[("t", 2), ("t", 0)]), ["SUBACK 77 [02, 00]"]);
    broker.publish(client, "t", 0, 0, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q0 x"]);
    assert_eq!(broker.counters().subscriptions, 1);
}

#[test]
fn subscribing_again_replaces() {
    // [MQTT-3.8.4-3] [MQTT3-3.8.4-3]; trap 25.
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe_with(client, "t", SubscriptionOptions::with_qos(qos(2)), Some(1));
    broker.subscribe_with(client, "t", SubscriptionOptions::with_qos(qos(0)), Some(2));
    broker.publish(client, "t", 0, 0, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q0 sub=[2] x"]);
    broker.subscribe_with(client, "t", SubscriptionOptions::with_qos(qos(0)), None);
    broker.publish(client, "t", 0, 0, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q0 x"]);
}

#[test]
fn unsubscribing() {
    // [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1]
    // [MQTT-3.11.3-2] [MQTT3-3.10.4-1] [MQTT3-3.10.4-2] [MQTT3-3.10.4-4] [MQTT3-3.10.4-5] [MQTT3-3.10.4-6]
    for (version, codes) in [(V5, "[00, 11, 11, 00]"), (V311, "[]")] {
        let mut broker = Broker::new();
        let client = broker.online(&Connect { protocol_version: version, ..connect("c") });
        subscribe_all(&mut broker, client, &[("a/+", 0), ("a/b", 0), ("b", 0)]);
        let mut filters = UnsubscribeFiltersBuf::new();
        for filter in ["a/+", "a/#", "A/b", "a/b"] {
            filters.push(filter);
        }
        let filters = filters.as_filters();
        let unsubscribe = Unsubscribe { packet_id: id(9), user_properties: UserProperties::EMPTY, filters };
        broker.send(client, &Packet::Unsubscribe(unsubscribe));
        assert_eq!(broker.read(client), [format!("UNSUBACK 9 {codes}")]);
        for topic in ["a/b", "b"] {
            broker.publish(client, topic, 0, 0, "x");
        }
        assert_eq!(broker.read(client), ["PUBLISH b q0 x"]);
    }
}

#[test]
fn what_is_on_its_way_is_delivered_after_unsubscribing() {
    // [MQTT-3.10.4-3] [MQTT3-3.10.4-3]
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 2);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 2, 1, "x");
    broker.read(client);
    assert_eq!(broker.unsubscribe(client, "t"), ["UNSUBACK 60001 [00]"]);
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH t q2 id=1 dup x"]);
    broker.pubrec(client, 1);
    broker.pubcomp(client, 1);
    assert_eq!(broker.read(client), ["PUBREL 1"]);
}

#[test]
fn what_is_not_supported_ends_the_connection() {
    // U5-040 U5-042 U5-044 [MQTT3-3.8.3-2]
    let mut broker = Broker::with(|config| {
        config.wildcard_subscription_available = false;
        config.shared_subscription_available = false;
        config.subscription_identifiers_available = false;
    });
    for (filter, subscription_id, code) in
        [("a/+", None, "0xA2"), ("#", None, "0xA2"), ("$share/g/t", None, "0x9E"), ("t", Some(1), "0xA1")]
    {
        let client = broker.client("c");
        let received = broker.subscribe_with(client, filter, SubscriptionOptions::default(), subscription_id);
        assert_eq!(received, [format!("DISCONNECT {code}")]);
        assert!(broker.is_closed(client));
    }
}

#[test]
fn no_local_on_a_shared_subscription() {
    // [MQTT-3.8.3-4]; trap 27. Nothing of the packet is carried out.
    let mut broker = Broker::new();
    let client = broker.client("c");
    let options = SubscriptionOptions { no_local: true, ..Default::default() };
    assert_eq!(broker.subscribe_with(client, "$share/g/t", options, None), ["DISCONNECT 0x82"]);
    assert!(broker.is_closed(client));
}

#[test]
fn a_filter_that_is_not_valid() {
    // [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2] [MQTT-4.7.3-1]
    let mut broker = Broker::new();
    for filter in ["a#", "#/a", "a+", "", "$share//t", "$share/g", "$share/g/", "$share/g+/t"] {
        let client = broker.client("c");
        let received = broker.subscribe(client, filter, 0);
        assert_eq!(received, ["DISCONNECT 0x8F"], "{filter}");
    }
}

#[test]
fn wildcards_and_dollar_topics() {
    // [MQTT-4.7.2-1] [MQTT3-4.7.2-1]; trap 23.
    let mut broker = Broker::new();
    let client = broker.client("c");
    subscribe_all(&mut broker, client, &[("#", 0), ("+/x", 0), ("a/+", 0), ("$share/g/#", 0)]);
    for topic in ["$other/x", "a/$x", "a", "/x", "$x"] {
        broker.publish(client, topic, 0, 0, "");
    }
    let received = broker.read(client);
    let count = |topic: &str| received.iter().filter(|line| line.contains(&format!(" {topic} "))).count();
    assert_eq!((count("$other/x"), count("$x")), (0, 0));
    // Once for the session and once for the share group.
    assert_eq!((count("a/$x"), count("a"), count("/x")), (2, 2, 2));
}

#[test]
fn too_many_subscriptions() {
    let mut broker = Broker::with(|config| config.subscriptions_per_session_max = 2);
    let client = broker.client("c");
    let wanted = [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("$share/g/d", 0)];
    assert_eq!(subscribe_all(&mut broker, client, &wanted), ["SUBACK 77 [00, 00, 97, 01, 97]"]);
    broker.unsubscribe(client, "a");
    assert_eq!(subscribe_all(&mut broker, client, &[("c", 0)]), ["SUBACK 77 [00]"]);
}

#[test]
fn reason_strings_on_request_and_if_they_fit() {
    // [MQTT-3.1.2-29] [MQTT-3.9.2-1]; trap 34.
    let reasons = |broker: &mut Broker, connect: &Connect<'_>| {
        let client = broker.online(connect);
        let mut filters = SubscribeFiltersBuf::new();
        filters.push("no/x", SubscriptionOptions::default());
        let subscribe = Subscribe {
            packet_id: id(1),
            subscription_id: None,
            user_properties: UserProperties::EMPTY,
            filters: filters.as_filters(),
        };
        broker.send(client, &Packet::Subscribe(subscribe));
        broker.read_with(client, |packet| match packet {
            Packet::Suback(suback) => suback.reason_string.is_some(),
            packet => panic!("{packet:?}"),
        })
    };
    let mut broker = Broker::with_rules(Rules);
    assert_eq!(reasons(&mut broker, &connect("c")), [true]);
    let mut silent = connect("c");
    silent.properties.request_problem_information = Some(false);
    assert_eq!(reasons(&mut broker, &silent), [false]);
    let mut small = connect("c");
    small.properties.maximum_packet_size = NonZeroU32::new(30);
    assert_eq!(reasons(&mut broker, &small), [false]);
}

#[test]
fn a_suback_that_does_not_fit() {
    let mut broker = Broker::new();
    let mut small = connect("c");
    small.properties.maximum_packet_size = NonZeroU32::new(30);
    let client = broker.online(&small);
    let filters: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let wanted: Vec<(&str, u8)> = filters.iter().map(|filter| (&**filter, 0)).collect();
    // [MQTT-3.1.2-24]
    assert_eq!(subscribe_all(&mut broker, client, &wanted), ["DISCONNECT 0x95"]);
    assert!(broker.is_closed(client));
}
