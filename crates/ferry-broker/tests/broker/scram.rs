//! SCRAM, packet by packet, over sockets: each step, and each way to break it.

use std::path::{Path, PathBuf};

use ferry_auth::{HashCost, PasswordFileText, PasswordHash, ScramHash};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Auth, Connect, ConnectProperties, Packet, QoS, ReasonCode};
use ferry_scram::ScramClient;

use crate::client::{Client, connect_packet};
use crate::config;

const METHOD: &str = "SCRAM-SHA-256";

/// A broker whose users have the password `secret`, for SCRAM-SHA-256; its directory, removed at the end.
struct Rig {
    broker: RunningBroker,
    directory: PathBuf,
}

impl Rig {
    fn new(test: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("ferry-scram-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a directory for the test");
        let file = directory.join("passwords");
        write_users(&file, &["ada", "ben"]);
        let mut config = config();
        config.authentication.password_file = Some(file);
        Self { broker: Broker::start(config).expect("started"), directory }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn write_users(file: &Path, names: &[&str]) {
    let mut text = PasswordFileText::default();
    for name in names {
        let cost = HashCost::Scram { hash: ScramHash::Sha256, iterations: 4096 };
        text.set(name, &PasswordHash::create(b"secret", cost).expect("a hash")).expect("a name");
    }
    std::fs::write(file, text.to_string()).expect("written");
}

fn auth<'a>(reason_code: ReasonCode, method: &'a str, data: &'a str) -> Packet<'a> {
    Packet::Auth(Auth {
        reason_code,
        authentication_method: Some(method),
        authentication_data: Some(data.as_bytes()),
        ..Auth::default()
    })
}

fn go_on(data: &str) -> Packet<'_> {
    auth(ReasonCode::CONTINUE_AUTHENTICATION, METHOD, data)
}

/// A connection that has sent its CONNECT.
fn open(broker: &RunningBroker, method: &str, data: Option<&str>) -> Client {
    let mut client = Client::open(broker);
    let properties = ConnectProperties {
        authentication_method: Some(method),
        authentication_data: data.map(str::as_bytes),
        ..ConnectProperties::default()
    };
    client.send(&Packet::Connect(Connect { properties, ..connect_packet("c") }));
    client
}

/// The data of AUTH 0x18.
fn challenge(client: &mut Client) -> Vec<u8> {
    client.receive(|packet| {
        let Packet::Auth(auth) = packet else { panic!("{packet:?}") };
        assert_eq!(
            (auth.reason_code, auth.authentication_method),
            (ReasonCode::CONTINUE_AUTHENTICATION, Some(METHOD))
        );
        auth.authentication_data.expect("a challenge").to_vec()
    })
}

/// A CONNACK that refuses, and the end [MQTT-4.12.0-1] [MQTT-4.12.0-4].
#[track_caller]
fn refused(mut client: Client, code: ReasonCode) {
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.reason_code, code);
        // Who tries names learns nothing.
        assert!(code == ReasonCode::PROTOCOL_ERROR || connack.properties.reason_string.is_none());
    });
    client.receive_end();
}

/// DISCONNECT, and the end [MQTT-4.12.1-2].
#[track_caller]
fn disconnected(mut client: Client, code: ReasonCode) {
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, code);
    });
    client.receive_end();
}

/// A client that is connected as `ada`.
fn connected(broker: &RunningBroker, scram: &mut ScramClient) -> Client {
    let mut client = open(broker, METHOD, Some(&scram.start("nonce")));
    let answer = scram.server_first(&challenge(&mut client)).expect("a challenge");
    client.send(&go_on(&answer));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.reason_code, ReasonCode::SUCCESS);
        // [MQTT-4.12.0-5]
        assert_eq!(connack.properties.authentication_method, Some(METHOD));
        let proof = connack.properties.authentication_data.expect("the server's proof");
        assert_eq!(scram.server_final(proof), Ok(()));
    });
    client
}

fn ada() -> ScramClient {
    ScramClient::new(ScramHash::Sha256, "ada", b"secret")
}

/// The answer to a challenge when authenticating again.
fn again(client: &mut Client, scram: &mut ScramClient) {
    client.send(&auth(ReasonCode::RE_AUTHENTICATE, METHOD, &scram.start("another")));
    let answer = scram.server_first(&challenge(client)).expect("a challenge");
    client.send(&go_on(&answer));
}

#[test]
fn both_sides_prove_themselves_once_and_again() {
    // [MQTT-4.12.0-2] [MQTT-4.12.1-1]
    let rig = Rig::new("both");
    let mut scram = ada();
    let mut client = connected(&rig.broker, &mut scram);
    client.subscribe("t", QoS::AtMostOnce);
    again(&mut client, &mut scram);
    client.receive(|packet| {
        let Packet::Auth(auth) = packet else { panic!("{packet:?}") };
        assert_eq!(auth.reason_code, ReasonCode::SUCCESS);
        assert_eq!(scram.server_final(auth.authentication_data.expect("a proof")), Ok(()));
    });
    client.publish("t", b"x", QoS::AtMostOnce, None);
    assert_eq!(client.receive_publish().0, "t");
}

