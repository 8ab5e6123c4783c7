//! Users that are managed at run time, through the admin API.

use std::sync::{Mutex, mpsc};

use ferry_broker::config::{AdminRole, AuthenticatorKind, Config, Durability};
use ferry_broker::{Broker, RunningBroker, StartError};
use ferry_codec::{Connect, Packet};
use serde_json::{Value, json};

use crate::admin::{Directory, bearer, with_api};
use crate::client::{Client, connect_packet};
use crate::hook_server::{HookServer, Reply};
use crate::http::{Response, tcp_door};

fn ask(broker: &RunningBroker, method: &str, path: &str, body: &Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/api/v1/users{path}");
    tcp_door(broker).request(method, &path, &[&bearer(AdminRole::Admin)], &body)
}

fn with_users() -> Config {
    let mut config = with_api();
    config.authentication.users = true;
    config
}

/// The client, and the reason code of its CONNACK.
fn connect(broker: &RunningBroker, user_name: &str, password: &str) -> (Client, u8) {
    let mut client = Client::open(broker);
    let (user_name, password) = (Some(user_name), Some(password.as_bytes()));
    client.send(&Packet::Connect(Connect { user_name, password, ..connect_packet("") }));
    let code = client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        connack.reason_code.code()
    });
    (client, code)
}

fn code(broker: &RunningBroker, user_name: &str, password: &str) -> u8 {
    connect(broker, user_name, password).1
}

#[test]
fn users_come_change_and_go() {
    let broker = Broker::start(with_users()).expect("started");
    assert_eq!(code(&broker, "ada", "first"), 0x86);
    ask(&broker, "PUT", "/ada", &json!({ "password": "first", "is_new": true })).ok();
    ask(&broker, "PUT", "/b%20n%2F%C3%A9", &json!({ "password": "x" })).ok();
    let (mut ada, admitted) = connect(&broker, "ada", "first");
    let (mut ben, also) = connect(&broker, "b n/é", "x");
    assert_eq!((admitted, also), (0, 0));
    let ada_json =
        json!({ "name": "ada", "kind": "argon2id", "is_disabled": false, "roles": [], "is_asked": true });
    assert_eq!(ask(&broker, "GET", "/ada", &Value::Null).ok(), ada_json);
    assert_eq!(ask(&broker, "GET", "", &Value::Null).ok()["items"].as_array().map(Vec::len), Some(2));
    // Nothing changes, so nobody is disconnected.
    ask(&broker, "PUT", "/ada", &json!({ "is_disabled": false })).ok();
    ada.ping();
    ask(&broker, "PUT", "/ada", &json!({ "password": "second" })).ok();
    assert!(ada.receive_text().contains("Disconnect"));
    assert_eq!((code(&broker, "ada", "first"), code(&broker, "ada", "second")), (0x86, 0));
    ben.ping();
    ask(&broker, "PUT", "/b%20n%2F%C3%A9", &json!({ "is_disabled": true })).ok();
    assert!(ben.receive_text().contains("Disconnect"));
    assert_eq!(code(&broker, "b n/é", "x"), 0x86);
    // A new password does not let in who is disabled.
    ask(&broker, "PUT", "/b%20n%2F%C3%A9", &json!({ "password": "y" })).ok();
    assert_eq!(code(&broker, "b n/é", "y"), 0x86);
    ask(&broker, "DELETE", "/ada", &Value::Null).ok();
    assert_eq!(code(&broker, "ada", "second"), 0x86);
    ask(&broker, "GET", "/ada", &Value::Null).problem(404);
}

#[test]
fn nobody_comes_in_by_what_was_judged_before_the_user_was_removed() {
    const IGNORE: &str = r#"{"result":"ignore"}"#;
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(Some(wait));
    let server = HookServer::start(move |_| match wait.lock().expect("not poisoned").take() {
        Some(wait) => Reply::Wait(wait, IGNORE.to_owned()),
        None => Reply::Body(IGNORE.to_owned()),
    });
    let mut config = with_users();
    config.authentication.hook_url = server.url();
    config.authentication.hook_timeout_seconds = 60;
    let broker = Broker::start(config).expect("started");
    for user in ["/ada", "/ben"] {
        ask(&broker, "PUT", user, &json!({ "password": "first" })).ok();
    }
    let mut ada = Client::open(&broker);
    let (user_name, password) = (Some("ada"), Some(&b"first"[..]));
    ada.send(&Packet::Connect(Connect { user_name, password, ..connect_packet("") }));
    server.question();
    // What came last is not all that has come.
    for user in ["/ada", "/ben"] {
        ask(&broker, "DELETE", user, &Value::Null).ok();
    }
    drop(go_on);
    ada.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.reason_code.code(), 0x87);
    });
}

