//! What is in the store comes back, whatever the number of shards, and what was lost is named.

use std::sync::Arc;

use ferry_codec::{Connect, MessageProperties, Publish, SubscriptionOptions, Will};
use proptest::prelude::*;

use super::harness::*;
use super::store::Entries;
use crate::persistence::{EntryKey, Flaw, Space, Value};
use crate::*;

fn config() -> CoreConfig {
    CoreConfig {
        durability: Durability::Fsync,
        session_expiry_seconds_max: NEVER,
        queue_messages_in_memory_max: 3,
        ..CoreConfig::default()
    }
}

fn recorded() -> Broker {
    Broker::with(|it| *it = config())
}

/// The broker stops, with all that was promised written, and starts again with `shards` after `seconds`.
fn restart(broker: &Broker, shards: u16, seconds: u32) -> Broker {
    let now = broker.now.plus_seconds(seconds);
    for (key, (value, _)) in &broker.store.after_crash(0).values {
        let mut again = Vec::new();
        Value::read(*key, value).expect("a value").write(&mut again);
        assert_eq!(again, *value, "{key:?}");
    }
    let (mut restarted, report) =
        Broker::restored(shards, (*broker.shared.config).clone(), &broker.store.after_crash(0), now);
    assert!(report.flaws.is_empty(), "{:?}", report.flawed);
    restarted.tick();
    restarted
}

fn expiring(client_id: &str, seconds: u32) -> Connect<'_> {
    let mut packet = resume(client_id);
    packet.properties.session_expiry_interval = Some(seconds);
    packet
}

/// Publishes from a client that leaves no session.
fn publish(broker: &mut Broker, topic: &str, level: u8, payload: &str) {
    let publisher = broker.client("publisher");
    broker.publish(publisher, topic, level, 1, payload);
    broker.disconnect(publisher);
}

#[test]
fn a_session_is_resumed() {
    let mut broker = recorded();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "t", 2);
    for payload in ["1", "2", "3", "4", "5", "6"] {
        publish(&mut broker, "t", if payload < "4" { 2 } else { 1 }, payload);
    }
    broker.read(client);
    // Out of their order: so are the PUBRELs [MQTT-4.3.3-4].
    broker.pubrec(client, 2);
    broker.pubrec(client, 1);
    broker.puback(client, 5);
    broker.publish(client, "x", 2, 9, "received");
    broker.cut(client);
    publish(&mut broker, "t", 1, "queued");
    for shards in [1, 3] {
        let mut broker = restart(&broker, shards, 10);
        let client = broker.connect(&resume("c"));
        // [MQTT-4.4.0-1] [MQTT-3.3.1-1]: with their packet identifiers and DUP, in order.
        assert_eq!(
            broker.read(client),
            [
                "CONNACK 0x00 present",
                "PUBREL 2",
                "PUBREL 1",
                "PUBLISH t q2 id=3 dup 3",
                "PUBLISH t q1 id=4 dup 4",
                "PUBLISH t q1 id=6 dup 6",
                "PUBLISH t q1 id=7 queued"
            ]
        );
        // It was routed before [MQTT-4.3.3-10].
        broker.publish(client, "x", 2, 9, "received");
        broker.pubrel(client, 9);
        broker.pubrel(client, 9);
        assert_eq!(broker.read(client), ["PUBREC 9", "PUBCOMP 9", "PUBCOMP 9 0x92"]);
        // Else another message with that identifier would be taken for it after the next start.
        let is_received = |key: &EntryKey| key.space == Space::Received as u8;
        assert!(!broker.store.live.values.keys().any(is_received));
    }
}

