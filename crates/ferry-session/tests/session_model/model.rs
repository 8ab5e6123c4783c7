//! A session's sender against a model: a broker that sends, a client that receives, and a network between them
//! that is cut now and then. What happens is read from a string of bytes, so that property tests and the
//! fuzzer run the same.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU16;
use std::sync::Arc;

use ferry_codec::{PacketId, QoS, ReasonCode, StoredProperties};
use ferry_session::{
    Acknowledged, Delivery, DropReason, Dropped, InflightState, Message, Outgoing, OverflowPolicy, Payload,
    QueueLimits, Sender, Timestamp,
};

/// Runs one script and panics if a promise is broken.
pub(crate) fn run(script: &[u8]) {
    let mut script = Script(script);
    let mut world = World::new(script.below(2) == 0);
    while let Some(operation) = script.next() {
        world.step(operation, &mut script);
        world.check();
    }
    world.heal();
}

/// The bytes that decide.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// Less than `end`; 0 when the script is over.
    fn below(&mut self, end: u8) -> u8 {
        self.next().unwrap_or(0) % end
    }
}

/// A packet from the broker to the client.
#[derive(Clone, Debug)]
enum Packet {
    Publish { packet_id: Option<PacketId>, number: u32, qos: QoS },
    Pubrel(PacketId),
}

/// A packet from the client to the broker.
#[derive(Clone, Copy, Debug)]
enum Ack {
    Puback(PacketId),
    Pubrec(PacketId, ReasonCode),
    Pubcomp(PacketId),
}

/// What the model expects of one exchange.
#[derive(Clone, Debug)]
struct Exchange {
    number: u32,
    state: InflightState,
    sent_here: bool,
}

struct World {
    /// Whether acknowledgements outlive the connection on which they were sent and overtake the re-sends.
    /// Otherwise packet ids are used again early. Both together would confuse any pair of sessions.
    late_acks: bool,
    sender: Sender,
    limits: QueueLimits,
    now: Timestamp,
    /// What was enqueued, by number: QoS and expiry.
    published: Vec<(QoS, Option<Timestamp>)>,
    // What the sender must hold.
    queued: VecDeque<u32>,
    exchanges: BTreeMap<PacketId, Exchange>,
    /// Unacknowledged exchanges that are to be sent again, in order.
    resends: VecDeque<PacketId>,
    /// The order of the unacknowledged PUBLISHes and of the PUBRELs.
    publishes: Vec<PacketId>,
    pubrels: Vec<PacketId>,
    receive_maximum: Option<u16>,
    /// What the sender reported as dropped.
    dropped: BTreeSet<u32>,
    // The network and the client.
    to_client: VecDeque<Packet>,
    to_broker: VecDeque<Ack>,
    client: Client,
}

/// The receiving session: the standard's method of section 4.3.3, as plainly as possible.
#[derive(Default)]
struct Client {
    open_qos2: BTreeSet<PacketId>,
    /// Messages that were refused at least once.
    refused: BTreeSet<u32>,
    /// How often each message arrived.
    arrivals: BTreeMap<u32, u32>,
    /// The highest number that arrived for each QoS.
    latest: [Option<u32>; 3],
}

impl World {
    fn new(late_acks: bool) -> Self {
        Self {
            late_acks,
            sender: Sender::new(),
            limits: QueueLimits {
                queue_messages_max: 8,
                queue_bytes_max: usize::MAX,
                overflow: OverflowPolicy::DropOldest,
                queue_qos0: true,
                queue_messages_in_memory_max: usize::MAX,
                queue_bytes_in_memory_max: usize::MAX,
            },
            now: Timestamp(1_000),
            published: Vec::new(),
            queued: VecDeque::new(),
            exchanges: BTreeMap::new(),
            resends: VecDeque::new(),
            publishes: Vec::new(),
            pubrels: Vec::new(),
            receive_maximum: None,
            dropped: BTreeSet::new(),
            to_client: VecDeque::new(),
            to_broker: VecDeque::new(),
            client: Client::default(),
        }
    }

