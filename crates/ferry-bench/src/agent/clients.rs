use std::collections::HashSet;

use ferry_codec::{DecodeLimits, Direction, Packet, ProtocolVersion, QoS, ReasonCode, decode};

use super::connection::{Client, Connection, State};
use super::publisher::{Publisher, is_refusal};
use super::subscriber::{Expectations, Group, Subscriber};
use super::tally::Tally;
use super::{Collection, ConnectOutcome, LookupOutcome, Outcome, Published, SharedCredits};
use crate::packets::{Frame, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, subscribe};
use crate::plan::{Pattern, Plan, Protocol};
use crate::stamp::filler;
use crate::topology::{Part, parts};
use crate::verify::Missing;

/// The clients of an event loop, without their sockets.
pub(crate) struct Clients {
    pub(crate) publishers: Vec<Publisher>,
    pub(crate) subscribers: Vec<Subscriber>,
    pub(crate) tally: Tally,
    /// Connections with output that is not flushed.
    pub(crate) dirty: Vec<usize>,
    /// Publishers that may have got room.
    pub(crate) queue: Vec<usize>,
    /// Deliveries since the last turn, by number of their publisher.
    pub(crate) credits: Vec<u64>,
    /// Those publishers.
    pub(crate) credited: Vec<u32>,
    pub(crate) lookup_outcome: LookupOutcome,
    /// Subscribers that have not got all they look up.
    pub(crate) lookups_open: usize,
    parts: Vec<Part>,
    /// By number of the part, where a subscription is shared.
    groups: Vec<Group>,
    /// What follows the stamps, by number of the part.
    fillers: Vec<Vec<u8>>,
    protocol: Protocol,
    seed: u64,
    first_client: usize,
    workers: usize,
    is_persistent: bool,
}

/// Topic filters of one SUBSCRIBE.
const FILTERS_MAX: usize = 50;

impl Clients {
    pub(crate) fn new(plan: &Plan, worker: usize, credits: &SharedCredits) -> Self {
        let parts = parts(plan);
        let workers = plan.workers();
        let (mut publishers, mut subscribers) = (Vec::new(), Vec::new());
        for part in &parts {
            let mine = |index: &usize| part.worker_of_publisher(*index, workers) == worker;
            let indices = (0..part.traffic.publishers).filter(mine);
            publishers.extend(indices.map(|index| Publisher::new(plan, part, index, credits)));
            let mine = |index: &usize| part.worker_of_subscriber(*index, workers) == worker;
            let indices = (0..part.traffic.subscribers).filter(mine);
            subscribers.extend(indices.map(|index| Subscriber::new(part, index)));
        }
        let group = |part: &Part| {
            let is_here =
                part.traffic.pattern == Pattern::Shared && part.worker_of_subscriber(0, workers) == worker;
            let flows = if is_here { part.traffic.streams() } else { 0 };
            Group { flows: std::iter::repeat_with(Default::default).take(flows).collect() }
        };
        Self {
            publishers,
            subscribers,
            tally: Tally::default(),
            dirty: Vec::new(),
            queue: Vec::new(),
            credits: vec![0; plan.publishers()],
            credited: Vec::new(),
            lookup_outcome: LookupOutcome::default(),
            lookups_open: 0,
            groups: parts.iter().map(group).collect(),
            fillers: parts.iter().map(|part| filler(part.traffic.payload_bytes, plan.seed)).collect(),
            parts,
            protocol: plan.protocol,
            seed: plan.seed,
            first_client: worker,
            workers,
            is_persistent: plan.persistent_sessions,
        }
    }

    /// The name that the broker knows a client by.
    pub(crate) fn client_id(&self, client: Client) -> String {
        let run = self.seed & 0xFFFF_FFFF;
        match client {
            Client::Publisher(index) => format!("bench-{run:08x}-p{}", self.publishers[index].number),
            Client::Subscriber(index) => {
                let subscriber = &self.subscribers[index];
                let number = self.parts[subscriber.part].subscriber(subscriber.index);
                format!("bench-{run:08x}-s{number}")
            }
        }
    }

    /// A number of its own for each client, near those of its neighbours.
    pub(crate) fn number(&self, client: Client) -> usize {
        let local = match client {
            Client::Publisher(index) => index,
            Client::Subscriber(index) => self.publishers.len() + index,
        };
        local * self.workers + self.first_client
    }

    pub(crate) fn part(&self, number: usize) -> &Part {
        &self.parts[number]
    }

