//! Limits on connections and their rate.

use std::io::Write;
use std::net::{Shutdown, TcpStream};

use ferry_broker::Broker;
use ferry_codec::QoS;

use crate::client::{Client, not_all_are_served, tcp_address};
use crate::config;

#[test]
fn connections_above_the_limit_are_closed_and_their_places_given_back() {
    let mut limited = config();
    limited.limits.connections_max = 2;
    let broker = Broker::start(limited).expect("started");
    let mut first = Client::connect(&broker, "1");
    let second = Client::connect(&broker, "2");
    Client::open(&broker).receive_end();
    drop(second);
    // The place is free once the broker has seen the end, which nothing tells us.
    let mut tries = 0;
    while !Client::open(&broker).is_served() {
        tries += 1;
        assert!(tries < 10_000, "the place was not given back");
    }
    first.ping();
}

#[test]
fn a_listener_has_its_own_limit() {
    let mut limited = config();
    limited.listeners[0].connections_max = Some(1);
    let broker = Broker::start(limited).expect("started");
    let mut first = Client::connect(&broker, "1");
    Client::open(&broker).receive_end();
    first.ping();
}

#[test]
fn connects_above_the_rate_are_closed() {
    let mut limited = config();
    limited.limits.connects_per_second_max = 1;
    let broker = Broker::start(limited).expect("started");
    let mut first = Client::connect(&broker, "1");
    not_all_are_served(|| Client::open(&broker));
    first.ping();
}

#[test]
fn garbage_of_many_kinds_disturbs_nobody() {
    let broker = Broker::start(config()).expect("started");
    let mut witness = Client::connect(&broker, "witness");
    witness.subscribe("t", QoS::AtMostOnce);
    let garbage: [&[u8]; 8] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\x10\xFF\xFF\xFF\x7F",
        b"\x10\x80\x80\x80\x80\x01",
        b"\xC0\x00",
        b"\x00\x00",
        b"\x10\x04\x00\x04MQ",
    ];
    for bytes in garbage {
        let mut socket = TcpStream::connect(tcp_address(&broker)).expect("connected");
        socket.write_all(bytes).expect("written");
        socket.shutdown(Shutdown::Write).expect("shut down");
    }
    witness.publish("t", b"still here", QoS::AtMostOnce, None);
    assert_eq!(witness.receive_publish().1, b"still here");
}

#[test]
fn a_subscriber_that_does_not_read_holds_up_nobody() {
    let broker = Broker::start(config()).expect("started");
    let mut slow = Client::connect(&broker, "slow");
    slow.subscribe("t", QoS::AtMostOnce);
    let mut quick = Client::connect(&broker, "quick");
    quick.subscribe("t", QoS::AtMostOnce);
    let payload = vec![1; 100_000];
    for _ in 0..500 {
        quick.publish("t", &payload, QoS::AtMostOnce, None);
        assert_eq!(quick.receive_publish().1.len(), payload.len());
    }
    // What the slow one gets is whole, and less than everything.
    assert_eq!(slow.receive_publish().1.len(), payload.len());
}
