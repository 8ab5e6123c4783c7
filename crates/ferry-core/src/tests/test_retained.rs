//! Retained messages (section 3.3.1.3).

use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::{Connect, MessageProperties, Packet, Publish, RetainHandling, SubscriptionOptions};

use super::harness::*;
use crate::{Event, ServerPublish};

fn handling(retain_handling: RetainHandling) -> SubscriptionOptions {
    SubscriptionOptions { retain_handling, maximum_qos: qos(2), ..Default::default() }
}

#[test]
fn a_new_subscriber_gets_the_retained_message() {
    // [MQTT-3.3.1-5] [MQTT-3.3.1-9] [MQTT3-3.3.1-5] [MQTT3-3.3.1-6] [MQTT3-3.3.1-8]
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    for (topic, level, packet_id) in [("a/0", 0, 0), ("a/1", 1, 1), ("a/2", 2, 2), ("b", 0, 0)] {
        broker.retain(publisher, topic, level, packet_id, "old");
        broker.pubrel(publisher, 2);
        broker.retain(publisher, topic, level, packet_id, "r");
        broker.pubrel(publisher, 2);
    }
    let client = broker.client("c");
    let received = broker.subscribe(client, "a/+", 1).into_iter();
    let mut received: Vec<_> = received.map(|line| line.replace(" id=1", "").replace(" id=2", "")).collect();
    received.sort();
    // Trap 26: the lower of stored and granted QoS.
    assert_eq!(
        received,
        [
            "PUBLISH a/0 q0 retain r",
            "PUBLISH a/1 q1 retain r",
            "PUBLISH a/2 q1 retain r",
            "SUBACK 60000 [01]"
        ]
    );
}

/// Its memory is not kept until somebody else is read: it may be large.
#[test]
fn an_acknowledged_message_is_let_go_at_once() {
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    let client = broker.client("c");
    broker.subscribe(client, "t", 1);
    broker.retain(publisher, "t", 1, 1, "r");
    assert_eq!(broker.read(client), ["PUBLISH t q1 id=1 r"]);
    let owners = |broker: &Broker| {
        // Whoever asks is one of them.
        Arc::strong_count(&broker.shards[0].shared.retained.get("t").expect("retained").message) - 1
    };
    let before = owners(&broker);
    broker.puback(client, 1);
    assert_eq!(owners(&broker), before - 1);
}

#[test]
fn an_empty_payload_removes_it() {
    // [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT3-3.3.1-10] [MQTT3-3.3.1-11]
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.retain(client, "t", 0, 0, "r");
    broker.subscribe_with(client, "t", handling(RetainHandling::DoNotSend), None);
    broker.retain(client, "t", 0, 0, "");
    // It is forwarded as usual.
    assert_eq!(broker.read(client), ["PUBLISH t q0 "]);
    assert!(broker.shards[0].shared.retained.is_empty());
    assert_eq!(broker.subscribe(client, "t", 0), ["SUBACK 60000 [00]"]);
}

#[test]
fn without_retain_nothing_is_stored_or_removed() {
    // [MQTT-3.3.1-8] [MQTT3-3.3.1-12]; trap: an empty payload without RETAIN removes nothing.
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.publish(client, "t", 0, 0, "x");
    assert!(broker.shards[0].shared.retained.is_empty());
    broker.retain(client, "t", 0, 0, "r");
    broker.publish(client, "t", 0, 0, "y");
    broker.publish(client, "t", 0, 0, "");
    assert_eq!(broker.subscribe(client, "t", 0)[1], "PUBLISH t q0 retain r");
}

#[test]
fn a_qos_0_message_replaces_too() {
    // [MQTT3-3.3.1-7]
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.retain(client, "t", 1, 1, "one");
    broker.retain(client, "t", 0, 0, "zero");
    broker.read(client);
    assert_eq!(broker.subscribe(client, "t", 2)[1], "PUBLISH t q0 retain zero");
}

#[test]
fn retain_handling() {
    // [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4] [MQTT3-3.8.4-3]
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.retain(client, "t", 0, 0, "r");
    let mut count =
        |retain_handling| broker.subscribe_with(client, "t", handling(retain_handling), None).len() - 1;
    assert_eq!(count(RetainHandling::DoNotSend), 0);
    assert_eq!(count(RetainHandling::SendIfNew), 0);
    assert_eq!(count(RetainHandling::SendAtSubscribe), 1);
    assert_eq!(count(RetainHandling::SendAtSubscribe), 1);
    broker.unsubscribe(client, "t");
    assert_eq!(broker.subscribe_with(client, "t", handling(RetainHandling::SendIfNew), None).len(), 2);
}

