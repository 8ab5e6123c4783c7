//! A broker that has more to do than it can: who is connected is served, nobody else is let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ferry_broker::config::Config;
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Ack, Connect, Packet, ProtocolVersion, Publish, QoS, ReasonCode, encode};
use serde_json::Value;

use crate::admin::with_api;
use crate::client::{Client, connect_packet, id};
use crate::commit::{GatedDisk, durable, lasting};
use crate::http::tcp_door;
use crate::tls::Authority;

/// Clients that send as much as they can.
const FLOODING_CLIENTS: usize = 4;

/// Bytes that one of them sends at a time.
const FLOOD_BYTES: usize = 128 * 1024;

/// Levels of a message's topic that filters match by name or by wildcard, each combination of them: a machine that is fast has a
/// thousand matches for each message, too.
const MATCHED_LEVELS: usize = if cfg!(debug_assertions) { 9 } else { 13 };

/// Bytes of each message: few messages are under way when the flood ends.
const PAYLOAD_BYTES: usize = 1024;

/// The messages differ in the last level, so that no answer is remembered for all of them.
const FLOODED_TOPICS: usize = 5_000;

/// Messages that the disk has to keep, after one: 33 MiB, where 32 may wait for it.
const KEPT_MESSAGES: u16 = 66;
const KEPT_BYTES: usize = 512 * 1024;

/// More than enough for whatever is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The code of CONNACK for somebody new.
fn newcomer_code(broker: &RunningBroker, version: ProtocolVersion) -> u8 {
    code_for(Client::open(broker), version)
}

fn code_for(client: Client, version: ProtocolVersion) -> u8 {
    let mut client = client.speaking(version);
    client.send(&Packet::Connect(Connect { protocol_version: version, ..connect_packet("newcomer") }));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        connack.reason_code.code()
    })
}

/// A client that sends itself messages, each of which must come.
struct Established(Client);

impl Established {
    fn connect(broker: &RunningBroker) -> Self {
        Self::over(Client::open(broker))
    }

    fn over(mut client: Client) -> Self {
        client.send(&Packet::Connect(connect_packet("established")));
        client.receive(|packet| {
            let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
            assert!(!connack.reason_code.is_error(), "{connack:?}");
        });
        client.subscribe("own", QoS::AtLeastOnce);
        Self(client)
    }

    fn is_served(&mut self) {
        self.0.publish("own", b"x", QoS::AtLeastOnce, Some(id(7)));
        let mut awaited = 2;
        while awaited > 0 {
            let packet_id = self.0.receive(|packet| match packet {
                Packet::Publish(publish) => publish.packet_id,
                Packet::Puback(_) => None,
                other => panic!("{other:?}"),
            });
            // Or it would be sent no more, once there are many of them.
            if let Some(packet_id) = packet_id {
                self.0.send(&Packet::Puback(Ack::new(packet_id, ReasonCode::SUCCESS)));
            }
            awaited -= 1;
        }
    }
}

/// A session that is away and takes nothing, whose subscriptions have to be found for each message of [`flood`].
fn subscribe_to_the_flood(broker: &RunningBroker) {
    let mut client = lasting(broker, "away", false);
    for wildcards in 0..1_usize << MATCHED_LEVELS {
        let level = |number: usize| if wildcards >> number & 1 == 1 { "+/" } else { "a/" };
        let filter: String = (0..MATCHED_LEVELS).map(level).chain(["+"]).collect();
        client.subscribe(&filter, QoS::AtMostOnce);
    }
}

fn flood(mut client: Client, is_over: &AtomicBool) {
    let mut bytes = Vec::new();
    for number in (0..FLOODED_TOPICS).cycle() {
        let topic = format!("{}{number}", "a/".repeat(MATCHED_LEVELS));
        let publish = Publish { topic: &topic, payload: &[b'x'; PAYLOAD_BYTES], ..Publish::default() };
        encode(&Packet::Publish(publish), ProtocolVersion::V5, &mut bytes);
        if bytes.len() < FLOOD_BYTES {
            continue;
        }
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        client.send_bytes(&bytes);
        bytes.clear();
    }
}

/// Asks the thread of the admin API, which the shard is not bothered by.
fn wait_until_overload_is(broker: &RunningBroker, expected: &Value) {
    let (door, begin) = (tcp_door(broker), Instant::now());
    while door.get("/ready").json()["overload"] != *expected {
        assert!(begin.elapsed() < PATIENCE, "overload is not {expected}");
    }
}

fn start(configure: impl FnOnce(&mut Config)) -> RunningBroker {
    let mut config = with_api();
    config.server.shards = std::num::NonZeroU16::new(1);
    configure(&mut config);
    Broker::start(config).expect("started")
}

