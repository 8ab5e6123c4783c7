//! Clients that are faster than they may be wait; they lose nothing.

use std::num::NonZeroU32;
use std::sync::Arc;

use ferry_codec::Packet;

use super::harness::*;
use crate::*;

fn max(max: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(max)
}

#[test]
fn a_publish_rate_is_held() {
    let mut broker = Broker::with(|config| config.client_rates.publishes_per_second_max = max(10));
    let client = broker.client("c");
    let watcher = broker.client("w");
    broker.subscribe(watcher, "t", 0);
    for _ in 0..15 {
        broker.publish(client, "t", 0, 0, "x");
    }
    assert_eq!(broker.read(watcher).len(), 10);
    assert!(broker.clients[client].paused);
    assert_eq!(broker.counters().rate_pauses, 1);
    broker.advance(1);
    assert_eq!(broker.read(watcher).len(), 5);
    assert!(!broker.is_closed(client));
}

#[test]
fn bytes_are_counted_whatever_they_say() {
    let mut broker = Broker::with(|config| config.client_rates.received_bytes_per_second_max = max(100));
    let client = broker.client("c");
    let watcher = broker.client("w");
    broker.subscribe(watcher, "t", 0);
    // 96 bytes of PINGREQ, then a PUBLISH of which nothing else is known than that it is the last packet in time.
    for _ in 0..48 {
        broker.send(client, &Packet::Pingreq);
    }
    assert!(!broker.clients[client].paused);
    broker.publish(client, "t", 0, 0, &"x".repeat(300));
    broker.publish(client, "t", 0, 0, "y");
    assert_eq!(broker.read(watcher).len(), 1);
    broker.advance(3);
    assert_eq!(broker.read(watcher).len(), 0, "the large packet was more than a second's worth");
    broker.advance(1);
    assert_eq!(broker.read(watcher).len(), 1);
}

#[test]
fn each_filter_counts() {
    let mut broker = Broker::with(|config| config.client_rates.subscribes_per_second_max = max(2));
    let client = broker.client("c");
    assert_eq!(broker.subscribe(client, "a", 0).len(), 1);
    assert_eq!(broker.unsubscribe(client, "a").len(), 1);
    assert_eq!(broker.subscribe(client, "b", 0), [""; 0]);
    broker.advance(1);
    assert_eq!(broker.read(client), ["SUBACK 60000 [00]"]);
}

#[test]
fn a_client_that_waits_is_not_silent() {
    // [MQTT-3.1.2-22] [MQTT3-3.1.2-24]: what it sends meanwhile is not looked at.
    let mut broker = Broker::with(|config| config.client_rates.received_bytes_per_second_max = max(10));
    let mut packet = connect("c");
    packet.keep_alive_seconds = 2;
    let client = broker.online(&packet);
    broker.publish(client, "t", 0, 0, &"x".repeat(200));
    broker.advance(10);
    assert!(broker.clients[client].paused && !broker.is_closed(client));
    broker.advance(20);
    assert!(broker.is_closed(client), "now it is");
}

#[test]
fn a_reload_changes_the_rates_of_those_who_are_there() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    let reload = |broker: &mut Broker, publishes_per_second_max| {
        let client_rates =
            RateLimits { publishes_per_second_max: max(publishes_per_second_max), ..RateLimits::default() };
        let config = CoreConfig { client_rates, ..CoreConfig::default() };
        broker.handle(0, Event::Reload { config: Arc::new(config), authorizer: Arc::new(AllowAll) });
    };
    let pauses_after = |broker: &mut Broker| {
        for _ in 0..5 {
            broker.publish(client, "t", 0, 0, "x");
        }
        broker.advance(60);
        broker.counters().rate_pauses
    };
    assert_eq!(pauses_after(&mut broker), 0);
    reload(&mut broker, 2);
    let pauses = pauses_after(&mut broker);
    assert!(pauses > 0);
    reload(&mut broker, 0);
    assert_eq!(pauses_after(&mut broker), pauses);
}
