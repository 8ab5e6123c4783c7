//! A rules file, from the file to the packets.

use std::path::PathBuf;

use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{
    Connect, ConnectProperties, MessageProperties, Packet, PacketId, Publish, QoS, ReasonCode, Subscribe,
    SubscribeFiltersBuf, SubscriptionOptions, UserProperties, Will,
};

use crate::client::{Client, connect_packet};
use crate::config;

const RULES: &str = r##"
[[rule]]
allow = "all"
topic = "own/${client_id}/#"
maximum_qos = 1
retain = false

[[rule]]
deny = "receive"
topic = "shared/secret"

[[rule]]
allow = "all"
topic = "shared/#"
address = "127.0.0.0/8"
"##;

struct Rules {
    broker: RunningBroker,
    file: PathBuf,
}

impl Rules {
    fn new(test: &str) -> Self {
        let file = std::env::temp_dir().join(format!("ferry-rules-{}-{test}.toml", std::process::id()));
        std::fs::write(&file, RULES).expect("written");
        let mut config = config();
        config.authorization.rules_file = Some(file.clone());
        Self { broker: Broker::start(config).expect("started"), file }
    }

    fn change(&mut self, text: &str) -> Result<(), String> {
        std::fs::write(&self.file, text).expect("written");
        let config = self.broker.config().clone();
        self.broker.reload(config).map(|_| ()).map_err(|problems| problems.to_string())
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
    }
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

/// The reason code of the answer to a PUBLISH of QoS 1 or 2.
fn published(client: &mut Client, topic: &str, qos: QoS, retain: bool) -> ReasonCode {
    let packet_id = Some(id(7));
    let publish = Publish { topic, payload: b"x", qos, retain, packet_id, ..Publish::default() };
    client.send(&Packet::Publish(publish));
    client.receive(|packet| match packet {
        Packet::Puback(ack) | Packet::Pubrec(ack) => ack.reason_code,
        _ => panic!("{packet:?}"),
    })
}

fn subscribed(client: &mut Client, filter: &str) -> ReasonCode {
    let mut filters = SubscribeFiltersBuf::default();
    filters.push(filter, SubscriptionOptions::with_qos(QoS::ExactlyOnce));
    let subscribe = Subscribe {
        packet_id: id(1),
        subscription_id: None,
        user_properties: UserProperties::EMPTY,
        filters: filters.as_filters(),
    };
    client.send(&Packet::Subscribe(subscribe));
    client.receive(|packet| {
        let Packet::Suback(suback) = packet else { panic!("{packet:?}") };
        ReasonCode::new(suback.reason_codes[0])
    })
}

#[test]
fn qos_and_retain_are_limited_by_the_rule() {
    let rules = Rules::new("limits");
    let mut client = Client::connect(&rules.broker, "c");
    let mut to = |topic, qos, retain| published(&mut client, topic, qos, retain);
    assert_eq!(to("own/c/x", QoS::AtLeastOnce, false), ReasonCode::NO_MATCHING_SUBSCRIBERS);
    // None of these is what the CONNACK said the broker cannot do (0x9A, 0x9B): this client may not do it here.
    assert_eq!(to("own/c/x", QoS::ExactlyOnce, false), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(to("own/c/x", QoS::AtLeastOnce, true), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(to("own/d/x", QoS::AtLeastOnce, false), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(to("shared/x", QoS::ExactlyOnce, true), ReasonCode::NO_MATCHING_SUBSCRIBERS);
    // A subscription of a higher QoS is granted with a lower one.
    assert_eq!(subscribed(&mut client, "own/c/+"), ReasonCode::GRANTED_QOS_1);
    assert_eq!(subscribed(&mut client, "$share/g/own/c/#"), ReasonCode::GRANTED_QOS_1);
    assert_eq!(subscribed(&mut client, "own/#"), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(subscribed(&mut client, "shared/#"), ReasonCode::GRANTED_QOS_2);
}

#[test]
fn wills_and_retained_messages_are_judged_too() {
    let rules = Rules::new("wills");
    let connected = |topic, qos, retain| {
        let mut client = Client::open(&rules.broker);
        let properties = MessageProperties::default();
        let will = Will { topic, payload: b"gone", qos, retain, delay_interval_seconds: 0, properties };
        client.send(&Packet::Connect(Connect { will: Some(will), ..connect_packet("w") }));
        client.receive(|packet| {
            let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
            connack.reason_code
        })
    };
    assert_eq!(connected("own/w/will", QoS::AtLeastOnce, false), ReasonCode::SUCCESS);
    assert_eq!(connected("own/w/will", QoS::ExactlyOnce, false), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(connected("own/w/will", QoS::AtLeastOnce, true), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(connected("own/x/will", QoS::AtLeastOnce, false), ReasonCode::NOT_AUTHORIZED);
    let mut client = Client::connect(&rules.broker, "c");
    published(&mut client, "shared/secret", QoS::AtLeastOnce, true);
    published(&mut client, "shared/known", QoS::AtLeastOnce, true);
    assert_eq!(subscribed(&mut client, "shared/#"), ReasonCode::GRANTED_QOS_2);
    assert_eq!(client.receive_publish().0, "shared/known", "of both retained messages only this one");
    client.ping();
}

#[test]
fn a_changed_file_holds_for_what_waits() {
    let mut rules = Rules::new("changed");
    let properties = ConnectProperties { session_expiry_interval: Some(60), ..ConnectProperties::default() };
    let connect = Connect { clean_start: false, properties, ..connect_packet("sleeper") };
    let mut sleeper = Client::open(&rules.broker);
    sleeper.send(&Packet::Connect(connect));
    sleeper.receive_text();
    subscribed(&mut sleeper, "shared/+");
    sleeper.send(&Packet::Disconnect(ferry_codec::Disconnect::default()));
    sleeper.receive_end();
    let mut client = Client::connect(&rules.broker, "c");
    published(&mut client, "shared/a", QoS::AtLeastOnce, false);
    published(&mut client, "shared/b", QoS::AtLeastOnce, false);
    let wrong = rules.change("[[rule]]\nalow = \"all\"\ntopic = \"#\"").expect_err("a mistake");
    assert!(wrong.contains(".toml:2:1: authorization.rules_file: unknown key \"alow\""), "{wrong}");
    assert!(wrong.contains("help: did you mean \"allow\"?"), "{wrong}");
    let denial = "[[rule]]\ndeny = \"receive\"\ntopic = \"shared/a\"\n";
    rules.change(&format!("{denial}{RULES}")).expect("reloaded");
    let mut sleeper = Client::open(&rules.broker);
    sleeper.send(&Packet::Connect(connect));
    sleeper.receive_text();
    assert_eq!(sleeper.receive_publish().0, "shared/b", "what may not be had any more does not come");
    // And not even the subscription is left if it may not be made any more.
    sleeper.send(&Packet::Disconnect(ferry_codec::Disconnect::default()));
    sleeper.receive_end();
    rules.change("[[rule]]\nallow = \"publish\"\ntopic = \"#\"\n").expect("reloaded");
    let mut sleeper = Client::open(&rules.broker);
    sleeper.send(&Packet::Connect(connect));
    sleeper.receive_text();
    let mut client = Client::connect(&rules.broker, "c");
    let answer = published(&mut client, "shared/a", QoS::AtLeastOnce, false);
    assert_eq!(answer, ReasonCode::NO_MATCHING_SUBSCRIBERS);
}

#[test]
fn one_kind_of_file_at_a_time() {
    let mut config = config();
    let file = std::env::temp_dir().join(format!("ferry-rules-{}-both", std::process::id()));
    std::fs::write(&file, "").expect("written");
    config.authorization.rules_file = Some(file.clone());
    config.authorization.acl_file = Some(file.clone());
    let problems = config.check().expect_err("both").to_string();
    let _ = std::fs::remove_file(file);
    assert!(
        problems.contains("authorization.acl_file too") && problems.contains("name one of them"),
        "{problems}"
    );
}
