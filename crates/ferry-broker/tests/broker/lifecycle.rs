//! Start, reload and shutdown.

use std::net::TcpStream;
use std::num::NonZeroU16;

use ferry_broker::{Broker, StartError};
use ferry_codec::{Packet, QoS, ReasonCode};

use crate::client::{Client, tcp_address};
use crate::config;

#[test]
fn a_shutdown_tells_clients_and_frees_the_port() {
    let mut with_reference = config();
    with_reference.server.reference = Some("other.example:1883".into());
    let broker = Broker::start(with_reference).expect("started");
    let address = tcp_address(&broker);
    let mut client = Client::connect(&broker, "c");
    broker.shutdown();
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::SERVER_SHUTTING_DOWN);
        assert_eq!(disconnect.server_reference, Some("other.example:1883"));
    });
    client.receive_end();
    broker.join();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn dropping_a_broker_ends_it() {
    let broker = Broker::start(config()).expect("started");
    let mut client = Client::connect(&broker, "c");
    drop(broker);
    client.receive(|packet| assert!(matches!(packet, Packet::Disconnect(_)), "{packet:?}"));
    client.receive_end();
}

#[test]
fn two_brokers_in_one_process_know_nothing_of_each_other() {
    let brokers = [(); 2].map(|()| Broker::start(config()).expect("started"));
    let mut clients = brokers.each_ref().map(|broker| Client::connect(broker, "same"));
    for client in &mut clients {
        client.subscribe("t", QoS::AtMostOnce);
    }
    clients[0].publish("t", b"x", QoS::AtMostOnce, None);
    assert_eq!(clients[0].receive_publish(), ("t".to_owned(), b"x".to_vec()));
    clients[1].ping();
}

#[test]
fn an_address_in_use_is_a_clear_error() {
    let broker = Broker::start(config()).expect("started");
    let mut second = config();
    second.listeners[0].address = broker.local_addresses()[0].clone();
    let Err(StartError::Bind(error)) = Broker::start(second) else { panic!("started twice") };
    assert!(error.to_string().contains("in use"), "{error}");
}

#[test]
fn a_listener_off_loopback_does_not_start_anonymous_unless_told_to() {
    let mut open = config();
    open.listeners[0].address = "tcp://0.0.0.0:0".parse().expect("an address");
    let Err(error) = Broker::start(open.clone()) else { panic!("started") };
    assert!(matches!(error, StartError::Config(_)), "{error}");
    assert!(error.to_string().contains("allow_anonymous = true"), "{error}");
    open.listeners[0].allow_anonymous = ferry_broker::config::AllowAnonymous::Yes;
    Broker::start(open).expect("started");
}

#[test]
fn a_reload_changes_limits_and_names_what_it_cannot_change() {
    let mut broker = Broker::start(config()).expect("started");
    let mut before = Client::connect(&broker, "before");
    let mut changed = broker.config().clone();
    changed.limits.subscriptions_per_session_max = 1;
    changed.server.shards = NonZeroU16::new(7);
    let changes = broker.reload(changed).expect("reloaded");
    assert_eq!(changes.live[0].option, "limits.subscriptions_per_session_max");
    assert_eq!(changes.restart[0].option, "server.shards");
    before.subscribe("a", QoS::AtMostOnce);
    let mut after = Client::connect(&broker, "after");
    after.subscribe("a", QoS::AtMostOnce);
    after.send_bytes(b"\x82\x07\x00\x02\x00\x00\x01b\x00");
    after.receive(|packet| {
        let Packet::Suback(suback) = packet else { panic!("{packet:?}") };
        assert_eq!(suback.reason_codes, [ReasonCode::QUOTA_EXCEEDED.code()]);
    });
}

#[test]
fn sys_topics_are_retained_from_the_start() {
    let mut with_sys = config();
    with_sys.sys.interval_seconds = 3600;
    let broker = Broker::start(with_sys).expect("started");
    let mut client = Client::connect(&broker, "c");
    client.subscribe("$SYS/broker/version", QoS::AtMostOnce);
    let (topic, payload) = client.receive_publish();
    assert_eq!(topic, "$SYS/broker/version");
    assert!(payload.starts_with(b"ferry version "), "{payload:?}");
    client.subscribe("$SYS/broker/drops/queue_full", QoS::AtMostOnce);
    assert_eq!(client.receive_publish().1, b"0");
}

#[test]
fn sys_topics_go_on_while_somebody_listens() {
    let mut with_sys = config();
    with_sys.sys.interval_seconds = 1;
    for shards in [NonZeroU16::MIN, NonZeroU16::MIN.saturating_add(1)] {
        with_sys.server.shards = Some(shards);
        let broker = Broker::start(with_sys.clone()).expect("started");
        let mut client = Client::connect(&broker, "c");
        client.subscribe("$SYS/broker/uptime", QoS::AtMostOnce);
        let uptimes: Vec<Vec<u8>> = (0..3).map(|_| client.receive_publish().1.to_vec()).collect();
        assert!(uptimes[0] != uptimes[1] && uptimes[1] != uptimes[2], "{uptimes:?}");
        // It begins again for one who comes after nobody had listened.
        drop(client);
        let mut client = Client::connect(&broker, "d");
        client.subscribe("$SYS/broker/bytes/received", QoS::AtMostOnce);
        let first = client.receive_publish();
        assert_ne!(first, client.receive_publish());
    }
}

/// Section 4.11.
#[test]
fn an_operator_can_send_a_client_elsewhere() {
    let broker = Broker::start(config()).expect("started");
    let mut client = Client::connect(&broker, "c");
    broker.disconnect("nobody", ReasonCode::ADMINISTRATIVE_ACTION, None, None);
    broker.disconnect("c", ReasonCode::USE_ANOTHER_SERVER, Some("maintenance"), Some("other:1883"));
    client.receive(|packet| {
        let Packet::Disconnect(disconnect) = packet else { panic!("{packet:?}") };
        assert_eq!(disconnect.reason_code, ReasonCode::USE_ANOTHER_SERVER);
        assert_eq!(disconnect.reason_string, Some("maintenance"));
        assert_eq!(disconnect.server_reference, Some("other:1883"));
    });
    client.receive_end();
}