#[test]
fn wrong_passwords_and_unknown_users_look_the_same() {
    let rig = Rig::new("wrong");
    for (name, password) in [("ada", "Secret"), ("nobody", "secret")] {
        let mut scram = ScramClient::new(ScramHash::Sha256, name, password.as_bytes());
        let mut client = open(&rig.broker, METHOD, Some(&scram.start("nonce")));
        let answer = scram.server_first(&challenge(&mut client)).expect("a challenge");
        client.send(&go_on(&answer));
        refused(client, ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    }
}

#[test]
fn methods_that_are_not_there() {
    let rig = Rig::new("methods");
    for method in ["SCRAM-SHA-512", "SCRAM-SHA-256-PLUS", "GS2-KRB5", "scram-sha-256"] {
        refused(open(&rig.broker, method, Some("n,,n=ada,r=n")), ReasonCode::BAD_AUTHENTICATION_METHOD);
    }
}

#[test]
fn first_messages_that_are_wrong() {
    let rig = Rig::new("first");
    let long = format!("n,,n={},r=n", "x".repeat(10_000));
    for data in [None, Some(""), Some("x"), Some("p=tls-unique,,n=ada,r=n"), Some(long.as_str())] {
        refused(open(&rig.broker, METHOD, data), ReasonCode::NOT_AUTHORIZED);
    }
}

#[test]
fn answers_that_are_wrong() {
    let rig = Rig::new("answers");
    let challenged = || {
        let mut client = open(&rig.broker, METHOD, Some("n,,n=ada,r=nonce"));
        challenge(&mut client);
        client
    };
    for answer in ["", "c=biws", "c=biws,r=nonce,p=AAAA", "c=eSws,r=nonce,p=AAAA"] {
        let mut client = challenged();
        client.send(&go_on(answer));
        refused(client, ReasonCode::NOT_AUTHORIZED);
    }
    // [MQTT-4.12.0-5]; AUTH that is not expected; [MQTT-3.1.2-30]
    for packet in [
        auth(ReasonCode::CONTINUE_AUTHENTICATION, "SCRAM-SHA-1", "x"),
        auth(ReasonCode::RE_AUTHENTICATE, METHOD, "n,,n=ada,r=nonce"),
        Packet::Pingreq,
    ] {
        let mut client = challenged();
        client.send(&packet);
        refused(client, ReasonCode::PROTOCOL_ERROR);
    }
}

#[test]
fn a_name_in_connect_must_be_the_one_that_is_proven() {
    let rig = Rig::new("names");
    for (name, code) in [("ada", ReasonCode::SUCCESS), ("ben", ReasonCode::NOT_AUTHORIZED)] {
        let mut scram = ada();
        let mut client = Client::open(&rig.broker);
        let first = scram.start("nonce");
        let properties = ConnectProperties {
            authentication_method: Some(METHOD),
            authentication_data: Some(first.as_bytes()),
            ..ConnectProperties::default()
        };
        client.send(&Packet::Connect(Connect { user_name: Some(name), properties, ..connect_packet("c") }));
        let answer = scram.server_first(&challenge(&mut client)).expect("a challenge");
        client.send(&go_on(&answer));
        client.receive(|packet| {
            let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
            assert_eq!(connack.reason_code, code);
        });
    }
}

#[test]
fn failing_to_authenticate_again_ends_the_connection() {
    let rig = Rig::new("again");
    for (name, password) in [("ada", "Secret"), ("ben", "secret"), ("nobody", "secret")] {
        let mut client = connected(&rig.broker, &mut ada());
        let mut scram = ScramClient::new(ScramHash::Sha256, name, password.as_bytes());
        again(&mut client, &mut scram);
        disconnected(client, ReasonCode::NOT_AUTHORIZED);
    }
    // U5-080
    let mut client = connected(&rig.broker, &mut ada());
    client.send(&auth(ReasonCode::RE_AUTHENTICATE, "SCRAM-SHA-1", "n,,n=ada,r=n"));
    disconnected(client, ReasonCode::PROTOCOL_ERROR);
    let mut client = connected(&rig.broker, &mut ada());
    client.send(&auth(ReasonCode::RE_AUTHENTICATE, METHOD, ""));
    disconnected(client, ReasonCode::NOT_AUTHORIZED);
}

#[test]
fn who_is_not_in_the_file_any_more_is_disconnected() {
    let mut rig = Rig::new("removed");
    let mut client = connected(&rig.broker, &mut ada());
    // Another is about to come in.
    let mut scram = ada();
    let mut late = open(&rig.broker, METHOD, Some(&scram.start("nonce")));
    let answer = scram.server_first(&challenge(&mut late)).expect("a challenge");
    write_users(&rig.directory.join("passwords"), &["ben"]);
    rig.broker.reload(rig.broker.config().clone()).expect("reloaded");
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::ADMINISTRATIVE_ACTION);
    });
    client.receive_end();
    late.send(&go_on(&answer));
    refused(late, ReasonCode::NOT_AUTHORIZED);
}

#[test]
fn a_plain_password_is_recognised_too() {
    let rig = Rig::new("plain");
    for (password, code) in
        [(&b"secret"[..], ReasonCode::SUCCESS), (b"Secret", ReasonCode::BAD_USER_NAME_OR_PASSWORD)]
    {
        let mut client = Client::open(&rig.broker);
        let connect = Connect { user_name: Some("ada"), password: Some(password), ..connect_packet("c") };
        client.send(&Packet::Connect(connect));
        client.receive(|packet| {
            let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
            assert_eq!(connack.reason_code, code);
        });
    }
}