    fn step(&mut self, operation: u8, script: &mut Script<'_>) {
        match operation % 16 {
            0..=2 => self.publish(script),
            3..=5 => drop(self.send_one(script.below(8) == 7)),
            6..=8 => self.client_step(script.below(8) == 7),
            9..=11 => drop(self.broker_step()),
            12 => self.resume(u16::from(script.below(4)) + 1),
            13 => self.cut(),
            14 => self.now = self.now.plus_milliseconds(500),
            _ => self.odd_event(script),
        }
    }

    fn odd_event(&mut self, script: &mut Script<'_>) {
        match script.below(4) {
            0 => self.restart(u16::from(script.below(8)).wrapping_sub(4)),
            1 => self.unknown_acks(script.below(16)),
            2 => self.change_limits(script),
            _ => self.sweep(),
        }
    }

    fn publish(&mut self, script: &mut Script<'_>) {
        let number = u32::try_from(self.published.len()).expect("scripts are short");
        let qos = QoS::from_byte(script.below(3)).expect("0, 1 or 2");
        let expires_at = match script.below(4) {
            0 => Some(self.now.plus_seconds(1)),
            _ => None,
        };
        self.published.push((qos, expires_at));
        let message = Message {
            topic: number.to_string().into(),
            payload: Payload::new(),
            properties: StoredProperties::default(),
            qos,
            retain: false,
            received_at: self.now,
            expires_at,
            publisher: None,
        };
        let delivery = Delivery::new(Arc::new(message), qos, false);
        let delivery = match self.sender.send_now(delivery) {
            Ok(Outgoing::Publish { packet_id, dup, .. }) => {
                assert!(!dup);
                assert!(self.resends.is_empty() || qos == QoS::AtMostOnce, "new before re-sends");
                self.assert_nothing_overtaken(qos);
                return self.new_publish_sent(packet_id, number, qos, false);
            }
            Ok(other) => panic!("{other:?}"),
            Err(delivery) => delivery,
        };
        let mut drops = Vec::new();
        let outcome = self.sender.enqueue(self.now, delivery, &self.limits, &mut |drop| drops.push(drop));
        drops.into_iter().for_each(|dropped| self.queued_dropped(&dropped));
        match outcome {
            Ok(_) => self.queued.push_back(number),
            Err(refused) => {
                assert_eq!(self::number(&refused.delivery), number);
                self.dropped.insert(number);
            }
        }
    }

    fn assert_nothing_overtaken(&self, qos: QoS) {
        let waits = self.queued.iter().any(|&number| self.published[number as usize].0 == qos);
        assert!(!waits, "a message overtook one of the same QoS");
    }

    /// Takes one step of the sender and puts what it sends on the wire.
    fn send_one(&mut self, skip: bool) -> bool {
        let now = self.now;
        let Some(outgoing) = self.sender.next(now) else {
            self.assert_silence_is_right();
            return false;
        };
        assert!(self.receive_maximum.is_some(), "sent without a connection");
        match outgoing {
            Outgoing::Pubrel { packet_id } => {
                assert_eq!(self.resends.pop_front(), Some(packet_id), "PUBREL out of turn");
                assert_eq!(self.exchanges[&packet_id].state, InflightState::AwaitPubcomp);
                self.to_client.push_back(Packet::Pubrel(packet_id));
            }
            Outgoing::Publish { packet_id, delivery, dup: true } => {
                let packet_id = packet_id.expect("a re-send has an id");
                let (number, qos) = (number(&delivery), delivery.qos);
                assert_eq!(self.resends.pop_front(), Some(packet_id), "re-send out of turn");
                let exchange = self.exchanges.get_mut(&packet_id).expect("a re-send is of an open exchange");
                assert_eq!(exchange.number, number, "re-send of another message");
                exchange.sent_here = true;
                self.to_client.push_back(Packet::Publish { packet_id: Some(packet_id), number, qos });
            }
            Outgoing::Publish { packet_id, delivery, dup: false } => {
                let (number, qos) = (number(&delivery), delivery.qos);
                assert!(self.resends.is_empty(), "new before re-sends");
                assert_eq!(self.queued.pop_front(), Some(number), "out of order");
                assert!(self.published[number as usize].1.is_none_or(|expiry| now < expiry), "sent expired");
                self.new_publish_sent(packet_id, number, qos, skip);
            }
            Outgoing::Dropped(dropped) => self.queued_dropped(&dropped),
        }
        true
    }

