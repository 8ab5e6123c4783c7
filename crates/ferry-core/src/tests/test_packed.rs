//! Messages that are packed together arrive as if each had come alone.

use std::fmt::Write;
use std::num::NonZeroU32;
use std::sync::Arc;

use ferry_codec::{Connect, MessageProperties, Packet, Publish, QoS, SubscriptionOptions, encode};
use proptest::prelude::*;

use super::harness::*;
use crate::*;

/// Who is on the shard that gets the mail.
#[derive(Clone, Debug)]
struct Receiver {
    is_v5: bool,
    /// Subscriptions: filter, QoS, retain as published, identifier.
    subscriptions: Vec<(&'static str, u8, bool, Option<u32>)>,
    maximum_packet_size: Option<u32>,
    topic_alias_maximum: u16,
    is_connected: bool,
}

/// What is published, so many times in a row.
#[derive(Clone, Debug)]
struct Run {
    topic: &'static str,
    payload_bytes: usize,
    level: u8,
    retain: bool,
    content_type: Option<&'static str>,
    count: usize,
}

/// Nobody called `...0` may receive `room/hall`.
struct Rules {
    answers_last: bool,
}

impl Authorizer for Rules {
    fn may_publish(&self, _: &Identity, _: &str, _: QoS, _: bool) -> bool {
        true
    }
    fn may_subscribe(&self, _: &Identity, _: &str) -> bool {
        true
    }
    fn may_receive(&self, identity: &Identity, topic: &str) -> bool {
        topic != "room/hall" || !identity.client_id.ends_with('0')
    }
    fn answers_last(&self) -> bool {
        self.answers_last
    }
    fn restricts_receiving(&self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
struct Story {
    receivers: Vec<Receiver>,
    runs: Vec<Run>,
    restricts: Option<bool>,
    output_bytes_max: usize,
}

impl Story {
    /// The mail is opened as it is, or each message in a pack of its own: what comes of it.
    fn tell(&self, one_by_one: bool) -> String {
        let authorizer: Arc<dyn Authorizer> = match self.restricts {
            Some(answers_last) => Arc::new(Rules { answers_last }),
            None => Arc::new(AllowAll),
        };
        let mut broker = Broker::with_shards(2, authorizer, |config| {
            config.durability = Durability::Memory;
            config.output_bytes_max = self.output_bytes_max;
        });
        let mut names = (0..).map(|n| format!("client-{n}")).filter(|name| home_shard(name, 2).0 == 1);
        let mut clients = Vec::new();
        for receiver in &self.receivers {
            let client_id = names.next().unwrap();
            clients.push(receiver.arrive(&mut broker, &client_id));
        }
        let publisher = (0..).map(|n| format!("p-{n}")).find(|name| home_shard(name, 2).0 == 0).unwrap();
        let publisher = broker.client(&publisher);
        broker.delivers = false;
        broker.send_bytes(publisher, &self.packets());
        let mut effects = Effects::new();
        for (from, to, mail) in std::mem::take(&mut broker.mail) {
            for mail in if one_by_one { apart(mail) } else { vec![mail] } {
                let event = Event::Mail { from, mail };
                broker.shards[usize::from(to.0)].handle(broker.now, event, &mut effects);
            }
        }
        let mut told = format!("{:?} {:?} {:?}\n", effects.dirty, effects.pause, effects.close);
        for client in clients {
            let output =
                broker.shards[1].output(broker.clients[client].conn).map(|output| output.as_slice().to_vec());
            writeln!(told, "{output:x?}").unwrap();
        }
        write!(told, "{:#?}", broker.shards[1].counters()).unwrap();
        told
    }

    fn packets(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut number = 0;
        for run in &self.runs {
            for _ in 0..run.count {
                number += 1;
                let payload = vec![number as u8; run.payload_bytes];
                let properties =
                    MessageProperties { content_type: run.content_type, ..MessageProperties::default() };
                let publish = Publish {
                    topic: run.topic,
                    qos: qos(run.level),
                    packet_id: (run.level > 0).then(|| id(number)),
                    retain: run.retain,
                    payload: &payload,
                    properties,
                    ..Publish::default()
                };
                encode(&Packet::Publish(publish), V5, &mut bytes);
            }
        }
        bytes
    }
}

impl Receiver {
    fn arrive(&self, broker: &mut Broker, client_id: &str) -> Client {
        let mut packet = resume(client_id);
        packet.properties.topic_alias_maximum = Some(self.topic_alias_maximum);
        packet.properties.maximum_packet_size = self.maximum_packet_size.and_then(NonZeroU32::new);
        let client = if self.is_v5 {
            broker.connect(&packet)
        } else {
            broker.connect(&Connect { protocol_version: V311, ..connect(client_id) })
        };
        for (filter, level, retain_as_published, subscription_id) in &self.subscriptions {
            let options = SubscriptionOptions {
                retain_as_published: *retain_as_published && self.is_v5,
                ..SubscriptionOptions::with_qos(qos(*level))
            };
            broker.subscribe_with(client, filter, options, subscription_id.filter(|_| self.is_v5));
        }
        if !self.is_connected {
            broker.cut(client);
        }
        client
    }
}

/// Each message of a pack in one of its own.
fn apart(mail: Mail) -> Vec<Mail> {
    let Mail::Packed(pack) = mail else { return vec![mail] };
    let mut apart = Vec::new();
    let mut open = pack.open();
    while let Some((group, publication)) = open.next() {
        let mut one = PackedMessages::default();
        one.push(publication, group);
        apart.push(Mail::Packed(one));
    }
    apart
}

fn receiver() -> impl Strategy<Value = Receiver> {
    let filter = prop::sample::select(&[
        "room/kitchen",
        "room/hall",
        "room/attic",
        "room/+",
        "#",
        "$share/g/room/kitchen",
    ]);
    let subscription = (filter, 0..3_u8, any::<bool>(), prop::option::of(1..3_u32));
    (
        any::<bool>(),
        prop::collection::vec(subscription, 0..3),
        prop::option::weighted(0.2, 40..70_u32),
        prop::sample::select(&[0, 0, 1]),
        prop::bool::weighted(0.9),
    )
        .prop_map(|(is_v5, subscriptions, maximum_packet_size, topic_alias_maximum, is_connected)| {
            Receiver { is_v5, subscriptions, maximum_packet_size, topic_alias_maximum, is_connected }
        })
}

fn run() -> impl Strategy<Value = Run> {
    (
        prop::sample::select(&["room/kitchen", "room/hall", "room/attic"]),
        prop::sample::select(&[0, 1, 1, 20, 40]),
        prop::sample::select(&[0, 0, 0, 1]),
        prop::bool::weighted(0.2),
        prop::option::weighted(0.1, Just("text")),
        1..20_usize,
    )
        .prop_map(|(topic, payload_bytes, level, retain, content_type, count)| Run {
            topic,
            payload_bytes,
            level,
            retain,
            content_type,
            count,
        })
}

fn story() -> impl Strategy<Value = Story> {
    (
        prop::collection::vec(receiver(), 1..4),
        prop::collection::vec(run(), 1..8),
        prop::option::of(any::<bool>()),
        prop::sample::select(&[300, 1_000_000]),
    )
        .prop_map(|(receivers, runs, restricts, output_bytes_max)| Story {
            receivers,
            runs,
            restricts,
            output_bytes_max,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pack_is_delivered_as_its_messages_are(story in story()) {
        prop_assert_eq!(story.tell(false), story.tell(true));
    }
}
