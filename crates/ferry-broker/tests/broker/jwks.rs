//! Tokens whose keys a server has.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ferry_broker::config::{Authentication, Config, JwtAlgorithmName};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Connect, Packet, ReasonCode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::client::{Client, connect_packet};
use crate::config;
use crate::hook_server::{HookServer, Reply};

/// What happens at all happens much sooner.
const PATIENCE: Duration = Duration::from_secs(30);

/// A key, by the byte that it is made of.
fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key")
}

fn key_set(seeds: &[u8]) -> String {
    let jwk = |seed: &u8| {
        let x = URL_SAFE_NO_PAD.encode(key(*seed).public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": seed.to_string(), "x": x})
    };
    json!({"keys": seeds.iter().map(jwk).collect::<Vec<_>>()}).to_string()
}

/// A token for ever, with these claims too.
fn token(seed: u8, claims: &Value) -> String {
    let mut all = json!({"sub": "ada", "exp": 4_000_000_000_u64});
    for (name, value) in claims.as_object().into_iter().flatten() {
        all[name] = value.clone();
    }
    let header = json!({"alg": "EdDSA", "kid": seed.to_string()});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(&all));
    let signature = URL_SAFE_NO_PAD.encode(key(seed).sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Answers what the test puts there, and status 500 when it is empty.
fn server(body: &str) -> (HookServer, Arc<Mutex<String>>) {
    let body = Arc::new(Mutex::new(body.to_owned()));
    let answered = Arc::clone(&body);
    let server = HookServer::start(move |_| match answered.lock().expect("not poisoned").clone() {
        body if body.is_empty() => Reply::Raw(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_vec()),
        body => Reply::Body(body),
    });
    (server, body)
}

fn with_keys_of(server: &HookServer) -> Config {
    let authentication = Authentication {
        jwt_jwks_url: server.url(),
        jwt_algorithms: Some(vec![JwtAlgorithmName::EdDsa]),
        jwt_jwks_cooldown_seconds: 1,
        ..Authentication::default()
    };
    Config { authentication, ..config() }
}

fn login(broker: &RunningBroker, token: &str) -> ReasonCode {
    let mut client = Client::open(broker);
    let packet = Connect { password: Some(token.as_bytes()), ..connect_packet("c") };
    client.send(&Packet::Connect(packet));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        connack.reason_code
    })
}

/// Comes again until the answer is this one.
fn login_until(broker: &RunningBroker, token: &str, wanted: ReasonCode) {
    let start = Instant::now();
    loop {
        let answer = login(broker, token);
        if answer == wanted {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{answer:?}");
    }
}

const REFUSED: ReasonCode = ReasonCode::BAD_USER_NAME_OR_PASSWORD;

#[test]
fn keys_are_fetched_once_and_checked_with() {
    let (server, _) = server(&key_set(&[1, 2]));
    let broker = Broker::start(with_keys_of(&server)).expect("started");
    // The first of them waits for the keys, if they are not there.
    for seed in [1, 2, 1, 2] {
        assert_eq!(login(&broker, &token(seed, &json!({}))), ReasonCode::SUCCESS);
    }
    let mut forged = token(1, &json!({}));
    forged.replace_range(forged.len() - 4.., "AAAA");
    assert_eq!(login(&broker, &forged), REFUSED);
    assert_eq!(server.questions(), 1);
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it() {
    let (server, body) = server(&key_set(&[1]));
    let start = Instant::now();
    let broker = Broker::start(with_keys_of(&server)).expect("started");
    assert_eq!(login(&broker, &token(1, &json!({}))), ReasonCode::SUCCESS);
    *body.lock().expect("not poisoned") = key_set(&[3]);
    login_until(&broker, &token(3, &json!({})), ReasonCode::SUCCESS);
    assert_eq!(login(&broker, &token(1, &json!({}))), REFUSED);
    // Not for every token that names a key that nobody has.
    for _ in 0..20 {
        assert_eq!(login(&broker, &token(7, &json!({}))), REFUSED);
    }
    let fetches_max = start.elapsed().as_secs() as usize + 2;
    assert!(server.questions() <= fetches_max);
}

#[test]
fn the_broker_starts_without_keys_and_takes_them_when_they_come() {
    for nothing in ["", "{}", "[]", "keys", r#"{"keys":[]}"#, &"x".repeat(300_000)] {
        let (server, body) = server(nothing);
        let broker = Broker::start(with_keys_of(&server)).expect("started");
        assert_eq!(login(&broker, &token(1, &json!({}))), ReasonCode::SERVER_UNAVAILABLE, "{nothing:.9}");
        *body.lock().expect("not poisoned") = key_set(&[1]);
        login_until(&broker, &token(1, &json!({})), ReasonCode::SUCCESS);
    }
}

#[test]
fn keys_that_are_too_old_are_used_no_longer() {
    let (server, body) = server(&key_set(&[1]));
    let mut config = with_keys_of(&server);
    config.authentication.jwt_jwks_stale_seconds = 3;
    let mut broker = Broker::start(config.clone()).expect("started");
    assert_eq!(login(&broker, &token(1, &json!({}))), ReasonCode::SUCCESS);
    server.questions();
    body.lock().expect("not poisoned").clear();
    let away = Instant::now();
    broker.reload(config).expect("reloaded");
    // Since this fetch, which is in vain, they are not good any more.
    server.question();
    login_until(&broker, &token(1, &json!({})), ReasonCode::SERVER_UNAVAILABLE);
    assert!(away.elapsed() >= Duration::from_secs(3), "{:?}", away.elapsed());
    *body.lock().expect("not poisoned") = key_set(&[1]);
    login_until(&broker, &token(1, &json!({})), ReasonCode::SUCCESS);
}

#[test]
fn keys_stay_when_the_server_is_away_and_over_a_reload() {
    let (server, body) = server(&key_set(&[1]));
    let config = with_keys_of(&server);
    let mut broker = Broker::start(config.clone()).expect("started");
    assert_eq!(login(&broker, &token(1, &json!({}))), ReasonCode::SUCCESS);
    server.questions();
    body.lock().expect("not poisoned").clear();
    broker.reload(config.clone()).expect("reloaded");
    // The fetch after the reload has come in vain.
    server.question();
    assert_eq!(login(&broker, &token(1, &json!({}))), ReasonCode::SUCCESS);
    assert_eq!(login(&broker, &token(2, &json!({}))), REFUSED);
    // Other keys are not known from before.
    let (other, _) = self::server("");
    broker.reload(with_keys_of(&other)).expect("reloaded");
    login_until(&broker, &token(1, &json!({})), ReasonCode::SERVER_UNAVAILABLE);
}
