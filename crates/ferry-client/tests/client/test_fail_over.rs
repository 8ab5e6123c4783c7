//! From one server to another: because one died, or because one said so.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ferry_client::{
    Client, ClientOptions, Event, Events, Message, ProtocolVersion, QoS, ReasonCode, ReconnectOptions,
};
use ferry_codec::{Disconnect, Packet};

use crate::brokers::{Broker, BrokerKind, Scheme};
use crate::memory_server::MemoryServers;
use crate::{PATIENCE, run};

/// Comes back soon; a round of servers that all fail has a delay that is never 0.
fn impatient(good_after: Duration) -> ReconnectOptions {
    let (delay_min, delay_max) = (Duration::from_millis(4), Duration::from_millis(20));
    ReconnectOptions { delay_min, delay_max, good_after, ..ReconnectOptions::default() }
}

async fn connected(events: &mut Events) -> String {
    let mut server = None;
    loop {
        match events.recv().await {
            Some(Event::Connecting(address)) => server = Some(address.to_string()),
            Some(Event::Connected(_)) => return server.expect("an attempt comes first"),
            Some(_) => {}
            None => panic!("the client has ended"),
        }
    }
}

/// Three servers, of which the one that is used is killed, until one is left.
#[test]
fn a_server_that_dies_is_replaced() {
    for kind in BrokerKind::installed() {
        for version in kind.versions().iter().copied() {
            // Whether the server was good or not: when it is not there the next one is tried.
            let good_after = Duration::from_secs(if version == ProtocolVersion::V5 { 60 } else { 0 });
            let brokers = (0..3).map(|_| Broker::start(kind)).collect();
            run(survive(brokers, version, impatient(good_after)));
        }
    }
}

async fn survive(mut brokers: Vec<Broker>, version: ProtocolVersion, reconnect: ReconnectOptions) {
    let urls: Vec<_> = brokers.iter().map(|broker| broker.url(Scheme::Tcp)).collect();
    let mut options = ClientOptions::new(&urls[0]).expect("a URL");
    for url in &urls[1..] {
        options = options.server(url).expect("a URL");
    }
    let client = Client::new(options.client_id("survivor").protocol_version(version).reconnect(reconnect));
    let mut events = client.events();
    client.connect().await.expect("a connection");
    let mut messages = client.subscribe("survive").await.expect("a subscription");
    let mut server = connected(&mut events).await;
    while brokers.len() > 1 {
        let used = brokers.iter().position(|broker| broker.url(Scheme::Tcp) == server);
        drop(brokers.swap_remove(used.expect("one of them")));
        let next = connected(&mut events).await;
        assert_ne!(next, server);
        server = next;
        while !matches!(events.recv().await, Some(Event::Resubscribed { .. })) {}
        let message = Message::new("survive", server.as_str()).qos(QoS::AtLeastOnce);
        client.publish(message).await.expect("it is published");
        assert_eq!(messages.recv().await.expect("a message").text(), Ok(server.as_str()));
    }
    client.disconnect().await;
}

/// The delays that were told, until there are so many.
async fn delays(events: &mut Events, count: usize) -> Vec<u64> {
    let mut delays = Vec::new();
    while delays.len() < count {
        match events.recv().await {
            Some(Event::Disconnected { retry_in_ms, .. }) => delays.push(retry_in_ms.expect("it goes on")),
            Some(_) => {}
            None => panic!("the client has ended"),
        }
    }
    delays
}

/// `first` sends its clients to `second`, which takes them, and closes the connection when it gets a message.
fn two_servers(reason_code: ReasonCode) -> MemoryServers {
    MemoryServers::new(move |address, packet, reply| {
        match packet {
            Packet::Connect(_) if address.contains("first") => reply.refer(reason_code, "second:7"),
            Packet::Connect(_) => reply.accept(),
            _ => return false,
        }
        true
    })
}

