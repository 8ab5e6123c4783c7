use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ferry_auth::{
    Authenticator, Credentials, Exchange, HashCost, Later, Outcome, PasswordFileText, PasswordHash, Refusal,
    Step, Verdict,
};
use ferry_broker::config::{AllowAnonymous, Config};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Auth, Connect, ConnectProperties, Packet, ProtocolVersion, QoS, ReasonCode};
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
        let unreachable = Outcome::Refuse { refusal: Refusal::ServerUnavailable, detail: "".into() };
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
    doorkeeper.answer(Outcome::Accept {
        user_name: Some("someone".into()),
        until_unix_seconds: None,
        grants: None,
    });
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
    doorkeeper.answer(Outcome::Refuse { refusal: Refusal::BadUserNameOrPassword, detail: "".into() });
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
        Verdict::Now(Outcome::Refuse { refusal: Refusal::NotAuthorized, detail: "".into() })
    }

    fn exchange(&self, method: &str, _credentials: &Credentials) -> Option<Box<dyn Exchange>> {
        (method == "TWICE").then(|| Box::new(TwiceExchange { first: None }) as Box<dyn Exchange>)
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
                Step::Accept { user_name: None, data: Some(b"welcome"[..].into()), until_unix_seconds: None }
            }
            Some(_) => Step::Refuse { refusal: Refusal::NotAuthorized, detail: "".into() },
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

/// A broker with a password file, in which `ada` has the password `one`.
fn with_users(test: &str, change: impl FnOnce(&mut Config)) -> (RunningBroker, PathBuf) {
    let directory = std::env::temp_dir().join(format!("ferry-users-{}-{test}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the test");
    let file = directory.join("passwords");
    write_users(&file, &["ada"]);
    let mut config = config();
    config.authentication.password_file = Some(file);
    change(&mut config);
    (Broker::start(config).expect("started"), directory)
}

fn write_users(file: &Path, names: &[&str]) {
    let mut text = PasswordFileText::default();
    for name in names {
        let hash = PasswordHash::create(b"one", HashCost::Pbkdf2Sha512 { iterations: 1 }).expect("a hash");
        text.set(name, &hash).expect("a name");
    }
    std::fs::write(file, text.to_string()).expect("written");
}

fn code(broker: &RunningBroker, version: ProtocolVersion, who: (Option<&str>, Option<&[u8]>)) -> ReasonCode {
    let mut client = Client::open(broker).speaking(version);
    let (user_name, password) = who;
    let connect = Connect { user_name, password, protocol_version: version, ..connect_packet("c") };
    client.send(&Packet::Connect(connect));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        assert_eq!(connack.properties.reason_string, None, "nothing that tells more than the code");
        connack.reason_code
    })
}

