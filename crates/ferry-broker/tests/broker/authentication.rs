use std::sync::{Arc, Mutex};

use ferry_auth::{Authenticator, Credentials, Exchange, Later, Mechanism, Outcome, Refusal, Step, Verdict};
use ferry_broker::Broker;
use ferry_codec::{Auth, ConnectProperties, Packet, QoS, ReasonCode};
use tokio::sync::oneshot;

use crate::client::{Client, connect_packet};
use crate::config;

/// Lets in whoever the test lets in, when it does.
#[derive(Default)]
struct Doorkeeper {
    asked: Mutex<Option<oneshot::Sender<Outcome>>>,
}

impl Authenticator for Doorkeeper {
    fn authenticate(&self, _credentials: Credentials) -> Verdict<Outcome> {
        let (answer, answered) = oneshot::channel();
        *self.asked.lock().expect("not poisoned") = Some(answer);
        let unreachable = Outcome::Refuse(Refusal::ServerUnavailable);
        Verdict::Later(Box::pin(async move { answered.await.unwrap_or(unreachable) }))
    }
}

impl Doorkeeper {
    fn answer(&self, outcome: Outcome) {
        loop {
            if let Some(answer) = self.asked.lock().expect("not poisoned").take() {
                return answer.send(outcome).expect("awaited");
            }
            std::thread::yield_now();
        }
    }
}

#[test]
fn packets_behind_connect_wait_for_a_late_judgement() {
    let doorkeeper = Arc::new(Doorkeeper::default());
    let broker =
        Broker::builder(config()).authenticator(Arc::clone(&doorkeeper) as _).start().expect("started");
    let mut client = Client::open(&broker);
    client.send(&Packet::Connect(connect_packet("c")));
    client.send(&Packet::Pingreq);
    doorkeeper.answer(Outcome::Accept { user_name: Some("someone".into()) });
    assert!(client.receive_text().contains("Connack"));
    client.receive(|packet| assert!(matches!(packet, Packet::Pingresp), "{packet:?}"));
}

#[test]
fn a_refusal_closes_the_connection_with_its_reason() {
    let doorkeeper = Arc::new(Doorkeeper::default());
    let broker =
        Broker::builder(config()).authenticator(Arc::clone(&doorkeeper) as _).start().expect("started");
    let mut client = Client::open(&broker);
    client.send(&Packet::Connect(connect_packet("c")));
    client.publish("t", b"never seen", QoS::AtMostOnce, None);
    doorkeeper.answer(Outcome::Refuse(Refusal::BadUserNameOrPassword));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.reason_code, ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    });
    client.receive_end();
}

/// Asks for a word, and for the same word again.
struct Twice;

struct TwiceExchange {
    first: Option<Box<[u8]>>,
}

impl Authenticator for Twice {
    fn authenticate(&self, _credentials: Credentials) -> Verdict<Outcome> {
        Verdict::Now(Outcome::Refuse(Refusal::NotAuthorized))
    }

    fn mechanism(&self, method: &str) -> Option<&dyn Mechanism> {
        (method == "TWICE").then_some(self)
    }
}

impl Mechanism for Twice {
    fn start(&self, _credentials: Credentials) -> Box<dyn Exchange> {
        Box::new(TwiceExchange { first: None })
    }
}

impl Exchange for TwiceExchange {
    fn step(&mut self, data: Option<Box<[u8]>>) -> Verdict<Step> {
        let step = match self.first.take() {
            None => {
                self.first = data;
                Step::Continue { data: Some(b"again"[..].into()) }
            }
            Some(first) if data.as_ref() == Some(&first) => {
                Step::Accept { user_name: None, data: Some(b"welcome"[..].into()) }
            }
            Some(_) => Step::Refuse(Refusal::NotAuthorized),
        };
        // The first answer takes its time.
        if self.first.is_some() {
            let later: Later<Step> = Box::pin(async move { step });
            return Verdict::Later(later);
        }
        Verdict::Now(step)
    }
}

fn say<'a>(word: &'a [u8], reason_code: ReasonCode) -> Packet<'a> {
    Packet::Auth(Auth {
        reason_code,
        authentication_method: Some("TWICE"),
        authentication_data: Some(word),
        ..Auth::default()
    })
}

fn expect_question(client: &mut Client) {
    client.receive(|packet| {
        let Packet::Auth(auth) = packet else { panic!("{packet:?}") };
        assert_eq!(auth.reason_code, ReasonCode::CONTINUE_AUTHENTICATION);
        assert_eq!(auth.authentication_data, Some(&b"again"[..]));
    });
}

/// [MQTT-4.12.0-2] [MQTT-4.12.0-5]
#[test]
fn a_mechanism_converses_and_again_when_asked_to() {
    let broker = Broker::builder(config()).authenticator(Arc::new(Twice)).start().expect("started");
    let mut client = Client::open(&broker);
    let properties = ConnectProperties {
        authentication_method: Some("TWICE"),
        authentication_data: Some(b"word"),
        ..ConnectProperties::default()
    };
    client.send(&Packet::Connect(ferry_codec::Connect { properties, ..connect_packet("c") }));
    expect_question(&mut client);
    client.send(&say(b"word", ReasonCode::CONTINUE_AUTHENTICATION));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.reason_code, ReasonCode::SUCCESS);
        assert_eq!(connack.properties.authentication_data, Some(&b"welcome"[..]));
    });
    client.send(&say(b"other", ReasonCode::RE_AUTHENTICATE));
    expect_question(&mut client);
    client.send(&say(b"wrong", ReasonCode::CONTINUE_AUTHENTICATION));
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::NOT_AUTHORIZED);
    });
    client.receive_end();
}

#[test]
fn an_unknown_method_is_refused() {
    let broker = Broker::builder(config()).authenticator(Arc::new(Twice)).start().expect("started");
    let mut client = Client::open(&broker);
    let properties =
        ConnectProperties { authentication_method: Some("NONE"), ..ConnectProperties::default() };
    client.send(&Packet::Connect(ferry_codec::Connect { properties, ..connect_packet("c") }));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.reason_code, ReasonCode::BAD_AUTHENTICATION_METHOD);
    });
    client.receive_end();
}
