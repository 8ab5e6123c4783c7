//! A crash while a message is on its way from one shard to another.

use super::harness::*;
use crate::*;

/// The number of a client whose home is `shard` of two.
fn named(prefix: &str, shard: u16) -> String {
    (0..).map(|n| format!("{prefix}{n}")).find(|name| home_shard(name, 2) == ShardId(shard)).unwrap()
}

/// A durable publisher on one shard, and a durable subscriber on the other one that is away. Mail is held back.
fn apart(filter: &str) -> (Broker, Client, String) {
    let mut broker = Broker::with_shards(2, std::sync::Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
    });
    let name = named("s", 1);
    let subscriber = broker.online(&resume(&name));
    broker.subscribe(subscriber, filter, 2);
    broker.cut(subscriber);
    let publisher = broker.online(&resume(&named("p", 0)));
    broker.commits = false;
    broker.delivers = false;
    (broker, publisher, name)
}

/// Delivers the mail that was held back.
fn deliver(broker: &mut Broker) {
    broker.delivers = true;
    for (from, to, mail) in std::mem::take(&mut broker.mail) {
        broker.handle(usize::from(to.0), Event::Mail { from, mail });
    }
}

/// After a crash that left `written` batches that were not committed: the publisher sends what is unacknowledged
/// again, and the subscriber gets it how often?
fn copies_after(broker: &Broker, written: usize, shards: u16, subscriber: &str) -> usize {
    let config = (*broker.shared.config).clone();
    let entries = broker.store.after_crash(written);
    let (mut broker, report) = Broker::restored(shards, config, &entries, broker.now);
    assert!(report.flaws.is_empty());
    broker.tick();
    let publisher = broker.connect(&resume(&named("p", 0)));
    broker.publish(publisher, "t", 2, 1, "x");
    broker.pubrel(publisher, 1);
    assert_eq!(broker.read(publisher)[1..], ["PUBREC 1", "PUBCOMP 1"]);
    // Nothing is left on its way.
    assert!(broker.store.live.values.keys().all(|key| key.space != 3));
    let subscriber = broker.connect(&resume(subscriber));
    broker.read(subscriber).len() - 1
}

#[test]
fn exactly_one_copy_arrives() {
    // [MQTT-4.3.3-10]: the packet identifier of the first PUBLISH is known exactly if its copies are.
    for filter in ["t", "$share/g/t"] {
        let (mut broker, publisher, name) = apart(filter);
        broker.publish(publisher, "t", 2, 1, "x");
        assert_eq!(broker.store.uncommitted.len(), 1);
        for shards in [1, 2, 3] {
            for written in [0, 1] {
                assert_eq!(copies_after(&broker, written, shards, &name), 1, "{filter} {written}");
            }
        }
        deliver(&mut broker);
        assert_eq!(broker.store.uncommitted.len(), 2);
        for shards in [1, 2, 3] {
            for written in [0, 1, 2] {
                assert_eq!(copies_after(&broker, written, shards, &name), 1, "{filter} {written}");
            }
        }
        broker.commit();
        assert_eq!(broker.read(publisher), ["PUBREC 1"]);
        assert!(broker.store.live.values.keys().all(|key| key.space != 3));
    }
}

#[test]
fn what_no_durable_session_wants_waits_for_nothing_more() {
    let mut broker = Broker::with_shards(2, std::sync::Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
    });
    let subscriber = broker.client(&named("s", 1));
    broker.subscribe(subscriber, "t", 2);
    let publisher = broker.online(&resume(&named("p", 0)));
    broker.commits = false;
    broker.publish(publisher, "t", 2, 1, "x");
    assert_eq!(broker.read(subscriber), ["PUBLISH t q2 id=1 x"]);
    assert_eq!(broker.wanted.split_off(broker.wanted.len() - 2), [Durability::Fsync, Durability::Memory]);
}

#[test]
fn a_copy_that_is_handed_on_is_not_lost() {
    let mut broker = Broker::with_shards(2, std::sync::Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
    });
    let (leaving_name, heir_name) = (named("leaving", 0), named("heir", 1));
    let leaving = broker.online(&resume(&leaving_name));
    broker.subscribe(leaving, "$share/g/t", 1);
    broker.cut(leaving);
    let publisher = broker.client("p");
    broker.publish(publisher, "t", 1, 1, "x");
    let heir = broker.online(&resume(&heir_name));
    broker.subscribe(heir, "$share/g/t", 1);
    broker.cut(heir);
    broker.commits = false;
    broker.delivers = false;
    // Its session ends, and the copy is on its way to the other member.
    let mut ending = connect(&leaving_name);
    ending.properties.session_expiry_interval = Some(0);
    broker.connect(&ending);
    assert_eq!(broker.mail.len(), 1);
    for written in [0, 1] {
        let config = (*broker.shared.config).clone();
        let entries = broker.store.after_crash(written);
        let (mut restarted, _) = Broker::restored(2, config, &entries, broker.now);
        let owed: usize =
            restarted.shards.iter().flat_map(Shard::sessions).map(|session| session.queued_messages).sum();
        assert_eq!(owed, 1, "{written}");
        restarted.tick();
    }
}
