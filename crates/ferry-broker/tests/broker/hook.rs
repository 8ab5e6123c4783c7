//! Clients that an HTTP server judges.

use std::sync::{Mutex, mpsc};
use std::time::{SystemTime, UNIX_EPOCH};

use ferry_broker::config::{AllowAnonymous, Authentication, AuthenticatorKind, Config, WhenUnavailable};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Connect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode};

use crate::client::{Client, connect_packet};
use crate::config;
use crate::hook_server::{HookServer, Reply};
use crate::tls::Authority;

const ALLOW: &str = r#"{"result":"allow"}"#;

fn with(authentication: Authentication) -> Config {
    Config { authentication, ..config() }
}

fn start(server: &HookServer, more: Authentication) -> RunningBroker {
    Broker::start(with(Authentication { hook_url: server.url(), ..more })).expect("started")
}

fn send_connect(client: &mut Client, client_id: &str, password: &[u8]) {
    let packet = Connect { user_name: Some("ada"), password: Some(password), ..connect_packet(client_id) };
    client.send(&Packet::Connect(packet));
}

fn connack(client: &mut Client) -> ReasonCode {
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        connack.reason_code
    })
}

fn login(broker: &RunningBroker, client_id: &str, password: &[u8]) -> (Client, ReasonCode) {
    let mut client = Client::open(broker);
    send_connect(&mut client, client_id, password);
    let reason_code = connack(&mut client);
    (client, reason_code)
}

fn answer_to(body: &str) -> ReasonCode {
    let server = HookServer::answering(body);
    login(&start(&server, Authentication::default()), "c", b"secret").1
}

