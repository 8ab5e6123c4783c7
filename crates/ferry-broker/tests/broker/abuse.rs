//! Addresses and clients that ask too much.

use std::time::{Duration, Instant};

use ferry_broker::config::{Ban, Config};
use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Connect, Packet, ProtocolVersion, QoS};

use crate::client::{Client, connect_packet, id, not_all_are_served};
use crate::config;

/// A broker to which loopback addresses are as others.
fn start(configure: impl FnOnce(&mut Config)) -> RunningBroker {
    let mut config = config();
    config.abuse.exempt_networks.clear();
    configure(&mut config);
    Broker::start(config).expect("started")
}

/// A client behind a proxy.
fn open_from(broker: &RunningBroker, address: &str) -> Client {
    let mut client = Client::open(broker);
    client.send_bytes(format!("PROXY TCP4 {address} 192.0.2.1 50000 1883\r\n").as_bytes());
    client
}

#[test]
fn connections_of_one_address_above_its_rate_are_closed() {
    let broker = start(|config| config.abuse.connects_per_second_per_address_max = Some(1));
    let mut first = Client::connect(&broker, "1");
    not_all_are_served(|| Client::open(&broker));
    first.ping();
}

#[test]
fn loopback_addresses_are_exempt_unless_said_otherwise() {
    let mut limited = config();
    limited.abuse.connects_per_second_per_address_max = Some(1);
    limited.abuse.unauthenticated_per_address_max = Some(1);
    let broker = Broker::start(limited).expect("started");
    let mut clients: Vec<Client> = (0..5).map(|_| Client::open(&broker)).collect();
    assert!(clients.iter_mut().all(Client::is_served));
}

#[test]
fn behind_a_proxy_the_address_of_the_client_counts() {
    let broker = start(|config| {
        config.listeners[0].proxy_protocol = true;
        config.abuse.connects_per_second_per_address_max = Some(1);
    });
    assert!(open_from(&broker, "198.51.100.1").is_served());
    assert!(open_from(&broker, "198.51.100.2").is_served());
    not_all_are_served(|| open_from(&broker, "198.51.100.1"));
}

#[test]
fn whoever_says_nothing_takes_up_the_places_of_its_address() {
    let broker = start(|config| config.abuse.unauthenticated_per_address_max = Some(2));
    let mut known = Client::connect(&broker, "known");
    let silent = [Client::open(&broker), Client::open(&broker)];
    Client::open(&broker).receive_end();
    known.ping();
    drop(silent);
    let mut tries = 0;
    while !Client::open(&broker).is_served() {
        tries += 1;
        assert!(tries < 10_000, "the places were not given back");
    }
}

#[test]
fn a_known_client_leaves_its_place_to_others() {
    let broker = start(|config| config.limits.unauthenticated_max = 1);
    let mut clients: Vec<Client> =
        (0..3).map(|number| Client::connect(&broker, &number.to_string())).collect();
    let silent = Client::open(&broker);
    Client::open(&broker).receive_end();
    clients.iter_mut().for_each(Client::ping);
    drop(silent);
    let mut tries = 0;
    while !Client::open(&broker).is_served() {
        tries += 1;
        assert!(tries < 10_000, "the place was not given back");
    }
}

#[test]
fn a_reload_changes_what_an_address_may() {
    let mut broker = start(|_| {});
    let mut changed = broker.config().clone();
    changed.abuse.connects_per_second_per_address_max = Some(1);
    let mut before = Client::connect(&broker, "1");
    let changes = broker.reload(changed).expect("reloaded");
    assert_eq!(changes.live[0].option, "abuse.connects_per_second_per_address_max");
    let mut second = Client::connect(&broker, "2");
    not_all_are_served(|| Client::open(&broker));
    before.ping();
    second.ping();
}

fn ban(text: &str) -> Ban {
    text.parse().expect("a ban")
}

/// The reason code of CONNACK; for MQTT 3.1.1 the return code.
fn connack_code(mut client: Client, version: ProtocolVersion, client_id: &str) -> u8 {
    client = client.speaking(version);
    let connect = Connect { protocol_version: version, ..connect_packet(client_id) };
    client.send(&Packet::Connect(connect));
    client.receive(|packet| {
        let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
        connack.reason_code.code()
    })
}

#[test]
fn bans_of_the_configuration() {
    let text = "[[abuse.ban]]\naddress = \"198.51.100.0/24\"\nreason = \"it floods\"\n\
                [[abuse.ban]]\nclient_id = \"pump\"\nuntil = \"2999-01-01\"\n\
                [[abuse.ban]]\nclient_id = \"old\"\nuntil = \"2001-01-01\"\n\
                [storage]\ndurability = \"memory\"";
    let bans = Config::parse("ferry.toml", text).expect("a configuration").config.abuse.ban;
    let broker = start(|config| {
        config.listeners[0].proxy_protocol = true;
        config.abuse.ban = bans;
    });
    open_from(&broker, "198.51.100.200").receive_end();
    let code = |version, client_id| connack_code(open_from(&broker, "192.0.2.7"), version, client_id);
    // [MQTT-3.2.2-7] [MQTT3-3.2.2-5]
    assert_eq!(code(ProtocolVersion::V5, "pump"), 0x8A);
    assert_ne!(code(ProtocolVersion::V311, "pump"), 0);
    assert_eq!(code(ProtocolVersion::V5, "valve"), 0);
    assert_eq!(code(ProtocolVersion::V5, "old"), 0);
}

