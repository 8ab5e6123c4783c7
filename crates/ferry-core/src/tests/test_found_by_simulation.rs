//! Seeds of ferry-sim that failed, as scripts.

use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::{Connect, MessageProperties, ProtocolVersion, Publish, Will};

use super::harness::*;
use crate::*;

/// A client identifier that lives on `shard` of two.
fn client_of(shard: u16) -> String {
    (0..).map(|n| format!("c{n}")).find(|name| home_shard(name, 2) == ShardId(shard)).unwrap()
}

/// Makes durable what one shard has recorded.
fn commit_shard(broker: &mut Broker, shard: usize) {
    let (due, later) =
        std::mem::take(&mut broker.tickets).into_iter().partition(|(other, _)| *other == shard);
    broker.tickets = later;
    for (_, ticket) in due as Vec<(usize, Ticket)> {
        broker.handle(shard, Event::committed(ticket));
    }
}

#[test]
fn a_repeated_qos2_publish_waits_for_the_copies_on_other_shards() {
    // The receipts of the first PUBLISH name a connection that is gone; PUBREC for the second one [MQTT-4.3.3-8] was
    // sent at once, and a crash would have lost an acknowledged message.
    let mut broker =
        Broker::with_shards(2, Arc::new(AllowAll), |config| config.durability = Durability::Fsync);
    let (publisher_id, subscriber_id) = (client_of(0), client_of(1));
    let subscriber = broker.connect(&resume(&subscriber_id));
    broker.subscribe(subscriber, "t", 2);
    let publisher = broker.connect(&resume(&publisher_id));
    broker.read(publisher);

    broker.commits = false;
    broker.publish(publisher, "t", 2, 1, "x");
    commit_shard(&mut broker, 0);
    assert_eq!(broker.read(publisher), [""; 0]);
    broker.cut(publisher);

    let publisher = broker.connect(&resume(&publisher_id));
    commit_shard(&mut broker, 0);
    assert_eq!(broker.read(publisher), ["CONNACK 0x00 present"]);
    let again = Publish { topic: "t", payload: b"x", dup: true, ..Publish::default() };
    broker.publish_packet(publisher, 2, 1, again);
    commit_shard(&mut broker, 0);
    assert_eq!(broker.read(publisher), [""; 0]);
    broker.commit();
    assert_eq!(broker.read(publisher), ["PUBREC 1"]);
}

#[test]
fn a_3x_client_is_not_held_to_a_receive_maximum_it_cannot_know() {
    // Receive Maximum is told in the CONNACK of 5.0 only [MQTT-3.3.4-7]; a 3.1.1 client that sent again what it had
    // in flight was disconnected each time, and never got rid of it.
    let mut broker = Broker::with(|config| {
        config.receive_maximum = NonZeroU16::MIN;
        config.durability = Durability::Fsync;
    });
    let client = broker.connect(&Connect { protocol_version: V311, ..connect("c") });
    broker.read(client);
    let subscriber = broker.connect(&resume("durable"));
    broker.subscribe(subscriber, "t", 1);
    broker.commits = false;
    for id in 1..=3 {
        broker.publish(client, "t", 1, id, "x");
    }
    assert!(!broker.is_closed(client));
    broker.commit();
    assert_eq!(broker.read(client).len(), 3);
}

#[test]
fn a_message_for_a_group_whose_member_left_meanwhile_goes_to_another_shard() {
    // The members on the shard that was to choose one had left when the mail came, and the message was dropped
    // although the group still had members elsewhere (section 4.8.2).
    for durability in [Durability::Memory, Durability::Fsync] {
        let mut broker = Broker::with_shards(2, Arc::new(AllowAll), |config| config.durability = durability);
        let (stays, leaves) = (client_of(0), client_of(1));
        let member = broker.online(&resume(&stays));
        broker.subscribe(member, "$share/g/t", 1);
        broker.cut(member);
        let leaving = broker.client(&leaves);
        broker.subscribe(leaving, "$share/g/t", 1);
        let publisher = broker.client(&format!("{stays}-publisher"));

        (broker.delivers, broker.commits) = (false, false);
        broker.publish(publisher, "t", 1, 1, "x");
        assert_eq!(broker.mail.len(), 1);
        broker.cut(leaving);
        broker.deliver();
        let recorded = durability == Durability::Fsync;
        assert_eq!(broker.read(publisher).is_empty(), recorded);
        broker.commit();
        assert_eq!(broker.read(publisher).is_empty(), !recorded);
        broker.commits = true;
        let member = broker.connect(&resume(&stays));
        assert_eq!(broker.read(member), ["CONNACK 0x00 present", "PUBLISH t q1 id=1 x"]);
        assert_eq!(broker.drops(DropReason::NoSharedSubscriber), 0);
    }
}