    fn new_publish_sent(&mut self, packet_id: Option<PacketId>, number: u32, qos: QoS, skip: bool) {
        assert_eq!(packet_id.is_some(), qos != QoS::AtMostOnce);
        if let Some(packet_id) = packet_id {
            if skip {
                let skipped = self.sender.skip(packet_id).expect("just begun");
                assert_eq!(self::number(&skipped), number);
                self.dropped.insert(number);
                return;
            }
            let state = match qos {
                QoS::ExactlyOnce => InflightState::AwaitPubrec,
                _ => InflightState::AwaitPuback,
            };
            let exchange = Exchange { number, state, sent_here: true };
            assert!(self.exchanges.insert(packet_id, exchange).is_none(), "id in use");
            self.publishes.push(packet_id);
        }
        self.to_client.push_back(Packet::Publish { packet_id, number, qos });
    }

    /// `next` gave nothing: there must be a reason.
    fn assert_silence_is_right(&self) {
        let Some(receive_maximum) = self.receive_maximum else { return };
        let has_room = self.occupied() < receive_maximum;
        match self.resends.front() {
            Some(packet_id) => {
                assert!(!has_room && !self.pubrels.contains(packet_id), "a re-send is held back");
            }
            None => assert!(self.queued.is_empty() || !has_room, "the queue is held back"),
        }
    }

    fn occupied(&self) -> u16 {
        let occupies =
            |exchange: &&Exchange| exchange.sent_here || exchange.state == InflightState::AwaitPubcomp;
        u16::try_from(self.exchanges.values().filter(occupies).count())
            .expect("at most one for each packet id")
    }

    fn queued_dropped(&mut self, dropped: &Dropped) {
        let number = number(dropped.delivery.as_ref().expect("all copies are in memory"));
        let at = self.queued.iter().position(|&queued| queued == number).expect("only what waits is dropped");
        self.queued.remove(at);
        match dropped.reason {
            DropReason::Expired => {
                assert!(self.published[number as usize].1.is_some_and(|expiry| expiry <= self.now));
            }
            DropReason::QueueFull => assert_eq!(at, 0, "not the oldest"),
            other => panic!("{other}"),
        }
        assert!(self.dropped.insert(number));
    }

    fn client_step(&mut self, reject: bool) {
        let Some(packet) = self.to_client.pop_front() else { return };
        match packet {
            Packet::Publish { packet_id: None, number, .. } => {
                self.client.arrived(number, QoS::AtMostOnce);
            }
            Packet::Publish { packet_id: Some(packet_id), number, qos: QoS::ExactlyOnce } => {
                let code = if reject && !self.client.open_qos2.contains(&packet_id) {
                    self.client.refused.insert(number);
                    ReasonCode::QUOTA_EXCEEDED
                } else {
                    if self.client.open_qos2.insert(packet_id) {
                        self.client.arrived(number, QoS::ExactlyOnce);
                    }
                    ReasonCode::SUCCESS
                };
                self.to_broker.push_back(Ack::Pubrec(packet_id, code));
            }
            Packet::Publish { packet_id: Some(packet_id), number, .. } => {
                self.client.arrived(number, QoS::AtLeastOnce);
                self.to_broker.push_back(Ack::Puback(packet_id));
            }
            Packet::Pubrel(packet_id) => {
                self.client.open_qos2.remove(&packet_id);
                self.to_broker.push_back(Ack::Pubcomp(packet_id));
            }
        }
    }

