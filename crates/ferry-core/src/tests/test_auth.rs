//! Enhanced authentication (section 4.12).

use ferry_codec::{Auth, Connect, Packet, ReasonCode};

use super::harness::*;
use crate::*;

fn with_method(client_id: &str) -> Connect<'_> {
    let mut packet = resume(client_id);
    packet.properties.authentication_method = Some("SCRAM");
    packet.properties.authentication_data = Some(b"hello");
    packet
}

fn auth(reason_code: ReasonCode, method: &'static str, data: &'static str) -> Packet<'static> {
    Packet::Auth(Auth {
        reason_code,
        authentication_method: Some(method),
        authentication_data: Some(data.as_bytes()),
        ..Auth::default()
    })
}

fn accept(user_name: &str) -> AuthOutcome {
    AuthOutcome::Accept {
        user_name: Some(user_name.into()),
        data: Some(b"welcome"[..].into()),
        until: Timestamp::NEVER,
        grants: None,
    }
}

fn go_on(data: &str) -> AuthOutcome {
    AuthOutcome::Continue { data: Some(data.as_bytes().into()) }
}

fn reject(reason_code: ReasonCode) -> AuthOutcome {
    AuthOutcome::Reject {
        reason_code,
        reason_string: Some("no".into()),
        server_reference: None,
        detail: None,
    }
}

/// A broker whose authenticator is the test, and a client with a method that is connected.
fn authenticated() -> (Broker, Client) {
    let mut broker = Broker::new();
    broker.accepts = false;
    let client = broker.connect(&with_method("c"));
    broker.authenticated(client, accept("u"));
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    broker.requests.clear();
    (broker, client)
}

#[test]
fn a_conversation() {
    // [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5] [MQTT-3.15.2-1]
    let mut broker = Broker::new();
    broker.accepts = false;
    let client = broker.connect(&with_method("c"));
    let request = broker.requests.pop().unwrap();
    let AuthStep::Start { credentials, method, data, reauthenticate } = request.step else { panic!() };
    assert_eq!((&*credentials.client_id, &*method, data.as_deref()), ("c", "SCRAM", Some(&b"hello"[..])));
    assert!(!reauthenticate);
    broker.authenticated(client, go_on("challenge"));
    assert_eq!(broker.read(client), ["AUTH 0x18 SCRAM challenge"]);
    broker.send(client, &auth(ReasonCode::CONTINUE_AUTHENTICATION, "SCRAM", "proof"));
    let request = broker.requests.pop().unwrap();
    let AuthStep::Continue { data } = request.step else { panic!() };
    assert_eq!(data.as_deref(), Some(&b"proof"[..]));
    broker.authenticated(client, accept("u"));
    broker.read_with(client, |packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.properties.authentication_method, Some("SCRAM"));
        assert_eq!(connack.properties.authentication_data, Some(&b"welcome"[..]));
    });
    assert_eq!(broker.shards[0].sessions().next().unwrap().user_name, Some("u"));
}

#[test]
fn a_rejection() {
    // [MQTT-4.12.0-1] [MQTT-4.12.0-4]
    for (continued, code) in
        [(false, ReasonCode::BAD_AUTHENTICATION_METHOD), (true, ReasonCode::NOT_AUTHORIZED)]
    {
        let mut broker = Broker::new();
        broker.accepts = false;
        let client = broker.connect(&with_method("c"));
        if continued {
            broker.authenticated(client, go_on("challenge"));
            broker.send(client, &auth(ReasonCode::CONTINUE_AUTHENTICATION, "SCRAM", "proof"));
            broker.read(client);
        }
        broker.authenticated(client, reject(code));
        assert_eq!(broker.read(client), [format!("CONNACK 0x{:02X}", code.code())]);
        assert!(broker.is_closed(client));
        assert_eq!(broker.counters().sessions, 0);
    }
}

#[test]
fn only_auth_before_connack() {
    // [MQTT-3.1.2-30]
    let mut broker = Broker::new();
    broker.accepts = false;
    let client = broker.connect(&with_method("c"));
    broker.authenticated(client, go_on("challenge"));
    broker.read(client);
    broker.send(client, &Packet::Pingreq);
    assert_eq!(broker.read(client), ["CONNACK 0x82"]);
    assert!(broker.is_closed(client));
    // DISCONNECT may come.
    let client = broker.connect(&with_method("c"));
    broker.authenticated(client, go_on("challenge"));
    broker.read(client);
    broker.disconnect(client);
    assert!(broker.read(client).is_empty() && broker.is_closed(client));
}

#[test]
fn the_method_never_changes() {
    // [MQTT-4.12.0-5]; trap 35.
    let mut broker = Broker::new();
    broker.accepts = false;
    let client = broker.connect(&with_method("c"));
    broker.authenticated(client, go_on("challenge"));
    broker.read(client);
    broker.send(client, &auth(ReasonCode::CONTINUE_AUTHENTICATION, "PLAIN", "proof"));
    assert_eq!(broker.read(client), ["CONNACK 0x82"]);
    // U5-079 [MQTT-4.12.1-1]
    let (mut broker, client) = authenticated();
    broker.send(client, &auth(ReasonCode::RE_AUTHENTICATE, "PLAIN", "again"));
    assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
}