#[test]
fn a_3x_message_that_another_shard_refused_is_not_published_again() {
    // 3.1.1 knows no refusal, so PUBREC said that the message was taken [MQTT3-4.3.3-2]; but its packet identifier
    // was forgotten, and when it came again it was published again.
    let mut broker = Broker::with_shards(2, Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
        config.queue_messages_max = 1;
        config.overflow_policy = OverflowPolicy::RejectPublisher;
    });
    let full = broker.online(&resume(&client_of(1)));
    broker.subscribe(full, "t", 1);
    broker.cut(full);
    let reader = broker.client(&format!("{}-reader", client_of(0)));
    broker.subscribe(reader, "t", 0);
    let publisher_id = client_of(0);
    let publisher =
        broker.online(&Connect { protocol_version: V311, clean_start: false, ..connect(&publisher_id) });
    for packet_id in 1..=2 {
        broker.publish(publisher, "t", 2, packet_id, "x");
    }
    let again = Publish { topic: "t", payload: b"x", dup: true, ..Publish::default() };
    broker.publish_packet(publisher, 2, 2, again);
    assert_eq!(broker.read(publisher), ["PUBREC 1", "PUBREC 2", "PUBREC 2"]);
    assert_eq!(broker.read(reader), ["PUBLISH t q0 x", "PUBLISH t q0 x"]);
}

#[test]
fn a_retained_message_that_expires_while_a_slow_client_waits_for_it_is_not_sent() {
    // It was looked at when it was fetched, not when it was sent, which may be a reconnect later [MQTT-3.3.2-5].
    let mut broker = Broker::with(|config| config.output_bytes_max = 1_000);
    let publisher = broker.client("p");
    let (long, properties) = (
        [b'x'; 1_000],
        ferry_codec::MessageProperties { message_expiry_interval: Some(5), ..Default::default() },
    );
    for topic in ["t/1", "t/2", "t/3"] {
        let publish = Publish { topic, payload: &long, retain: true, properties, ..Publish::default() };
        broker.publish_packet(publisher, 0, 0, publish);
    }
    let slow = broker.client("slow");
    broker.clients[slow].reads = false;
    broker.subscribe(slow, "t/#", 0);
    broker.advance(6);
    broker.read_again(slow);
    broker.advance(1);
    let sent = broker.read_with(slow, |packet| matches!(packet, ferry_codec::Packet::Publish(_)));
    assert_eq!(sent.into_iter().filter(|is_publish| *is_publish).count(), 1);
}

#[test]
fn a_message_that_expires_on_its_way_to_another_shard_is_not_sent() {
    // The other shard sent it to whom it was for without looking at its expiry [MQTT-3.3.2-5].
    let mut broker = Broker::with_shards(2, Arc::new(AllowAll), |config| {
        config.durability = Durability::Fsync;
    });
    let (here, there) = (client_of(0), client_of(1));
    let subscriber = broker.client(&there);
    broker.subscribe(subscriber, "t", 1);
    broker.subscribe(subscriber, "$share/g/t", 1);
    let publisher = broker.client(&here);
    broker.delivers = false;
    let properties =
        ferry_codec::MessageProperties { message_expiry_interval: Some(1), ..Default::default() };
    let publish = Publish { topic: "t", payload: b"x", properties, ..Publish::default() };
    broker.publish_packet(publisher, 1, 1, publish);
    assert_eq!(broker.mail.len(), 2);
    broker.advance(2);
    broker.deliver();
    assert_eq!(broker.read(subscriber), [""; 0]);
    assert_eq!(broker.read(publisher), ["PUBACK 1"]);
    assert_eq!(broker.drops(DropReason::Expired), 2);
}