    fn broker_step(&mut self) -> bool {
        if self.receive_maximum.is_none() {
            return false;
        }
        let Some(ack) = self.to_broker.pop_front() else { return false };
        let (packet_id, outcome) = match ack {
            Ack::Puback(packet_id) => (packet_id, self.sender.puback(packet_id)),
            Ack::Pubrec(packet_id, code) => (packet_id, self.sender.pubrec(packet_id, code)),
            Ack::Pubcomp(packet_id) => (packet_id, self.sender.pubcomp(packet_id)),
        };
        match (ack, outcome) {
            (Ack::Pubrec(_, code), Acknowledged::SendPubrel(released)) => {
                assert!(!code.is_error());
                self.released(packet_id, released.is_some());
            }
            (Ack::Puback(_) | Ack::Pubcomp(_), Acknowledged::Complete { .. }) => self.completed(packet_id),
            (Ack::Pubrec(_, code), Acknowledged::Complete { .. }) if code.is_error() => {
                self.completed(packet_id);
            }
            (ack, Acknowledged::UnknownPacketId) => {
                assert!(self.late_acks && !self.exchanges.contains_key(&packet_id));
                if matches!(ack, Ack::Pubrec(_, code) if !code.is_error()) {
                    self.to_client.push_back(Packet::Pubrel(packet_id));
                }
            }
            (ack, outcome) => panic!("{ack:?}: {outcome:?}"),
        }
        true
    }

    /// The PUBREC arrived.
    fn released(&mut self, packet_id: PacketId, first: bool) {
        let exchange = self.exchanges.get_mut(&packet_id).expect("the exchange is open");
        assert_eq!(first, exchange.state == InflightState::AwaitPubrec);
        if first {
            exchange.state = InflightState::AwaitPubcomp;
            self.publishes.retain(|&other| other != packet_id);
            self.resends.retain(|&other| other != packet_id);
            self.pubrels.push(packet_id);
        }
        self.to_client.push_back(Packet::Pubrel(packet_id));
    }

    fn completed(&mut self, packet_id: PacketId) {
        assert!(self.exchanges.remove(&packet_id).is_some(), "completed twice");
        self.publishes.retain(|&other| other != packet_id);
        self.pubrels.retain(|&other| other != packet_id);
        self.resends.retain(|&other| other != packet_id);
    }

    fn resume(&mut self, receive_maximum: u16) {
        self.cut();
        self.sender.resume(NonZeroU16::new(receive_maximum).expect("scripts use 1 to 4"));
        self.receive_maximum = Some(receive_maximum);
        self.resends = self.pubrels.iter().chain(&self.publishes).copied().collect();
    }

    fn cut(&mut self) {
        self.sender.on_disconnect();
        self.receive_maximum = None;
        self.resends.clear();
        self.to_client.clear();
        if !self.late_acks {
            self.to_broker.clear();
        }
        self.exchanges.values_mut().for_each(|exchange| exchange.sent_here = false);
    }

    fn restart(&mut self, last_packet_id: u16) {
        self.cut();
        let mut snapshot = self.sender.snapshot();
        if !self.late_acks {
            snapshot.last_packet_id = last_packet_id;
        }
        self.sender = Sender::restore(snapshot).expect("its own snapshot");
    }

    /// Acknowledgements of ids that are not in use are reported and change nothing.
    fn unknown_acks(&mut self, value: u8) {
        let Some(packet_id) = PacketId::new(u16::from(value)) else { return };
        if self.exchanges.contains_key(&packet_id) {
            return;
        }
        assert!(matches!(self.sender.puback(packet_id), Acknowledged::UnknownPacketId));
        assert!(matches!(self.sender.pubrec(packet_id, ReasonCode::SUCCESS), Acknowledged::UnknownPacketId));
        assert!(matches!(self.sender.pubcomp(packet_id), Acknowledged::UnknownPacketId));
    }

