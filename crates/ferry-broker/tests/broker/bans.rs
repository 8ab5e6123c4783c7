//! Bans through the admin API, and after a restart.

use std::sync::{Mutex, mpsc};

use ferry_broker::config::{AdminRole, Ban, Config, Durability};
use ferry_broker::{Broker, RunningBroker, StartError};
use ferry_codec::{Connect, Packet};
use serde_json::{Value, json};

use crate::admin::{Directory, bearer, with_api};
use crate::client::{Client, connect_packet};
use crate::hook_server::{HookServer, Reply};
use crate::http::{Response, tcp_door};

fn ask(broker: &RunningBroker, method: &str, path: &str, body: &str) -> Response {
    tcp_door(broker).request(method, &format!("/api/v1{path}"), &[&bearer(AdminRole::Operator)], body)
}

fn add(broker: &RunningBroker, body: &Value) -> Response {
    ask(broker, "POST", "/bans", &body.to_string())
}

fn list(broker: &RunningBroker) -> Vec<Value> {
    ask(broker, "GET", "/bans", "").ok()["items"].as_array().expect("items").clone()
}

fn connack_code(broker: &RunningBroker, client_id: &str, user_name: Option<&str>) -> u8 {
    let mut client = Client::open(broker);
    client.send(&Packet::Connect(Connect { user_name, ..connect_packet(client_id) }));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        connack.reason_code.code()
    })
}

fn on_disk(directory: &Directory) -> Config {
    let mut config = with_api();
    config.storage.durability = Durability::Fsync;
    config.storage.data_directory = Some(directory.0.clone());
    config
}

#[test]
fn bans_are_added_listed_and_lifted() {
    let mut config = with_api();
    config.server.shards = std::num::NonZeroU16::new(3);
    config.abuse.ban.push("client_id=configured".parse().expect("a ban"));
    let broker = Broker::start(config).expect("started");
    let mut pump = Client::connect(&broker, "pump");
    let mut other = Client::connect(&broker, "other");
    let body = json!({ "client_id": "pump", "seconds": 600, "reason": "it floods" });
    assert_eq!(add(&broker, &body).ok(), json!({ "done": "banned", "disconnected": 1 }));
    assert!(pump.receive_text().contains("Disconnect"));
    other.ping();
    assert_eq!(connack_code(&broker, "pump", None), 0x8A);
    let found = list(&broker);
    assert_eq!(
        (&found[0]["client_id"], &found[0]["origin"]),
        (&json!("configured"), &json!("configuration"))
    );
    assert_eq!((&found[1]["client_id"], &found[1]["reason"]), (&json!("pump"), &json!("it floods")));
    assert!(found[1]["until_milliseconds"].as_u64().is_some_and(|until| until > 1_700_000_000_000));
    // In the place of the one about the same.
    add(&broker, &json!({ "client_id": "pump", "seconds": 3_000_000_000_u64 })).ok();
    add(&broker, &json!({ "user": "ada", "address": "198.51.100.0/24" })).ok();
    let page = ask(&broker, "GET", "/bans?limit=2", "").ok();
    let rest =
        ask(&broker, "GET", &format!("/bans?limit=2&cursor={}", page["next"].as_str().expect("more")), "");
    assert_eq!((page["items"].as_array().map(Vec::len), rest.ok()["next"].clone()), (Some(2), Value::Null));
    assert_eq!(ask(&broker, "DELETE", "/bans?client_id=pump", "").ok()["done"], "lifted");
    assert_eq!(connack_code(&broker, "pump", None), 0);
    ask(&broker, "DELETE", "/bans?client_id=pump", "").problem(404);
    assert_eq!(
        ask(&broker, "DELETE", "/bans?client_id=configured", "").problem(409)["type"],
        "urn:ferry:problem:configured"
    );
}

#[test]
fn a_ban_of_addresses_ends_their_connections() {
    let broker = Broker::start(with_api()).expect("started");
    let mut clients = ["a", "b"].map(|name| Client::connect(&broker, name));
    let banned = add(&broker, &json!({ "address": "127.0.0.0/8" })).ok();
    assert_eq!(banned["disconnected"], 2);
    clients.iter_mut().for_each(|client| assert!(client.receive_text().contains("Disconnect")));
    Client::open(&broker).receive_end();
    ask(&broker, "DELETE", "/bans?address=127.0.0.0/8", "").ok();
    Client::connect(&broker, "a").ping();
}

#[test]
fn who_is_banned_while_it_is_judged_does_not_come_in() {
    const ALLOW: &str = r#"{"result":"allow"}"#;
    for ban in [json!({ "client_id": "pump" }), json!({ "address": "127.0.0.1" })] {
        let (go_on, wait) = mpsc::channel::<()>();
        let wait = Mutex::new(Some(wait));
        let server = HookServer::start(move |_| match wait.lock().expect("not poisoned").take() {
            Some(wait) => Reply::Wait(wait, ALLOW.to_owned()),
            None => Reply::Body(ALLOW.to_owned()),
        });
        let broker = Broker::start(judged_by(&server)).expect("started");
        let mut pump = Client::open(&broker);
        pump.send(&Packet::Connect(connect_packet("pump")));
        server.question();
        add(&broker, &ban).ok();
        drop(go_on);
        pump.receive(|packet| {
            let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
            assert_eq!(connack.reason_code.code(), 0x8A, "{ban}");
        });
    }
}

