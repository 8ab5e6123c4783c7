use std::sync::Arc;

use ferry_codec::{
    Ack, Connect, ConnectProperties, DecodeLimits, Direction, Disconnect, Packet, PacketId, ProtocolVersion,
    Publish, QoS, ReasonCode, Subscribe, SubscribeFiltersBuf, SubscriptionOptions, Unsubscribe,
    UnsubscribeFiltersBuf, UserProperties, decode, encode, frame_length,
};

use super::store::{Changes, Entries, TestStore};
use super::summary::summary;
use crate::persistence::{RestoreReport, Restorer, Writer};
use crate::*;

pub(super) const V5: ProtocolVersion = ProtocolVersion::V5;
pub(super) const V311: ProtocolVersion = ProtocolVersion::V311;
pub(super) const V31: ProtocolVersion = ProtocolVersion::V31;
pub(super) const NEVER: u32 = u32::MAX;

pub(super) fn qos(qos: u8) -> QoS {
    QoS::from_byte(qos).unwrap()
}

pub(super) fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

/// A CONNECT of 5.0 with a clean start and no keep alive.
pub(super) fn connect(client_id: &str) -> Connect<'_> {
    Connect {
        protocol_version: V5,
        bridge: false,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id,
        will: None,
        user_name: None,
        password: None,
        properties: ConnectProperties::default(),
    }
}

/// As [`connect`], without a clean start and with a session that lasts.
pub(super) fn resume(client_id: &str) -> Connect<'_> {
    let properties = ConnectProperties { session_expiry_interval: Some(NEVER), ..Default::default() };
    Connect { clean_start: false, properties, ..connect(client_id) }
}

/// A whole broker without a network: its shards, and clients that read what they are sent at once.
pub(super) struct Broker {
    pub(super) shards: Vec<Shard>,
    pub(super) shared: Arc<Shared>,
    pub(super) now: Timestamp,
    pub(super) clients: Vec<TestClient>,
    /// Clients are let in when they ask. If not, the requests gather in `requests`.
    pub(super) accepts: bool,
    pub(super) requests: Vec<AuthRequest>,
    /// Records are durable at the end of the turn. If not, their tickets gather in `tickets`.
    pub(super) commits: bool,
    pub(super) tickets: Vec<(usize, Ticket)>,
    pub(super) records: Vec<Record>,
    /// How durable each batch had to be.
    pub(super) wanted: Vec<Durability>,
    pub(super) store: TestStore,
    /// Copies are read back when they are asked for. If not, the requests gather in `loads`.
    pub(super) loads_at_once: bool,
    pub(super) loads: Vec<(usize, LoadRequest)>,
    writers: Vec<Writer>,
    /// All that the shards said for the log.
    pub(super) refused_clients: Vec<RefusedClient>,
    pub(super) slowed_clients: Vec<SlowedClient>,
    /// What became of messages that were followed.
    pub(super) spans: Vec<Span>,
    pub(super) mail_count: usize,
    /// Mail arrives at the end of the turn. If not, it gathers in `mail`.
    pub(super) delivers: bool,
    pub(super) mail: Vec<(ShardId, ShardId, Mail)>,
    effects: Vec<Effects>,
}

pub(super) struct TestClient {
    shard: usize,
    pub(super) conn: ConnId,
    version: ProtocolVersion,
    sent: Vec<u8>,
    pub(super) received: Vec<u8>,
    pub(super) paused: bool,
    pub(super) closed: bool,
    /// Takes what it is sent.
    pub(super) reads: bool,
}

/// Names a client of a test.
pub(super) type Client = usize;

#[allow(dead_code, reason = "a vocabulary for scripts; not each word is in use at all times")]
impl Broker {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(configure: impl FnOnce(&mut CoreConfig)) -> Self {
        Self::with_shards(1, Arc::new(AllowAll), configure)
    }

    pub(super) fn with_rules(authorizer: impl Authorizer + 'static) -> Self {
        Self::with_shards(1, Arc::new(authorizer), |_| {})
    }