/// Section 4.11: 0x9C is for now, 0x9D for good.
#[test]
fn the_server_that_another_one_names_is_used() {
    for (reason_code, expected) in [
        (ReasonCode::USE_ANOTHER_SERVER, ["first:1883", "second:7", "first:1883", "second:7"].as_slice()),
        (ReasonCode::SERVER_MOVED, ["first:1883", "second:7", "second:7"].as_slice()),
    ] {
        run(async {
            let servers = two_servers(reason_code);
            let options = servers.options("first").reconnect(impatient(Duration::from_secs(60)));
            let client = Client::new(options);
            let mut events = client.events();
            client.connect().await.unwrap();
            assert_eq!(servers.asked(), ["first:1883", "second:7"]);
            assert_eq!(delays(&mut events, 1).await, [0]);
            client.try_publish(Message::new("t", "x")).unwrap();
            connected(&mut client.events()).await;
            assert_eq!(servers.asked(), expected);
            client.disconnect().await;
        });
    }
}

/// A connection that was good can be ended so too.
#[test]
fn a_server_can_send_its_client_away() {
    run(async {
        let servers = MemoryServers::new(|_, packet, reply| {
            match packet {
                Packet::Connect(_) => reply.accept(),
                Packet::Publish(_) => {
                    let other = Disconnect::new(ReasonCode::USE_ANOTHER_SERVER);
                    reply.say(&Packet::Disconnect(Disconnect { server_reference: Some("second"), ..other }));
                }
                _ => {}
            }
            true
        });
        let client = Client::new(servers.options("first").reconnect(impatient(Duration::ZERO)));
        let mut events = client.events();
        client.connect().await.unwrap();
        client.try_publish(Message::new("t", "x")).unwrap();
        assert_eq!(delays(&mut events, 1).await, [0]);
        assert_eq!(connected(&mut events).await, "mqtt://second:1883");
        client.disconnect().await;
    });
}

/// However servers refer to one another, there are delays, and none is kept but those that were given.
#[test]
fn references_without_end_are_not_followed_for_ever() {
    for reason_code in [ReasonCode::USE_ANOTHER_SERVER, ReasonCode::SERVER_MOVED] {
        run(async {
            let chain = MemoryServers::new(move |address, _, reply| {
                let port: u16 =
                    address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
                reply.refer(reason_code, &format!("s:{}", port + 1));
                true
            });
            let client = Client::new(chain.options("s:1").reconnect(impatient(Duration::from_secs(60))));
            let mut events = client.events();
            client.start();
            for _ in 0..3 {
                let delays = delays(&mut events, 5).await;
                assert!(delays[..4].iter().all(|delay| *delay == 0) && delays[4] > 0, "{delays:?}");
            }
            client.disconnect().await;
            let asked = chain.asked();
            // Those that were only for now are forgotten.
            let second_round = if reason_code == ReasonCode::SERVER_MOVED { "s:5" } else { "s:1" };
            assert_eq!((asked[4].as_str(), asked[5].as_str()), ("s:5", second_round));
        });
        // Two that refer to each other, of which both are known.
        run(async {
            let circle = MemoryServers::new(move |address, _, reply| {
                reply.refer(reason_code, if address.contains("one") { "two" } else { "one" });
                true
            });
            let options = circle.options("one").server("mqtt://two").unwrap();
            let client = Client::new(options.reconnect(impatient(Duration::from_secs(60))));
            let mut events = client.events();
            client.start();
            let delays = delays(&mut events, 6).await;
            assert!(delays.chunks(2).all(|round| round[0] == 0 && round[1] > 0), "{delays:?}");
            client.disconnect().await;
        });
    }
}

/// The one for passwords that expire.
#[test]
fn what_connect_says_can_change_each_time() {
    run(async {
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let servers = MemoryServers::new(move |_, packet, reply| {
            if let Packet::Connect(connect) = packet {
                let password = connect.password.map(<[u8]>::to_vec);
                let mut heard = heard.lock().unwrap();
                heard.push(String::from_utf8(password.unwrap()).unwrap());
                if heard.len() == 3 {
                    reply.accept();
                    return true;
                }
            }
            false
        });
        let tokens = Mutex::new(0);
        let options = servers.options("one").before_connect(move |connect| {
            let mut number = tokens.lock().unwrap();
            *number += 1;
            connect.password = Some(format!("token {number}").into());
        });
        let client = Client::new(options.reconnect(impatient(Duration::from_secs(60))));
        client.start();
        tokio::time::timeout(PATIENCE, client.connected()).await.unwrap().unwrap();
        assert_eq!(*said.lock().unwrap(), ["token 1", "token 2", "token 3"]);
        client.disconnect().await;
    });
}