#[test]
fn subscriptions_keep_their_options() {
    let mut broker = recorded();
    let client = broker.online(&resume("c"));
    let options = SubscriptionOptions { retain_as_published: true, ..SubscriptionOptions::with_qos(qos(1)) };
    broker.subscribe_with(client, "a/+", options, Some(7));
    broker.subscribe(client, "$share/g/b", 1);
    broker.subscribe(client, "gone", 1);
    broker.unsubscribe(client, "gone");
    let own = SubscriptionOptions { no_local: true, ..SubscriptionOptions::with_qos(qos(2)) };
    broker.subscribe_with(client, "own", own, None);
    let mut broker = restart(&broker, 2, 0);
    assert_eq!(broker.counters().subscriptions + broker.shards[1].counters().subscriptions, 2);
    let client = broker.online_again("c");
    let publisher = broker.client("p");
    broker.retain(publisher, "a/x", 2, 1, "1");
    for topic in ["b", "gone", "own"] {
        broker.publish(publisher, topic, 1, 2, "2");
    }
    broker.publish(client, "own", 1, 1, "3");
    assert_eq!(
        broker.read(client),
        [
            "PUBLISH a/x q1 id=1 retain sub=[7] 1",
            "PUBLISH b q1 id=2 2",
            "PUBLISH own q1 id=3 2",
            "PUBACK 1 0x10"
        ]
    );
}

#[test]
fn a_message_for_several_sessions_is_stored_once() {
    let mut broker = recorded();
    for name in ["a", "b", "c"] {
        let client = broker.online(&resume(name));
        broker.subscribe(client, "t", 1);
        if name != "a" {
            broker.cut(client);
        }
    }
    publish(&mut broker, "t", 1, "only once");
    let has = |entries: &Entries| {
        entries.values.values().filter(|(value, _)| value.ends_with(b"only once")).count()
    };
    assert_eq!(has(&broker.store.live), 1);
    let mut broker = restart(&broker, 2, 0);
    for (name, dup) in [("a", " dup"), ("b", ""), ("c", "")] {
        let client = broker.online_with_present_and(name, 1);
        assert_eq!(broker.read(client), [format!("PUBLISH t q1 id=1{dup} only once")]);
        broker.puback(client, 1);
    }
    assert_eq!(has(&broker.store.live), 0);
}

#[test]
fn time_goes_on_while_the_broker_is_down() {
    let mut broker = recorded();
    let short = broker.online(&expiring("short", 10));
    let long = broker.online(&expiring("long", 100));
    broker.subscribe(long, "#", 1);
    let will = Will { topic: "w", payload: b"late", delay_interval_seconds: 30, ..Will::default() };
    let dying = broker.online(&Connect { will: Some(will), ..expiring("dying", 60) });
    for client in [short, long, dying] {
        broker.cut(client);
    }
    let properties = MessageProperties { message_expiry_interval: Some(5), ..MessageProperties::default() };
    let publisher = broker.client("p");
    let message = Publish { topic: "t", payload: b"x", properties, ..Publish::default() };
    broker.publish_packet(publisher, 1, 1, message);
    broker.publish_packet(publisher, 0, 0, Publish { topic: "r", retain: true, ..message });
    // [MQTT-4.1.0-2] [MQTT-3.3.2-5] [MQTT-3.1.3-9]
    let mut early = restart(&broker, 2, 4);
    early.advance(3);
    assert_eq!(early.shards.iter().map(|shard| shard.counters().sessions).sum::<usize>(), 3);
    assert_eq!(early.shared.retained.len(), 1);
    early.advance(70);
    assert_eq!(early.shared.retained.len(), 0);
    let mut late = restart(&broker, 2, 31);
    assert_eq!(late.shards.iter().map(|shard| shard.counters().sessions).sum::<usize>(), 2);
    let client = late.connect(&expiring("long", 100));
    assert_eq!(late.read(client), ["CONNACK 0x00 present", "PUBLISH w q0 late"][..1]);
    assert_eq!(late.drops(DropReason::Expired), 1);
    late.advance(100);
    assert_eq!(late.shared.retained.len(), 0);
    // It has no delay that is not over, and its session ends.
    let very_late = restart(&broker, 1, 1000);
    assert_eq!((very_late.counters().sessions, very_late.counters().wills_published), (0, 1));
}