    pub(super) fn with_shards(
        count: u16,
        authorizer: Arc<dyn Authorizer>,
        configure: impl FnOnce(&mut CoreConfig),
    ) -> Self {
        let mut config = CoreConfig { session_expiry_seconds_max: NEVER, ..CoreConfig::default() };
        configure(&mut config);
        let now = Timestamp(1_000_000);
        let shared = Arc::new(Shared::new(count, 7, Arc::new(config), authorizer));
        Self::with_shared(count, &shared, now)
    }

    /// A broker with what a store has, at `now`.
    pub(super) fn restored(
        count: u16,
        config: CoreConfig,
        entries: &Entries,
        now: Timestamp,
    ) -> (Self, RestoreReport) {
        let shared = Arc::new(Shared::new(count, 8, Arc::new(config), Arc::new(AllowAll)));
        let mut restorer = Restorer::new(Arc::clone(&shared));
        for (key, (value, shared)) in &entries.values {
            restorer.entry(*key, *shared, &mut |out| {
                out.extend_from_slice(value);
                true
            });
        }
        for key in restorer.bodies_wanted() {
            if let Some((value, _)) = entries.values.get(&key) {
                restorer.body(key, value);
            }
        }
        let mut restored = restorer.finish();
        let mut broker = Self::with_shared(count, &shared, now);
        broker.store = TestStore { live: entries.clone(), durable: entries.clone(), uncommitted: Vec::new() };
        let mut records = Vec::new();
        for session in std::mem::take(&mut restored.sessions) {
            let shard = usize::from(home_shard(session.client_id(), count).0);
            broker.shards[shard].restore(session, &mut records);
        }
        for forwarded in &restored.forwarded {
            broker.shards.iter_mut().for_each(|shard| shard.restore_forwarded(forwarded, &mut records));
        }
        let mut changes = Changes::default();
        broker.writers[0].write(&records, &mut changes);
        restored.clean_up(&mut changes);
        broker.store.append(changes);
        broker.store.commit();
        (broker, restored.report)
    }

    fn with_shared(count: u16, shared: &Arc<Shared>, now: Timestamp) -> Self {
        let shard = |number| Shard::new(ShardId(number), count, Arc::clone(shared), u64::from(number), now);
        Self {
            shards: (0..count).map(shard).collect(),
            shared: Arc::clone(shared),
            wanted: Vec::new(),
            store: TestStore::default(),
            loads_at_once: true,
            loads: Vec::new(),
            writers: (0..count).map(|_| Writer::new(Arc::clone(shared))).collect(),
            now,
            clients: Vec::new(),
            accepts: true,
            requests: Vec::new(),
            commits: true,
            tickets: Vec::new(),
            records: Vec::new(),
            refused_clients: Vec::new(),
            slowed_clients: Vec::new(),
            spans: Vec::new(),
            mail_count: 0,
            delivers: true,
            mail: Vec::new(),
            effects: (0..count).map(|_| Effects::new()).collect(),
        }
    }

    pub(super) fn open(&mut self, version: ProtocolVersion) -> Client {
        self.open_at(version, 0, ConnInfo::default())
    }

    pub(super) fn open_at(&mut self, version: ProtocolVersion, shard: usize, info: ConnInfo) -> Client {
        let conn = self.shards[shard].open(self.now, info, &mut self.effects[shard]);
        self.clients.push(TestClient {
            shard,
            conn,
            version,
            sent: Vec::new(),
            received: Vec::new(),
            paused: false,
            closed: false,
            reads: true,
        });
        self.clients.len() - 1
    }

    /// Opens a connection at the home of its client and sends a CONNECT.
    pub(super) fn connect(&mut self, connect: &Connect<'_>) -> Client {
        let shard = usize::from(home_shard(connect.client_id, self.shards.len() as u16).0);
        let client = self.open_at(connect.protocol_version, shard, ConnInfo::default());
        self.send(client, &Packet::Connect(*connect));
        client
    }

    /// As [`connect`](Self::connect); the CONNACK, a success and all there is, is taken.
    pub(super) fn online(&mut self, connect: &Connect<'_>) -> Client {
        let client = self.connect(connect);
        let received = self.read(client);
        assert!(received.len() == 1 && received[0].starts_with("CONNACK 0x00"), "{received:?}");
        client
    }

