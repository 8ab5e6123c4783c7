//! Addresses that ask too much.

use ferry_broker::config::Config;
use ferry_broker::{Broker, RunningBroker};

use crate::client::Client;
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
    Client::open(&broker).receive_end();
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
    open_from(&broker, "198.51.100.1").receive_end();
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
    Client::open(&broker).receive_end();
    before.ping();
    second.ping();
}