#[test]
fn the_crash_ends_the_connections() {
    let mut broker = recorded();
    let will = Will { topic: "w", payload: b"gone", qos: qos(1), ..Will::default() };
    let _client = broker.online(&Connect { will: Some(will), ..expiring("c", 50) });
    let watcher = broker.online(&resume("watcher"));
    broker.subscribe(watcher, "w", 1);
    let mut broker = restart(&broker, 2, 1000);
    let watcher = broker.online_with_present_and("watcher", 1);
    // [MQTT-3.1.2-8]
    assert_eq!(broker.read(watcher), ["PUBLISH w q1 id=1 gone"]);
    // Its time began with the restart, and does not begin again with the next one.
    assert_eq!(broker.shards.iter().map(|shard| shard.counters().sessions).sum::<usize>(), 2);
    let broker = restart(&broker, 2, 51);
    assert_eq!(broker.shards.iter().map(|shard| shard.counters().sessions).sum::<usize>(), 1);
}

#[test]
fn retained_messages_come_back() {
    let mut broker = recorded();
    let client = broker.client("c");
    for (topic, payload) in [("a", "1"), ("b", "1"), ("a", "2"), ("b", ""), ("c", "1")] {
        broker.retain(client, topic, 1, 1, payload);
    }
    let mut broker = restart(&broker, 3, 0);
    // One allocation for all messages of a publisher.
    let publisher = |topic| broker.shared.retained.get(topic).and_then(|kept| kept.message.publisher.clone());
    assert!(Arc::ptr_eq(&publisher("a").unwrap(), &publisher("c").unwrap()));
    let client = broker.client("c");
    let mut received = broker.subscribe(client, "+", 0);
    received.sort();
    assert_eq!(received[..2], ["PUBLISH a q0 retain 2", "PUBLISH c q0 retain 1"]);
    // New ones get names of their own.
    broker.retain(client, "d", 1, 1, "1");
    assert_eq!(broker.store.live.values.len(), 3);
}

#[test]
fn copies_of_a_shared_subscription_go_to_another_member() {
    let mut broker = recorded();
    let leaving = broker.online(&expiring("leaving", 10));
    broker.subscribe(leaving, "$share/g/t", 1);
    broker.cut(leaving);
    for payload in ["1", "2", "3", "4", "5"] {
        publish(&mut broker, "t", 1, payload);
    }
    let mut broker = restart(&broker, 2, 0);
    let heir = broker.online(&resume("heir"));
    broker.subscribe(heir, "$share/g/t", 1);
    broker.advance(11);
    assert_eq!(broker.read(heir).len(), 5);
}

