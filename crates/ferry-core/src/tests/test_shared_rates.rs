//! Rates that a client, a user and an address have over all their connections, those before included.

use std::num::NonZeroU32;
use std::sync::Arc;

use ferry_codec::{Connect, MessageProperties, Packet, QoS, UserProperties, Will};
use ferry_session::Timestamp;

use super::harness::*;
use crate::*;

const PUBLISHES: RateLimits = RateLimits {
    connects_per_minute_max: None,
    publishes_per_second_max: NonZeroU32::new(10),
    received_bytes_per_second_max: None,
    subscribes_per_second_max: None,
};

/// A broker of two shards, whose clients come from somewhere and say who they are.
fn broker(configure: impl FnOnce(&mut CoreConfig)) -> (Broker, Client) {
    let mut broker = Broker::with_shards(2, Arc::new(AllowAll), configure);
    let watcher = broker.client("watcher");
    broker.subscribe(watcher, "t", 0);
    broker.accepts = false;
    (broker, watcher)
}

/// A client of the user `user`, with its CONNACK.
fn come(broker: &mut Broker, address: &str, user: &str, connect: &Connect<'_>) -> (Client, String) {
    let shard = usize::from(home_shard(connect.client_id, broker.shards.len() as u16).0);
    let info = ConnInfo { peer_address: address.into(), ..ConnInfo::default() };
    let client = broker.open_at(connect.protocol_version, shard, info);
    broker.send(client, &Packet::Connect(*connect));
    let user_name = Some(user.into());
    let accept = AuthOutcome::Accept { user_name, data: None, until: Timestamp::NEVER, grants: None };
    broker.authenticated(client, accept);
    let connack = broker.read(client).remove(0);
    (client, connack)
}

fn publish_and_leave(broker: &mut Broker, address: &str, user: &str, client_id: &str) {
    let (client, _) = come(broker, address, user, &connect(client_id));
    for _ in 0..3 {
        broker.publish(client, "t", 0, 0, "x");
    }
    broker.cut(client);
}

/// How many messages come through within `seconds` if somebody connects again and again, from the addresses, as the users and
/// with the client identifiers in turn.
fn passed(broker: &mut Broker, watcher: Client, who: [&[&str]; 3], seconds: u32) -> usize {
    let mut count = 0;
    for round in 0..seconds as usize * 20 {
        let [address, user, client_id] = who.map(|names| names[round % names.len()]);
        publish_and_leave(broker, address, user, client_id);
        count += broker.read(watcher).len();
        if round % 20 == 19 {
            broker.advance(1);
        }
    }
    count
}

