//! Sessions: resuming, taking over, ending (sections 3.1.2, 3.1.4, 4.1, 4.4).

use ferry_codec::{Connect, Packet, Will};

use super::harness::*;
use crate::*;

fn expiring(client_id: &str, seconds: u32) -> Connect<'_> {
    let mut packet = resume(client_id);
    packet.properties.session_expiry_interval = Some(seconds);
    packet
}

#[test]
fn a_session_is_resumed() {
    // [MQTT-3.1.2-5] [MQTT-3.2.2-3] [MQTT-3.1.2-23]
    let mut broker = Broker::new();
    let first = broker.online(&resume("c"));
    broker.subscribe(first, "t", 1);
    broker.cut(first);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "while away");
    let second = broker.connect(&resume("c"));
    assert_eq!(broker.read(second), ["CONNACK 0x00 present", "PUBLISH t q1 id=1 while away"]);
}

#[test]
fn clean_start_discards_a_session() {
    // [MQTT-3.1.2-4] [MQTT-3.2.2-2]
    let mut broker = Broker::new();
    let first = broker.online(&resume("c"));
    broker.subscribe(first, "t", 1);
    broker.cut(first);
    let second = broker.online(&Connect { clean_start: true, ..resume("c") });
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    assert!(broker.read(second).is_empty());
    assert_eq!(broker.counters().subscriptions, 0);
}

#[test]
fn a_session_without_expiry_ends_with_its_connection() {
    // [MQTT-4.1.0-2]; trap 7: whatever Clean Start was.
    let mut broker = Broker::new();
    for clean_start in [false, true] {
        let client = broker.online(&Connect { clean_start, ..connect("c") });
        broker.subscribe(client, "t", 1);
        broker.cut(client);
        assert_eq!(broker.counters().sessions, 0);
    }
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
}

#[test]
fn clean_session_of_3() {
    // [MQTT3-3.1.2-4] [MQTT3-3.1.2-5] [MQTT3-3.1.2-6] [MQTT3-3.2.2-1] [MQTT3-3.2.2-2] [MQTT3-3.2.2-3]
    let v311 = |clean_start| Connect { protocol_version: V311, clean_start, ..connect("c") };
    let mut broker = Broker::new();
    let client = broker.connect(&v311(false));
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    broker.subscribe(client, "t", 1);
    broker.cut(client);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "kept");
    broker.publish(publisher, "t", 0, 0, "not kept");
    let client = broker.connect(&v311(false));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH t q1 id=1 kept"]);
    let client = broker.connect(&v311(true));
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    broker.cut(client);
    let client = broker.connect(&v311(false));
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
}

#[test]
fn a_session_expires() {
    // [MQTT-4.1.0-2] [MQTT-3.1.2-23]
    let mut broker = Broker::new();
    for (away_seconds, answer) in [(59, "CONNACK 0x00 present"), (60, "CONNACK 0x00")] {
        let client = broker.connect(&expiring("c", 60));
        broker.read(client);
        broker.cut(client);
        broker.advance(away_seconds);
        let client = broker.connect(&expiring("c", 60));
        assert_eq!(broker.read(client), [answer]);
        broker.disconnect(client);
    }
    assert_eq!(broker.counters().sessions_expired, 1);
}

#[test]
fn a_session_that_never_expires() {
    // Trap 7: no overflow.
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.cut(client);
    broker.advance(u32::MAX);
    assert_eq!(broker.counters().sessions, 1);
}

#[test]
fn a_session_that_is_over_is_not_resumed_although_no_timer_ran() {
    let mut broker = Broker::new();
    let client = broker.online(&expiring("c", 60));
    broker.cut(client);
    broker.now = broker.now.plus_seconds(60);
    let client = broker.connect(&expiring("c", 60));
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
}

#[test]
fn the_servers_limit_on_expiry_holds() {
    let mut broker = Broker::with(|config| config.session_expiry_seconds_max = 10);
    for packet in [resume("a"), Connect { protocol_version: V311, clean_start: false, ..connect("b") }] {
        let client = broker.online(&packet);
        broker.cut(client);
    }
    broker.advance(9);
    assert_eq!(broker.counters().sessions, 2);
    broker.advance(1);
    assert_eq!(broker.counters().sessions, 0);
}

#[test]
fn a_connection_is_taken_over() {
    // [MQTT-3.1.4-3] [MQTT3-3.1.4-2] [MQTT-3.1.3-2]
    for (version, answer) in [(V5, vec!["DISCONNECT 0x8E"]), (V311, vec![])] {
        let mut broker = Broker::new();
        let packet = Connect { protocol_version: version, clean_start: false, ..resume("c") };
        let old = broker.online(&packet);
        broker.subscribe(old, "t", 0);
        let new = broker.connect(&packet);
        assert_eq!(broker.read(old), answer);
        assert!(broker.is_closed(old));
        assert_eq!(broker.read(new), ["CONNACK 0x00 present"]);
        broker.publish(new, "t", 0, 0, "x");
        assert_eq!(broker.read(new), ["PUBLISH t q0 x"]);
        assert_eq!((broker.counters().takeovers, broker.counters().clients_connected), (1, 1));
    }
}

