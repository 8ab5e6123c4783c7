//! Authentication by SCRAM, against the other side of it.

use ferry_codec::{Auth, Connack, ConnackProperties, Packet, ReasonCode, decode};
use ferry_scram::{ClientFirst, ScramCredentials, ServerExchange};

use super::rig::{Rig, v5};
use crate::{Scram, ScramHash};

const SALT: &[u8] = b"salt";

/// The Authentication Data that the client sends.
fn sent_data(rig: &mut Rig) -> (Vec<u8>, ReasonCode) {
    let mut bytes = Vec::new();
    rig.session.take_output(rig.now, &mut bytes);
    let limits = ferry_codec::DecodeLimits::UNLIMITED;
    let version = ferry_codec::ProtocolVersion::V5;
    match decode(&bytes, version, ferry_codec::Direction::FromClient, &limits).expect("one packet") {
        Packet::Connect(connect) => {
            assert_eq!((connect.user_name, connect.password), (None, None));
            (connect.properties.authentication_data.unwrap_or_default().to_vec(), ReasonCode::SUCCESS)
        }
        Packet::Auth(auth) => (auth.authentication_data.unwrap_or_default().to_vec(), auth.reason_code),
        other => panic!("{other:?}"),
    }
}

fn auth(reason_code: ReasonCode, data: &str) -> Packet<'_> {
    Packet::Auth(Auth {
        reason_code,
        authentication_method: Some("SCRAM-SHA-256"),
        authentication_data: Some(data.as_bytes()),
        ..Auth::default()
    })
}

fn connack(data: Option<&str>) -> Packet<'_> {
    let properties = ConnackProperties {
        authentication_method: Some("SCRAM-SHA-256"),
        authentication_data: data.map(str::as_bytes),
        ..ConnackProperties::default()
    };
    Packet::Connack(Connack { properties, ..Connack::default() })
}

/// A session that has sent its CONNECT, and the server's side of the exchange with its first message.
fn opened() -> (Rig, ServerExchange, String) {
    let mut rig = Rig::new(v5());
    let scram = Scram::new(ScramHash::Sha256, "user", "pencil");
    rig.session.set_mechanism(Some(Box::new(scram)));
    rig.session.open(rig.now).unwrap();
    let (first, _) = sent_data(&mut rig);
    let (server, challenge) = answer(&first);
    (rig, server, challenge)
}

fn answer(first: &[u8]) -> (ServerExchange, String) {
    let first = ClientFirst::parse(first).expect("the first message of SCRAM");
    assert_eq!(first.user_name(), "user");
    first.answer(ScramCredentials::new(ScramHash::Sha256, b"pencil", SALT, 4096), "server")
}

/// The client's answer to a challenge.
fn answered(rig: &mut Rig, challenge: &str) -> Vec<u8> {
    rig.receive(auth(ReasonCode::CONTINUE_AUTHENTICATION, challenge));
    let (data, reason_code) = sent_data(rig);
    assert_eq!(reason_code, ReasonCode::CONTINUE_AUTHENTICATION);
    data
}

/// [MQTT-4.12.0-3], [MQTT-4.12.1-1]
#[test]
fn both_sides_prove_themselves() {
    let (mut rig, server, challenge) = opened();
    let proof = answered(&mut rig, &challenge);
    let server_final = server.client_final(&proof).expect("it knows the password");
    rig.receive(connack(Some(&server_final)));
    assert!(rig.session.connected().is_some());
    rig.events();
    // And once more, with other nonces.
    assert!(rig.session.re_authenticate(rig.now));
    let (first, reason_code) = sent_data(&mut rig);
    assert_eq!(reason_code, ReasonCode::RE_AUTHENTICATE);
    let (server, challenge) = answer(&first);
    let proof = answered(&mut rig, &challenge);
    let server_final = server.client_final(&proof).expect("it knows the password");
    rig.receive(auth(ReasonCode::SUCCESS, &server_final));
    assert_eq!(rig.events(), ["authenticated"]);
    assert!(rig.session.connected().is_some());
}

/// CONNACK alone proves nothing.
#[test]
fn a_server_that_does_not_know_the_user_is_left() {
    let not_proven = "authentication failed: the server has not proven that it knows the user";
    let (mut rig, _server, challenge) = opened();
    answered(&mut rig, &challenge);
    rig.receive(connack(Some("v=AAAA")));
    assert_eq!(rig.close_reason(), not_proven);
    assert!(rig.session.connected().is_none() && rig.events().is_empty());
    for data in [None, Some(""), Some("v=")] {
        let (mut rig, _server, challenge) = opened();
        answered(&mut rig, &challenge);
        rig.receive(connack(data));
        assert!(rig.close_reason().starts_with("authentication failed"), "{data:?}");
    }
    // It has not even asked.
    let (mut rig, _server, _challenge) = opened();
    rig.receive(connack(Some("v=AAAA")));
    assert_eq!(rig.close_reason(), "authentication failed: a SCRAM message that does not belong here");
}

#[test]
fn challenges_that_mean_harm() {
    for (from, to, why) in [
        (
            "i=4096",
            "i=4000000000",
            "the server asks for 4000000000 iterations of SCRAM, not for 4096 to 1000000",
        ),
        ("i=4096", "i=1", "the server asks for 1 iterations of SCRAM, not for 4096 to 1000000"),
        ("r=", "r=x", "the SCRAM nonce is not that of this exchange"),
        ("s=", "m=x,s=", "SCRAM without mandatory extensions only"),
    ] {
        let (mut rig, _server, challenge) = opened();
        rig.receive(auth(ReasonCode::CONTINUE_AUTHENTICATION, &challenge.replacen(from, to, 1)));
        assert_eq!(rig.sent(), ["DISCONNECT 80"]);
        assert_eq!(rig.close_reason(), format!("authentication failed: {why}"));
    }
    // A second challenge.
    let (mut rig, _server, challenge) = opened();
    answered(&mut rig, &challenge);
    rig.receive(auth(ReasonCode::CONTINUE_AUTHENTICATION, &challenge));
    assert_eq!(rig.sent(), ["DISCONNECT 80"]);
}

/// A connected client that is not shown the proof does not go on.
#[test]
fn authenticating_again_needs_the_proof_too() {
    let (mut rig, server, challenge) = opened();
    let proof = answered(&mut rig, &challenge);
    let server_final = server.client_final(&proof).expect("it knows the password");
    rig.receive(connack(Some(&server_final)));
    assert!(rig.session.re_authenticate(rig.now));
    sent_data(&mut rig);
    // That of last time.
    rig.receive(auth(ReasonCode::SUCCESS, &server_final));
    assert_eq!(rig.sent(), ["DISCONNECT 80"]);
}