    /// As [`online`](Self::online), for a session that exists.
    pub(super) fn online_with_present(&mut self, connect: &Connect<'_>) -> Client {
        let client = self.connect(connect);
        assert_eq!(self.read(client), ["CONNACK 0x00 present"]);
        client
    }

    /// The client resumes its session; the CONNACK is taken, and `packets` follow it.
    pub(super) fn online_with_present_and(&mut self, client_id: &str, packets: usize) -> Client {
        let client = self.connect(&resume(client_id));
        let bytes = self.clients[client].received.clone();
        let received = self.read(client);
        assert_eq!((&*received[0], received.len()), ("CONNACK 0x00 present", 1 + packets));
        let connack = frame_length(&bytes, &DecodeLimits::UNLIMITED).unwrap().unwrap();
        self.clients[client].received = bytes[connack..].to_vec();
        client
    }

    /// The client connects once more and resumes.
    pub(super) fn online_again(&mut self, client_id: &str) -> Client {
        let client = self.connect(&resume(client_id));
        assert_eq!(self.read(client), ["CONNACK 0x00 present"]);
        client
    }

    /// A 5.0 client whose session ends with its connection.
    pub(super) fn client(&mut self, client_id: &str) -> Client {
        self.online(&connect(client_id))
    }

    pub(super) fn send(&mut self, client: Client, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        encode(packet, self.clients[client].version, &mut bytes);
        self.send_bytes(client, &bytes);
    }

    pub(super) fn send_bytes(&mut self, client: Client, bytes: &[u8]) {
        self.clients[client].sent.extend_from_slice(bytes);
        self.receive(client);
    }

    fn receive(&mut self, client: Client) {
        let TestClient { shard, conn, closed, .. } = self.clients[client];
        if closed {
            return;
        }
        let bytes = std::mem::take(&mut self.clients[client].sent);
        let used = self.shards[shard].receive(self.now, conn, &bytes, &mut self.effects[shard]);
        self.clients[client].sent.splice(..0, bytes[used..].iter().copied());
        self.carry_out();
    }

    pub(super) fn publish(&mut self, client: Client, topic: &str, level: u8, packet_id: u16, payload: &str) {
        let publish = Publish { topic, payload: payload.as_bytes(), ..Publish::default() };
        self.publish_packet(client, level, packet_id, publish);
    }

    pub(super) fn retain(&mut self, client: Client, topic: &str, level: u8, packet_id: u16, payload: &str) {
        let publish = Publish { topic, payload: payload.as_bytes(), retain: true, ..Publish::default() };
        self.publish_packet(client, level, packet_id, publish);
    }

    pub(super) fn publish_packet(&mut self, client: Client, level: u8, packet_id: u16, publish: Publish<'_>) {
        let publish = Publish { qos: qos(level), packet_id: PacketId::new(packet_id), ..publish };
        self.send(client, &Packet::Publish(publish));
    }

    pub(super) fn subscribe(&mut self, client: Client, filter: &str, level: u8) -> Vec<String> {
        self.subscribe_with(client, filter, SubscriptionOptions::with_qos(qos(level)), None)
    }

    pub(super) fn subscribe_with(
        &mut self,
        client: Client,
        filter: &str,
        options: SubscriptionOptions,
        subscription_id: Option<u32>,
    ) -> Vec<String> {
        let mut filters = SubscribeFiltersBuf::new();
        filters.push(filter, options);
        let filters = filters.as_filters();
        let user_properties = UserProperties::EMPTY;
        let subscribe = Subscribe { packet_id: id(60_000), subscription_id, user_properties, filters };
        self.send(client, &Packet::Subscribe(subscribe));
        self.read(client)
    }

    pub(super) fn unsubscribe(&mut self, client: Client, filter: &str) -> Vec<String> {
        let mut filters = UnsubscribeFiltersBuf::new();
        filters.push(filter);
        let filters = filters.as_filters();
        let user_properties = UserProperties::EMPTY;
        self.send(
            client,
            &Packet::Unsubscribe(Unsubscribe { packet_id: id(60_001), user_properties, filters }),
        );
        self.read(client)
    }

    pub(super) fn puback(&mut self, client: Client, packet_id: u16) {
        self.send(client, &Packet::Puback(Ack::new(id(packet_id), ReasonCode::SUCCESS)));
    }