#[test]
fn the_server_is_told_what_is_known_of_the_client() {
    let server = HookServer::answering(ALLOW);
    let file = std::env::temp_dir().join(format!("ferry-hook-header-{}", std::process::id()));
    std::fs::write(&file, "Authorization: Bearer 3nf8\n").expect("written");
    let more = Authentication { hook_header_file: Some(file.clone()), ..Authentication::default() };
    let broker = start(&server, more);
    std::fs::remove_file(&file).expect("removed");
    assert_eq!(login(&broker, "pump", b"secret").1, ReasonCode::SUCCESS);
    let question = server.question();
    let head = question.head.to_lowercase();
    assert!(head.starts_with("post /mqtt?x=1 http/1.1\r\n"), "{head}");
    for line in [
        format!("host: {}", server.address),
        "content-type: application/json".to_owned(),
        "authorization: bearer 3nf8".to_owned(),
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
    let expected = serde_json::json!({
        "client_id": "pump",
        "user_name": "ada",
        "password": "secret",
        "address": "127.0.0.1",
        "listener": broker.local_addresses()[0].to_string(),
        "certificate_common_name": null,
        "certificate_subject": null,
        "certificate_alternative_names": null,
        "certificate_fingerprint": null,
        "protocol_version": 5,
    });
    assert_eq!(question.body, expected);
    // A password may be any bytes.
    login(&broker, "pump", b"\xFF\x00");
    let body = server.question().body;
    assert_eq!((&body["password"], &body["password_base64"]), (&None::<&str>.into(), &"/wA=".into()));
}

#[test]
fn the_server_is_told_the_certificate_of_the_client() {
    let authority = Authority::new();
    let server = HookServer::answering(ALLOW);
    let mut config = with(Authentication { hook_url: server.url(), ..Authentication::default() });
    config.listeners = vec![authority.listener()];
    let broker = Broker::start(config).expect("started");
    let pump = authority.pump("pump-7");
    let mut client = authority.open(&broker, Some(&pump));
    send_connect(&mut client, "c", b"secret");
    assert_eq!(connack(&mut client), ReasonCode::SUCCESS);
    let body = server.question().body;
    let told = |name: &str| body[format!("certificate_{name}")].clone();
    assert_eq!(told("common_name"), "pump-7");
    assert_eq!(told("subject"), "CN=pump-7,O=Example\\, Inc.");
    let names = ["DNS:pump-7.example", "URI:urn:pump-7", "email:pump-7@example.com"];
    assert_eq!(told("alternative_names"), serde_json::json!(names));
    assert_eq!(told("fingerprint"), pump.fingerprint());
    // Who shows none has none.
    let mut client = authority.open(&broker, None);
    send_connect(&mut client, "c", b"secret");
    assert_eq!(connack(&mut client), ReasonCode::SUCCESS);
    assert_eq!(server.question().body["certificate_subject"], serde_json::Value::Null);
}

#[test]
fn the_server_is_told_the_certificate_that_a_proxy_has_verified() {
    let authority = Authority::new();
    let pump = authority.pump("pump-7");
    let server = HookServer::answering(ALLOW);
    let mut config = with(Authentication { hook_url: server.url(), ..Authentication::default() });
    config.listeners[0].proxy_protocol = true;
    let broker = Broker::start(config).expect("started");
    let told = |extensions: &[Vec<u8>], is_verified: bool| {
        let mut client = Client::open(&broker);
        client.send_bytes(&proxy_header(extensions, is_verified));
        send_connect(&mut client, "c", b"secret");
        assert_eq!(connack(&mut client), ReasonCode::SUCCESS);
        let body = server.question().body;
        assert_eq!(body["address"], "192.0.2.7");
        ["common_name", "subject", "fingerprint"].map(|name| body[format!("certificate_{name}")].clone())
    };
    let (name, whole) = (extension(0x22, b"pump-7"), extension(0x28, pump.der()));
    let (text, nothing) = (|text: &str| serde_json::Value::from(text), serde_json::Value::Null);
    assert_eq!(told(std::slice::from_ref(&name), true), [text("pump-7"), nothing.clone(), nothing.clone()]);
    assert_eq!(
        told(&[name.clone(), whole.clone()], true),
        [text("pump-7"), text("CN=pump-7,O=Example\\, Inc."), text(&pump.fingerprint())]
    );
    assert_eq!(told(&[name, whole], false), [nothing.clone(), nothing.clone(), nothing]);
}

/// Version 2, from a client at 192.0.2.7 that has come to the proxy by TLS.
fn proxy_header(extensions: &[Vec<u8>], is_verified: bool) -> Vec<u8> {
    // By TLS, with a certificate; what verifying it has led to.
    let ssl = [&[3, 0, 0, 0, u8::from(!is_verified)][..], &extensions.concat()].concat();
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0xC0, 1, 0x22, 0xB3];
    let rest = [&addresses[..], &extension(0x20, &ssl)].concat();
    let length = (rest.len() as u16).to_be_bytes();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &length[..], &rest].concat()
}

fn extension(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = (value.len() as u16).to_be_bytes();
    [&[kind], &length[..], value].concat()
}