#[test]
fn a_session_that_ends_with_its_connection_cannot_be_taken_over() {
    let mut broker = Broker::new();
    let old = broker.client("c");
    broker.subscribe(old, "t", 0);
    let new = broker.connect(&resume("c"));
    assert_eq!(broker.read(new), ["CONNACK 0x00"]);
    assert!(broker.is_closed(old));
    assert_eq!(broker.counters().subscriptions, 0);
}

#[test]
fn another_user_may_be_kept_from_taking_over() {
    // Trap 9.
    let user = |name| Connect { user_name: Some(name), ..resume("c") };
    let mut broker = Broker::with(|config| config.takeover_same_user = true);
    let alice = broker.online(&user("alice"));
    let bob = broker.connect(&user("bob"));
    assert_eq!(broker.read(bob), ["CONNACK 0x87"]);
    assert!(!broker.is_closed(alice));
    broker.cut(alice);
    let bob = broker.connect(&user("bob"));
    assert_eq!(broker.read(bob), ["CONNACK 0x87"]);
    let alice = broker.connect(&user("alice"));
    assert_eq!(broker.read(alice), ["CONNACK 0x00 present"]);
}

#[test]
fn resuming_sends_what_is_unacknowledged_again() {
    // [MQTT-4.4.0-1] [MQTT3-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1] [MQTT-4.3.3-6]; trap 17.
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "#", 2);
    let publisher = broker.client("p");
    for (level, packet_id) in [(1, 1), (2, 2), (2, 3), (1, 4)] {
        broker.publish(publisher, "t", level, packet_id, &packet_id.to_string());
    }
    assert_eq!(broker.read(client).len(), 4);
    broker.pubrec(client, 2);
    broker.puback(client, 4);
    assert_eq!(broker.read(client), ["PUBREL 2"]);
    broker.cut(client);
    broker.publish(publisher, "t", 1, 5, "new");
    let client = broker.connect(&resume("c"));
    assert_eq!(
        broker.read(client),
        [
            "CONNACK 0x00 present",
            "PUBREL 2",
            "PUBLISH t q1 id=1 dup 1",
            "PUBLISH t q2 id=3 dup 3",
            "PUBLISH t q1 id=5 new",
        ]
    );
    // Nothing is sent again while the client is connected.
    broker.advance(100_000);
    assert!(broker.read(client).is_empty());
    for packet_id in [1, 5] {
        broker.puback(client, packet_id);
    }
    broker.pubcomp(client, 2);
    broker.pubrec(client, 3);
    broker.pubcomp(client, 3);
    assert_eq!(broker.read(client), ["PUBREL 3"]);
    assert_eq!(broker.counters().inflight_messages, 0);
}