#[test]
fn auth_without_a_method() {
    // [MQTT-4.12.0-6] [MQTT-4.12.0-7] U5-079
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.send(client, &auth(ReasonCode::RE_AUTHENTICATE, "SCRAM", "x"));
    assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
    assert!(broker.is_closed(client));
}

#[test]
fn an_answer_that_nobody_asked_for() {
    let (mut broker, client) = authenticated();
    broker.send(client, &auth(ReasonCode::CONTINUE_AUTHENTICATION, "SCRAM", "x"));
    assert_eq!(broker.read(client), ["DISCONNECT 0x82"]);
}

#[test]
fn authenticating_again() {
    // Section 4.12.1: meanwhile traffic goes on with the old rights.
    let (mut broker, client) = authenticated();
    broker.subscribe(client, "t", 0);
    broker.send(client, &auth(ReasonCode::RE_AUTHENTICATE, "SCRAM", "again"));
    let request = broker.requests.pop().unwrap();
    let AuthStep::Start { credentials, reauthenticate, .. } = request.step else { panic!() };
    assert!(
        reauthenticate && &*credentials.client_id == "c" && credentials.user_name.as_deref() == Some("u")
    );
    broker.publish(client, "t", 0, 0, "x");
    assert_eq!(broker.read(client), ["PUBLISH t q0 x"]);
    broker.authenticated(client, go_on("challenge"));
    broker.publish(client, "t", 0, 0, "y");
    assert_eq!(broker.read(client), ["AUTH 0x18 SCRAM challenge", "PUBLISH t q0 y"]);
    broker.send(client, &auth(ReasonCode::CONTINUE_AUTHENTICATION, "SCRAM", "proof"));
    broker.authenticated(client, accept("u"));
    assert_eq!(broker.read(client), ["AUTH 0x00 SCRAM welcome"]);
    assert_eq!(broker.shards[0].sessions().next().unwrap().user_name, Some("u"));
    // It is over: no deadline is left.
    broker.advance(1_000);
    assert!(!broker.is_closed(client));
}

#[test]
fn authenticating_again_fails() {
    // [MQTT-4.12.1-2]; trap 35: DISCONNECT, not a second CONNACK.
    let (mut broker, client) = authenticated();
    broker.send(client, &auth(ReasonCode::RE_AUTHENTICATE, "SCRAM", "again"));
    broker.authenticated(client, reject(ReasonCode::NOT_AUTHORIZED));
    assert_eq!(broker.read(client), ["DISCONNECT 0x87"]);
    assert!(broker.is_closed(client));
}

#[test]
fn authenticating_again_as_somebody_else() {
    for outcome in [
        accept("v"),
        AuthOutcome::Accept { user_name: None, data: None, until: Timestamp::NEVER, grants: None },
    ] {
        let (mut broker, client) = authenticated();
        broker.send(client, &auth(ReasonCode::RE_AUTHENTICATE, "SCRAM", "again"));
        broker.authenticated(client, outcome);
        assert_eq!(broker.read(client), ["DISCONNECT 0x87"]);
        assert!(broker.is_closed(client));
    }
}

#[test]
fn all_steps_share_one_deadline() {
    let mut broker = Broker::with(|config| config.authentication_timeout_seconds = 10);
    broker.accepts = false;
    let client = broker.connect(&with_method("c"));
    for _ in 0..3 {
        broker.advance(3);
        broker.authenticated(client, go_on("challenge"));
        assert_eq!(broker.read(client), ["AUTH 0x18 SCRAM challenge"]);
        broker.send(client, &auth(ReasonCode::CONTINUE_AUTHENTICATION, "SCRAM", "proof"));
    }
    broker.advance(1);
    assert_eq!(broker.read(client), ["CONNACK 0x88"]);
    // Authenticating again has a time of its own.
    let client = broker.connect(&with_method("d"));
    broker.authenticated(client, accept("u"));
    broker.read(client);
    broker.advance(60);
    broker.send(client, &auth(ReasonCode::RE_AUTHENTICATE, "SCRAM", "again"));
    broker.authenticated(client, go_on("challenge"));
    assert_eq!(broker.read(client), ["AUTH 0x18 SCRAM challenge"]);
    broker.advance(10);
    assert_eq!(broker.read(client), ["DISCONNECT 0x87"]);
}

#[test]
fn who_is_not_let_in_yet_may_not_send_more_than_a_connect() {
    let mut broker = Broker::with(|config| config.connect_bytes_max = 200);
    broker.accepts = false;
    let client = broker.connect(&with_method("c"));
    broker.authenticated(client, go_on("challenge"));
    broker.read(client);
    let long = vec![b'x'; 200];
    let packet = Packet::Auth(Auth {
        reason_code: ReasonCode::CONTINUE_AUTHENTICATION,
        authentication_method: Some("SCRAM"),
        authentication_data: Some(&long),
        ..Auth::default()
    });
    broker.send(client, &packet);
    assert_eq!(broker.read(client), ["CONNACK 0x95"]);
    assert!(broker.is_closed(client));
}