#[test]
fn what_cannot_be_is_refused() {
    let mut config = with_users();
    config.limits.users_max = 1;
    let broker = Broker::start(config).expect("started");
    for (name, body) in [
        ("/a%3Ab", json!({ "password": "x" })),
        ("/%23a", json!({ "password": "x" })),
        ("/ada", json!({ "password": "" })),
        ("/ada", json!({ "password": "x", "kind": "md5" })),
        ("/ada", json!({ "password": 1 })),
        ("/ada", json!({ "name": "x" })),
    ] {
        ask(&broker, "PUT", name, &body).problem(400);
    }
    ask(&broker, "PUT", "/ada", &json!({ "is_disabled": true })).problem(404);
    ask(&broker, "PUT", "/ada", &json!({ "password": "x", "is_new": false })).problem(404);
    ask(&broker, "PUT", "/ada", &json!({ "password": "x" })).ok();
    assert_eq!(
        ask(&broker, "PUT", "/ada", &json!({ "password": "x", "is_new": true })).problem(409)["type"],
        "urn:ferry:problem:exists"
    );
    assert_eq!(
        ask(&broker, "PUT", "/ben", &json!({ "password": "x" })).problem(409)["type"],
        "urn:ferry:problem:limit"
    );
    let operator =
        tcp_door(&broker).request("DELETE", "/api/v1/users/ada", &[&bearer(AdminRole::Operator)], "");
    assert_eq!(operator.status, 403);
}

#[test]
fn users_outlive_the_broker_and_a_file_that_is_wrong_is_said() {
    let directory = Directory::new("users");
    let mut config = with_users();
    config.storage.durability = Durability::Fsync;
    config.storage.data_directory = Some(directory.0.clone());
    let broker = Broker::start(config.clone()).expect("started");
    ask(&broker, "PUT", "/ada", &json!({ "password": "x", "kind": "scram-sha-512" })).ok();
    let file = directory.0.join("users");
    let kept = std::fs::read_to_string(&file).expect("a file");
    assert!(kept.starts_with("# decoy-secret ") && kept.contains("\nada:SCRAM-SHA-512$"), "{kept}");
    drop(broker);
    let broker = Broker::start(config.clone()).expect("started");
    assert_eq!((code(&broker, "ada", "x"), code(&broker, "ada", "y")), (0, 0x86));
    drop(broker);
    std::fs::write(&file, "ada:plain\n").expect("written");
    let Err(StartError::Managed { message, .. }) = Broker::start(config) else { panic!("it has started") };
    assert!(
        message.starts_with("line 1: user \"ada\": ") && !message.contains("plain text: plain"),
        "{message}"
    );
}

#[test]
fn a_password_file_is_asked_about_those_who_are_not_there() {
    let directory = Directory::new("both-users");
    let file = directory.0.join("passwords");
    // The password is `secret`, by few rounds.
    let hash = ferry_auth_hash("secret");
    std::fs::write(&file, format!("old:{hash}\nada:{hash}\n")).expect("written");
    let mut config = with_users();
    config.authentication.password_file = Some(file);
    let kinds = config.listeners[0].authenticators(&config.authentication);
    assert_eq!(kinds, [AuthenticatorKind::Users, AuthenticatorKind::PasswordFile]);
    let broker = Broker::start(config).expect("started");
    ask(&broker, "PUT", "/ada", &json!({ "password": "managed" })).ok();
    let codes = [("old", "secret"), ("old", "x"), ("nobody", "x"), ("ada", "managed"), ("ada", "secret")]
        .map(|(name, password)| code(&broker, name, password));
    assert_eq!(codes, [0, 0x86, 0x86, 0, 0x86]);
    ask(&broker, "PUT", "/ada", &json!({ "is_disabled": true })).ok();
    assert_eq!(code(&broker, "ada", "secret"), 0x86, "who is disabled stays out");
}

fn ferry_auth_hash(password: &str) -> String {
    let cost = ferry_auth::HashCost::Pbkdf2Sha512 { iterations: 10 };
    ferry_auth::PasswordHash::create(password.as_bytes(), cost).expect("a hash").to_string()
}

#[test]
fn a_reload_begins_and_ends_asking_for_users() {
    let mut broker = Broker::start(with_api()).expect("started");
    ask(&broker, "PUT", "/ada", &json!({ "password": "x" })).ok();
    assert_eq!(ask(&broker, "GET", "/ada", &Value::Null).ok()["is_asked"], false);
    let mut changed = broker.config().clone();
    changed.authentication.users = true;
    broker.reload(changed.clone()).expect("reloaded");
    assert_eq!((code(&broker, "ada", "x"), code(&broker, "ada", "y")), (0, 0x86));
    changed.listeners[0].authentication = Some(vec![AuthenticatorKind::Users]);
    changed.authentication.users = false;
    let problems = broker.reload(changed).expect_err("refused").to_string();
    assert!(problems.contains("help: set authentication.users = true"), "{problems}");
}