#[test]
fn users_are_let_in_and_others_told_why_not() {
    // Although it is a loopback address: there are users.
    let (broker, directory) = with_users("codes", |_| {});
    let (bad, unauthorized) = (ReasonCode::BAD_USER_NAME_OR_PASSWORD, ReasonCode::NOT_AUTHORIZED);
    for version in [ProtocolVersion::V31, ProtocolVersion::V311, ProtocolVersion::V5] {
        assert_eq!(code(&broker, version, (Some("ada"), Some(b"one"))), ReasonCode::SUCCESS);
        assert_eq!(code(&broker, version, (Some("ada"), Some(b"two"))), bad);
        assert_eq!(code(&broker, version, (Some("ben"), Some(b"one"))), bad);
        assert_eq!(code(&broker, version, (Some("ada"), None)), bad);
        assert_eq!(code(&broker, version, (Some(""), None)), bad);
        assert_eq!(code(&broker, version, (None, None)), unauthorized);
    }
    assert_eq!(code(&broker, ProtocolVersion::V5, (None, Some(b"one"))), bad);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn a_reload_reads_the_users_again_and_a_broken_file_changes_nothing() {
    let (mut broker, directory) = with_users("reload", |_| {});
    let file = directory.join("passwords");
    let ben = (Some("ben"), Some(&b"one"[..]));
    assert_eq!(code(&broker, ProtocolVersion::V5, ben), ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    write_users(&file, &["ada", "ben"]);
    broker.reload(broker.config().clone()).expect("reloaded");
    assert_eq!(code(&broker, ProtocolVersion::V5, ben), ReasonCode::SUCCESS);
    std::fs::write(&file, "ben:secret\n").expect("written");
    let problems = broker.reload(broker.config().clone()).expect_err("broken").to_string();
    assert!(problems.contains("passwords:1:1") && !problems.contains("secret"), "{problems}");
    assert_eq!(code(&broker, ProtocolVersion::V5, ben), ReasonCode::SUCCESS);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn users_that_are_removed_or_changed_are_disconnected_at_a_reload() {
    let (mut broker, directory) = with_users("ended", |config| {
        config.listeners[0].allow_anonymous = AllowAnonymous::Yes;
    });
    let file = directory.join("passwords");
    write_users(&file, &["ada", "ben", "carl"]);
    broker.reload(broker.config().clone()).expect("reloaded");
    let enter = |name: Option<&str>| {
        let mut client = Client::open(&broker);
        let client_id = name.unwrap_or("anonymous");
        let password = name.map(|_| &b"one"[..]);
        client.send(&Packet::Connect(Connect { user_name: name, password, ..connect_packet(client_id) }));
        assert!(client.receive_text().contains("Connack"));
        client
    };
    let [mut ada, mut ben, mut carl, mut anonymous] =
        [Some("ada"), Some("ben"), Some("carl"), None].map(enter);
    // Ada's line stays, Ben's is gone, Carl has another password.
    let mut text = PasswordFileText::new(&std::fs::read_to_string(&file).expect("a file"));
    assert!(text.remove("ben"));
    let hash = PasswordHash::create(b"two", HashCost::Pbkdf2Sha512 { iterations: 1 }).expect("a hash");
    text.set("carl", &hash).expect("a name");
    std::fs::write(&file, text.to_string()).expect("written");
    broker.reload(broker.config().clone()).expect("reloaded");
    for ended in [&mut ben, &mut carl] {
        ended.receive(|packet| {
            let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
            assert_eq!(disconnect.reason_code, ReasonCode::ADMINISTRATIVE_ACTION);
        });
        ended.receive_end();
    }
    ada.ping();
    anonymous.ping();
    // A broken file ends nobody.
    std::fs::write(&file, "broken\n").expect("written");
    assert!(broker.reload(broker.config().clone()).is_err());
    ada.ping();
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn anonymous_clients_stay_welcome_where_the_listener_says_so() {
    let (broker, directory) =
        with_users("anonymous", |config| config.listeners[0].allow_anonymous = AllowAnonymous::Yes);
    assert_eq!(code(&broker, ProtocolVersion::V5, (None, None)), ReasonCode::SUCCESS);
    let wrong = (Some("ada"), Some(&b"two"[..]));
    assert_eq!(code(&broker, ProtocolVersion::V5, wrong), ReasonCode::BAD_USER_NAME_OR_PASSWORD);
    let _ = std::fs::remove_dir_all(directory);
}

#[test]
fn rights_hold_at_publishing_and_at_delivery_and_change_with_their_file() {
    let mut acl = PathBuf::new();
    let (mut broker, directory) = with_users("rights", |config| {
        acl = config.authentication.password_file.as_ref().expect("set").with_file_name("acl");
        std::fs::write(&acl, "topic read a\ntopic write #").expect("written");
        config.authorization.acl_file = Some(acl.clone());
        config.listeners[0].allow_anonymous = AllowAnonymous::Yes;
    });
    let mut client = Client::connect(&broker, "c");
    client.subscribe("#", QoS::AtMostOnce);
    let send = |client: &mut Client, topics: &[&str]| {
        topics.iter().for_each(|topic| client.publish(topic, b"x", QoS::AtMostOnce, None));
    };
    send(&mut client, &["b", "a"]);
    assert_eq!(client.receive_publish().0, "a");
    std::fs::write(&acl, "topic read b\ntopic write b").expect("written");
    broker.reload(broker.config().clone()).expect("reloaded");
    // The shard has the new rules once it has taken them from its mailbox, in which whoever comes now is behind them.
    let mut later = Client::connect(&broker, "later");
    later.subscribe("#", QoS::AtMostOnce);
    send(&mut later, &["a", "b"]);
    assert_eq!(later.receive_publish().0, "b");
    assert_eq!(client.receive_publish().0, "b");
    std::fs::write(&acl, "topic raed b").expect("written");
    assert!(broker.reload(broker.config().clone()).expect_err("wrong").to_string().contains("acl:1:1"));
    send(&mut later, &["a", "b"]);
    assert_eq!(client.receive_publish().0, "b");
    let _ = std::fs::remove_dir_all(directory);
}
