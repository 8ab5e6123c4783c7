//! A data directory with some of everything, dumped and loaded.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ferry_broker::config::Durability;
use ferry_broker::store_tools::{self, DumpOptions};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{
    Ack, Connect, ConnectProperties, MessageProperties, Packet, Publish, QoS, ReasonCode, RetainHandling,
    Subscribe, SubscribeFiltersBuf, SubscriptionOptions, UserPropertiesBuf, Will,
};

use crate::client::{Client, connect_packet, id};
use crate::commit::lasting;
use crate::config;

/// Removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("ferry-broker-store-tools-{}", std::process::id()));
        let _none_before = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("made");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn start(directory: &Path) -> RunningBroker {
    let mut config = config();
    config.storage.durability = Durability::Fsync;
    config.storage.free_bytes_min = 0;
    config.storage.data_directory = Some(directory.to_owned());
    config.storage.queue_messages_in_memory_max = 1;
    Broker::builder(config).start().expect("started")
}

fn stop(broker: RunningBroker) {
    broker.shutdown();
    broker.join();
}

fn subscribe(client: &mut Client, filter: &str, options: SubscriptionOptions, subscription_id: Option<u32>) {
    let mut filters = SubscribeFiltersBuf::default();
    filters.push(filter, options);
    let subscribe = Subscribe {
        packet_id: id(1),
        subscription_id,
        user_properties: Default::default(),
        filters: filters.as_filters(),
    };
    client.send(&Packet::Subscribe(subscribe));
    assert!(client.receive_text().starts_with("Suback"));
}

/// One of everything that is kept.
fn fill(broker: &RunningBroker) {
    let mut user_properties = UserPropertiesBuf::default();
    user_properties.push("name", "value");
    user_properties.push("name", "another");
    let properties = MessageProperties {
        payload_format_indicator: Some(true),
        content_type: Some("text/plain"),
        response_topic: Some("answer"),
        correlation_data: Some(b"\0\xFF"),
        user_properties: user_properties.as_user_properties(),
        ..MessageProperties::default()
    };
    let expiring = MessageProperties { message_expiry_interval: Some(1000), ..properties };
    let mut other = lasting(broker, "other", false);
    other.subscribe("c", QoS::AtLeastOnce);
    drop(other);
    let mut one = client_with_will(broker, expiring);
    let unusual = SubscriptionOptions {
        maximum_qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DoNotSend,
    };
    subscribe(&mut one, "a/+", unusual, Some(7));
    subscribe(&mut one, "$share/g/b", SubscriptionOptions::with_qos(QoS::AtLeastOnce), Some(268_435_455));
    subscribe(&mut one, "c", SubscriptionOptions::with_qos(QoS::AtLeastOnce), None);
    one.publish("x", b"received", QoS::ExactlyOnce, Some(id(9)));
    assert!(one.receive_text().starts_with("Pubrec"));

    let mut publisher = Client::connect(broker, "publisher");
    let mut publish = |topic, payload, qos, retain, properties| {
        let packet_id = Some(id(1));
        let publish = Publish { topic, payload, qos, retain, packet_id, properties, ..Publish::default() };
        publisher.send(&Packet::Publish(publish));
        let answer = publisher.receive_text();
        if qos == QoS::ExactlyOnce {
            publisher.send(&Packet::Pubrel(Ack::new(id(1), ReasonCode::SUCCESS)));
            assert!(publisher.receive_text().starts_with("Pubcomp"), "{answer}");
        }
    };
    // The first is released and the second is not: both stay on their way.
    for payload in [b"1", b"2"] {
        publish("a/x", payload, QoS::ExactlyOnce, false, properties);
        assert!(one.receive_text().starts_with("Publish"));
    }
    one.send(&Packet::Pubrec(Ack::new(id(1), ReasonCode::SUCCESS)));
    assert!(one.receive_text().starts_with("Pubrel"));
    publish("c", b"not acknowledged", QoS::AtLeastOnce, false, properties);
    assert!(one.receive_text().starts_with("Publish"));
    drop(one);
    publish("b", b"shared", QoS::AtLeastOnce, false, properties);
    publish("c", b"\xFFqueued", QoS::AtLeastOnce, false, properties);
    publish("a/retained", b"\x00\xFF", QoS::AtLeastOnce, true, expiring);
    publish("c", b"last", QoS::ExactlyOnce, false, MessageProperties::default());
}

fn client_with_will(broker: &RunningBroker, properties: MessageProperties<'_>) -> Client {
    let mut client = Client::open(broker);
    let will = Will {
        topic: "will",
        payload: b"\xFF",
        qos: QoS::ExactlyOnce,
        retain: true,
        delay_interval_seconds: 1000,
        properties,
    };
    let connect_properties =
        ConnectProperties { session_expiry_interval: Some(3600), ..ConnectProperties::default() };
    let connect = Connect { properties: connect_properties, will: Some(will), ..connect_packet("one") };
    client.send(&Packet::Connect(connect));
    assert!(client.receive_text().starts_with("Connack"));
    client
}

/// All that a session is sent when its client comes back, up to the last message.
fn story(broker: &RunningBroker, client_id: &str) -> Vec<String> {
    let mut client = lasting(broker, client_id, true);
    let mut story = Vec::new();
    loop {
        let (text, is_last) = client.receive(|packet| {
            let is_last = matches!(packet, Packet::Publish(publish) if publish.payload == b"last");
            (format!("{packet:?}"), is_last)
        });
        story.push(text);
        if is_last {
            return story;
        }
    }
}

fn dump(directory: &Path) -> String {
    let mut progress = (0, 0);
    let mut lines = Vec::new();
    let report = store_tools::dump(directory, DumpOptions::default(), &mut lines, &mut |done, total| {
        progress = (done, total);
    });
    let report = report.expect("a dump");
    assert_eq!((report.unreadable_count, report.is_damaged), (0, false));
    assert_eq!(progress.0, progress.1);
    String::from_utf8(lines).expect("text")
}

#[test]
fn everything_survives_a_dump() {
    let directory = Directory::new();
    let (original, copy) = (directory.0.join("original"), directory.0.join("copy"));
    let broker = start(&original);
    fill(&broker);
    stop(broker);
    let dumped = dump(&original);
    let kinds: BTreeSet<&str> =
        dumped.lines().filter_map(|line| line.split("\"kind\":\"").nth(1)?.split('"').next()).collect();
    let expected =
        ["end", "message", "queued", "received", "retained", "sent", "session", "subscription", "will"];
    assert_eq!(kinds, BTreeSet::from(expected), "{dumped}");

    let mut lines_read = 0;
    let entries = store_tools::load(&copy, &mut dumped.as_bytes(), &mut |lines| lines_read = lines);
    assert_eq!(entries.expect("loaded") as usize, dumped.lines().count() - 2);
    assert_eq!(lines_read as usize, dumped.lines().count());
    assert_eq!(dump(&copy), dumped);
    let check = |directory| store_tools::check(directory, &mut |_, _| ()).expect("readable").restore;
    assert_eq!(check(&copy), check(&original));

    // What a broker makes of it, too, is the same.
    let stories = [original, copy].map(|directory| {
        let broker = start(&directory);
        let stories = ["one", "other"].map(|client_id| story(&broker, client_id));
        stop(broker);
        stories
    });
    assert_eq!(stories[0], stories[1]);
    let kinds: Vec<&str> =
        stories[0][0].iter().map(|text| text.split('(').next().unwrap_or_default()).collect();
    assert_eq!(kinds, ["Pubrel", "Publish", "Publish", "Publish", "Publish", "Publish", "Publish"]);
}