#[test]
fn who_connects_anew_gains_nothing() {
    let (addresses, users) = (["192.0.2.1:1", "192.0.2.2:1"], ["u", "v", "w"]);
    let ids: Vec<String> = (0..7).map(|number| format!("c{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    // With the client identifiers of both shards.
    let shards: Vec<u16> = ids.iter().map(|id| home_shard(id, 2).0).collect();
    assert!(shards.contains(&0) && shards.contains(&1));
    type Scope = fn(&mut CoreConfig);
    let cases: [(Scope, [&[&str]; 3]); 3] = [
        (|config| config.client_rates = PUBLISHES, [&addresses, &users, &["c"]]),
        (|config| config.user_rates = PUBLISHES, [&addresses, &["u"], &ids]),
        (|config| config.address_rates = PUBLISHES, [&["192.0.2.1:1", "192.0.2.1:2"], &users, &ids]),
    ];
    for (configure, who) in cases {
        let (mut broker, watcher) = broker(configure);
        let count = passed(&mut broker, watcher, who, 5);
        // A second's worth at once, and the packet that is one too many.
        assert!((50..=61).contains(&count), "{count} of {who:?}");
    }
    let (mut broker, watcher) = broker(|_| {});
    assert_eq!(passed(&mut broker, watcher, [&addresses, &users, &ids], 1), 60, "without limits");
}

#[test]
fn an_address_is_64_bits_of_ipv6_and_some_are_exempt() {
    let count = |addresses: &[&str]| {
        let (mut broker, watcher) = broker(|config| {
            config.address_rates = PUBLISHES;
            let exempt = |text: &str| text.parse().unwrap();
            config.exempt_addresses = vec![exempt("10.0.0.0")..=exempt("10.0.0.255")];
        });
        passed(&mut broker, watcher, [addresses, &["u"], &["c"]], 1)
    };
    assert_eq!(count(&["[2001:db8::1]:1", "[2001:db8::ffff:0:0:1]:1"]), 10);
    assert_eq!(count(&["[2001:db8::1]:1", "[2001:db8:0:1::1]:1"]), 20);
    assert_eq!(count(&["192.0.2.1:1", "[::ffff:192.0.2.1]:1"]), 10);
    assert_eq!(count(&["10.0.0.7:1"]), 60);
    assert_eq!(count(&["10.0.1.7:1"]), 10);
    assert_eq!(count(&["unix"]), 60, "there is no address");
}

#[test]
fn connects_above_the_rate_are_refused_and_counted_for_who_it_is() {
    let (mut broker, _) = broker(|config| {
        config.user_rates.connects_per_minute_max = NonZeroU32::new(3);
        config.client_rates.connects_per_minute_max = NonZeroU32::new(2);
    });
    let mut come_as = |user: &str, client_id: &str, version| {
        let connect = Connect { protocol_version: version, ..connect(client_id) };
        let (_, connack) = come(&mut broker, "192.0.2.1:1", user, &connect);
        connack.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    assert_eq!(come_as("u", "a", V5), "0x00");
    assert_eq!(come_as("u", "a", V5), "0x00");
    assert_eq!(come_as("u", "a", V5), "0x9F");
    assert_eq!(come_as("u", "b", V5), "0x00");
    assert_eq!(come_as("u", "c", V311), "0x88", "return code 3");
    assert_eq!(come_as("v", "c", V5), "0x00", "what was refused is not counted");
    let details: Vec<&str> = broker.refused_clients.iter().map(|refused| &*refused.detail).collect();
    assert!(details.contains(&"the client identifier connects too often"), "{details:?}");
    assert!(details.contains(&"the user connects too often"), "{details:?}");
    broker.advance(20);
    assert_eq!(come(&mut broker, "192.0.2.1:1", "u", &connect("c")).1, "CONNACK 0x00");
}

#[test]
fn nobody_uses_up_what_another_may_without_being_let_in() {
    let (mut broker, _) = broker(|config| config.client_rates.connects_per_minute_max = NonZeroU32::new(1));
    for _ in 0..5 {
        let client = broker.connect(&connect("c"));
        let reason_code = ferry_codec::ReasonCode::BAD_USER_NAME_OR_PASSWORD;
        let rejected =
            AuthOutcome::Reject { reason_code, reason_string: None, server_reference: None, detail: None };
        broker.authenticated(client, rejected);
    }
    assert_eq!(come(&mut broker, "192.0.2.1:1", "u", &connect("c")).1, "CONNACK 0x00");
}

#[test]
fn a_will_counts_like_the_publish_that_it_may_become() {
    let (mut broker, watcher) = broker(|config| config.user_rates = PUBLISHES);
    let will = Will {
        topic: "t",
        payload: b"gone",
        qos: QoS::AtMostOnce,
        retain: false,
        delay_interval_seconds: 0,
        properties: MessageProperties { user_properties: UserProperties::EMPTY, ..Default::default() },
    };
    for number in 0..10 {
        let (client, _) =
            come(&mut broker, "", "u", &Connect { will: Some(will), ..connect(&number.to_string()) });
        broker.cut(client);
    }
    assert_eq!(broker.read(watcher).len(), 10);
    publish_and_leave(&mut broker, "", "u", "c");
    assert_eq!(broker.read(watcher).len(), 0, "there is nothing left of this second");
}

#[test]
fn who_is_slowed_down_is_told_of_once_a_minute() {
    let (mut broker, _) = broker(|config| config.user_rates = PUBLISHES);
    let (client, _) = come(&mut broker, "192.0.2.1:1", "u", &connect("c"));
    for _ in 0..500 {
        broker.publish(client, "t", 0, 0, "x");
    }
    broker.advance(30);
    let [slowed] = &broker.slowed_clients[..] else { panic!("{:?}", broker.slowed_clients) };
    assert_eq!((&*slowed.client_id, slowed.user_name.as_deref()), ("c", Some("u")));
    assert_eq!((slowed.scope, slowed.kind), (RateScope::User, RateKind::Publishes));
    broker.advance(40);
    for _ in 0..500 {
        broker.publish(client, "t", 0, 0, "x");
    }
    assert_eq!(broker.slowed_clients.len(), 2);
    let counters = broker.shards.iter().map(Shard::counters);
    let pauses: Vec<[u64; 3]> = counters
        .map(|counters| [counters.rate_pauses, counters.rate_pauses_by_user, counters.rate_pauses_by_address])
        .collect();
    assert!(pauses.iter().any(|[all, by_user, by_address]| all == by_user && *all > 0 && *by_address == 0));
}

#[test]
fn a_reload_limits_users_who_are_there() {
    let (mut broker, watcher) = broker(|_| {});
    let (client, _) = come(&mut broker, "192.0.2.1:1", "u", &connect("c"));
    let config = Arc::new(CoreConfig { user_rates: PUBLISHES, ..CoreConfig::default() });
    for shard in 0..2 {
        let authorizer: Arc<dyn Authorizer> = Arc::new(AllowAll);
        broker.handle(shard, Event::Reload { config: Arc::clone(&config), authorizer });
    }
    for _ in 0..30 {
        broker.publish(client, "t", 0, 0, "x");
    }
    assert_eq!(broker.read(watcher).len(), 10);
}
