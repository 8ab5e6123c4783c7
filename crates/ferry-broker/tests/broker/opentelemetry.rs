//! What a collector of traces is told, and what happens when it is not there.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use ferry_broker::config::{AdminRole, Config, OpenTelemetry};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{
    Ack, Connect, MessageProperties, Packet, ProtocolVersion, Publish, QoS, ReasonCode, UserPropertiesBuf,
};
use serde_json::Value;

use crate::admin::{bearer, with_api};
use crate::client::{Client, connect_packet, id};
use crate::hook_server::{HookServer, Question, Reply};
use crate::http::tcp_door;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
const WRONG: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

/// Every message is followed, and told at once.
fn at(server: &HookServer) -> OpenTelemetry {
    OpenTelemetry {
        endpoint: Some(format!("http://{}", server.address)),
        sample_one_in: 1,
        batch_spans_max: 1,
        messages_per_second_max: 1_000_000,
        ..OpenTelemetry::default()
    }
}

fn with(opentelemetry: OpenTelemetry) -> Config {
    Config { opentelemetry, ..with_api() }
}

fn start(opentelemetry: OpenTelemetry) -> RunningBroker {
    Broker::start(with(opentelemetry)).expect("started")
}

/// The spans of a request.
fn spans(question: &Question) -> Vec<Value> {
    let scope = &question.body["resourceSpans"][0]["scopeSpans"][0];
    scope["spans"].as_array().unwrap_or_else(|| panic!("{question:?}")).clone()
}

/// The next span of a collector that gets one at a time.
fn span(server: &HookServer) -> Value {
    let spans = spans(&server.question());
    assert_eq!(spans.len(), 1);
    spans[0].clone()
}

