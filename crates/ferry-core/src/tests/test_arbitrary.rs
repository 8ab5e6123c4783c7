//! Whatever comes in, and in whatever order: no panic, no more memory than the limits, counters that add up.

use ferry_codec::{Ack, Auth, Connect, Disconnect, Packet, Publish, ReasonCode, Will};
use proptest::prelude::*;

use super::harness::*;
use super::recorded_state::RecordedState;
use crate::*;

#[derive(Clone, Debug)]
enum Step {
    Open,
    Connect {
        name: u8,
        version: u8,
        clean_start: bool,
        expiry: u32,
        keep_alive: u16,
        will: bool,
        maximum: u8,
    },
    Bytes {
        client: u8,
        bytes: Vec<u8>,
    },
    Publish {
        client: u8,
        topic: u8,
        qos: u8,
        packet_id: u16,
        retain: bool,
        alias: Option<u16>,
        size: u8,
    },
    Subscribe {
        client: u8,
        filter: u8,
        qos: u8,
        id: Option<u32>,
    },
    Unsubscribe {
        client: u8,
        filter: u8,
    },
    Ack {
        client: u8,
        kind: u8,
        packet_id: u16,
        code: u8,
    },
    Auth {
        client: u8,
        code: u8,
    },
    Disconnect {
        client: u8,
        code: u8,
    },
    Cut {
        client: u8,
    },
    Reads {
        client: u8,
        reads: bool,
    },
    Advance {
        seconds: u32,
    },
    Commit,
    Judge {
        client: u8,
        outcome: u8,
    },
}

const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "$SYS/x", "", "b"];
const FILTERS: [&str; 7] = ["a", "a/+", "#", "$share/g/a/#", "$share/h/#", "a/#", "$SYS/#"];

fn step() -> impl Strategy<Value = Step> {
    let client = 0..12_u8;
    prop_oneof![
        1 => Just(Step::Open),
        6 => (0..4_u8, 3..6_u8, any::<bool>(), prop_oneof![Just(0), Just(5), Just(u32::MAX)], 0..3_u16, any::<bool>(), 0..3_u8)
            .prop_map(|(name, version, clean_start, expiry, keep_alive, will, maximum)| {
                Step::Connect { name, version, clean_start, expiry, keep_alive, will, maximum }
            }),
        2 => (client.clone(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(client, bytes)| Step::Bytes { client, bytes }),
        12 => (client.clone(), 0..6_u8, 0..3_u8, 1..6_u16, any::<bool>(), prop::option::of(0..3_u16), 0..200_u8)
            .prop_map(|(client, topic, qos, packet_id, retain, alias, size)| {
                Step::Publish { client, topic, qos, packet_id, retain, alias, size }
            }),
        6 => (client.clone(), 0..7_u8, 0..3_u8, prop::option::of(1..4_u32))
            .prop_map(|(client, filter, qos, id)| Step::Subscribe { client, filter, qos, id }),
        1 => (client.clone(), 0..7_u8).prop_map(|(client, filter)| Step::Unsubscribe { client, filter }),
        10 => (client.clone(), 0..4_u8, 1..8_u16, prop_oneof![4 => Just(0_u8), 1 => Just(0x80)])
            .prop_map(|(client, kind, packet_id, code)| Step::Ack { client, kind, packet_id, code }),
        1 => (client.clone(), prop_oneof![Just(0x18_u8), Just(0x19)])
            .prop_map(|(client, code)| Step::Auth { client, code }),
        1 => (client.clone(), prop_oneof![Just(0_u8), Just(4)])
            .prop_map(|(client, code)| Step::Disconnect { client, code }),
        3 => client.clone().prop_map(|client| Step::Cut { client }),
        2 => (client.clone(), any::<bool>()).prop_map(|(client, reads)| Step::Reads { client, reads }),
        2 => (0..8_u32).prop_map(|seconds| Step::Advance { seconds }),
        3 => Just(Step::Commit),
        1 => (client, 0..3_u8).prop_map(|(client, outcome)| Step::Judge { client, outcome }),
    ]
}

fn run(broker: &mut Broker, step: Step) {
    let of = |broker: &Broker, client: u8| {
        let newest = broker.clients.len().checked_sub(1)?;
        newest.checked_sub(usize::from(client) % broker.clients.len())
    };
    let mut send = |client: u8, packet: &Packet<'_>| {
        if let Some(client) = of(broker, client) {
            broker.send(client, packet);
        }
    };
    match step {
        Step::Open => {
            broker.open(V5);
        }
        Step::Connect { .. } => run_connect(broker, &step),
        Step::Bytes { client, bytes } => {
            if let Some(client) = of(broker, client) {
                broker.send_bytes(client, &bytes);
            }
        }
        Step::Publish { client, topic, qos: level, packet_id, retain, alias, size } => {
            let payload = vec![b'x'; usize::from(size)];
            let publish = Publish {
                topic: TOPICS[usize::from(topic)],
                topic_alias: alias,
                qos: qos(level),
                packet_id: (level > 0).then(|| id(packet_id)),
                retain,
                payload: &payload,
                ..Publish::default()
            };
            send(client, &Packet::Publish(publish));
        }
        Step::Subscribe { client, filter, qos: level, id } => {
            if let Some(client) = of(broker, client) {
                let options = ferry_codec::SubscriptionOptions::with_qos(qos(level));
                broker.subscribe_with(client, FILTERS[usize::from(filter)], options, id);
            }
        }
        Step::Unsubscribe { client, filter } => {
            if let Some(client) = of(broker, client) {
                broker.unsubscribe(client, FILTERS[usize::from(filter)]);
            }
        }
        Step::Ack { client, kind, packet_id, code } => {
            let ack = Ack::new(id(packet_id), ReasonCode::new(if kind < 2 { code } else { 0 }));
            let packets =
                [Packet::Puback(ack), Packet::Pubrec(ack), Packet::Pubrel(ack), Packet::Pubcomp(ack)];
            send(client, &packets[usize::from(kind)]);
        }
        Step::Auth { client, code } => {
            let reason_code = ReasonCode::new(code);
            send(
                client,
                &Packet::Auth(Auth { reason_code, authentication_method: Some("M"), ..Auth::default() }),
            );
        }
        Step::Disconnect { client, code } => {
            send(client, &Packet::Disconnect(Disconnect::new(ReasonCode::new(code))));
        }
        other => run_outside(broker, of, &other),
    }
}

