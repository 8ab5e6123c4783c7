use ferry_codec::{Auth, ConnackProperties, Packet, ReasonCode};
use std::num::NonZeroU32;

use super::rig::{Rig, both, v5, v311};
use crate::session::{AuthMechanism, ConnectOptions, DisconnectOptions, PublishRefused, Will};
use crate::{Message, Properties};

const NUL: &str = "has the character U+0000";
const TOO_LONG: &str = "longer than 65,535 bytes";

fn long() -> String {
    "x".repeat(65_536)
}

fn longest() -> String {
    "x".repeat(65_535)
}

fn pairs(name: &str, value: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), value.to_owned())]
}

/// What opening a connection says; then nothing is sent.
fn refused(options: ConnectOptions) -> String {
    let mut rig = Rig::new(options);
    let invalid = rig.session.open(rig.now).unwrap_err();
    assert!(rig.sent().is_empty());
    assert_eq!(rig.session.check(), Err(invalid));
    assert!(rig.session.next_deadline().is_never());
    invalid.to_string()
}

/// [MQTT-1.5.4-2], [MQTT3-1.5.3-2]; what is longer than its length can say is not cut.
#[test]
fn texts_of_connect_that_cannot_be_sent_are_named() {
    for options in both() {
        let with = |change: &dyn Fn(&mut ConnectOptions, String)| {
            for (text, why) in [(long(), TOO_LONG), ("a\0b".to_owned(), NUL)] {
                let mut changed = options.clone();
                change(&mut changed, text);
                let said = refused(changed);
                assert!(said.ends_with(why), "{said}");
            }
            let mut changed = options.clone();
            change(&mut changed, longest());
            let mut rig = Rig::new(changed.clone());
            rig.session.open(rig.now).unwrap();
            assert_eq!(rig.sent().len(), 1);
            change(&mut changed, long());
            refused(changed).split(':').next().unwrap().to_owned()
        };
        assert_eq!(with(&|it, text| it.client_id = text), "Client Identifier of CONNECT");
        assert_eq!(with(&|it, text| it.user_name = Some(text)), "User Name of CONNECT");
        assert_eq!(with(&|it, text| it.user_properties = pairs(&text, "")), "User Property of CONNECT");
        assert_eq!(with(&|it, text| it.user_properties = pairs("", &text)), "User Property of CONNECT");
        let of_subscribe = with(&|it, text| it.subscribe_user_properties = pairs("a", &text));
        assert_eq!(of_subscribe, "User Property of SUBSCRIBE");
        let of_unsubscribe = with(&|it, text| it.unsubscribe_user_properties = pairs("a", &text));
        assert_eq!(of_unsubscribe, "User Property of UNSUBSCRIBE");
        let of_will = |message: Message| Some(Will::new(message));
        let content_type = with(&|it, text| it.will = of_will(Message::new("t", "").content_type(text)));
        assert_eq!(content_type, "Content Type of the will");
        let of_user = with(&|it, text| it.will = of_will(Message::new("t", "").user_property("a", text)));
        assert_eq!(of_user, "User Property of the will");
    }
}

/// Passwords and payloads of wills are Binary Data: U+0000 is nothing special in them. [MQTT-4.7.0-1], [MQTT3-4.7.1-1],
/// [MQTT-4.7.3-1], [MQTT-4.7.3-2], [MQTT-4.7.3-3]: topics of wills are topics.
#[test]
fn data_of_connect_that_cannot_be_sent_are_named() {
    for options in both() {
        let password = |bytes| ConnectOptions {
            user_name: Some("me".to_owned()),
            password: Some(bytes),
            ..options.clone()
        };
        let will = |message: Message| ConnectOptions { will: Some(message.into()), ..options.clone() };
        for good in [password(vec![0; 65_535]), will(Message::new(longest(), vec![0; 65_535]))] {
            let mut rig = Rig::new(good);
            rig.session.open(rig.now).unwrap();
            assert_eq!(rig.sent().len(), 1);
        }
        let wills_of = |properties: Properties| {
            will(Message { properties: Some(Box::new(properties)), ..Message::new("t", "") })
        };
        let data = Properties { correlation_data: Some(vec![0; 65_536]), ..Properties::default() };
        let topic = Properties { response_topic: Some("a/#".to_owned()), ..Properties::default() };
        for (bad, said) in [
            (password(vec![0; 65_536]), "Password of CONNECT: longer than 65,535 bytes"),
            (will(Message::new("t", vec![0; 65_536])), "Payload of the will: longer than 65,535 bytes"),
            (will(Message::new("", "")), "Topic of the will: the topic is empty"),
            (will(Message::new("a/+", "")), "Topic of the will: a topic name has a wildcard"),
            (will(Message::new("a\0", "")), "Topic of the will: the topic contains U+0000"),
            (will(Message::new(long(), "")), "Topic of the will: the topic is too long"),
            (wills_of(data), "Correlation Data of the will: longer than 65,535 bytes"),
            (wills_of(topic), "Response Topic of the will: has a wildcard"),
        ] {
            assert_eq!(refused(bad), said);
        }
    }
}

