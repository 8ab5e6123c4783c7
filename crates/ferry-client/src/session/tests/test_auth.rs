use ferry_codec::{Auth, Connack, ConnackProperties, Packet, ReasonCode};

use super::rig::{Rig, v5, v311};
use crate::Message;
use crate::session::AuthMechanism;

/// Answers with what it was asked, in brackets.
struct Echo;

impl AuthMechanism for Echo {
    fn method(&self) -> &str {
        "ECHO"
    }

    fn start(&mut self) -> Vec<u8> {
        b"start".to_vec()
    }

    fn challenge(&mut self, data: &[u8]) -> Result<Vec<u8>, String> {
        match data {
            b"bad" => Err("no".to_owned()),
            data => Ok([b"(", data, b")"].concat()),
        }
    }

    fn success(&mut self, data: &[u8]) -> Result<(), String> {
        if data == b"forged" { Err("not my server".to_owned()) } else { Ok(()) }
    }
}

fn auth(reason_code: ReasonCode, data: &'static [u8]) -> Packet<'static> {
    auth_with("ECHO", reason_code, data)
}

fn auth_with(method: &'static str, reason_code: ReasonCode, data: &'static [u8]) -> Packet<'static> {
    let (method, data) = (Some(method), Some(data));
    Packet::Auth(Auth {
        reason_code,
        authentication_method: method,
        authentication_data: data,
        ..Auth::default()
    })
}

fn opened() -> Rig {
    let mut rig = Rig::new(v5());
    rig.session.set_mechanism(Some(Box::new(Echo)));
    rig.session.open(rig.now).unwrap();
    assert!(rig.sent()[0].ends_with("auth=ECHO"));
    rig
}

fn accepted(data: &'static [u8]) -> Packet<'static> {
    let properties = ConnackProperties {
        authentication_method: Some("ECHO"),
        authentication_data: Some(data),
        ..ConnackProperties::default()
    };
    Packet::Connack(Connack { properties, ..Connack::default() })
}

/// [MQTT-4.12.0-3]; [MQTT-3.1.2-30]: nothing but AUTH before CONNACK.
#[test]
fn the_client_answers_challenges() {
    let mut rig = opened();
    rig.session.publish(rig.now, Message::new("t", "x")).unwrap();
    assert_eq!(rig.says(auth(ReasonCode::CONTINUE_AUTHENTICATION, b"1")), ["AUTH 18 ECHO (1)"]);
    assert_eq!(rig.says(auth(ReasonCode::CONTINUE_AUTHENTICATION, b"2")), ["AUTH 18 ECHO (2)"]);
    assert_eq!(rig.says(accepted(b"proof")), ["PUBLISH - qos=0 t"]);
}

/// [MQTT-4.12.1-1]
#[test]
fn it_authenticates_again_with_the_same_method() {
    let mut rig = opened();
    assert!(!rig.session.re_authenticate(rig.now), "not connected");
    rig.says(accepted(b""));
    rig.events();
    assert!(rig.session.re_authenticate(rig.now));
    assert_eq!(rig.sent(), ["AUTH 19 ECHO start"]);
    assert_eq!(rig.says(auth(ReasonCode::CONTINUE_AUTHENTICATION, b"3")), ["AUTH 18 ECHO (3)"]);
    rig.says(auth(ReasonCode::SUCCESS, b""));
    assert_eq!(rig.events(), ["authenticated"]);
}

#[test]
fn a_server_that_is_not_the_right_one() {
    let mut rig = opened();
    assert_eq!(rig.says(auth(ReasonCode::CONTINUE_AUTHENTICATION, b"bad")), ["DISCONNECT 80"]);
    assert_eq!(rig.close_reason(), "authentication failed: no");
    let mut rig = opened();
    rig.says(accepted(b"forged"));
    assert_eq!(rig.close_reason(), "authentication failed: not my server");
    // [MQTT-4.12.0-5]
    let mut rig = opened();
    let other = auth_with("OTHER", ReasonCode::CONTINUE_AUTHENTICATION, b"");
    assert_eq!(rig.says(other), ["DISCONNECT 82"]);
}

/// [MQTT-4.12.0-7], [MQTT-4.12.0-6]
#[test]
fn without_a_method_there_is_no_auth() {
    let mut rig = Rig::connected(v5());
    assert!(!rig.session.re_authenticate(rig.now));
    assert_eq!(rig.says(auth(ReasonCode::CONTINUE_AUTHENTICATION, b"")), ["DISCONNECT 82"]);
    let mut rig = Rig::connected(v311());
    rig.session.set_mechanism(Some(Box::new(Echo)));
    assert!(!rig.session.re_authenticate(rig.now));
}