#[test]
fn resuming_does_not_send_retained_messages() {
    // Trap 11.
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    broker.retain(publisher, "t", 0, 0, "r");
    let client = broker.online(&resume("c"));
    assert_eq!(broker.subscribe(client, "t", 0), ["SUBACK 60000 [00]", "PUBLISH t q0 retain r"]);
    let client = broker.connect(&resume("c"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present"]);
}

#[test]
fn a_received_qos_2_message_is_known_after_resuming() {
    // [MQTT-4.3.3-10]; trap 16.
    let mut broker = Broker::new();
    let watcher = broker.client("w");
    broker.subscribe(watcher, "t", 0);
    let publisher = broker.online(&resume("p"));
    broker.publish(publisher, "t", 2, 5, "once");
    assert_eq!(broker.read(publisher), ["PUBREC 5"]);
    let publisher = broker.connect(&resume("p"));
    broker.publish(publisher, "t", 2, 5, "once");
    broker.pubrel(publisher, 5);
    broker.pubrel(publisher, 5);
    assert_eq!(broker.read(publisher), ["CONNACK 0x00 present", "PUBREC 5", "PUBCOMP 5", "PUBCOMP 5 0x92"]);
    assert_eq!(broker.read(watcher), ["PUBLISH t q0 once"]);
    // [MQTT-4.3.3-12]
    broker.publish(publisher, "t", 2, 5, "twice");
    assert_eq!(broker.read(watcher), ["PUBLISH t q0 twice"]);
}

#[test]
fn receive_maximum_begins_anew_with_each_connection() {
    // Trap 15; re-sent messages count.
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    let with_maximum = |maximum| {
        let mut packet = resume("c");
        packet.properties.receive_maximum = std::num::NonZeroU16::new(maximum);
        packet
    };
    let client = broker.online(&with_maximum(3));
    broker.subscribe(client, "t", 1);
    for packet_id in 1..=5 {
        broker.publish(publisher, "t", 1, packet_id, &packet_id.to_string());
    }
    assert_eq!(broker.read(client).len(), 3);
    let client = broker.connect(&with_maximum(1));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH t q1 id=1 dup 1"]);
    broker.puback(client, 1);
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=2 dup 2"]);
    let client = broker.connect(&with_maximum(10));
    let received = broker.read(client);
    assert_eq!(
        received[1..],
        ["PUBLISH t q1 id=2 dup 2", "PUBLISH t q1 id=3 dup 3", "PUBLISH t q1 id=4 4", "PUBLISH t q1 id=5 5",]
    );
}

#[test]
fn rights_are_checked_again_on_resume() {
    // Trap 12.
    struct Rules;
    impl Authorizer for Rules {
        fn may_publish(&self, _: &Identity, _: &str, _: ferry_codec::QoS, _: bool) -> bool {
            true
        }
        fn may_subscribe(&self, identity: &Identity, filter: &str) -> bool {
            identity.user_name.as_deref() == Some("chief") || filter != "secret"
        }
    }
    let user = |name| Connect { user_name: Some(name), ..resume("c") };
    let mut broker = Broker::with_rules(Rules);
    let publisher = broker.client("p");
    let client = broker.online(&user("chief"));
    for filter in ["secret", "public"] {
        broker.subscribe(client, filter, 1);
    }
    broker.cut(client);
    for topic in ["secret", "public"] {
        broker.publish(publisher, topic, 1, 1, topic);
    }
    let client = broker.connect(&user("clerk"));
    assert_eq!(broker.read(client), ["CONNACK 0x00 present", "PUBLISH public q1 id=1 public"]);
    broker.publish(publisher, "secret", 1, 1, "x");
    assert!(broker.read(client).is_empty());
    assert_eq!(broker.drops(DropReason::NotAuthorized), 1);
}

#[test]
fn packets_of_the_old_connection_count_for_nothing() {
    let mut broker = Broker::new();
    let watcher = broker.client("w");
    broker.subscribe(watcher, "#", 0);
    let old = broker.online(&resume("c"));
    broker.online_again("c");
    broker.clients[old].closed = false;
    broker.publish(old, "t", 0, 0, "late");
    assert!(broker.read(watcher).is_empty());
}

#[test]
fn too_many_sessions() {
    let mut broker = Broker::with(|config| config.sessions_max = 1);
    let first = broker.online(&resume("a"));
    let refused = broker.connect(&resume("b"));
    assert_eq!(broker.read(refused), ["CONNACK 0x97"]);
    broker.cut(first);
    // One that exists is no new one.
    let again = broker.connect(&resume("a"));
    assert_eq!(broker.read(again), ["CONNACK 0x00 present"]);
}

#[test]
fn everything_of_an_ended_session_is_gone() {
    let mut broker = Broker::new();
    let will = Will { topic: "w", ..Will::default() };
    let client = broker.online(&Connect { will: Some(will), ..resume("c") });
    broker.subscribe(client, "t", 2);
    broker.subscribe(client, "$share/g/t", 2);
    let publisher = broker.client("p");
    for packet_id in 1..=300 {
        broker.publish(publisher, "t", 2, packet_id, "x");
        broker.pubrel(publisher, packet_id);
    }
    broker.cut(client);
    broker.cut(publisher);
    let clean = broker.online(&connect("c"));
    broker.disconnect(clean);
    let counters = broker.counters();
    assert_eq!((counters.sessions, counters.subscriptions, counters.shared_subscriptions), (0, 0, 0));
    assert_eq!((counters.queued_messages, counters.queued_bytes, counters.inflight_messages), (0, 0, 0));
    assert_eq!((counters.connections, counters.clients_connected), (0, 0));
    assert_eq!(broker.shards[0].next_deadline(), None);
    assert!(broker.shards[0].share_groups.is_empty() && broker.shards[0].subscriptions.is_empty());
}

#[test]
fn a_session_can_be_looked_at() {
    let mut broker = Broker::new();
    let client = broker.online(&Connect { user_name: Some("u"), ..resume("c") });
    broker.subscribe(client, "t", 1);
    broker.send(client, &Packet::Pingreq);
    let views: Vec<_> = broker.shards[0].sessions().collect();
    assert_eq!((views[0].client_id, views[0].user_name, views[0].subscriptions), ("c", Some("u"), 1));
    assert_eq!(views[0].conn, Some(broker.clients[client].conn));
}