fn attribute(span: &Value, key: &str) -> String {
    let attributes = span["attributes"].as_array().expect("a list");
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    let value =
        found.unwrap_or_else(|| panic!("no {key} in {span}"))["value"].as_object().expect("one value");
    let value = value.values().next().expect("one value");
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn publish_in_trace(client: &mut Client, trace_parent: &str, packet_id: u16) {
    let pairs = [("traceparent", trace_parent), ("tracestate", "a=1")];
    let user_properties: UserPropertiesBuf = pairs.into_iter().collect();
    let properties = MessageProperties {
        user_properties: user_properties.as_user_properties(),
        ..MessageProperties::default()
    };
    client.send(&Packet::Publish(Publish {
        topic: "t/1",
        payload: b"hello",
        qos: QoS::AtLeastOnce,
        packet_id: Some(id(packet_id)),
        properties,
        ..Publish::default()
    }));
}

fn connect_v311(broker: &RunningBroker, client_id: &str) -> Client {
    let mut client = Client::open(broker).speaking(ProtocolVersion::V311);
    client.send(&Packet::Connect(Connect {
        protocol_version: ProtocolVersion::V311,
        ..connect_packet(client_id)
    }));
    client.receive(|packet| assert!(matches!(packet, Packet::Connack(_)), "{packet:?}"));
    client
}

/// What the admin API says.
fn traces(broker: &RunningBroker) -> Value {
    let role = bearer(AdminRole::Viewer);
    tcp_door(broker).request("GET", "/api/v1/broker", &[&role], "").ok()["traces"].clone()
}

#[test]
fn the_collector_is_told_of_a_message_and_its_copies() {
    let server = HookServer::answering("{}");
    let file = std::env::temp_dir().join(format!("ferry-collector-header-{}", std::process::id()));
    std::fs::write(&file, "Authorization: Bearer 3nf8\n").expect("written");
    let broker = start(OpenTelemetry { header_file: Some(file.clone()), ..at(&server) });
    std::fs::remove_file(&file).expect("removed");
    let mut subscriber = Client::connect(&broker, "subscriber");
    subscriber.subscribe("t/#", QoS::AtLeastOnce);
    let mut publisher = Client::connect(&broker, "publisher");
    publish_in_trace(&mut publisher, PARENT, 7);
    publisher.receive(|packet| assert!(matches!(packet, Packet::Puback(_)), "{packet:?}"));
    let question = server.question();
    let head = question.head.to_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: bearer 3nf8\r\n"), "{head}");
    let receive = spans(&question)[0].clone();
    assert_eq!((&receive["traceId"], &receive["parentSpanId"]), (&TRACE.into(), &"b7ad6b7169203331".into()));
    assert_eq!((&receive["name"], &receive["traceState"]), (&"receive".into(), &"a=1".into()));
    assert_eq!(attribute(&receive, "messaging.client.id"), "publisher");
    assert_eq!(attribute(&receive, "messaging.destination.name"), "t/1");
    assert_eq!(attribute(&receive, "messaging.message.body.size"), "5");
    assert_eq!(attribute(&receive, "mqtt.reason_code"), "0");
    let number =
        |span: &Value, key: &str| span[key].as_str().expect("a text").parse::<u64>().expect("a number");
    assert!(number(&receive, "startTimeUnixNano") <= number(&receive, "endTimeUnixNano"));
    // The copy ends with the acknowledgement of whoever gets it, who finds the publisher's trace.
    let packet_id = subscriber.receive(|packet| {
        let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
        let pairs: Vec<_> = publish.properties.user_properties.iter().collect();
        assert_eq!(pairs, [("traceparent", PARENT), ("tracestate", "a=1")]);
        publish.packet_id.expect("QoS 1")
    });
    assert_eq!(server.questions(), 0);
    subscriber.send(&Packet::Puback(Ack::new(packet_id, ReasonCode::SUCCESS)));
    let deliver = span(&server);
    assert_eq!((&deliver["traceId"], &deliver["parentSpanId"]), (&TRACE.into(), &receive["spanId"]));
    assert_eq!(
        (&deliver["name"], attribute(&deliver, "messaging.client.id")),
        (&"deliver".into(), "subscriber".to_owned())
    );
    assert!(number(&receive, "startTimeUnixNano") <= number(&deliver, "startTimeUnixNano"));
    // What is not sampled is not told, and what is malformed begins anew.
    publish_in_trace(&mut publisher, UNSAMPLED, 8);
    publish_in_trace(&mut publisher, "00-00000000000000000000000000000000-b7ad6b7169203331-01", 9);
    let receive = span(&server);
    assert_ne!(receive["traceId"], TRACE);
    assert_eq!(receive["parentSpanId"], Value::Null);
    let mut old = connect_v311(&broker, "old");
    old.publish("elsewhere", b"", QoS::AtMostOnce, None);
    let receive = span(&server);
    assert_eq!(
        (attribute(&receive, "network.protocol.version"), &receive["parentSpanId"]),
        ("3.1.1".to_owned(), &Value::Null)
    );
}

#[test]
fn messages_flow_while_the_collector_is_away_and_it_is_told_when_it_is_back() {
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let server = HookServer::start(move |_| match away.load(Ordering::SeqCst) {
        true => Reply::Raw(UNAVAILABLE.to_vec()),
        false => Reply::Body("{}".to_owned()),
    });
    let broker = start(OpenTelemetry { queue_spans_max: 3, ..at(&server) });
    let mut client = Client::connect(&broker, "client");
    client.subscribe("t", QoS::AtLeastOnce);
    let mut publish = |packet_id: u16| {
        client.publish("t", b"x", QoS::AtLeastOnce, Some(id(packet_id)));
        // The copy and PUBACK.
        for _ in 0..2 {
            let copy = client.receive(|packet| match packet {
                Packet::Publish(publish) => publish.packet_id,
                _ => None,
            });
            if let Some(packet_id) = copy {
                client.send(&Packet::Puback(Ack::new(packet_id, ReasonCode::SUCCESS)));
            }
        }
        client.ping();
    };
    publish(1);
    server.question();
    // One is being told, three wait.
    (2..=20).for_each(&mut publish);
    // It is asked again, so it has been heard the first time.
    server.question();
    let traces = traces(&broker);
    assert_eq!(traces["spans_exported"], 0, "{traces}");
    assert_eq!(traces["fault"], "it answered 503 Service Unavailable", "{traces}");
    let dropped = traces["spans_dropped"].as_u64().expect("a number");
    assert_eq!(dropped, 40 - 1 - 3, "{traces}");
    is_away.store(false, Ordering::SeqCst);
    let mut told = HashSet::new();
    while told.len() < 4 {
        told.insert(span(&server)["spanId"].to_string());
    }
    publish(21);
    (0..2).for_each(|_| drop(span(&server)));
    let metrics = tcp_door(&broker).get("/metrics").body;
    assert!(metrics.contains("ferry_spans_dropped_total{reason=\"queue_full\"} 36"), "{metrics}");
}

#[test]
fn what_the_collector_does_not_want_is_not_told_again() {
    let replies = [
        Reply::Raw(WRONG.to_vec()),
        Reply::Body(r#"{"partialSuccess":{"rejectedSpans":"1","errorMessage":"no"}}"#.to_owned()),
        Reply::Body("{}".to_owned()),
    ];
    let replies = Mutex::new(Vec::from(replies).into_iter());
    let server = HookServer::start(move |_| {
        replies.lock().expect("whole").next().unwrap_or(Reply::Body(String::new()))
    });
    let broker = start(at(&server));
    let mut client = Client::connect(&broker, "client");
    for _ in 0..4 {
        client.publish("t", b"x", QoS::AtMostOnce, None);
        server.question();
    }
    let metrics = tcp_door(&broker).get("/metrics").body;
    assert!(metrics.contains("ferry_spans_dropped_total{reason=\"failed\"} 1"), "{metrics}");
    assert!(metrics.contains("ferry_spans_dropped_total{reason=\"rejected\"} 1"), "{metrics}");
}

#[test]
fn a_collector_that_wants_to_be_left_alone_for_ever_is_told_of_the_next_batch() {
    let for_ever = format!("HTTP/1.1 503 Busy\r\nRetry-After: {}\r\nContent-Length: 0\r\n\r\n", u64::MAX);
    let replies = Mutex::new(vec![for_ever.into_bytes(), UNAVAILABLE.to_vec()]);
    let server = HookServer::start(move |_| match replies.lock().expect("whole").pop() {
        Some(reply) => Reply::Raw(reply),
        None => Reply::Body("{}".to_owned()),
    });
    let broker = start(at(&server));
    let mut client = Client::connect(&broker, "client");
    client.publish("t", b"x", QoS::AtMostOnce, None);
    let first = span(&server);
    assert_eq!(span(&server), first, "it is asked again, some time later");
    client.publish("t", b"y", QoS::AtMostOnce, None);
    assert_ne!(span(&server), first);
    assert_eq!(traces(&broker)["spans_dropped"], 1);
}

#[test]
fn a_reload_brings_a_collector_and_takes_it_away() {
    let (first, second) = (HookServer::answering("{}"), HookServer::answering("{}"));
    let mut broker = start(OpenTelemetry::default());
    let mut client = Client::connect(&broker, "client");
    client.publish("t", b"x", QoS::AtMostOnce, None);
    client.ping();
    assert!(!tcp_door(&broker).get("/metrics").body.contains("ferry_spans"));
    for server in [&first, &second] {
        let changes = broker.reload(with_ports_of(&broker, at(server))).expect("reloaded");
        assert!(changes.restart.is_empty());
        client.ping();
        client.publish("t", b"x", QoS::AtMostOnce, None);
        assert_eq!(span(server)["name"], "receive");
    }
    broker.reload(with_ports_of(&broker, OpenTelemetry::default())).expect("reloaded");
    client.ping();
    client.publish("t", b"x", QoS::AtMostOnce, None);
    client.ping();
    assert_eq!((first.questions(), second.questions()), (0, 0));
    assert_eq!(traces(&broker), Value::Null);
    // What cannot work changes nothing.
    let wrong = OpenTelemetry { endpoint: Some("collector".to_owned()), ..OpenTelemetry::default() };
    assert!(broker.reload(with_ports_of(&broker, wrong)).is_err());
}

#[test]
fn what_is_wrong_with_a_former_collector_is_not_said_of_the_present_one() {
    let former = HookServer::start(|_| Reply::Raw(UNAVAILABLE.to_vec()));
    let present = HookServer::answering("{}");
    let mut broker = start(at(&former));
    let mut client = Client::connect(&broker, "client");
    client.publish("t", b"x", QoS::AtMostOnce, None);
    span(&former);
    while traces(&broker)["fault"].is_null() {}
    broker.reload(with_ports_of(&broker, at(&present))).expect("reloaded");
    // It is asked once more, and then no more.
    span(&former);
    let told = loop {
        let told = traces(&broker);
        if told["spans_dropped"] == 1 {
            break told;
        }
    };
    assert_eq!(told["fault"], Value::Null, "{told}");
    client.ping();
    client.publish("t", b"x", QoS::AtMostOnce, None);
    assert_eq!(span(&present)["name"], "receive");
}

fn with_ports_of(broker: &RunningBroker, opentelemetry: OpenTelemetry) -> Config {
    Config { opentelemetry, ..broker.config().clone() }
}

#[test]
fn the_last_spans_are_told_at_the_end() {
    let server = HookServer::answering("{}");
    let broker = start(OpenTelemetry { batch_spans_max: 500, interval_seconds: 3_600, ..at(&server) });
    let mut client = Client::connect(&broker, "client");
    (0..5).for_each(|_| client.publish("t", b"x", QoS::AtMostOnce, None));
    client.ping();
    broker.shutdown();
    broker.join();
    assert_eq!(spans(&server.question()).len(), 5);
}

#[test]
fn a_collector_that_never_answers_does_not_keep_the_broker_from_its_end() {
    let (go_on, wait) = mpsc::channel();
    let wait = Mutex::new(Some(wait));
    let server = HookServer::start(move |_| match wait.lock().expect("whole").take() {
        Some(wait) => Reply::Wait(wait, "{}".to_owned()),
        None => Reply::Body("{}".to_owned()),
    });
    let broker = start(OpenTelemetry { timeout_seconds: 60, ..at(&server) });
    let mut client = Client::connect(&broker, "client");
    client.publish("t", b"x", QoS::AtMostOnce, None);
    server.question();
    broker.shutdown();
    broker.join();
    drop(go_on);
}
