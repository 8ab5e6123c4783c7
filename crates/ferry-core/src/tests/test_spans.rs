//! Messages that are followed: what becomes of them, as spans of distributed traces.

use std::collections::HashSet;
use std::sync::Arc;

use ferry_codec::{
    Ack, MessageProperties, Packet, Publish, ReasonCode, Subscribe, SubscribeFiltersBuf, SubscriptionOptions,
    UserProperties, UserPropertiesBuf,
};
use ferry_session::TraceParent;

use super::harness::*;
use crate::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Follows everything.
const ALL: SpanConfig = SpanConfig {
    sample_one_in: 1,
    follow_publishers: true,
    messages_per_second_max: 1_000_000,
    deliveries_max: 100,
    add_to_v3: false,
};

fn broker(spans: SpanConfig) -> Broker {
    Broker::with(|config| config.spans = Some(spans))
}

/// What was followed to its end since the last look: kind, client, outcome.
fn ended(broker: &mut Broker) -> Vec<String> {
    let line = |span: &Span| {
        let kind = if span.kind == SpanKind::Receive { "from" } else { "to" };
        let queued = if span.is_queued { " queued" } else { "" };
        let outcome = match span.outcome {
            SpanOutcome::Done(code) => format!("{:02x}", code.code()),
            SpanOutcome::Dropped(reason) => reason.name().to_owned(),
            SpanOutcome::Unfinished(words) => words.to_owned(),
        };
        format!("{kind} {} q{}{queued}: {outcome}", span.client_id, span.qos.to_byte())
    };
    std::mem::take(&mut broker.spans).iter().map(line).collect()
}

fn publish_with(broker: &mut Broker, client: Client, level: u8, packet_id: u16, pairs: &[(&str, &str)]) {
    let user_properties: UserPropertiesBuf = pairs.iter().copied().collect();
    let user_properties = user_properties.as_user_properties();
    let properties = MessageProperties { user_properties, ..MessageProperties::default() };
    broker.publish_packet(
        client,
        level,
        packet_id,
        Publish { topic: "t", payload: b"x", properties, ..Publish::default() },
    );
}