#[test]
fn user_properties_are_bounded() {
    let user_properties = vec![pairs(&longest(), &longest()).remove(0); 513];
    let options = ConnectOptions { user_properties, ..v5() };
    assert_eq!(refused(options), "User Property of CONNECT: more than 64 MiB in all");
}

/// [MQTT-3.14.2-3], [MQTT-3.14.2-4]: what a server would not take is left out, what nobody may send is refused.
#[test]
fn disconnect_says_what_it_can() {
    let with_words = |words: &str| DisconnectOptions {
        reason_string: Some(words.to_owned()),
        user_properties: pairs("a", "b"),
        ..DisconnectOptions::default()
    };
    for options in both() {
        let mut rig = Rig::connected(options);
        for (bad, said) in [
            (with_words(&long()), "Reason String of DISCONNECT: longer than 65,535 bytes"),
            (with_words("\0"), "Reason String of DISCONNECT: has the character U+0000"),
            (
                DisconnectOptions { user_properties: pairs("a", &long()), ..DisconnectOptions::default() },
                "User Property of DISCONNECT: longer than 65,535 bytes",
            ),
            (
                DisconnectOptions { reason_code: ReasonCode::SERVER_BUSY, ..DisconnectOptions::default() },
                "Reason Code of DISCONNECT: not one that a client may send",
            ),
        ] {
            let refused = rig.session.disconnect(rig.now, &bad).unwrap_err();
            assert_eq!(refused.to_string(), said);
        }
        assert!(rig.session.connected().is_some() && rig.sent().is_empty());
    }
    for (maximum_packet_size, length) in [(None, 2 + 2 + 6 + 7), (NonZeroU32::new(10), 2)] {
        let properties = ConnackProperties { maximum_packet_size, ..ConnackProperties::default() };
        let mut rig = Rig::connected_to(v5(), properties);
        rig.session.disconnect(rig.now, &with_words("bye")).unwrap();
        let mut bytes = Vec::new();
        rig.session.take_output(rig.now, &mut bytes);
        assert_eq!(bytes.len(), length, "{bytes:02X?}");
    }
}

#[test]
fn properties_of_messages_are_named() {
    let mut rig = Rig::connected(v311());
    for (message, said) in [
        (Message::new("t", "").response_topic("a/#"), "Response Topic of PUBLISH: has a wildcard"),
        (Message::new("t", "").content_type("\0"), "Content Type of PUBLISH: has the character U+0000"),
        (
            Message::new("t", "").user_property(long(), ""),
            "User Property of PUBLISH: longer than 65,535 bytes",
        ),
        (
            Message::new("t", "").correlation_data(long()),
            "Correlation Data of PUBLISH: longer than 65,535 bytes",
        ),
    ] {
        let (_, refused) = rig.session.publish(rig.now, message).unwrap_err();
        assert!(matches!(refused, PublishRefused::Property(_)));
        assert_eq!(refused.to_string(), said);
    }
}

/// Has data of this method and length, at first and as an answer.
struct Talkative(String, usize, usize);

impl AuthMechanism for Talkative {
    fn method(&self) -> &str {
        &self.0
    }

    fn start(&mut self) -> Vec<u8> {
        vec![b'x'; self.1]
    }

    fn challenge(&mut self, _data: &[u8]) -> Result<Vec<u8>, String> {
        Ok(vec![b'x'; self.2])
    }
}

/// [MQTT-1.5.4-2]
#[test]
fn authentication_that_cannot_be_sent_is_named() {
    let opened = |method: String, first, answer| {
        let mut rig = Rig::new(v5());
        rig.session.set_mechanism(Some(Box::new(Talkative(method, first, answer))));
        let opened = rig.session.open(rig.now).map_err(|invalid| invalid.to_string());
        (rig, opened)
    };
    for (method, first, said) in [
        (long(), 0, "Authentication Method of CONNECT: longer than 65,535 bytes"),
        ("\0".to_owned(), 0, "Authentication Method of CONNECT: has the character U+0000"),
        ("X".to_owned(), 65_536, "Authentication Data of CONNECT: longer than 65,535 bytes"),
    ] {
        let (mut rig, opened) = opened(method, first, 0);
        assert_eq!(opened.unwrap_err(), said);
        assert!(rig.sent().is_empty());
    }
    let (mut rig, opened) = opened("X".to_owned(), 65_535, 65_536);
    opened.unwrap();
    rig.sent();
    let challenge = Auth {
        reason_code: ReasonCode::CONTINUE_AUTHENTICATION,
        authentication_method: Some("X"),
        ..Auth::default()
    };
    assert_eq!(rig.says(Packet::Auth(challenge)), ["DISCONNECT 80"]);
    let said = "authentication failed: Authentication Data of AUTH: longer than 65,535 bytes";
    assert_eq!(rig.close_reason(), said);
}