    pub(crate) fn version(&self) -> ProtocolVersion {
        self.protocol.version()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Somebody has to look whether this publisher can publish.
    pub(crate) fn enqueue(&mut self, publisher: usize) {
        let entry = &mut self.publishers[publisher];
        if !entry.is_queued {
            entry.is_queued = true;
            self.queue.push(publisher);
        }
    }

    pub(crate) fn clear_queue(&mut self) {
        for publisher in self.queue.drain(..) {
            self.publishers[publisher].is_queued = false;
        }
    }

    /// A connection has output to be flushed.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, connection: &mut Connection, index: usize) {
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(index);
        }
    }

    /// Copies of a publisher's messages have come back to this process.
    pub(crate) fn credit(&mut self, publisher: u32, deliveries: u64) {
        if let Ok(index) = self.publishers.binary_search_by_key(&publisher, |publisher| publisher.number) {
            self.publishers[index].credit(deliveries);
            self.enqueue(index);
        }
    }

    /// Publishers that wait for what does not come go on.
    pub(crate) fn forget_outstanding(&mut self) {
        let mut forgot = false;
        for index in 0..self.publishers.len() {
            forgot |= self.publishers[index].forget_outstanding();
            self.enqueue(index);
        }
        self.tally.stalls += u64::from(forgot);
    }

    /// Deals with one packet.
    ///
    /// # Errors
    /// Why the connection must be closed.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        frame: Frame<'_>,
        connection: &mut Connection,
        outcome: &mut ConnectOutcome,
        now: u64,
    ) -> Result<(), String> {
        match (frame.first & 0xF0, connection.client) {
            (PUBLISH, Client::Subscriber(index)) => {
                self.delivered(frame, index, connection, now);
                Ok(())
            }
            (PUBACK | PUBREC | 0x60 | PUBCOMP, client) => {
                let Some(id) = frame.body.first_chunk() else {
                    return Err("a packet that is too short".to_owned());
                };
                self.acknowledged(frame, u16::from_be_bytes(*id), client, connection, now);
                Ok(())
            }
            _ => self.receive_other(frame, connection, outcome, now),
        }
    }

    #[inline]
    fn delivered(&mut self, frame: Frame<'_>, index: usize, connection: &mut Connection, now: u64) {
        let subscriber = &mut self.subscribers[index];
        let part = subscriber.part;
        if subscriber.lookups.is_some() {
            return self.looked_up(frame, index, connection, now);
        }
        let expectations = Expectations {
            seed: self.seed,
            is_v5: self.protocol == Protocol::V5,
            qos: self.parts[part].traffic.qos,
            filler: &self.fillers[part],
        };
        let group = Some(&mut self.groups[part]);
        let stamp = subscriber.publish(frame, &expectations, group, &mut self.tally, &mut connection.output);
        let Some(stamp) = stamp else { return };
        self.tally.delivered(stamp.sent_at, now);
        let publisher = self.parts[part].publisher_of(stamp.stream);
        let credit = &mut self.credits[publisher as usize];
        if *credit == 0 {
            self.credited.push(publisher);
        }
        *credit += 1;
    }

    fn acknowledged(
        &mut self,
        frame: Frame<'_>,
        id: u16,
        client: Client,
        connection: &mut Connection,
        now: u64,
    ) {
        match client {
            Client::Publisher(index) => {
                let publisher = &mut self.publishers[index];
                let is_refused = is_refusal(self.protocol, frame.body);
                if is_refused {
                    self.tally.refused += 1;
                }
                if frame.first == PUBREC && !is_refused {
                    publisher.received(id, &mut connection.output);
                } else {
                    publisher.acknowledged(id, now, &mut self.tally);
                }
                self.enqueue(index);
            }
            Client::Subscriber(index) if frame.first == PUBREL => {
                self.subscribers[index].release(id, &mut connection.output);
            }
            Client::Subscriber(_) => {}
        }
    }

    fn receive_other(
        &mut self,
        frame: Frame<'_>,
        connection: &mut Connection,
        outcome: &mut ConnectOutcome,
        now: u64,
    ) -> Result<(), String> {
        // The header is put together again: these packets are few.
        let mut bytes = vec![frame.first];
        let mut rest = frame.body.len();
        while rest >= 0x80 {
            bytes.push((rest & 0x7F) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        bytes.extend_from_slice(frame.body);
        let limits = DecodeLimits::UNLIMITED;
        let packet = decode(&bytes, self.protocol.version(), Direction::FromServer, &limits)
            .map_err(|error| format!("the broker sent what is not MQTT: {error}"))?;
        match packet {
            Packet::Connack(connack) => {
                if connack.reason_code != ReasonCode::SUCCESS {
                    return Err(format!("CONNACK: {}", connack.reason_code.name()));
                }
                outcome.connack.record(now - connection.since);
                let receive_maximum =
                    connack.properties.receive_maximum.map_or(u16::MAX, std::num::NonZero::get);
                self.accepted(connection, connack.session_present, receive_maximum, now);
                Ok(())
            }
            Packet::Suback(suback) => {
                outcome.suback.record(now - connection.since);
                if let Some(code) = suback.reason_codes.iter().find(|code| **code >= 0x80) {
                    return Err(format!("SUBACK: reason code {code:#04x}"));
                }
                outcome.subscriptions += connection.filters_asked as u64;
                self.subscribe_next(connection, now);
                Ok(())
            }
            Packet::Disconnect(disconnect) => Err(format!("DISCONNECT: {}", disconnect.reason_code.name())),
            _ => Ok(()),
        }
    }

    /// The broker has accepted a client: it subscribes, or sends again what was on its way.
    fn accepted(
        &mut self,
        connection: &mut Connection,
        session_present: bool,
        receive_maximum: u16,
        now: u64,
    ) {
        let comes_back = connection.has_been_ready;
        connection.has_been_ready = true;
        if comes_back {
            self.tally.reconnected += 1;
        }
        if comes_back && self.is_persistent && !session_present {
            self.tally.fail(|| "a session was gone when its client came back".to_owned());
        }
        match connection.client {
            Client::Publisher(index) => {
                let publisher = &mut self.publishers[index];
                publisher.set_receive_maximum(receive_maximum);
                publisher.resend(session_present, &mut connection.output);
                connection.state = State::Ready;
                self.enqueue(index);
            }
            Client::Subscriber(index) => {
                let subscriber = &mut self.subscribers[index];
                if !session_present {
                    subscriber.forget_session();
                    connection.filters = self.parts[subscriber.part].filters(subscriber.index);
                    connection.filters.reverse();
                }
                self.subscribe_next(connection, now);
            }
        }
    }

    fn subscribe_next(&mut self, connection: &mut Connection, now: u64) {
        let Client::Subscriber(index) = connection.client else { return };
        connection.since = now;
        let left = connection.filters.len();
        connection.filters_asked = left.min(FILTERS_MAX);
        if left == 0 {
            connection.filters = Vec::new();
            connection.state = State::Ready;
            return;
        }
        connection.state = State::AwaitSuback;
        let asked = connection.filters.split_off(left - connection.filters_asked);
        let qos = self.parts[self.subscribers[index].part].traffic.qos;
        let qos = QoS::from_byte(qos).unwrap_or_default();
        subscribe(&asked, qos, self.protocol.version(), &mut connection.output);
    }

    pub(crate) fn collect(&self) -> Collection {
        let mut collection = Collection::default();
        self.publishers.iter().for_each(|publisher| publisher.collect(&mut collection));
        collection
    }

    /// Compares what has come with what was published.
    pub(crate) fn finish(&mut self, published: &[Published], unacknowledged: &[(u32, u32)]) -> Outcome {
        self.tally.end_run();
        let unacknowledged: HashSet<(u32, u32)> = unacknowledged.iter().copied().collect();
        for subscriber in &self.subscribers {
            let qos = self.parts[subscriber.part].traffic.qos;
            for (stream, flow) in subscriber.streams().iter().zip(subscriber.flows()) {
                let Some(sent) = published.get(stream as usize) else { continue };
                let loss = Loss { stream, sent: *sent, qos, unacknowledged: &unacknowledged };
                loss.count(flow.missing(sent.sent), &mut self.tally);
            }
        }
        for (part, group) in self.parts.iter().zip(&self.groups) {
            for (index, flow) in group.flows.iter().enumerate() {
                let stream = part.stream(index);
                let Some(sent) = published.get(stream as usize) else { continue };
                let loss =
                    Loss { stream, sent: *sent, qos: part.traffic.qos, unacknowledged: &unacknowledged };
                loss.count(flow.missing(sent.sent), &mut self.tally);
            }
        }
        let tally = std::mem::take(&mut self.tally);
        Outcome {
            warm_up: tally.warm_up,
            measured: tally.measured,
            latency: tally.latency,
            acknowledgement: tally.acknowledgement,
            send_lag: tally.send_lag,
            loss_reasons: tally.loss_reasons,
            connections_lost: tally.connections_lost,
            reconnected: tally.reconnected,
            refused: tally.refused,
            stalls: tally.stalls,
            failures: tally.failures,
        }
    }
}

/// One stream as one subscriber, or group of them, should have it.
struct Loss<'a> {
    stream: u32,
    sent: Published,
    qos: u8,
    unacknowledged: &'a HashSet<(u32, u32)>,
}

impl Loss<'_> {
    fn count(&self, missing: impl Iterator<Item = Missing>, tally: &mut Tally) {
        let Published { sent, measured_from } = self.sent;
        tally.warm_up.expected += u64::from(measured_from.min(sent));
        tally.measured.expected += u64::from(sent.saturating_sub(measured_from));
        for missing in missing {
            for sequence in missing.from..missing.to {
                let counts = if sequence < measured_from { &mut tally.warm_up } else { &mut tally.measured };
                counts.lost += 1;
                if self.qos > 0 && !self.unacknowledged.contains(&(self.stream, sequence)) {
                    counts.lost_acknowledged += 1;
                }
            }
        }
    }
}