/// The user properties of the PUBLISH packets that a client has got.
fn user_properties(broker: &mut Broker, client: Client) -> Vec<Vec<(String, String)>> {
    broker.read_with(client, |packet| {
        let Packet::Publish(publish) = packet else { return Vec::new() };
        let pairs = publish.properties.user_properties.iter();
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    })
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// [MQTT-3.3.2-17] [MQTT-3.3.2-18]
#[test]
fn a_publisher_stays_in_its_trace_and_its_properties_are_not_touched() {
    let mut broker = broker(SpanConfig { add_to_v3: true, sample_one_in: 0, ..ALL });
    let publisher = broker.client("p");
    let subscriber = broker.client("s");
    broker.subscribe(subscriber, "t", 1);
    let sent = [("a", "1"), ("traceparent", PARENT), ("tracestate", "x=1,y=2"), ("a", "1")];
    publish_with(&mut broker, publisher, 1, 1, &sent);
    let received = user_properties(&mut broker, subscriber);
    assert_eq!(received, [sent.map(|(name, value)| pair(name, value)).to_vec()]);
    broker.puback(subscriber, 1);
    let spans = std::mem::take(&mut broker.spans);
    let [receive, deliver] = &*spans else { panic!("{spans:?}") };
    let parent: TraceParent = PARENT.parse().unwrap();
    assert_eq!((receive.kind, deliver.kind), (SpanKind::Receive, SpanKind::Deliver));
    assert_eq!((receive.trace_id, deliver.trace_id), (parent.trace_id, parent.trace_id));
    assert_eq!((receive.parent_id, deliver.parent_id), (Some(parent.span_id), Some(receive.span_id)));
    assert_eq!(
        (receive.trace_state.as_deref(), deliver.trace_state.as_deref()),
        (Some("x=1,y=2"), Some("x=1,y=2"))
    );
    assert_eq!((&*receive.topic, receive.payload_bytes, receive.qos), ("t", 1, qos(1)));
}

#[test]
fn who_is_in_no_trace_begins_one() {
    let mut broker = broker(ALL);
    let mut old = connect("old");
    old.protocol_version = V311;
    let old = broker.online(&old);
    let new = broker.client("new");
    let subscriber = broker.client("s");
    broker.subscribe(subscriber, "t", 0);
    broker.publish(old, "t", 0, 0, "x");
    broker.publish(new, "t", 0, 0, "x");
    // What is malformed is none.
    publish_with(&mut broker, new, 0, 0, &[("traceparent", "00-1-2-01"), ("tracestate", "x=1")]);
    assert_eq!(user_properties(&mut broker, subscriber)[..2], [[], []]);
    let spans = std::mem::take(&mut broker.spans);
    let traces: HashSet<_> = spans.iter().map(|span| span.trace_id).collect();
    let names: HashSet<_> = spans.iter().map(|span| span.span_id).collect();
    assert_eq!((spans.len(), traces.len(), names.len()), (6, 3, 6));
    for of_message in spans.chunks(2) {
        let [deliver, receive] = of_message else { panic!("two of each") };
        assert_eq!((receive.parent_id, receive.trace_state.as_ref()), (None, None));
        assert_eq!((deliver.trace_id, deliver.parent_id), (receive.trace_id, Some(receive.span_id)));
    }
    assert_eq!(spans[1].protocol_version, Some(V311));
}

#[test]
fn copies_of_old_publishers_say_where_they_come_from_if_they_are_to() {
    let mut broker = broker(SpanConfig { add_to_v3: true, ..ALL });
    let mut old = connect("old");
    old.protocol_version = V311;
    let old = broker.online(&old);
    let new = broker.client("new");
    let subscriber = broker.client("s");
    broker.subscribe(subscriber, "#", 0);
    broker.retain(old, "t", 0, 0, "x");
    let receive = broker.spans.pop().expect("the last to end");
    let parent = TraceParent { trace_id: receive.trace_id, span_id: receive.span_id, is_sampled: true };
    let expected = [vec![pair("traceparent", &parent.to_string())]];
    assert_eq!(user_properties(&mut broker, subscriber), expected);
    // It is part of the message from there on.
    let late = broker.client("late");
    let mut filters = SubscribeFiltersBuf::new();
    filters.push("t", SubscriptionOptions::with_qos(qos(0)));
    let subscribe = Subscribe {
        packet_id: id(1),
        subscription_id: None,
        user_properties: UserProperties::EMPTY,
        filters: filters.as_filters(),
    };
    broker.send(late, &Packet::Subscribe(subscribe));
    assert_eq!(user_properties(&mut broker, late)[1..], expected);
    // What a 5.0 client sends is not added to.
    broker.publish(new, "t", 0, 0, "x");
    assert_eq!(user_properties(&mut broker, subscriber), [[]]);
}

#[test]
fn only_what_is_sampled_is_followed() {
    let mut broker = broker(SpanConfig { sample_one_in: 0, ..ALL });
    let client = broker.client("p");
    broker.publish(client, "t", 0, 0, "x");
    publish_with(&mut broker, client, 0, 0, &[("traceparent", &PARENT.replace("-01", "-00"))]);
    publish_with(&mut broker, client, 0, 0, &[("traceparent", PARENT), ("traceparent", PARENT)]);
    assert!(ended(&mut broker).is_empty());
    publish_with(&mut broker, client, 0, 0, &[("traceparent", PARENT)]);
    assert_eq!(ended(&mut broker), ["from p q0: 00"]);

    let mut broker = self::broker(SpanConfig { follow_publishers: false, ..ALL });
    let client = broker.client("p");
    publish_with(&mut broker, client, 0, 0, &[("traceparent", &PARENT.replace("-01", "-00"))]);
    assert!(ended(&mut broker).is_empty());
    publish_with(&mut broker, client, 0, 0, &[("traceparent", PARENT)]);
    assert_eq!(broker.spans.pop().expect("chosen").trace_id, PARENT.parse::<TraceParent>().unwrap().trace_id);

    let mut broker = self::broker(SpanConfig { sample_one_in: 10, ..ALL });
    let client = broker.client("p");
    (0..10_000).for_each(|_| broker.publish(client, "t", 0, 0, "x"));
    let share = broker.spans.len();
    assert!((800..1_200).contains(&share), "{share}");
}

#[test]
fn only_so_many_messages_and_copies_are_followed() {
    let mut broker = broker(SpanConfig { messages_per_second_max: 3, deliveries_max: 2, ..ALL });
    let publisher = broker.client("p");
    for name in ["a", "b", "c"] {
        let subscriber = broker.client(name);
        broker.subscribe(subscriber, "t", 0);
    }
    (0..5).for_each(|_| broker.publish(publisher, "t", 0, 0, "x"));
    assert_eq!(broker.spans.len(), 3 * (1 + 2));
    assert_eq!(broker.shards[0].counters().spans_limited, 2);
    broker.advance(1);
    broker.publish(publisher, "t", 0, 0, "x");
    assert_eq!(broker.spans.len(), 4 * (1 + 2));
}

#[test]
fn a_span_lasts_until_the_acknowledgement() {
    let mut broker = broker(ALL);
    let publisher = broker.client("p");
    let subscriber = broker.client("s");
    broker.subscribe(subscriber, "t", 2);
    let started = broker.now.0 * 1_000_000;
    broker.publish(publisher, "t", 1, 1, "x");
    assert_eq!(ended(&mut broker), ["from p q1: 00"]);
    broker.publish(publisher, "t", 2, 2, "x");
    assert_eq!(ended(&mut broker), ["from p q2: 00"]);
    broker.advance(2);
    broker.puback(subscriber, 1);
    assert_eq!(broker.spans[0].ended_nanoseconds, started + 2_000_000_000);
    assert_eq!(broker.spans[0].started_nanoseconds, started);
    // The driver knows the time better.
    broker.shards[0].note_nanoseconds(broker.now.0 * 1_000_000 + 17);
    broker.pubrec(subscriber, 2);
    assert_eq!(broker.spans[1].ended_nanoseconds, started + 2_000_000_017);
    broker.pubcomp(subscriber, 2);
    assert_eq!(ended(&mut broker), ["to s q1: 00", "to s q2: 00"]);
    // What the receiver says counts.
    broker.publish(publisher, "t", 1, 1, "x");
    broker.send(subscriber, &Packet::Puback(Ack::new(id(3), ReasonCode::QUOTA_EXCEEDED)));
    assert_eq!(ended(&mut broker), ["from p q1: 00", "to s q1: 97"]);
}

#[test]
fn an_acknowledgement_waits_for_the_store() {
    let mut broker = Broker::with(|config| {
        config.spans = Some(ALL);
        config.durability = Durability::Fsync;
    });
    let publisher = broker.client("p");
    let subscriber = broker.online(&resume("s"));
    broker.subscribe(subscriber, "t", 1);
    broker.commits = false;
    broker.publish(publisher, "t", 1, 1, "x");
    assert!(ended(&mut broker).is_empty());
    broker.advance(1);
    broker.commit();
    let took = broker.spans[0].ended_nanoseconds - broker.spans[0].started_nanoseconds;
    assert_eq!(took, 1_000_000_000);
    assert_eq!(ended(&mut broker), ["from p q1: 00"]);
    // One whose publisher goes before that.
    broker.publish(publisher, "t", 1, 2, "x");
    broker.cut(publisher);
    assert_eq!(ended(&mut broker), ["from p q1: the connection ended before it was acknowledged"]);
}

#[test]
fn what_is_queued_or_dropped_says_so() {
    let mut broker = Broker::with(|config| {
        config.spans = Some(ALL);
        config.queue_messages_max = 1;
        config.overflow_policy = OverflowPolicy::DropNewest;
    });
    let publisher = broker.client("p");
    let subscriber = broker.online(&resume("s"));
    broker.subscribe(subscriber, "t", 1);
    broker.cut(subscriber);
    broker.publish(publisher, "t", 0, 0, "x");
    assert_eq!(ended(&mut broker), ["to s q0: qos0_offline", "from p q0: 00"]);
    broker.publish(publisher, "t", 1, 1, "x");
    broker.publish(publisher, "t", 1, 2, "x");
    assert_eq!(ended(&mut broker), ["from p q1: 00", "to s q1: queue_full", "from p q1: 00"]);
    let subscriber = broker.online_with_present_and("s", 1);
    assert_eq!(broker.read(subscriber), ["PUBLISH t q1 id=1 x"]);
    broker.puback(subscriber, 1);
    assert_eq!(ended(&mut broker), ["to s q1 queued: 00"]);
}

#[test]
fn a_refused_message_is_refused_whatever_its_publisher_is_told() {
    struct Nothing;
    impl Authorizer for Nothing {
        fn may_publish(&self, _: &Identity, _: &str, _: ferry_codec::QoS, _: bool) -> bool {
            false
        }

        fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
            true
        }
    }
    let mut broker = Broker::with_shards(1, Arc::new(Nothing), |config| config.spans = Some(ALL));
    let new = broker.client("new");
    let old = broker.online(&ferry_codec::Connect { protocol_version: V311, ..connect("old") });
    broker.publish(new, "t", 1, 1, "x");
    broker.publish(old, "t", 1, 1, "x");
    broker.publish(new, "t", 0, 0, "x");
    assert_eq!(broker.read(old), ["PUBACK 1"]);
    assert_eq!(ended(&mut broker), ["from new q1: 87", "from old q1: 87", "from new q0: 87"]);
}