#[test]
fn a_resumed_subscription_is_not_new() {
    // Trap 11.
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.retain(client, "t", 0, 0, "r");
    broker.subscribe(client, "t", 0);
    let client = broker.online_again("c");
    let received = broker.subscribe_with(client, "t", handling(RetainHandling::SendIfNew), None);
    assert_eq!(received, ["SUBACK 60000 [02]"]);
}

#[test]
fn identifiers_and_retain_as_published() {
    // RETAIN is set whatever Retain As Published says.
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.retain(client, "t", 0, 0, "r");
    let received = broker.subscribe_with(client, "t", SubscriptionOptions::default(), Some(5));
    assert_eq!(received[1], "PUBLISH t q0 retain sub=[5] r");
}

#[test]
fn retained_messages_outlive_their_publisher() {
    // [MQTT3-3.1.2-7]
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    broker.retain(publisher, "t", 0, 0, "r");
    broker.cut(publisher);
    let client = broker.client("c");
    assert_eq!(broker.subscribe(client, "t", 0).len(), 2);
}

#[test]
fn wildcards_do_not_match_dollar_topics() {
    // [MQTT-4.7.2-1]
    let mut broker = Broker::new();
    let client = broker.client("c");
    for topic in ["$x/y", "a"] {
        broker.retain(client, topic, 0, 0, "r");
    }
    assert_eq!(broker.subscribe(client, "#", 0).len(), 2);
    assert_eq!(broker.subscribe(client, "$x/#", 0).len(), 2);
}

#[test]
fn a_shared_subscription_gets_none() {
    // Trap 28.
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.retain(client, "t", 0, 0, "r");
    assert_eq!(broker.subscribe(client, "$share/g/t", 0), ["SUBACK 60000 [00]"]);
}

#[test]
fn retained_messages_expire() {
    // [MQTT-3.3.2-5] [MQTT-3.3.2-6]; trap 20.
    let mut broker = Broker::new();
    let client = broker.client("c");
    for (topic, seconds) in [("short", 10), ("long", 200)] {
        let properties = MessageProperties { message_expiry_interval: Some(seconds), ..Default::default() };
        let publish = Publish { topic, payload: b"x", retain: true, properties, ..Publish::default() };
        broker.publish_packet(client, 0, 0, publish);
    }
    broker.advance(10);
    assert_eq!(broker.subscribe(client, "#", 0)[1..], ["PUBLISH long q0 retain expiry=190 x"]);
    // The memory is freed too, with time.
    broker.advance(60);
    assert_eq!(broker.shards[0].shared.retained.len(), 1);
    broker.advance(200);
    assert!(broker.shards[0].shared.retained.is_empty());
    assert_eq!(broker.shards[0].next_deadline(), None);
}

#[test]
fn too_many_retained_messages() {
    let mut broker = Broker::with(|config| config.retained.count_max = 1);
    let client = broker.client("c");
    for topic in ["a", "b", "a"] {
        broker.retain(client, topic, 1, 1, "r");
        // It is forwarded and acknowledged all the same.
        assert_eq!(broker.read(client), ["PUBACK 1 0x10"]);
    }
    assert_eq!(broker.counters().retained_refused, 1);
    assert_eq!(broker.subscribe(client, "#", 0).len(), 2);
}

#[test]
fn what_the_broker_says_of_itself_takes_no_room_of_others() {
    let mut broker = Broker::with(|config| config.retained.count_max = 1);
    let say = |broker: &mut Broker, topic, payload| {
        let publish = ServerPublish {
            topic,
            payload,
            qos: qos(0),
            retain: true,
            properties: MessageProperties::default(),
        };
        broker.handle(0, Event::Publish(publish));
    };
    for payload in [b"1", b"2"] {
        say(&mut broker, "$SYS/broker/uptime", payload);
    }
    let client = broker.client("c");
    broker.retain(client, "t", 0, 0, "r");
    // Nor is there ever none for the broker's own.
    say(&mut broker, "$SYS/broker/version", b"3");
    assert_eq!(broker.counters().retained_refused, 0);
    assert_eq!(broker.subscribe(client, "#", 0)[1..], ["PUBLISH t q0 retain r"]);
    assert_eq!(broker.subscribe(client, "$SYS/#", 0).len(), 3);
    broker.retain(client, "u", 0, 0, "r");
    assert_eq!(broker.counters().retained_refused, 1);
}