#[test]
fn a_packet_id_is_free_again_after_a_restart_and_pubrel() {
    // PUBREL for an exchange that had survived a restart was not recorded: after the next restart its packet identifier
    // was in use for ever [MQTT-4.3.3-12], and a QoS 1 message with it was refused or its connection closed.
    let durable = |config: &mut CoreConfig| config.durability = Durability::Fsync;
    let mut broker = Broker::with(durable);
    let client = broker.online(&resume("c"));
    broker.publish(client, "t", 2, 1, "x");
    assert_eq!(broker.read(client), ["PUBREC 1 0x10"]);
    let restart = |broker: &Broker| {
        let config = (*broker.shared.config).clone();
        Broker::restored(1, config, &broker.store.after_crash(0), broker.now).0
    };
    let mut broker = restart(&broker);
    let client = broker.online_again("c");
    broker.pubrel(client, 1);
    assert_eq!(broker.read(client), ["PUBCOMP 1"]);
    let mut broker = restart(&broker);
    let client = broker.online_again("c");
    broker.publish(client, "t", 1, 1, "y");
    assert_eq!(broker.read(client), ["PUBACK 1 0x10"]);
}

/// Subscribers to `t` on both shards, the one on shard 1 offline, and what a publisher on shard 0 connects with.
fn both_shards(version: ProtocolVersion) -> (Broker, Client, Connect<'static>) {
    let mut broker =
        Broker::with_shards(2, Arc::new(AllowAll), |config| config.durability = Durability::Fsync);
    let (here, there): (&'static str, &'static str) = (client_of(0).leak(), client_of(1).leak());
    let subscriber = broker.online(&resume(there));
    broker.subscribe(subscriber, "t", 2);
    broker.cut(subscriber);
    let local = broker.client(&format!("{here}-local"));
    broker.subscribe(local, "t", 2);
    (broker, local, Connect { protocol_version: version, ..resume(here) })
}

fn set_writable(broker: &mut Broker, writable: bool) {
    (0..2).for_each(|shard| broker.handle(shard, Event::StoreHealth { writable }));
}

#[test]
fn what_a_qos_2_exchange_has_sent_to_another_shard_is_not_refused_there() {
    // It was refused by the other shard, whose store was full by then, when the subscribers on this one had it already.
    // They got it twice when it came again [MQTT-4.3.3-10] [MQTT3-4.3.3-2]; and if the connection was gone before the
    // refusal came, it was acknowledged and lost.
    for (version, breaks) in [(V5, false), (V5, true), (V311, false), (V311, true)] {
        let (mut broker, local, connect) = both_shards(version);
        let publisher = broker.online(&connect);
        broker.delivers = false;
        broker.publish(publisher, "t", 2, 1, "x");
        if breaks {
            broker.cut(publisher);
        }
        set_writable(&mut broker, false);
        broker.deliver();
        set_writable(&mut broker, true);

        if breaks {
            let publisher = broker.online_with_present(&connect);
            let again = Publish { dup: true, topic: "t", payload: b"x", ..Publish::default() };
            broker.publish_packet(publisher, 2, 1, again);
            assert_eq!(broker.read(publisher), ["PUBREC 1"]);
        } else {
            assert_eq!(broker.read(publisher), ["PUBREC 1"]);
        }
        assert_eq!(broker.read(local), ["PUBLISH t q2 id=1 x"]);
        let subscriber = broker.connect(&resume(&client_of(1)));
        assert_eq!(broker.read(subscriber).len(), 2, "CONNACK and the message");
    }
}

#[test]
fn a_qos_2_message_that_must_be_stored_is_refused_before_anybody_has_it() {
    for version in [V5, V311] {
        let (mut broker, local, connect) = both_shards(version);
        let publisher = broker.online(&connect);
        set_writable(&mut broker, false);
        broker.publish(publisher, "t", 2, 1, "x");
        let refused: &[&str] = if version == V5 { &["PUBREC 1 0x97"] } else { &[] };
        assert_eq!(broker.read(publisher), refused);
        assert_eq!(broker.read(local), [""; 0]);
        set_writable(&mut broker, true);
        assert_eq!(broker.is_closed(publisher), version == V311);
        let publisher = if version == V311 { broker.online_with_present(&connect) } else { publisher };
        broker.publish(publisher, "t", 2, 1, "x");
        assert_eq!(broker.read(publisher), ["PUBREC 1"]);
        assert_eq!(broker.read(local), ["PUBLISH t q2 id=1 x"]);
    }
}