#[test]
fn what_nobody_ends_ends_by_itself() {
    let mut broker = broker(ALL);
    let publisher = broker.client("p");
    let gone = broker.client("gone");
    let silent = broker.client("silent");
    broker.subscribe(gone, "t", 1);
    broker.subscribe(silent, "t", 1);
    broker.publish(publisher, "t", 1, 1, "x");
    assert_eq!(ended(&mut broker), ["from p q1: 00"]);
    broker.disconnect(gone);
    assert_eq!(ended(&mut broker), ["to gone q1: the session ended"]);
    broker.advance(59);
    assert!(ended(&mut broker).is_empty());
    broker.advance(2);
    assert_eq!(ended(&mut broker), ["to silent q1: it is not acknowledged within 60 s"]);
    assert_eq!(broker.shards[0].next_deadline(), None);
}

#[test]
fn no_more_than_so_many_are_open() {
    let mut broker = broker(ALL);
    let publisher = broker.client("p");
    let silent = broker.client("silent");
    broker.subscribe(silent, "t", 1);
    for _ in 0..1_030 {
        broker.publish(publisher, "t", 1, 1, "x");
        broker.read(publisher);
    }
    let spans = ended(&mut broker);
    let too_many = spans.iter().filter(|span| span.ends_with("too many messages are followed at once"));
    // That of the message itself is open while its copies begin.
    assert_eq!((spans.len(), too_many.count()), (1_030 + 7, 7));
}