fn run_connect(broker: &mut Broker, step: &Step) {
    let Step::Connect { name, version, clean_start, expiry, keep_alive, will, maximum } = *step else {
        return;
    };
    let name = name.to_string();
    let mut packet = resume(&name);
    packet.protocol_version = [V31, V311, V5][usize::from(version) - 3];
    packet.clean_start = clean_start;
    packet.keep_alive_seconds = keep_alive;
    packet.will =
        will.then_some(Will { topic: "a/b", qos: qos(1), delay_interval_seconds: 2, ..Will::default() });
    packet.properties.session_expiry_interval = Some(expiry);
    packet.properties.receive_maximum = std::num::NonZeroU16::new(u16::from(maximum));
    packet.properties.topic_alias_maximum = Some(u16::from(maximum));
    packet.properties.authentication_method = (maximum == 2).then_some("M");
    packet.properties.maximum_packet_size =
        std::num::NonZeroU32::new(u32::from(maximum) * 60 + 60).filter(|_| maximum == 1);
    broker.connect(&packet);
}

/// What is not a packet.
fn run_outside(broker: &mut Broker, of: impl Fn(&Broker, u8) -> Option<Client>, step: &Step) {
    match *step {
        Step::Cut { client } => {
            if let Some(client) = of(broker, client) {
                broker.cut(client);
            }
        }
        Step::Reads { client, reads } => {
            if let Some(client) = of(broker, client) {
                if reads { broker.read_again(client) } else { broker.clients[client].reads = false }
            }
        }
        Step::Advance { seconds } => broker.advance(seconds),
        Step::Commit => broker.commit(),
        Step::Judge { client, outcome } => {
            if let Some(client) = of(broker, client) {
                let outcome = match outcome {
                    0 => AuthOutcome::Accept {
                        user_name: None,
                        data: None,
                        until: Timestamp::NEVER,
                        grants: None,
                    },
                    1 => AuthOutcome::Continue { data: None },
                    _ => AuthOutcome::Reject {
                        reason_code: ReasonCode::BANNED,
                        reason_string: None,
                        server_reference: None,
                        detail: None,
                    },
                };
                broker.authenticated(client, outcome);
            }
        }
        _ => {}
    }
}