    fn change_limits(&mut self, script: &mut Script<'_>) {
        self.limits.queue_messages_max = usize::from(script.below(9));
        self.limits.queue_qos0 = script.below(2) == 0;
        self.limits.overflow = match script.below(4) {
            0 => OverflowPolicy::RejectPublisher,
            1 => OverflowPolicy::DropNewest,
            2 => OverflowPolicy::DisconnectReceiver,
            _ => OverflowPolicy::DropOldest,
        };
    }

    fn sweep(&mut self) {
        let mut drops = Vec::new();
        self.sender.drop_expired(self.now, &mut |drop| drops.push(drop));
        drops.iter().for_each(|dropped| self.queued_dropped(dropped));
        let expired =
            |&number: &u32| self.published[number as usize].1.is_some_and(|expiry| expiry <= self.now);
        assert!(!self.queued.iter().any(expired), "the sweep left something");
    }

    /// Holds after every step.
    fn check(&self) {
        assert_eq!(self.sender.queue_len(), self.queued.len());
        assert_eq!(self.sender.inflight_len(), self.exchanges.len());
        assert!(self.sender.queued().map(number).eq(self.queued.iter().copied()));
        let bytes: usize = self.sender.queued().map(Delivery::size_bytes).sum();
        assert_eq!(self.sender.queue_bytes(), bytes);
        let ids: Vec<_> = self.sender.exchanges().map(|(packet_id, ..)| packet_id).collect();
        let expected: Vec<_> = self.pubrels.iter().chain(&self.publishes).copied().collect();
        assert_eq!(ids, expected, "the order of the re-sends");
        let receive_maximum = self.receive_maximum.unwrap_or(0);
        assert_eq!(
            self.sender.quota(),
            self.receive_maximum.map_or(0, |max| max.saturating_sub(self.occupied()))
        );
        let sent_here = self.exchanges.values().filter(|exchange| exchange.sent_here).count();
        assert!(sent_here <= usize::from(receive_maximum), "more than Receive Maximum");
    }

    /// The network works again: everything drains, and every message ended in one way.
    fn heal(&mut self) {
        self.resume(2);
        loop {
            let sent = self.send_one(false);
            let received = !self.to_client.is_empty();
            self.client_step(false);
            if !(self.broker_step() || sent || received) {
                break;
            }
        }
        self.check();
        assert_eq!((self.sender.queue_len(), self.sender.inflight_len()), (0, 0), "did not drain");
        // A client that first refuses and then accepts may wait for the answer to a PUBREC that got lost.
        assert!(self.late_acks || self.client.open_qos2.is_empty());
        for (number, &(qos, _)) in (0..).zip(&self.published) {
            let arrivals = self.client.arrivals.get(&number).copied().unwrap_or(0);
            if self.dropped.contains(&number) {
                assert_eq!(arrivals, 0, "{number} was reported dropped and arrived");
                continue;
            }
            match qos {
                QoS::AtMostOnce => assert!(arrivals <= 1),
                QoS::AtLeastOnce => assert!(arrivals >= 1, "{number} was lost"),
                QoS::ExactlyOnce if self.client.refused.contains(&number) => assert!(arrivals <= 1),
                QoS::ExactlyOnce => assert_eq!(arrivals, 1, "{number} did not arrive exactly once"),
            }
        }
    }
}

impl Client {
    fn arrived(&mut self, number: u32, qos: QoS) {
        let arrivals = self.arrivals.entry(number).or_default();
        *arrivals += 1;
        let latest = &mut self.latest[usize::from(qos.to_byte())];
        // A repetition may be older, also of what the client refused; all else must be newer than what came before.
        if *arrivals == 1 && !self.refused.contains(&number) {
            assert!(latest.is_none_or(|latest| latest < number), "{number} after {latest:?}");
            *latest = Some(number);
        }
    }
}

/// The number of a message is its topic.
fn number(delivery: &Delivery) -> u32 {
    delivery.message.topic.parse().expect("topics are numbers")
}