#[test]
fn the_other_shards_follow_too() {
    for level in 0..3 {
        let mut broker = Broker::with_shards(3, Arc::new(AllowAll), |config| config.spans = Some(ALL));
        let names: Vec<String> = (0..20).map(|number| format!("client-{number}")).collect();
        let clients: Vec<Client> = names.iter().map(|name| broker.client(name)).collect();
        for (client, filter) in clients.iter().zip(["t", "$share/g/t"].into_iter().cycle()) {
            broker.subscribe(*client, filter, 0);
        }
        broker.publish(clients[0], "t", level, u16::from(level > 0), "x");
        let spans = std::mem::take(&mut broker.spans);
        let of_publisher = spans.iter().find(|span| span.kind == SpanKind::Receive).expect("one");
        let copies: Vec<&Span> = spans.iter().filter(|span| span.kind == SpanKind::Deliver).collect();
        assert_eq!(copies.len(), 10 + 1);
        for copy in copies {
            assert_eq!((copy.trace_id, copy.parent_id), (of_publisher.trace_id, Some(of_publisher.span_id)));
        }
        let names: HashSet<_> = spans.iter().map(|span| span.span_id).collect();
        assert_eq!(names.len(), spans.len());
    }
}

#[test]
fn a_reload_begins_and_ends_it() {
    let mut broker = Broker::new();
    let client = broker.client("p");
    broker.publish(client, "t", 0, 0, "x");
    let reload = |broker: &mut Broker, spans| {
        let config = Arc::new(CoreConfig { spans, ..CoreConfig::default() });
        broker.handle(0, Event::Reload { config, authorizer: Arc::new(AllowAll) });
        broker.publish(client, "t", 0, 0, "x");
        ended(broker).len()
    };
    assert_eq!(reload(&mut broker, Some(ALL)), 1);
    assert_eq!(reload(&mut broker, Some(SpanConfig { sample_one_in: 0, ..ALL })), 0);
    assert_eq!(reload(&mut broker, None), 0);
    assert!(!broker.shards[0].has_spans());
}
