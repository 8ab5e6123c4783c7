//! `/api/v1/top-talkers` and `/api/v1/slow-subscribers`.

use std::num::NonZeroU16;

use ferry_broker::Broker;
use ferry_broker::config::{AdminRole, Config};
use ferry_codec::{Packet, QoS};
use serde_json::{Value, json};

use crate::admin::{bearer, with_api};
use crate::client::{Client, connect_packet, id};
use crate::commit::lasting;
use crate::http::{Door, tcp_door};

fn with_shards() -> Config {
    let mut config = with_api();
    config.server.shards = NonZeroU16::new(2);
    config
}

fn items(door: &Door, path: &str) -> Vec<Value> {
    let page = door.request("GET", &format!("/api/v1{path}"), &[&bearer(AdminRole::Viewer)], "").ok();
    page["items"].as_array().expect("items").clone()
}

#[test]
fn those_with_most_traffic_come_first() {
    let broker = Broker::start(with_shards()).expect("started");
    let door = tcp_door(&broker);
    let mut quiet: Vec<Client> = (0..4).map(|n| Client::connect(&broker, &format!("quiet {n}"))).collect();
    quiet[0].subscribe("t", QoS::AtMostOnce);
    let mut talker = Client::connect(&broker, "talker");
    for _ in 0..20 {
        talker.publish("t", &[b'x'; 1_000], QoS::AtLeastOnce, Some(id(1)));
        talker.receive_puback(id(1));
        quiet[0].receive_publish();
    }
    let top = items(&door, "/top-talkers?limit=2");
    assert_eq!(top.len(), 2);
    assert!(top[0]["client_id"] == "talker" && top[0]["messages_received"] == 20, "{top:?}");
    assert!(top[0]["messages_sent"] == 0 && top[1]["messages_sent"] == 20, "{top:?}");
    assert!(
        top[0]["bytes_received"].as_u64().is_some_and(|bytes| (20_000..21_000).contains(&bytes)),
        "{top:?}"
    );
    assert!(top[1]["client_id"] == "quiet 0" && top[1]["messages_received"] == 0, "{top:?}");
    assert!(top[1]["bytes_sent"].as_u64().is_some_and(|bytes| bytes > 20_000), "{top:?}");
    // It is remembered although it has gone.
    drop(talker);
    quiet[0].ping();
    assert_eq!(items(&door, "/top-talkers?limit=1")[0]["client_id"], "talker");
    door.request("GET", "/api/v1/top-talkers?limit=101", &[&bearer(AdminRole::Viewer)], "").problem(400);
}

#[test]
fn those_for_whom_most_waits_come_first() {
    let broker = Broker::start(with_shards()).expect("started");
    let door = tcp_door(&broker);
    assert!(items(&door, "/slow-subscribers").is_empty());
    for (name, filter) in [("a", "few/#"), ("b", "+/+")] {
        lasting(&broker, name, false).subscribe(filter, QoS::AtLeastOnce);
    }
    // Connected, and takes nothing but the first.
    let mut slow = Client::open(&broker);
    let mut connect = connect_packet("slow");
    connect.properties.receive_maximum = NonZeroU16::new(1);
    slow.send(&Packet::Connect(connect));
    slow.receive(|packet| assert!(matches!(packet, Packet::Connack(_)), "{packet:?}"));
    slow.subscribe("few/#", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    for topic in ["few/1", "few/2", "more/1"] {
        publisher.publish(topic, &[b'x'; 100], QoS::AtLeastOnce, Some(id(1)));
        publisher.receive_puback(id(1));
    }
    // Their connections have gone, and nothing is on its way in them.
    while items(&door, "/clients?connected=true").len() > 2 {}
    slow.receive(|packet| assert!(matches!(packet, Packet::Publish(_)), "{packet:?}"));
    let names = |path: &str| -> Vec<Value> {
        items(&door, path).into_iter().map(|mut item| item["client_id"].take()).collect()
    };
    assert_eq!(names("/slow-subscribers"), [json!("b"), json!("a"), json!("slow")]);
    assert_eq!(names("/slow-subscribers?limit=1"), [json!("b")]);
    assert_eq!(names("/slow-subscribers?connected=true"), [json!("slow")]);
    let slowest = &items(&door, "/slow-subscribers")[0];
    assert!(slowest["queue_messages"] == 3 && slowest["connected"] == false, "{slowest}");
    assert!(slowest["oldest_waiting_milliseconds"].as_u64().is_some(), "{slowest}");
}

#[test]
fn each_connection_is_counted_from_its_begin() {
    let broker = Broker::start(with_shards()).expect("started");
    let door = tcp_door(&broker);
    let traffic = |client_id: &str| {
        let path = format!("/api/v1/clients/{client_id}");
        let client = door.request("GET", &path, &[&bearer(AdminRole::Viewer)], "").ok();
        let names = ["bytes_received", "bytes_sent", "messages_received", "messages_sent"];
        names.map(|name| client["connection"][name].as_u64().expect("a number"))
    };
    let connect_bytes = |client_id: &str| 15 + client_id.len() as u64;
    let mut subscriber = Client::connect(&broker, "subscriber");
    let connack_bytes = traffic("subscriber")[1];
    assert_eq!(traffic("subscriber"), [connect_bytes("subscriber"), connack_bytes, 0, 0]);
    subscriber.subscribe("t", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    for _ in 0..3 {
        publisher.publish("t", b"12345678", QoS::AtLeastOnce, Some(id(1)));
        publisher.receive_puback(id(1));
        subscriber.receive_publish();
    }
    publisher.publish("nobody", b"", QoS::AtMostOnce, None);
    publisher.ping();
    subscriber.ping();
    // PUBLISH with a packet identifier and a payload, that without either, PINGREQ.
    let (received, unwanted, ping) = (3 * (2 + 3 + 2 + 1 + 8), 2 + 8 + 1, 2);
    assert_eq!(traffic("publisher")[0], connect_bytes("publisher") + received + unwanted + ping);
    assert_eq!(traffic("publisher")[2..], [4, 0]);
    // SUBSCRIBE of one filter, three PUBACK, PINGREQ; and the answers.
    assert_eq!(traffic("subscriber")[0], connect_bytes("subscriber") + 9 + 3 * 4 + ping);
    assert_eq!(traffic("subscriber")[1..], [connack_bytes + 6 + received + ping, 0, 3]);
    // Another connection of the same client has sent nothing yet.
    let _again = Client::connect(&broker, "publisher");
    assert_eq!(traffic("publisher"), [connect_bytes("publisher"), connack_bytes, 0, 0]);
}
