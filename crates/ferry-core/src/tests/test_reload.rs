//! What a reload takes back.

use std::collections::HashSet;
use std::sync::Arc;

use ferry_codec::{Connect, ProtocolVersion, QoS};
use ferry_session::Timestamp;

use super::harness::*;
use crate::*;

/// Nobody may subscribe to what is below this.
struct Without(&'static str);

impl Authorizer for Without {
    fn may_publish(&self, _: &Identity, _: &str, _: QoS, _: bool) -> bool {
        true
    }

    fn may_subscribe(&self, _: &Identity, filter: &str) -> bool {
        !filter.starts_with(self.0)
    }
}

fn reload(broker: &mut Broker, authorizer: impl Authorizer + 'static) {
    let config = Arc::new(CoreConfig::default());
    broker.handle(0, Event::Reload { config, authorizer: Arc::new(authorizer) });
}

/// A client with this user name, on a listener with this authenticator.
fn user(broker: &mut Broker, id: &str, version: ProtocolVersion, name: Option<&str>, judge: &str) -> Client {
    let listener = ListenerPolicy { authenticators: Arc::new([judge.into()]), ..ListenerPolicy::default() };
    let info = ConnInfo { listener: Arc::new(listener), ..ConnInfo::default() };
    let client = broker.open_at(version, 0, info);
    broker.send(client, &ferry_codec::Packet::Connect(Connect { protocol_version: version, ..connect(id) }));
    let user_name = name.map(Into::into);
    broker.authenticated(
        client,
        AuthOutcome::Accept { user_name, data: None, until: Timestamp::NEVER, grants: None },
    );
    assert_eq!(broker.read(client).len(), 1);
    client
}

fn end(broker: &mut Broker, names: &[&str]) {
    let users: HashSet<Box<str>> = names.iter().map(|name| Box::from(*name)).collect();
    broker.handle(0, Event::EndUsers { users: &users, authenticator: "passwords" });
}

#[test]
fn the_connections_of_users_that_are_gone_end() {
    let mut broker = Broker::new();
    broker.accepts = false;
    let gone = user(&mut broker, "gone", V5, Some("gone"), "passwords");
    let gone_v3 = user(&mut broker, "gone_v3", V311, Some("gone"), "passwords");
    let other = user(&mut broker, "other", V5, Some("other"), "passwords");
    let anonymous = user(&mut broker, "anonymous", V5, None, "passwords");
    let certified = user(&mut broker, "certified", V5, Some("gone"), "certificate");
    end(&mut broker, &["gone", "nobody"]);
    assert_eq!(broker.read(gone), ["DISCONNECT 0x98"]);
    assert!(broker.is_closed(gone) && broker.is_closed(gone_v3) && broker.read(gone_v3).is_empty());
    for stays in [other, anonymous, certified] {
        assert!(!broker.is_closed(stays) && broker.read(stays).is_empty());
    }
}

#[test]
fn subscriptions_that_are_not_allowed_any_more_end_with_the_rules() {
    let mut broker = Broker::new();
    let client = broker.client("c");
    broker.subscribe(client, "a/+", 0);
    broker.subscribe(client, "b/+", 0);
    broker.subscribe(client, "$share/g/a/+", 0);
    reload(&mut broker, Without("a/"));
    broker.publish(client, "a/x", 0, 0, "no");
    broker.publish(client, "b/x", 0, 0, "yes");
    assert_eq!(broker.read(client), ["PUBLISH b/x q0 yes"]);
    // With the old rules back nothing comes back: the client has to subscribe again.
    reload(&mut broker, AllowAll);
    broker.publish(client, "a/x", 0, 0, "no");
    assert!(broker.read(client).is_empty() && !broker.is_closed(client));
}

#[test]
fn a_client_that_is_away_is_judged_when_it_comes_back() {
    let mut broker = Broker::new();
    let client = broker.online(&resume("c"));
    broker.subscribe(client, "a/+", 1);
    broker.cut(client);
    reload(&mut broker, Without("a/"));
    let publisher = broker.client("p");
    let again = broker.online_again("c");
    broker.publish(publisher, "a/x", 0, 0, "no");
    assert!(broker.read(again).is_empty());
}

#[test]
fn many_subscriptions_are_judged_in_several_turns() {
    let mut broker = Broker::new();
    for client in 0..4 {
        let client = broker.client(&format!("c{client}"));
        for filter in 0..400 {
            broker.subscribe(client, &format!("old/{filter}"), 0);
        }
    }
    broker.advance(1);
    let is_busy =
        |broker: &Broker| broker.shards[0].next_deadline().is_some_and(|deadline| deadline <= broker.now);
    assert!(!is_busy(&broker));
    reload(&mut broker, Without("old"));
    assert_eq!((broker.counters().subscriptions, is_busy(&broker)), (400, true));
    // Rules that come meanwhile judge everything anew.
    reload(&mut broker, Without("new"));
    assert_eq!((broker.counters().subscriptions, is_busy(&broker)), (400, false));
    reload(&mut broker, Without("old"));
    assert_eq!((broker.counters().subscriptions, is_busy(&broker)), (0, false));
}