    pub(super) fn pubrec(&mut self, client: Client, packet_id: u16) {
        self.send(client, &Packet::Pubrec(Ack::new(id(packet_id), ReasonCode::SUCCESS)));
    }

    pub(super) fn pubrel(&mut self, client: Client, packet_id: u16) {
        self.send(client, &Packet::Pubrel(Ack::new(id(packet_id), ReasonCode::SUCCESS)));
    }

    pub(super) fn pubcomp(&mut self, client: Client, packet_id: u16) {
        self.send(client, &Packet::Pubcomp(Ack::new(id(packet_id), ReasonCode::SUCCESS)));
    }

    pub(super) fn disconnect(&mut self, client: Client) {
        self.send(client, &Packet::Disconnect(Disconnect::default()));
    }

    /// The network breaks.
    pub(super) fn cut(&mut self, client: Client) {
        let TestClient { shard, conn, closed, .. } = self.clients[client];
        if !closed {
            self.clients[client].closed = true;
            self.handle(shard, Event::Closed { conn, cause: CloseCause::Peer });
        }
    }

    pub(super) fn handle(&mut self, shard: usize, event: Event<'_>) {
        self.shards[shard].handle(self.now, event, &mut self.effects[shard]);
        self.carry_out();
    }

    pub(super) fn authenticated(&mut self, client: Client, outcome: AuthOutcome) {
        let TestClient { shard, conn, .. } = self.clients[client];
        self.handle(shard, Event::Authenticated { conn, outcome });
    }

    /// Time passes, timer by timer.
    pub(super) fn advance(&mut self, seconds: u32) {
        let end = self.now.plus_seconds(seconds);
        loop {
            let deadlines = self.shards.iter().filter_map(Shard::next_deadline);
            let Some(next) = deadlines.min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.tick();
        }
        self.now = end;
    }

    /// Works off what can go on without time passing.
    pub(super) fn tick(&mut self) {
        for shard in 0..self.shards.len() {
            self.handle(shard, Event::Tick);
        }
    }

    pub(super) fn commit(&mut self) {
        self.store.commit();
        for (shard, ticket) in std::mem::take(&mut self.tickets) {
            self.handle(shard, Event::committed(ticket));
        }
    }

    /// Mail that was held back arrives.
    pub(super) fn deliver(&mut self) {
        self.delivers = true;
        for (from, to, mail) in std::mem::take(&mut self.mail) {
            self.handle(usize::from(to.0), Event::Mail { from, mail });
        }
    }

    /// Reads back what was asked for.
    pub(super) fn load(&mut self) {
        for (shard, request) in std::mem::take(&mut self.loads) {
            let copies = self.store.live.load(&request);
            self.handle(shard, Event::Loaded { request, copies });
        }
    }

    /// What was recorded is with the operating system, but not on the disk.
    pub(super) fn write_to_os(&mut self) {
        for (shard, written) in self.tickets.clone() {
            self.handle(shard, Event::Committed { written, synced: Ticket::default() });
        }
    }

    /// The packets that a client has got since it last looked.
    pub(super) fn read(&mut self, client: Client) -> Vec<String> {
        self.read_with(client, summary)
    }

