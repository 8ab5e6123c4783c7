//! `/api/v1/clients/{client_id}/trace`.

use std::io::{BufRead, BufReader, Write};

use ferry_broker::config::AdminRole;
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Disconnect, Packet, QoS, ReasonCode};
use serde_json::Value;

use crate::admin::{bearer, with_api};
use crate::client::{Client, id};
use crate::http::{Socket, tcp_door};

/// A trace that is being read.
struct Trace(BufReader<Box<dyn Socket>>);

impl Trace {
    fn start(broker: &RunningBroker, path: &str) -> Self {
        let mut socket = tcp_door(broker).open();
        let request = format!(
            "GET /api/v1{path} HTTP/1.0\r\nHost: localhost\r\n{}\r\n\r\n",
            bearer(AdminRole::Operator)
        );
        socket.write_all(request.as_bytes()).expect("sent");
        let mut trace = Self(BufReader::new(socket));
        let mut line = String::new();
        trace.0.read_line(&mut line).expect("a status");
        assert!(line.contains(" 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            assert!(trace.0.read_line(&mut line).expect("a header") > 0);
        }
        trace
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The next packet: its direction and type.
    fn packet(&mut self, direction: &str, name: &str) -> Value {
        let event = self.next();
        assert_eq!(event["event"], "packet", "{event}");
        assert!(event["direction"] == direction && event["type"] == name, "{event}");
        event
    }
}

#[test]
fn every_packet_of_one_client_is_told_and_of_no_other() {
    let broker = Broker::start(with_api()).expect("started");
    let mut other = Client::connect(&broker, "other");
    other.subscribe("house/#", QoS::AtMostOnce);
    let mut trace = Trace::start(&broker, "/clients/pump/trace?events=12");
    let start = trace.next();
    assert!(start["event"] == "start" && start["is_connected"] == false, "{start}");
    let mut pump = Client::connect(&broker, "pump");
    let connect = trace.packet("in", "CONNECT");
    assert!(connect["clean_start"] == true && connect["has_password"] == false, "{connect}");
    assert_eq!(trace.packet("out", "CONNACK")["reason_code"], 0);
    pump.subscribe("house/+", QoS::AtLeastOnce);
    assert_eq!(trace.packet("in", "SUBSCRIBE")["filters"][0]["filter"], "house/+");
    assert_eq!(trace.packet("out", "SUBACK")["reason_codes"], serde_json::json!([1]));
    pump.publish("a", b"secret", QoS::AtLeastOnce, Some(id(7)));
    pump.receive_puback(id(7));
    let publish = trace.packet("in", "PUBLISH");
    assert!(
        publish["topic"] == "a" && publish["packet_id"] == 7 && publish["payload_bytes"] == 6,
        "{publish}"
    );
    assert!(!publish.to_string().contains("secret"), "{publish}");
    assert_eq!(trace.packet("out", "PUBACK")["packet_id"], 7);
    other.publish("house/door", b"open", QoS::AtMostOnce, None);
    pump.receive_publish();
    let publish = trace.packet("out", "PUBLISH");
    assert!(publish["topic"] == "house/door" && publish["qos"] == 0, "{publish}");
    // The broker's own decisions.
    let mut second = Client::connect(&broker, "pump");
    pump.receive(|packet| assert!(matches!(packet, Packet::Disconnect(_)), "{packet:?}"));
    trace.packet("in", "CONNECT");
    let decision = trace.next();
    assert!(decision["event"] == "disconnected" && decision["reason_code"] == 0x8E, "{decision}");
    let mut events: Vec<Value> = (0..3).map(|_| trace.next()).collect();
    events.retain(|event| event["event"] != "packet");
    assert!(events.len() == 1 && events[0]["closed_by"] == "the broker", "{events:?}");
    let end = trace.next();
    assert!(end["event"] == "end" && end["events"] == 12 && end["missed"] == 0, "{end}");
    second.ping();
}

#[test]
fn a_trace_begins_in_the_middle_and_shows_payloads_if_asked() {
    let broker = Broker::start(with_api()).expect("started");
    let mut pump = Client::connect(&broker, "pump 7");
    pump.ping();
    let mut trace = Trace::start(&broker, "/clients/pump%207/trace?payload_bytes=3");
    assert_eq!(trace.next()["is_connected"], true);
    pump.publish("t", b"abcdef", QoS::AtMostOnce, None);
    assert_eq!(trace.packet("in", "PUBLISH")["payload"], "abc");
    pump.publish("t", b"\xFFbcdef", QoS::AtMostOnce, None);
    assert_eq!(trace.packet("in", "PUBLISH")["payload_base64"], "/2Jj");
    pump.send(&Packet::Disconnect(Disconnect::new(ReasonCode::NORMAL_DISCONNECTION)));
    trace.packet("in", "DISCONNECT");
    assert_eq!(trace.next()["event"], "closed");
}

#[test]
fn a_trace_ends_by_itself_and_there_are_not_too_many() {
    let broker = Broker::start(with_api()).expect("started");
    let mut short = Trace::start(&broker, "/clients/a/trace?seconds=1");
    short.next();
    assert_eq!(short.next()["event"], "end");
    let traces: Vec<Trace> = (0..8).map(|_| Trace::start(&broker, "/clients/a/trace")).collect();
    let door = tcp_door(&broker);
    let token = bearer(AdminRole::Operator);
    let another =
        |query: &str| door.request("GET", &format!("/api/v1/clients/a/trace{query}"), &[&token], "");
    another("").problem(429);
    another("?seconds=3601").problem(400);
    drop(traces);
}