#[test]
fn a_ban_of_a_user_and_a_client_holds_for_a_user_that_only_the_judge_names() {
    let server = HookServer::answering(r#"{"result":"allow","user_name":"ada"}"#);
    let broker = Broker::start(judged_by(&server)).expect("started");
    add(&broker, &json!({ "user": "ada", "client_id": "pump" })).ok();
    assert_eq!((connack_code(&broker, "pump", None), connack_code(&broker, "lamp", None)), (0x8A, 0));
}

fn judged_by(server: &HookServer) -> Config {
    let mut config = with_api();
    config.authentication.hook_url = server.url();
    config.authentication.hook_timeout_seconds = 60;
    config
}

#[test]
fn a_ban_that_cannot_be_kept_ends_connections_all_the_same() {
    let directory = Directory::new("lost-bans");
    let broker = Broker::start(on_disk(&directory)).expect("started");
    let mut pump = Client::connect(&broker, "pump");
    std::fs::remove_dir_all(&directory.0).expect("removed");
    let problem = add(&broker, &json!({ "client_id": "pump" })).problem(500);
    assert_eq!(problem["type"], "urn:ferry:problem:not-kept");
    assert!(pump.receive_text().contains("Disconnect"));
    // The end is another chance.
    std::fs::create_dir_all(&directory.0).expect("made");
    broker.shutdown();
    broker.join();
    let kept = std::fs::read_to_string(directory.0.join("bans.jsonl")).expect("kept");
    assert!(kept.contains("\"client_id\":\"pump\""), "{kept}");
}

#[test]
fn what_is_no_ban_is_refused() {
    let broker = Broker::start(with_api()).expect("started");
    for wrong in [
        json!({}),
        json!({ "reason": "nobody" }),
        json!({ "address": "198.51.100.7/33" }),
        json!({ "address": "pump" }),
        json!({ "user": "u", "seconds": 0 }),
        json!({ "user": "u", "until": "2999-12-31" }),
        json!({ "user": "u\0" }),
        json!({ "user": "u", "reason": "two\nlines" }),
        json!({ "user": "u", "reason": "x".repeat(1_001) }),
        json!({ "client_id": "x".repeat(65_536) }),
        json!({ "name": "u" }),
    ] {
        add(&broker, &wrong).problem(400);
    }
    ask(&broker, "DELETE", "/bans", "").problem(404);
    let door = tcp_door(&broker);
    let viewer = door.request("POST", "/api/v1/bans", &[&bearer(AdminRole::Viewer)], "{\"user\":\"u\"}");
    assert_eq!(viewer.status, 403);
    assert!(list(&broker).is_empty());
}

#[test]
fn bans_outlive_the_broker() {
    let directory = Directory::new("bans");
    let broker = Broker::start(on_disk(&directory)).expect("started");
    add(&broker, &json!({ "user": "ada", "reason": "left" })).ok();
    add(&broker, &json!({ "client_id": "pump", "seconds": 600 })).ok();
    let kept = std::fs::read_to_string(directory.0.join("bans.jsonl")).expect("a file");
    assert_eq!(kept.lines().count(), 3, "it is there before the answer is: {kept}");
    broker.ban("client_id=odd\n\"name".parse::<Ban>().expect("a ban")).expect("room");
    let before = list(&broker);
    broker.shutdown();
    broker.join();
    let broker = Broker::start(on_disk(&directory)).expect("started");
    assert_eq!(list(&broker), before);
    assert_eq!(connack_code(&broker, "x", Some("ada")), 0x8A);
    ask(&broker, "DELETE", "/bans?user=ada", "").ok();
    drop(broker);
    let broker = Broker::start(on_disk(&directory)).expect("started");
    assert_eq!((list(&broker).len(), connack_code(&broker, "x", Some("ada"))), (2, 0));
}

#[test]
fn a_ban_that_nobody_has_asked_for_outlives_the_broker_too() {
    let directory = Directory::new("automatic");
    let mut config = on_disk(&directory);
    config.abuse.reconnects_per_minute_max = Some(1);
    config.abuse.exempt_networks.clear();
    let broker = Broker::start(config.clone()).expect("started");
    let codes: Vec<u8> = (0..3).map(|_| connack_code(&broker, "loop", None)).collect();
    assert_eq!(codes.last(), Some(&0x8A));
    drop(broker);
    let broker = Broker::start(config).expect("started");
    let bans = list(&broker);
    assert_eq!(
        (bans.len(), &bans[0]["origin"], &bans[0]["client_id"]),
        (1, &json!("automatic"), &json!("loop"))
    );
    assert_eq!(connack_code(&broker, "loop", None), 0x8A);
}

#[test]
fn with_a_file_that_is_wrong_the_broker_does_not_start() {
    let directory = Directory::new("wrong-bans");
    std::fs::write(directory.0.join("bans.jsonl"), "{\"ferry_bans\":1}\n{\"user\":\n").expect("written");
    let Err(error) = Broker::start(on_disk(&directory)) else { panic!("it has started") };
    assert!(matches!(error, StartError::Managed { .. }));
    let words = error.to_string();
    assert!(words.contains("bans.jsonl: line 2: ") && words.contains("help: nothing was changed"), "{words}");
}