#[test]
fn what_the_server_says_is_done() {
    assert_eq!(answer_to(ALLOW), ReasonCode::SUCCESS);
    assert_eq!(answer_to(r#"{"result":"allow","user_name":null,"is_superuser":true}"#), ReasonCode::SUCCESS);
    assert_eq!(answer_to(r#"{"result":"deny","reason":"not today"}"#), ReasonCode::NOT_AUTHORIZED);
    // There is no other judge, and this listener wants one.
    assert_eq!(answer_to(r#"{"result":"ignore"}"#), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(answer_to(r#"{"result":"allow","expire_at":1}"#), ReasonCode::NOT_AUTHORIZED);
}

#[test]
fn a_client_of_mqtt_3_gets_its_return_codes() {
    // Codes 3, 5 and 0.
    let codes = [ReasonCode::SERVER_UNAVAILABLE, ReasonCode::NOT_AUTHORIZED, ReasonCode::SUCCESS];
    for (body, code) in ["{}", r#"{"result":"deny"}"#, ALLOW].into_iter().zip(codes) {
        let server = HookServer::answering(body);
        let broker = start(&server, Authentication::default());
        let mut client = Client::open(&broker).speaking(ProtocolVersion::V311);
        let packet = Connect { protocol_version: ProtocolVersion::V311, ..connect_packet("c") };
        client.send(&Packet::Connect(packet));
        assert_eq!(connack(&mut client), code, "{body}");
        assert_eq!(server.question().body["protocol_version"], 4);
    }
}

#[test]
fn nobody_gets_in_by_what_is_no_answer() {
    let unavailable = ReasonCode::SERVER_UNAVAILABLE;
    for body in [
        "",
        "allow",
        "[]",
        "{}",
        r#"{"result":true}"#,
        r#"{"result":"ALLOW"}"#,
        r#"{"result":"allow""#,
        r#"{"result":"allow","user_name":7}"#,
        r#"{"result":"allow","user_name":""}"#,
        r#"{"result":"allow","expire_at":"tomorrow"}"#,
        r#"{"result":"allow","expire_at":-1}"#,
    ] {
        assert_eq!(answer_to(body), unavailable, "{body}");
    }
    let large = format!(r#"{{"result":"allow","x":"{}"}}"#, "x".repeat(64 * 1024));
    assert_eq!(answer_to(&large), unavailable);
    for raw in [
        "HTTP/1.1 500 Oh\r\nContent-Length: 18\r\n\r\n{\"result\":\"allow\"}".to_owned(),
        "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 204 Nothing\r\n\r\n".to_owned(),
        "HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"result\":\"allow\"}".to_owned(),
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        String::new(),
        format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000)),
    ] {
        let bytes = raw.clone().into_bytes();
        let server = HookServer::start(move |_| Reply::Raw(bytes.clone()));
        let broker = start(&server, Authentication::default());
        assert_eq!(login(&broker, "c", b"secret").1, unavailable, "{raw}");
    }
}

#[test]
fn without_a_server_clients_are_refused_or_the_next_judge_is_asked() {
    // A port that nobody listens on: it was somebody's a moment ago.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let hook = |when| Authentication {
        hook_url: Some(format!("http://{gone}/")),
        hook_unavailable: when,
        ..Authentication::default()
    };
    let broker = Broker::start(with(hook(WhenUnavailable::Refuse))).expect("started");
    assert_eq!(login(&broker, "c", b"secret").1, ReasonCode::SERVER_UNAVAILABLE);
    let mut config = with(hook(WhenUnavailable::Next));
    let broker = Broker::start(config.clone()).expect("started");
    assert_eq!(login(&broker, "c", b"secret").1, ReasonCode::NOT_AUTHORIZED);
    config.listeners[0].authentication = Some(vec![AuthenticatorKind::Hook]);
    config.listeners[0].allow_anonymous = AllowAnonymous::Yes;
    let broker = Broker::start(config).expect("started");
    assert_eq!(login(&broker, "c", b"secret").1, ReasonCode::SUCCESS);
}

#[test]
fn a_server_that_hangs_is_not_waited_for_and_holds_nobody_up() {
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(Some(waits));
    let server = HookServer::start(move |question| match question.body["client_id"].as_str() {
        Some("slow") => match waits.lock().expect("not poisoned").take() {
            Some(waits) => Reply::Wait(waits, ALLOW.to_owned()),
            None => Reply::Body(ALLOW.to_owned()),
        },
        _ => Reply::Body(ALLOW.to_owned()),
    });
    let broker = start(&server, Authentication { hook_timeout_seconds: 4, ..Authentication::default() });
    let mut slow = Client::open(&broker);
    send_connect(&mut slow, "slow", b"secret");
    assert_eq!(server.question().body["client_id"], "slow");
    // Meanwhile others come, and have their messages.
    let (mut quick, reason_code) = login(&broker, "quick", b"secret");
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    quick.subscribe("t", QoS::AtMostOnce);
    quick.publish("t", b"m", QoS::AtMostOnce, None);
    assert!(quick.receive_text().contains("Publish"));
    assert_eq!(connack(&mut slow), ReasonCode::SERVER_UNAVAILABLE);
    drop(go_on);
    assert_eq!(login(&broker, "slow", b"secret").1, ReasonCode::SUCCESS);
}

#[test]
fn what_waits_is_limited() {
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(Some(waits));
    let server = HookServer::start(move |_| match waits.lock().expect("not poisoned").take() {
        Some(waits) => Reply::Wait(waits, ALLOW.to_owned()),
        None => Reply::Body(ALLOW.to_owned()),
    });
    let broker = start(
        &server,
        Authentication { hook_requests_max: 1, hook_waiting_max: 0, ..Authentication::default() },
    );
    let mut first = Client::open(&broker);
    send_connect(&mut first, "first", b"secret");
    server.question();
    assert_eq!(login(&broker, "second", b"secret").1, ReasonCode::SERVER_BUSY);
    drop(go_on);
    assert_eq!(connack(&mut first), ReasonCode::SUCCESS);
    assert_eq!(login(&broker, "third", b"secret").1, ReasonCode::SUCCESS);
}

#[test]
fn connections_are_kept_and_replaced() {
    let server = HookServer::answering(ALLOW);
    let broker = start(&server, Authentication::default());
    for _ in 0..10 {
        assert_eq!(login(&broker, "c", b"secret").1, ReasonCode::SUCCESS);
    }
    assert_eq!((server.questions(), server.connections()), (10, 1));
    // Closed without a word between two questions.
    let server = HookServer::start(|_| Reply::BodyThenEnd(ALLOW.to_owned()));
    let broker = start(&server, Authentication::default());
    for _ in 0..10 {
        assert_eq!(login(&broker, "c", b"secret").1, ReasonCode::SUCCESS);
    }
}

#[test]
fn answers_are_remembered_for_the_same_question_only() {
    let server = HookServer::start(|question| {
        let is_right = question.body["password"] == "right";
        Reply::Body(if is_right { ALLOW.to_owned() } else { r#"{"result":"deny"}"#.to_owned() })
    });
    let broker = start(&server, Authentication { hook_cache_seconds: 600, ..Authentication::default() });
    for _ in 0..3 {
        assert_eq!(login(&broker, "c", b"right").1, ReasonCode::SUCCESS);
        assert_eq!(login(&broker, "c", b"wrong").1, ReasonCode::NOT_AUTHORIZED);
    }
    assert_eq!(server.questions(), 2);
    assert_eq!(login(&broker, "d", b"right").1, ReasonCode::SUCCESS);
    assert_eq!(server.questions(), 1);
}

#[test]
fn a_fault_is_not_remembered() {
    let broken = Mutex::new(true);
    let server = HookServer::start(move |_| {
        let was_broken = std::mem::replace(&mut *broken.lock().expect("not poisoned"), false);
        Reply::Body(if was_broken { "?".to_owned() } else { ALLOW.to_owned() })
    });
    let broker = start(&server, Authentication { hook_cache_seconds: 600, ..Authentication::default() });
    assert_eq!(login(&broker, "c", b"secret").1, ReasonCode::SERVER_UNAVAILABLE);
    assert_eq!(login(&broker, "c", b"secret").1, ReasonCode::SUCCESS);
}

#[test]
fn the_connection_ends_when_the_server_has_said() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let server = HookServer::answering(&format!(r#"{{"result":"allow","expire_at":{}}}"#, now + 2));
    let broker = start(&server, Authentication::default());
    let (mut client, reason_code) = login(&broker, "c", b"secret");
    assert_eq!(reason_code, ReasonCode::SUCCESS);
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::MAXIMUM_CONNECT_TIME);
    });
}

#[test]
fn rights_go_by_the_name_that_the_server_says() {
    let server = HookServer::answering(r#"{"result":"allow","user_name":"countess"}"#);
    let file = std::env::temp_dir().join(format!("ferry-hook-acl-{}", std::process::id()));
    std::fs::write(&file, "user countess\ntopic readwrite t\n").expect("written");
    let mut config = with(Authentication { hook_url: server.url(), ..Authentication::default() });
    config.authorization.acl_file = Some(file.clone());
    let broker = Broker::start(config).expect("started");
    let (mut client, _) = login(&broker, "c", b"secret");
    client.subscribe("t", QoS::AtMostOnce);
    client.publish("t", b"m", QoS::AtMostOnce, None);
    assert!(client.receive_text().contains("Publish"));
    std::fs::remove_file(&file).expect("removed");
}

/// None of it happens on the threads that serve clients.
#[test]
fn five_hundred_logins_at_once_delay_no_message() {
    const LOGINS: usize = 500;
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(Some(waits));
    let server = HookServer::start(move |question| match question.body["client_id"].as_str() {
        Some("bystander") => Reply::Body(ALLOW.to_owned()),
        _ => match waits.lock().expect("not poisoned").take() {
            Some(waits) => Reply::Wait(waits, ALLOW.to_owned()),
            None => Reply::Body(ALLOW.to_owned()),
        },
    });
    // A thread that waited for the server would wait longer than the bystander does.
    let hook_timeout_seconds = 60;
    let more = Authentication { hook_requests_max: 8, hook_timeout_seconds, ..Authentication::default() };
    let broker = start(&server, more);
    let (mut bystander, _) = login(&broker, "bystander", b"secret");
    bystander.subscribe("t", QoS::AtMostOnce);
    let mut clients: Vec<Client> = (0..LOGINS)
        .map(|number| {
            let mut client = Client::open(&broker);
            send_connect(&mut client, &format!("client-{number}"), b"secret");
            client
        })
        .collect();
    // The server does not answer the first of them meanwhile.
    for _ in 0..200 {
        bystander.publish("t", b"m", QoS::AtMostOnce, None);
        assert!(bystander.receive_text().contains("Publish"));
    }
    drop(go_on);
    for client in &mut clients {
        assert_eq!(connack(client), ReasonCode::SUCCESS);
    }
}

fn publishes(client: &mut Client, topic: &str) -> bool {
    client.publish(topic, b"m", QoS::AtLeastOnce, PacketId::new(9));
    client.receive(|packet| {
        let Packet::Puback(ack) = packet else { panic!("{packet:?}") };
        !ack.reason_code.is_error()
    })
}

#[test]
fn the_server_grants_rules_and_roles() {
    let server = HookServer::answering(
        r#"{"result":"allow","roles":["operators"],"acl":[
            {"permission":"deny","action":"publish","topic":"own/closed"},
            {"permission":"allow","action":"all","topic":"own/#"},
            {"permission":"allow","action":"all","topic":"file/denied"}]}"#,
    );
    // Without a file there are these rules alone.
    let broker = start(&server, Authentication::default());
    let (mut client, _) = login(&broker, "c", b"secret");
    let may = |client: &mut Client| {
        ["own/x", "own/closed", "file/denied", "file/role", "else"].map(|topic| publishes(client, topic))
    };
    assert_eq!(may(&mut client), [true, false, true, false, false]);
    // What a file says comes before them, and knows the roles.
    let rules = "[roles]\noperators = []\n[[rule]]\ndeny = \"all\"\ntopic = \"file/denied\"\n\
                 [[rule]]\nallow = \"all\"\ntopic = \"file/role\"\nrole = \"operators\"\n";
    let file = std::env::temp_dir().join(format!("ferry-hook-rules-{}", std::process::id()));
    std::fs::write(&file, rules).expect("written");
    let mut config = with(Authentication { hook_url: server.url(), ..Authentication::default() });
    config.authorization.rules_file = Some(file.clone());
    let broker = Broker::start(config.clone()).expect("started");
    let (mut client, _) = login(&broker, "c", b"secret");
    assert_eq!(may(&mut client), [true, false, false, true, false]);
    // As with the lines of an ACL file.
    std::fs::write(&file, "user ada\ntopic deny own/x\ntopic write else\n").expect("written");
    config.authorization.rules_file = None;
    config.authorization.acl_file = Some(file.clone());
    let broker = Broker::start(config).expect("started");
    let (mut client, _) = login(&broker, "c", b"secret");
    assert_eq!(may(&mut client), [false, false, true, false, true]);
    std::fs::remove_file(&file).expect("removed");
}

#[test]
fn who_is_granted_nothing_may_do_what_everybody_may() {
    let server = HookServer::answering(ALLOW);
    let broker = start(&server, Authentication::default());
    let (mut client, _) = login(&broker, "c", b"secret");
    assert!(publishes(&mut client, "anything"));
    assert!(!publishes(&mut client, "$SYS/x"));
}