#[test]
fn messages_flow_and_connects_are_refused_while_the_shard_is_behind() {
    let mut broker = start(|config| config.limits.overload_lag_milliseconds_max = None);
    let mut established = Established::connect(&broker);
    subscribe_to_the_flood(&broker);
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<Client> =
        (0..FLOODING_CLIENTS).map(|number| Client::connect(&broker, &format!("flood{number}"))).collect();
    // Not before all are there, who may come slowly.
    let mut limited = broker.config().clone();
    limited.limits.overload_lag_milliseconds_max = Some(20);
    broker.reload(limited).expect("reloaded");
    let flooding: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let is_over = Arc::clone(&is_over);
            thread::spawn(move || flood(client, &is_over))
        })
        .collect();
    wait_until_overload_is(&broker, &"lag".into());
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V5), 0x89);
    // [MQTT3-3.2.2-5]: return code 3, Server unavailable.
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V311), 0x88);
    established.is_served();
    is_over.store(true, Ordering::Relaxed);
    flooding.into_iter().for_each(|flooding| flooding.join().expect("the flood was read"));
    wait_until_overload_is(&broker, &Value::Null);
    // Who has to wait for the machine's processors may be behind for a moment yet.
    let mut unlimited = broker.config().clone();
    unlimited.limits.overload_lag_milliseconds_max = None;
    broker.reload(unlimited).expect("reloaded");
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V5), 0);
    established.is_served();
    let metrics = tcp_door(&broker).get("/metrics").body;
    assert!(metrics.contains("ferry_overloaded{cause=\"lag\"} 0\n"), "{metrics}");
    assert!(metrics.contains("ferry_connections_refused_total{reason=\"overload\"}"), "{metrics}");
}

#[test]
fn a_broker_that_is_short_of_memory_lets_nobody_in_and_says_so() {
    let mut broker = start(|_| {});
    let mut established = Established::connect(&broker);
    let door = tcp_door(&broker);
    assert_eq!(door.get("/ready").ok()["overload"], Value::Null);
    let mut changed = broker.config().clone();
    changed.limits.overload_memory_bytes_max = Some(1024 * 1024);
    broker.reload(changed.clone()).expect("reloaded");
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V5), 0x89);
    established.is_served();
    let ready = door.get("/ready");
    assert_eq!((ready.status, &ready.json()["overload"]), (503, &"memory".into()));
    assert!(door.get("/metrics").body.contains("ferry_overloaded{cause=\"memory\"} 1\n"));
    changed.limits.overload_memory_bytes_max = None;
    broker.reload(changed).expect("reloaded");
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V5), 0);
    established.is_served();
    assert_eq!(door.get("/ready").status, 200);
}

#[test]
fn messages_flow_and_connects_are_refused_while_the_disk_is_behind() {
    let mut config = with_api();
    config.server.shards = std::num::NonZeroU16::new(1);
    config.storage = durable().storage;
    config.limits.overload_lag_milliseconds_max = None;
    config.limits.overload_store_lag_milliseconds_max = Some(100);
    config.limits.queue_bytes_max = 1 << 30;
    config.limits.queue_bytes_total_max = 1 << 30;
    let disk = GatedDisk::new();
    let broker = Broker::builder(config).disk(disk.clone()).start().expect("started");
    let gate = disk.keeper();
    lasting(&broker, "sleeper", false).subscribe("kept", QoS::AtLeastOnce);
    let mut established = Established::connect(&broker);
    let mut publisher = Client::connect(&broker, "publisher");
    // More than may wait for a disk that syncs nothing. What came together with the first one would not wait, but be written.
    gate.shut(true);
    publisher.publish("kept", b"first", QoS::AtLeastOnce, Some(id(KEPT_MESSAGES + 1)));
    gate.wait_until_it_holds();
    for number in 1..=KEPT_MESSAGES {
        publisher.publish("kept", &[b'x'; KEPT_BYTES], QoS::AtLeastOnce, Some(id(number)));
    }
    let (door, begin) = (tcp_door(&broker), Instant::now());
    while door.get("/ready").json()["overload"] != "store_lag" {
        assert!(begin.elapsed() < PATIENCE, "the disk is not behind");
        established.is_served();
    }
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V5), 0x89);
    established.is_served();
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V311), 0x88);
    established.is_served();
    gate.shut(false);
    publisher.receive_puback(id(KEPT_MESSAGES + 1));
    for number in 1..=KEPT_MESSAGES {
        publisher.receive_puback(id(number));
    }
    wait_until_overload_is(&broker, &Value::Null);
    assert_eq!(newcomer_code(&broker, ProtocolVersion::V5), 0);
}

#[test]
fn clients_of_tls_are_closed_at_the_door_and_those_within_are_told_why() {
    let authority = Authority::new();
    let mut broker = start(|config| config.listeners = vec![authority.listener()]);
    let mut established = Established::over(authority.open(&broker, None));
    // Two have done their handshakes, and nothing else, when it begins.
    let within = [authority.shake_hands(&broker), authority.shake_hands(&broker)];
    let mut changed = broker.config().clone();
    changed.limits.overload_memory_bytes_max = Some(1024 * 1024);
    broker.reload(changed.clone()).expect("reloaded");
    assert!(!authority.open(&broker, None).is_served());
    let codes = within.into_iter().zip([ProtocolVersion::V5, ProtocolVersion::V311]);
    let codes: Vec<u8> = codes.map(|(client, version)| code_for(client, version)).collect();
    assert_eq!(codes, [0x89, 0x88]);
    established.is_served();
    let metrics = tcp_door(&broker).get("/metrics").body;
    assert!(metrics.contains("ferry_connections_refused_total{reason=\"overload\"} 3\n"), "{metrics}");
    changed.limits.overload_memory_bytes_max = None;
    broker.reload(changed).expect("reloaded");
    assert_eq!(code_for(authority.open(&broker, None), ProtocolVersion::V5), 0);
    established.is_served();
}