    pub(super) fn read_with<T>(&mut self, client: Client, look: impl Fn(&Packet<'_>) -> T) -> Vec<T> {
        let bytes = std::mem::take(&mut self.clients[client].received);
        let version = self.clients[client].version;
        let mut packets = Vec::new();
        let mut rest = &bytes[..];
        while let Some(length) = frame_length(rest, &DecodeLimits::UNLIMITED).unwrap() {
            let (frame, behind) = rest.split_at(length);
            let packet = decode(frame, version, Direction::FromServer, &DecodeLimits::UNLIMITED);
            packets.push(look(&packet.unwrap()));
            rest = behind;
        }
        assert!(rest.is_empty(), "half a packet");
        packets
    }

    pub(super) fn is_closed(&self, client: Client) -> bool {
        self.clients[client].closed
    }

    /// A client that did not read does.
    pub(super) fn read_again(&mut self, client: Client) {
        self.clients[client].reads = true;
        self.write(client);
        self.carry_out();
    }

    pub(super) fn counters(&self) -> &Counters {
        self.shards[0].counters()
    }

    pub(super) fn drops(&self, reason: DropReason) -> u64 {
        self.shards.iter().map(|shard| shard.counters().drops.entry(reason).count).sum()
    }

    fn carry_out(&mut self) {
        while self.effects.iter().any(|effects| !effects.is_empty()) {
            for shard in 0..self.shards.len() {
                self.end_turn(shard);
            }
        }
    }

    fn end_turn(&mut self, shard: usize) {
        let ended = self.shards[shard].end_turn(&mut self.effects[shard]);
        let ticket = ended.map(|ended| ended.ticket);
        self.wanted.extend(ended.map(|ended| ended.durability));
        let effects = std::mem::take(&mut self.effects[shard]);
        if ticket.is_some() {
            let mut changes = Changes::default();
            let (writer, records) = (&mut self.writers[shard], &mut self.records);
            self.shared.append_retained(|retained| {
                writer.write(retained, &mut changes);
                writer.write(&effects.records, &mut changes);
                records.append(retained);
            });
            self.store.append(changes);
            if self.commits {
                self.store.commit();
            }
            self.records.extend(effects.records);
        }
        for request in effects.load {
            if self.loads_at_once {
                let copies = self.store.live.load(&request);
                let loaded = Event::Loaded { request, copies };
                self.shards[shard].handle(self.now, loaded, &mut self.effects[shard]);
            } else {
                self.loads.push((shard, request));
            }
        }
        self.refused_clients.extend(effects.refused_clients);
        self.slowed_clients.extend(effects.slowed_clients);
        self.spans.extend(effects.spans);
        for client in self.clients_of(shard, &effects.pause) {
            self.clients[client].paused = true;
        }
        for client in self.clients_of(shard, &effects.dirty) {
            self.write(client);
        }
        for client in self.clients_of(shard, &effects.close) {
            if !std::mem::replace(&mut self.clients[client].closed, true) {
                let conn = self.clients[client].conn;
                let closed = Event::Closed { conn, cause: CloseCause::Asked };
                self.shards[shard].handle(self.now, closed, &mut self.effects[shard]);
            }
        }
        for (to, mail) in effects.mail.into_mail() {
            self.mail_count += 1;
            let from = ShardId(shard as u16);
            if !self.delivers {
                self.mail.push((from, to, mail));
                continue;
            }
            let to = usize::from(to.0);
            self.shards[to].handle(self.now, Event::Mail { from, mail }, &mut self.effects[to]);
        }
        for request in effects.authenticate {
            self.judge(shard, request);
        }
        match ticket {
            Some(ticket) if self.commits => {
                self.shards[shard].handle(self.now, Event::committed(ticket), &mut self.effects[shard]);
            }
            Some(ticket) => self.tickets.push((shard, ticket)),
            None => {}
        }
        for client in self.clients_of(shard, &effects.resume) {
            self.clients[client].paused = false;
            self.receive(client);
        }
    }

    fn judge(&mut self, shard: usize, request: AuthRequest) {
        if !self.accepts {
            self.requests.push(request);
            return;
        }
        let user_name = match &request.step {
            AuthStep::Connect(credentials) | AuthStep::Start { credentials, .. } => {
                credentials.user_name.clone()
            }
            AuthStep::Continue { .. } => None,
        };
        let outcome = AuthOutcome::Accept { user_name, data: None, until: Timestamp::NEVER, grants: None };
        let event = Event::Authenticated { conn: request.conn, outcome };
        self.shards[shard].handle(self.now, event, &mut self.effects[shard]);
    }

    fn write(&mut self, client: Client) {
        let TestClient { shard, conn, reads, .. } = self.clients[client];
        if !reads {
            return;
        }
        if let Some(output) = self.shards[shard].output(conn) {
            self.clients[client].received.extend_from_slice(output.as_slice());
            output.advance(output.len());
            self.shards[shard].handle(self.now, Event::Written { conn }, &mut self.effects[shard]);
        }
    }

    fn clients_of(&self, shard: usize, conns: &[ConnId]) -> Vec<Client> {
        let client = |conn: &ConnId| {
            self.clients.iter().position(|client| client.shard == shard && client.conn == *conn)
        };
        conns.iter().filter_map(client).collect()
    }
}