#[test]
fn a_message_that_was_not_answered_is_a_new_one_on_the_next_connection() {
    // An earlier answer waited for the store when the connection ended, so that it was never the turn of the one that
    // would have freed the packet identifier; when the message came again it was acknowledged, and lost.
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let subscriber = broker.online(&resume("s"));
    broker.subscribe(subscriber, "t", 1);
    broker.cut(subscriber);
    let mut connect = resume("p");
    connect.protocol_version = V311;
    let publisher = broker.online(&connect);
    broker.commits = false;
    broker.publish(publisher, "t", 1, 1, "before");
    broker.handle(0, Event::StoreHealth { writable: false });
    broker.publish(publisher, "t", 2, 2, "x");
    broker.cut(publisher);
    broker.commits = true;
    broker.handle(0, Event::StoreHealth { writable: true });
    broker.commit();
    let publisher = broker.online_with_present(&connect);
    broker.publish(publisher, "t", 2, 2, "x");
    assert_eq!(broker.read(publisher), ["PUBREC 2"]);
    let subscriber = broker.connect(&resume("s"));
    let received = broker.read(subscriber);
    assert_eq!(received.iter().filter(|text| text.ends_with(" x")).count(), 1);
}

/// A client whose session ends `seconds` after its connection.
fn expiring(client_id: &str, seconds: u32) -> Connect<'_> {
    let mut packet = resume(client_id);
    packet.properties.session_expiry_interval = Some(seconds);
    packet
}

#[test]
fn a_client_is_not_told_that_its_session_is_gone_before_that_is_durable() {
    // Nobody waited for the end of a session that expired. Its client came back with one that ends with its
    // connection, was told that there was none before [MQTT-3.2.2-3] [MQTT3-3.2.2-3], and after a loss of power the
    // old one was there again.
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let client = broker.online(&expiring("c", 1));
    broker.cut(client);

    broker.commits = false;
    broker.wanted.clear();
    broker.advance(1);
    assert_eq!(broker.wanted, [Durability::Fsync], "soon, though nobody waits");
    let stranger = broker.online(&connect("d"));
    let unrecorded = Connect { clean_start: false, ..connect("c") };
    let client = broker.connect(&unrecorded);
    assert_eq!(broker.read(client), [""; 0]);
    broker.publish(stranger, "t", 1, 1, "x");
    assert_eq!(broker.read(stranger), ["PUBACK 1 0x10"], "which has nothing to do with it");
    broker.commit();
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
    broker.cut(client);
    assert_eq!(broker.online(&unrecorded), 3, "and now nothing is waited for");
}

#[test]
fn the_last_connection_of_a_session_need_not_have_lived_to_see_its_end_durable() {
    // The session ends with this connection, which the store is told when it begins. It was lost before its CONNACK,
    // and the next CONNACK waited for nothing.
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let client = broker.online(&resume("c"));
    broker.cut(client);

    broker.commits = false;
    let last = Connect { clean_start: false, ..connect("c") };
    let client = broker.connect(&last);
    broker.cut(client);
    let client = broker.connect(&last);
    assert_eq!(broker.read(client), [""; 0]);
    broker.commit();
    assert_eq!(broker.read(client), ["CONNACK 0x00"]);
}

#[test]
fn a_connack_that_waits_for_an_older_turn_does_not_wait_for_a_newer_one() {
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let client = broker.online(&expiring("c", 1));
    broker.cut(client);

    broker.commits = false;
    broker.advance(1);
    let newer = broker.connect(&resume("d"));
    let older = broker.connect(&connect("c"));
    let (shard, ticket) = broker.tickets.remove(0);
    broker.handle(shard, Event::committed(ticket));
    assert_eq!(broker.read(older), ["CONNACK 0x00"]);
    assert_eq!(broker.read(newer), [""; 0]);
}

#[test]
fn what_nobody_waits_for_is_durable_soon_all_the_same() {
    // A client left with DISCONNECT, and nothing else happened. When the power failed much later, its will, which it
    // had deleted [MQTT-3.14.4-3] [MQTT3-3.14.4-3], was published; one that was published when it was due
    // [MQTT-3.1.2-10] was published again.
    let mut broker = Broker::with(|config| config.durability = Durability::Fsync);
    let will = Will {
        topic: "w",
        payload: b"gone",
        qos: qos(1),
        retain: false,
        delay_interval_seconds: 5,
        properties: MessageProperties::default(),
    };
    for leaves in [true, false] {
        let client = broker.online(&Connect { will: Some(will), ..resume("c") });
        broker.wanted.clear();
        if leaves {
            broker.disconnect(client);
        } else {
            broker.cut(client);
            assert_eq!(std::mem::take(&mut broker.wanted), [Durability::Fsync]);
            broker.advance(5);
        }
        assert_eq!(broker.wanted, [Durability::Fsync], "{leaves}");
    }
}