#[test]
fn what_is_damaged_is_named_and_the_rest_is_served() {
    let mut broker = recorded();
    for name in ["a", "b"] {
        let client = broker.online(&resume(name));
        broker.subscribe(client, "t", 1);
        broker.cut(client);
    }
    publish(&mut broker, "t", 1, "1");
    publish(&mut broker, "t", 1, "2");
    let intact = broker.store.after_crash(0);
    let keys: Vec<EntryKey> = intact.values.keys().copied().collect();
    for key in keys {
        let mut entries = intact.clone();
        entries.values.get_mut(&key).unwrap().0.truncate(1);
        let (broker, report) = Broker::restored(1, config(), &entries, broker.now);
        let sessions = if key.space == Space::Session as u8 { 1 } else { 2 };
        assert_eq!(broker.counters().sessions, sessions, "{key:?}");
        // A body is only read when it is needed.
        let flaws: Vec<_> = report.flaws.keys().collect();
        match key.space {
            2 => assert!(flaws.is_empty()),
            16 => assert_eq!(flaws, [&Flaw::Undecodable, &Flaw::WithoutSession]),
            _ => assert_eq!(flaws, [&Flaw::Undecodable]),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Connect { name: u8, expiry: u32, will: Option<u32> },
    Publish { name: u8, topic: u8, qos: u8, packet_id: u16, retain: bool, expiry: Option<u32> },
    Subscribe { name: u8, filter: u8, qos: u8, id: Option<u32> },
    Unsubscribe { name: u8, filter: u8 },
    Ack { name: u8, kind: u8, packet_id: u16 },
    Disconnect { name: u8, properly: bool },
    Advance { seconds: u32 },
}

const NAMES: [&str; 4] = ["anna", "bert", "carl", "dora"];
const TOPICS: [&str; 4] = ["a", "a/b", "b", "w"];
const FILTERS: [&str; 5] = ["a", "a/+", "#", "b", "w"];

fn step() -> impl Strategy<Value = Step> {
    let name = 0..4_u8;
    let expiry = prop_oneof![Just(0_u32), Just(20), Just(NEVER)];
    prop_oneof![
        4 => (name.clone(), expiry, prop::option::of(1..10_u32))
            .prop_map(|(name, expiry, will)| Step::Connect { name, expiry, will }),
        12 => (name.clone(), 0..3_u8, 0..3_u8, 1..6_u16, any::<bool>(), prop::option::of(1..20_u32))
            .prop_map(|(name, topic, qos, packet_id, retain, expiry)| {
                Step::Publish { name, topic, qos, packet_id, retain, expiry }
            }),
        4 => (name.clone(), 0..5_u8, 0..3_u8, prop::option::of(1..4_u32))
            .prop_map(|(name, filter, qos, id)| Step::Subscribe { name, filter, qos, id }),
        1 => (name.clone(), 0..5_u8).prop_map(|(name, filter)| Step::Unsubscribe { name, filter }),
        8 => (name.clone(), 0..4_u8, 1..8_u16)
            .prop_map(|(name, kind, packet_id)| Step::Ack { name, kind, packet_id }),
        2 => (name, any::<bool>()).prop_map(|(name, properly)| Step::Disconnect { name, properly }),
        1 => (0..6_u32).prop_map(|seconds| Step::Advance { seconds }),
    ]
}

/// Four clients, each with its present connection.
struct Story {
    broker: Broker,
    clients: [Option<Client>; 4],
}

impl Story {
    fn run(&mut self, step: &Step) {
        let Self { broker, clients } = self;
        let online = |broker: &Broker, name: u8| {
            clients[usize::from(name)].filter(|client| !broker.is_closed(*client))
        };
        match *step {
            Step::Connect { name, expiry, will } => {
                let will = will.filter(|_| expiry > 0).map(|delay_interval_seconds| Will {
                    topic: "w",
                    payload: NAMES[usize::from(name)].as_bytes(),
                    qos: qos(1),
                    delay_interval_seconds,
                    ..Will::default()
                });
                let mut packet = Connect { will, ..expiring(NAMES[usize::from(name)], expiry) };
                packet.properties.receive_maximum = std::num::NonZeroU16::new(3);
                clients[usize::from(name)] = Some(broker.connect(&packet));
            }
            Step::Publish { name, topic, qos, packet_id, retain, expiry } => {
                let Some(client) = online(broker, name) else { return };
                let message_expiry_interval = expiry;
                let properties = MessageProperties { message_expiry_interval, ..Default::default() };
                let topic = TOPICS[usize::from(topic)];
                let payload: &[u8] = if packet_id == 5 { b"" } else { b"x" };
                let publish = Publish { topic, retain, properties, payload, ..Publish::default() };
                broker.publish_packet(client, qos, if qos == 0 { 0 } else { packet_id }, publish);
            }
            Step::Subscribe { name, filter, qos: level, id } => {
                let Some(client) = online(broker, name) else { return };
                let options = SubscriptionOptions::with_qos(qos(level));
                broker.subscribe_with(client, FILTERS[usize::from(filter)], options, id);
            }
            Step::Unsubscribe { name, filter } => {
                let Some(client) = online(broker, name) else { return };
                broker.unsubscribe(client, FILTERS[usize::from(filter)]);
            }
            Step::Ack { name, kind, packet_id } => {
                let Some(client) = online(broker, name) else { return };
                match kind {
                    0 => broker.puback(client, packet_id),
                    1 => broker.pubrec(client, packet_id),
                    2 => broker.pubrel(client, packet_id),
                    _ => broker.pubcomp(client, packet_id),
                }
            }
            Step::Disconnect { name, properly } => {
                let Some(client) = online(broker, name) else { return };
                if properly { broker.disconnect(client) } else { broker.cut(client) }
            }
            Step::Advance { seconds } => broker.advance(seconds),
        }
    }
}

/// What each client is sent when it comes back, and until it has everything; packet identifiers only where they must
/// be the same.
fn aftermath(broker: &mut Broker) -> Vec<Vec<String>> {
    broker.advance(3);
    let mut stories = Vec::new();
    for name in NAMES {
        let client = broker.connect(&expiring(name, 20));
        let mut story = Vec::new();
        let mut first = true;
        loop {
            let received =
                broker.read_with(client, |packet| (super::summary::summary(packet), packet_id(packet)));
            if received.is_empty() {
                break;
            }
            for (text, acknowledged) in received {
                let is_new = text.starts_with("PUBLISH") && !text.contains(" dup");
                let words = text.split(' ').filter(|word| !(is_new && word.starts_with("id=")));
                let text = words.collect::<Vec<_>>().join(" ");
                // What is sent again comes at once.
                let is_answer = !first && text.starts_with("PUBREL");
                story.push(if is_answer { "PUBREL".to_owned() } else { text });
                match acknowledged {
                    Some((1, id)) => broker.puback(client, id),
                    Some((2, id)) => broker.pubrec(client, id),
                    Some((_, id)) => broker.pubcomp(client, id),
                    None => {}
                }
            }
            first = false;
        }
        for packet_id in 1..6 {
            broker.pubrel(client, packet_id);
        }
        story.extend(broker.read(client));
        let probe = broker.client("probe");
        for topic in TOPICS {
            broker.publish(probe, topic, 2, 1, "probe");
            broker.pubrel(probe, 1);
        }
        broker.disconnect(probe);
        let probes = broker.read(client);
        story.extend(probes.into_iter().map(|text| text.replace(|c: char| c.is_ascii_digit(), "")));
        broker.disconnect(client);
        // Wills that are due at the same time come in any order. Otherwise there is one for each topic and QoS
        // [MQTT-4.6.0-5].
        story.sort_by_key(|text| match text.split(' ').collect::<Vec<_>>()[..] {
            ["PUBLISH", "w", _, .., will] if NAMES.contains(&will) => text.clone(),
            ["PUBLISH", topic, level, ..] => format!("{topic} {level}"),
            _ => String::new(),
        });
        stories.push(story);
    }
    stories
}

fn packet_id(packet: &ferry_codec::Packet<'_>) -> Option<(u8, u16)> {
    match packet {
        ferry_codec::Packet::Publish(publish) => Some((publish.qos.to_byte(), publish.packet_id?.get())),
        ferry_codec::Packet::Pubrel(ack) => Some((3, ack.packet_id.get())),
        _ => None,
    }
}

fn retained(broker: &Broker) -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    let mut cursor = ferry_router::RetainedCursor::default();
    broker.shared.retained.for_each_matching("#", &mut cursor, usize::MAX, |topic, message| {
        // When it is forgotten is not said.
        if !message.is_expired(broker.now) {
            messages.push((topic.to_owned(), message.payload.to_vec()));
        }
    });
    messages.sort();
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// A broker that was stopped and started again does what one does that lost all its connections.
    #[test]
    fn a_restart_changes_nothing(
        steps in prop::collection::vec(step(), 0..120),
        shards in 1..4_u16,
        seconds in 0..15_u32,
    ) {
        let mut story = Story { broker: recorded(), clients: [None; 4] };
        for step in &steps {
            story.run(step);
        }
        let Story { mut broker, .. } = story;
        let mut restarted = restart(&broker, shards, 0);
        // In the order of their sessions: so the wills come in the same order.
        let mut conns: Vec<_> = broker.shards[0]
            .sessions
            .iter()
            .filter_map(|(_, session)| Some((session.recorded, session.conn?)))
            .collect();
        conns.sort_unstable();
        for (_, conn) in conns {
            let client = broker.clients.iter().position(|client| client.conn == conn && !client.closed);
            broker.cut(client.unwrap());
        }
        restarted.advance(seconds);
        broker.advance(seconds);
        prop_assert_eq!(retained(&restarted), retained(&broker));
        prop_assert_eq!(aftermath(&mut restarted), aftermath(&mut broker));
    }

    /// Whatever is found, the broker starts.
    #[test]
    fn any_entries(
        entries in prop::collection::btree_map(
            (0..4_u64, prop::sample::select(vec![1_u8, 2, 3, 16, 17, 18, 19, 20, 21]), 0..4_u64),
            (prop::collection::vec(any::<u8>(), 0..40), any::<bool>(), prop::option::of(0..4_u64)),
            0..40,
        ),
    ) {
        let mut found = Entries::default();
        for ((group, space, item), (mut value, is_known, shared)) in entries {
            if let Some(first) = value.first_mut().filter(|_| is_known) {
                *first = 1;
            }
            let shared = shared.map(|item| EntryKey { group: 0, space: Space::Body as u8, item });
            found.values.insert(EntryKey { group, space, item }, (value, shared));
        }
        start_anyway(&found);
    }

    /// One bit of what was written is another one.
    #[test]
    fn any_damage(
        steps in prop::collection::vec(step(), 20..80),
        at in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let mut story = Story { broker: recorded(), clients: [None; 4] };
        for step in &steps {
            story.run(step);
        }
        let mut found = story.broker.store.after_crash(0);
        if !found.values.is_empty() {
            let key = *at.get(&found.values.keys().copied().collect::<Vec<_>>());
            let value = &mut found.values.get_mut(&key).unwrap().0;
            let bit = bit.index(value.len() * 8);
            value[bit / 8] ^= 1 << (bit % 8);
            start_anyway(&found);
        }
    }
}

fn start_anyway(found: &Entries) {
    let shared = std::sync::Arc::new(Shared::new(2, 1, config().into(), std::sync::Arc::new(AllowAll)));
    let mut restorer = crate::persistence::Restorer::new(std::sync::Arc::clone(&shared));
    for (key, (value, shared)) in &found.values {
        restorer.entry(*key, *shared, &mut |out| {
            out.extend_from_slice(value);
            true
        });
    }
    for key in restorer.bodies_wanted() {
        if let Some((value, _)) = found.values.get(&key) {
            restorer.body(key, value);
        }
    }
    let now = Timestamp(1_000_000);
    let mut shards: Vec<_> =
        (0..2).map(|id| Shard::new(ShardId(id), 2, std::sync::Arc::clone(&shared), 1, now)).collect();
    let mut records = Vec::new();
    let restored = restorer.finish();
    for session in restored.sessions {
        let shard = usize::from(home_shard(session.client_id(), 2).0);
        shards[shard].restore(session, &mut records);
    }
    for forwarded in &restored.forwarded {
        shards.iter_mut().for_each(|shard| shard.restore_forwarded(forwarded, &mut records));
    }
    let mut effects = Effects::new();
    for shard in &mut shards {
        shard.handle(now, Event::Tick, &mut effects);
    }
}
