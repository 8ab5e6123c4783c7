//! `$SYS/clients/...`: who comes and who goes.

use std::num::NonZeroU16;

use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Disconnect, Packet, QoS, ReasonCode};
use serde_json::Value;

use crate::client::Client;
use crate::config;

fn start(presence: bool) -> RunningBroker {
    let mut config = config();
    config.server.shards = NonZeroU16::new(2);
    config.sys.presence = presence;
    Broker::start(config).expect("started")
}

fn told(watcher: &mut Client) -> (String, Value) {
    let (topic, payload) = watcher.receive_publish();
    (topic, serde_json::from_slice(&payload).expect("JSON"))
}

#[test]
fn those_who_watch_are_told_who_comes_and_why_they_go() {
    let broker = start(true);
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("$SYS/clients/+/+", QoS::AtLeastOnce);
    let mut expect = |topic: &str, reason: Option<&str>| {
        let (found, json) = told(&mut watcher);
        assert_eq!((found.as_str(), json["reason"].as_str()), (topic, reason), "{json}");
        assert!(json["address"].as_str().is_some_and(|address| address.starts_with("127.0.0.1:")));
    };
    let mut polite = Client::connect(&broker, "polite/1");
    expect("$SYS/clients/polite%2F1/connected", None);
    polite.send(&Packet::Disconnect(Disconnect::new(ReasonCode::NORMAL_DISCONNECTION)));
    expect("$SYS/clients/polite%2F1/disconnected", Some("Disconnected by the client"));
    let lost = Client::connect(&broker, "lost");
    expect("$SYS/clients/lost/connected", None);
    drop(lost);
    expect("$SYS/clients/lost/disconnected", Some("Connection lost"));
    let _first = Client::connect(&broker, "twin");
    expect("$SYS/clients/twin/connected", None);
    let _second = Client::connect(&broker, "twin");
    expect("$SYS/clients/twin/disconnected", Some("Session taken over"));
    expect("$SYS/clients/twin/connected", None);
    broker.disconnect("twin", ReasonCode::ADMINISTRATIVE_ACTION, None, None);
    expect("$SYS/clients/twin/disconnected", Some("Administrative action"));
}

#[test]
fn it_is_not_told_unless_that_is_wanted() {
    let broker = start(false);
    let mut watcher = Client::connect(&broker, "watcher");
    watcher.subscribe("$SYS/clients/#", QoS::AtLeastOnce);
    drop(Client::connect(&broker, "other"));
    watcher.ping();
}