#[test]
fn what_was_proven_expires() {
    // Section 3.14.2.1: 0xA0, Maximum connect time.
    let mut broker = Broker::new();
    broker.accepts = false;
    let until = broker.now.plus_seconds(60);
    let accept_until =
        |until| AuthOutcome::Accept { user_name: Some("u".into()), data: None, until, grants: None };
    let [client, v3] = [V5, V311].map(|version| {
        let id = if version == V5 { "c" } else { "d" };
        let client = broker.connect(&Connect { protocol_version: version, ..connect(id) });
        broker.authenticated(client, accept_until(until));
        assert_eq!(broker.read(client).len(), 1);
        client
    });
    broker.advance(59);
    assert!(!broker.is_closed(client) && !broker.is_closed(v3));
    broker.advance(1);
    assert_eq!(broker.read(client), ["DISCONNECT 0xA0"]);
    assert!(broker.is_closed(client) && broker.is_closed(v3) && broker.read(v3).is_empty());
    // Whoever authenticates again in time stays.
    let client = broker.connect(&with_method("e"));
    broker.authenticated(client, accept_until(broker.now.plus_seconds(60)));
    broker.read(client);
    broker.advance(50);
    broker.send(client, &auth(ReasonCode::RE_AUTHENTICATE, "SCRAM", "again"));
    broker.authenticated(client, accept_until(broker.now.plus_seconds(60)));
    assert!(broker.read(client)[0].starts_with("AUTH 0x00"));
    broker.advance(59);
    assert!(!broker.is_closed(client));
    broker.advance(1);
    assert_eq!(broker.read(client), ["DISCONNECT 0xA0"]);
    // What has expired already lets nobody stay.
    let client = broker.connect(&connect("f"));
    broker.authenticated(client, accept_until(broker.now));
    broker.advance(0);
    assert!(broker.is_closed(client));
}

#[test]
fn nobody_answers() {
    let mut broker = Broker::with(|config| config.authentication_timeout_seconds = 5);
    broker.accepts = false;
    let server_silent = broker.connect(&connect("a"));
    let client_silent = broker.connect(&with_method("b"));
    broker.authenticated(client_silent, go_on("challenge"));
    broker.read(client_silent);
    broker.advance(5);
    assert_eq!(broker.read(server_silent), ["CONNACK 0x88"]);
    assert_eq!(broker.read(client_silent), ["CONNACK 0x87"]);
    assert!(broker.is_closed(server_silent) && broker.is_closed(client_silent));
    // What comes too late is of no interest.
    broker.authenticated(server_silent, accept("u"));
    assert_eq!(broker.counters().sessions, 0);
}

#[test]
fn judgements_out_of_place_are_ignored() {
    let (mut broker, client) = authenticated();
    broker.authenticated(client, accept("x"));
    broker.authenticated(client, reject(ReasonCode::BANNED));
    assert!(broker.read(client).is_empty() && !broker.is_closed(client));
    let plain = broker.connect(&connect("plain"));
    // It cannot be asked anything.
    broker.authenticated(plain, go_on("challenge"));
    assert_eq!(broker.read(plain), ["CONNACK 0x83"]);
}

#[test]
fn credentials_are_handed_on() {
    let mut broker = Broker::new();
    broker.accepts = false;
    let info = ConnInfo {
        peer_address: "192.0.2.1:5".into(),
        certificate_common_name: Some("device".into()),
        psk_identity: Some("identity".into()),
        ..ConnInfo::default()
    };
    let client = broker.open_at(V5, 0, info);
    // In 5.0 a password may come without a user name.
    let packet = Connect { password: Some(b"secret"), ..connect("c") };
    broker.send(client, &Packet::Connect(packet));
    let AuthStep::Connect(credentials) = broker.requests.pop().unwrap().step else { panic!() };
    assert_eq!(
        credentials,
        Credentials {
            client_id: "c".into(),
            user_name: None,
            password: Some(b"secret"[..].into()),
            peer_address: "192.0.2.1:5".into(),
            certificate_common_name: Some("device".into()),
            certificate: None,
            protocol_version: 5,
            listener: "".into(),
            psk_identity: Some("identity".into()),
            authenticators: std::sync::Arc::default(),
            anonymous_allowed: true,
        }
    );
}

#[test]
fn another_server() {
    let mut broker = Broker::new();
    broker.accepts = false;
    let client = broker.connect(&connect("c"));
    broker.authenticated(
        client,
        AuthOutcome::Reject {
            reason_code: ReasonCode::USE_ANOTHER_SERVER,
            reason_string: None,
            server_reference: Some("other:1883".into()),
            detail: None,
        },
    );
    broker.read_with(client, |packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.properties.server_reference, Some("other:1883"));
    });
}