/// What must be true after every step.
fn check(broker: &mut Broker) {
    for shard in &broker.shards {
        let counters = shard.counters();
        let sum = |of: fn(&SessionView<'_>) -> usize| shard.sessions().map(|view| of(&view)).sum::<usize>();
        assert_eq!(counters.queued_messages, sum(|view| view.queued_messages));
        assert_eq!(counters.queued_bytes, sum(|view| view.queued_bytes));
        assert_eq!(counters.inflight_messages, sum(|view| view.inflight_messages));
        assert_eq!(counters.clients_connected, sum(|view| usize::from(view.conn.is_some())));
        assert_eq!(counters.sessions, shard.sessions().count());
        assert_eq!(counters.subscriptions + counters.shared_subscriptions, sum(|view| view.subscriptions));
        assert_eq!(counters.subscriptions, shard.subscriptions.len());
        assert_eq!(counters.shared_subscriptions, shard.share_groups.len());
        assert!(shard.sessions().all(|view| view.queued_messages <= 5));
        assert!(shard.timers.len() <= counters.connections + counters.sessions + 1);
        assert!(shard.deferred.is_empty());
        assert_eq!(shard.conns.ids().len(), counters.connections);
    }
    let open: Vec<_> =
        broker.clients.iter().filter(|client| !client.closed).map(|client| client.conn).collect();
    for conn in open {
        // A full output takes what is owed for one packet more.
        assert!(broker.shards[0].output(conn).is_none_or(|output| output.len() < 2000 + 1000));
    }
}

fn arbitrary(durability: Durability, steps: Vec<Step>) {
    let mut broker = Broker::with(|config| {
        config.durability = durability;
        config.queue_messages_max = 5;
        config.output_bytes_max = 2000;
        config.qos2_awaiting_release_max = 3;
        config.retained_replay_steps = 2;
        config.topic_alias_maximum = 2;
    });
    broker.commits = false;
    let mut recorded = RecordedState::default();
    for step in steps {
        run(&mut broker, step);
        check(&mut broker);
        if durability == Durability::Fsync {
            recorded.check(&mut broker);
        }
    }
    // Everybody leaves, and nothing stays.
    for client in 0..broker.clients.len() {
        broker.cut(client);
    }
    broker.commit();
    for name in 0..4 {
        let client = broker.connect(&connect(&name.to_string()));
        broker.commit();
        broker.disconnect(client);
    }
    check(&mut broker);
    assert_eq!((broker.counters().connections, broker.counters().queued_messages), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_story(steps in prop::collection::vec(step(), 0..150)) {
        arbitrary(Durability::Memory, steps);
    }

    #[test]
    fn any_story_recorded(steps in prop::collection::vec(step(), 0..150)) {
        arbitrary(Durability::Fsync, steps);
    }

    #[test]
    fn any_bytes(
        connected in any::<bool>(),
        version in 0..3_usize,
        portions in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..10),
    ) {
        let version = [V31, V311, V5][version];
        let mut broker = Broker::new();
        let client = if connected {
            broker.connect(&Connect { protocol_version: version, ..connect("c") })
        } else {
            broker.open(version)
        };
        for portion in portions {
            broker.send_bytes(client, &portion);
        }
    }

    /// Every packet in its shape, with bytes of chance in it.
    #[test]
    fn any_body(
        first in any::<u8>(),
        version in 0..3_usize,
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let mut broker = Broker::new();
        let packet = Connect { protocol_version: [V31, V311, V5][version], ..connect("c") };
        let client = broker.connect(&packet);
        let mut bytes = vec![first, body.len() as u8];
        bytes.extend_from_slice(&body);
        broker.send_bytes(client, &bytes);
    }
}