#[test]
fn many_retained_messages_come_in_steps() {
    let mut broker = Broker::with(|config| config.retained_replay_steps = 10);
    let publisher = broker.client("p");
    for number in 0..1000 {
        broker.retain(publisher, &format!("t/{number}"), 0, 0, "r");
    }
    let client = broker.client("c");
    let first = broker.subscribe(client, "#", 0).len();
    assert!(first < 100, "{first}");
    // Other things happen in between.
    broker.send(client, &Packet::Pingreq);
    assert!(broker.read(client).contains(&"PINGRESP".to_owned()));
    let mut count = first - 1;
    while broker.shards[0].next_deadline().is_some_and(|deadline| deadline <= broker.now) {
        broker.tick();
        count += broker.read(client).len();
    }
    assert_eq!(count, 1000);
}

#[test]
fn many_retained_messages_wait_for_acknowledgements() {
    // [MQTT-3.3.4-9]; the session's queue is not flooded.
    let mut broker = Broker::with(|config| config.queue_messages_max = 20);
    let publisher = broker.client("p");
    for number in 0..500 {
        broker.retain(publisher, &format!("t/{number}"), 1, 1, "r");
    }
    let mut packet = connect("c");
    packet.properties.receive_maximum = NonZeroU16::new(7);
    let client = broker.online(&packet);
    let mut received = broker.subscribe(client, "#", 1);
    received.remove(0);
    let mut count = 0;
    while !received.is_empty() {
        assert!(received.len() <= 7, "{received:?}");
        count += received.len();
        for line in std::mem::take(&mut received) {
            let packet_id = line.split(' ').find_map(|word| word.strip_prefix("id=")).unwrap();
            broker.puback(client, packet_id.parse().unwrap());
            received.extend(broker.read(client));
        }
        broker.advance(0);
        received.extend(broker.read(client));
    }
    assert_eq!(count, 500);
    assert_eq!(broker.counters().drops.total(), 0);
}

#[test]
fn a_replay_goes_on_when_the_session_resumes() {
    let mut broker = Broker::new();
    let publisher = broker.client("p");
    for number in 0..1000 {
        broker.retain(publisher, &format!("t/{number}"), 1, 1, "r");
    }
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "#", 0);
    let client = broker.connect(&resume("c"));
    broker.advance(0);
    assert!(broker.read(client).len() > 500);
}

#[test]
fn unsubscribing_ends_a_replay() {
    let mut broker = Broker::with(|config| config.retained_replay_steps = 5);
    let client = broker.client("c");
    for number in 0..100 {
        broker.retain(client, &format!("t/{number}"), 0, 0, "r");
    }
    broker.subscribe(client, "#", 0);
    broker.unsubscribe(client, "#");
    broker.advance(0);
    assert!(broker.read(client).is_empty());
}

#[test]
fn retained_messages_for_a_3_client() {
    let mut broker = Broker::new();
    let client = broker.online(&Connect { protocol_version: V311, ..connect("c") });
    broker.retain(client, "t", 1, 1, "r");
    broker.read(client);
    assert_eq!(broker.subscribe(client, "t", 1), ["SUBACK 60000 [01]", "PUBLISH t q1 id=1 retain r"]);
}

#[test]
fn what_was_replaced_while_it_waited_is_not_sent() {
    // The old message must not come after the new one, nor after the one that deletes it.
    let mut broker = Broker::with(|config| config.output_bytes_max = 100);
    let publisher = broker.client("p");
    for number in 0..40 {
        broker.retain(publisher, &format!("t/{number:02}"), 0, 0, "old");
    }
    let client = broker.client("c");
    broker.clients[client].reads = false;
    broker.subscribe(client, "#", 0);
    for number in 0..39 {
        broker.retain(publisher, &format!("t/{number:02}"), 0, 0, "new");
    }
    broker.retain(publisher, "t/39", 0, 0, "");
    broker.read_again(client);
    broker.advance(1);
    let received = broker.read(client);
    // What was written already is followed by nothing that is old.
    let written = received.iter().position(|line| line.ends_with("new")).unwrap();
    assert!(written > 0 && received[written..].iter().all(|line| line.ends_with("new")), "{received:?}");
    assert!((39..=40).contains(&received.iter().filter(|line| line.starts_with("PUBLISH")).count()));
}
