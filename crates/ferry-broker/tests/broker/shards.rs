//! One broker of several shards.

use std::num::NonZeroU16;
use std::thread;

use ferry_broker::{Broker, RunningBroker};
use ferry_codec::{Packet, QoS};
use ferry_core::home_shard;

use crate::client::{Client, connect_packet, id};
use crate::config;

fn sharded(mailbox_bytes_max: usize) -> RunningBroker {
    let mut config = config();
    config.server.shards = NonZeroU16::new(4);
    config.limits.mailbox_bytes_max = mailbox_bytes_max;
    config.limits.packet_size_bytes_max = 64 << 10;
    Broker::start(config).expect("started")
}

#[test]
fn every_client_reaches_every_other_on_all_shards() {
    let broker = sharded(16 << 20);
    assert_eq!(broker.shard_count(), 4);
    let names: Vec<String> = (0..16).map(|number| format!("client-{number}")).collect();
    let mut clients: Vec<Client> = names.iter().map(|name| Client::connect(&broker, name)).collect();
    for client in &mut clients {
        client.subscribe("all", QoS::AtLeastOnce);
    }
    for sender in 0..clients.len() {
        let payload = names[sender].as_bytes();
        clients[sender].publish("all", payload, QoS::AtMostOnce, None);
        for client in &mut clients {
            assert_eq!(client.receive_publish(), ("all".to_owned(), payload.to_vec()));
        }
    }
}

#[test]
fn clients_without_an_identifier_are_spread_evenly() {
    let broker = sharded(16 << 20);
    let mut counts = [0; 4];
    for _ in 0..64 {
        let mut client = Client::open(&broker);
        client.send(&Packet::Connect(connect_packet("")));
        let home = client.receive(|packet| {
            let Packet::Connack(connack) = packet else { panic!("{packet:?}") };
            home_shard(connack.properties.assigned_client_identifier.expect("assigned"), 4)
        });
        counts[usize::from(home.0)] += 1;
    }
    // Each shard goes round by itself with those it accepts.
    assert!(counts.iter().all(|count| (13..=19).contains(count)), "{counts:?}");
}

#[test]
fn a_client_that_comes_back_finds_its_connection_taken_over() {
    let broker = sharded(16 << 20);
    for number in 0..8 {
        let name = format!("client-{number}");
        let mut first = Client::connect(&broker, &name);
        let _second = Client::connect(&broker, &name);
        assert!(first.receive_text().contains("Disconnect"));
        first.receive_end();
    }
}

#[test]
fn a_connect_may_come_byte_by_byte() {
    let broker = sharded(16 << 20);
    let connect = b"\x10\x0F\x00\x04MQTT\x05\x02\x00\x3C\x00\x00\x02me";
    let mut client = Client::open(&broker);
    for byte in connect {
        client.send_bytes(&[*byte]);
    }
    assert!(client.receive_text().contains("Connack"));
    client.ping();
}

#[test]
fn a_full_mailbox_slows_publishers_and_loses_nothing() {
    const MESSAGES: u16 = 2_000;
    let broker = sharded(64 << 10);
    let mut subscriber = Client::connect(&broker, "subscriber");
    subscriber.subscribe("t/#", QoS::AtLeastOnce);
    thread::scope(|scope| {
        for number in 0..4 {
            let broker = &broker;
            scope.spawn(move || {
                let mut publisher = Client::connect(broker, &format!("publisher-{number}"));
                let topic = format!("t/{number}");
                for packet_id in 1..=MESSAGES {
                    publisher.publish(&topic, &[7; 1000], QoS::AtLeastOnce, Some(id(packet_id)));
                    // Never more on the way than Receive Maximum.
                    if packet_id % 500 == 0 {
                        for acknowledged in packet_id - 499..=packet_id {
                            publisher.receive_puback(id(acknowledged));
                        }
                    }
                }
            });
        }
        for _ in 0..4 * u32::from(MESSAGES) {
            assert_eq!(subscriber.receive_publish().1.len(), 1000);
        }
    });
}