#[test]
fn a_ban_that_is_wrong_is_explained() {
    for (text, words) in [
        ("[[abuse.ban]]\naddress = \"198.51.100.1/24\"", "there are bits behind the prefix"),
        ("[[abuse.ban]]\nreason = \"x\"", "neither address nor user nor client_id"),
        ("[[abuse.ban]]\nuser = \"x\"\nuntill = \"2999-01-01\"", "unknown key \"untill\""),
    ] {
        let problems = Config::parse("ferry.toml", text).expect_err("no configuration").to_string();
        assert!(problems.contains(words), "{problems}");
    }
}

#[test]
fn bans_while_the_broker_runs() {
    let broker = start(|_| {});
    let mut pump = Client::connect(&broker, "pump");
    broker.ban(ban("client_id=pump")).expect("room");
    assert!(pump.receive_text().contains("Administrative action"));
    pump.receive_end();
    assert_eq!(connack_code(Client::open(&broker), ProtocolVersion::V5, "pump"), 0x8A);
    assert_eq!(broker.bans(), [ban("client_id=pump")]);
    assert!(broker.lift_ban(&ban("client_id=pump; reason=whatever")));
    assert_eq!(connack_code(Client::open(&broker), ProtocolVersion::V5, "pump"), 0);
    assert!(!broker.lift_ban(&ban("client_id=pump")));
}

#[test]
fn an_address_whose_connections_fail_too_often_is_banned() {
    let broker = start(|config| {
        config.listeners[0].proxy_protocol = true;
        config.abuse.exempt_networks = vec!["203.0.113.0/24".parse().expect("a network")];
        config.abuse.faults_per_minute_per_address_max = Some(3);
    });
    let fail_from = |address: &str| {
        let mut client = open_from(&broker, address);
        client.send_bytes(b"\x10\x0C\x00\x04MQTT\x63\x00\x00\x00\x00\x00");
        while client.has_more() {}
    };
    for address in ["198.51.100.1", "203.0.113.1"] {
        (0..4).for_each(|_| fail_from(address));
    }
    // The last is counted in the turn that closed it, or just after.
    let mut tries = 0;
    while open_from(&broker, "198.51.100.1").is_served() {
        tries += 1;
        assert!(tries < 10_000, "not banned");
    }
    assert!(open_from(&broker, "203.0.113.1").is_served(), "exempt");
    assert!(open_from(&broker, "198.51.100.2").is_served());
    assert_eq!(broker.bans().len(), 1);
}

#[test]
fn a_client_that_comes_again_and_again_is_banned_where_it_is() {
    let broker = start(|config| {
        config.listeners[0].proxy_protocol = true;
        config.abuse.reconnects_per_minute_max = Some(3);
    });
    let code = |address, id| connack_code(open_from(&broker, address), ProtocolVersion::V5, id);
    let codes: Vec<u8> = (0..5).map(|_| code("198.51.100.1", "pump")).collect();
    assert_eq!(codes, [0, 0, 0, 0x8A, 0x8A]);
    assert_eq!(code("198.51.100.1", "valve"), 0);
    assert_eq!(code("198.51.100.2", "pump"), 0);
}

#[test]
fn of_two_devices_with_one_client_identifier_the_newcomer_can_be_made_to_wait() {
    let broker = start(|config| {
        config.abuse.takeovers_per_minute_max = 2;
        config.abuse.duel_pause_seconds = Some(1);
    });
    let connect = || {
        let begin = Instant::now();
        (Client::connect(&broker, "twin"), begin.elapsed())
    };
    let (mut last, _) = connect();
    for _ in 0..3 {
        last = connect().0;
    }
    let (_newcomer, waited) = connect();
    assert!(waited >= Duration::from_secs(1), "{waited:?}");
    assert!(last.receive_text().contains("Session taken over"));
}

#[test]
fn nobody_else_waits_for_two_devices_with_one_client_identifier() {
    let broker = start(|config| {
        config.limits.authentication_timeout_seconds = 600;
        config.abuse.takeovers_per_minute_max = 2;
        // Longer than anybody is waited for.
        config.abuse.duel_pause_seconds = Some(500);
    });
    let mut last = Client::connect(&broker, "twin");
    for _ in 0..3 {
        last = Client::connect(&broker, "twin");
    }
    let mut newcomer = Client::open(&broker);
    newcomer.send(&Packet::Connect(connect_packet("twin")));
    Client::connect(&broker, "another").ping();
    last.ping();
}

#[test]
fn the_rate_of_an_address_holds_for_who_connects_anew() {
    let broker = start(|config| {
        config.server.shards = std::num::NonZeroU16::new(2);
        config.abuse.publishes_per_second_per_address_max = Some(1);
    });
    let begin = Instant::now();
    let mut first = Client::connect(&broker, "first");
    first.publish("t", b"x", QoS::AtLeastOnce, Some(id(1)));
    first.receive_puback(id(1));
    drop(first);
    for client_id in ["a", "b", "c"] {
        let mut other = Client::connect(&broker, client_id);
        other.publish("t", b"x", QoS::AtLeastOnce, Some(id(1)));
        drop(other);
    }
    let mut last = Client::connect(&broker, "last");
    last.publish("t", b"x", QoS::AtLeastOnce, Some(id(1)));
    last.receive_puback(id(1));
    assert!(begin.elapsed() >= Duration::from_millis(990), "{:?}", begin.elapsed());
}

#[test]
fn a_user_that_connects_too_often_is_told_so() {
    let broker = start(|config| config.abuse.connects_per_minute_per_client_max = Some(2));
    let code = |version, client_id| connack_code(Client::open(&broker), version, client_id);
    let codes: Vec<u8> = (0..3).map(|_| code(ProtocolVersion::V5, "pump")).collect();
    assert_eq!(codes, [0, 0, 0x9F]);
    // [MQTT3-3.2.2-5]: return code 3, Server unavailable.
    assert_eq!(code(ProtocolVersion::V311, "pump"), 0x88);
    assert_eq!(code(ProtocolVersion::V5, "valve"), 0);
}
