//! ferry-core in this process: some shards, a clock that stands still, and no sockets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ferry_broker::config::{Config, Durability};
use ferry_core::{
    CloseCause, ConnId, ConnInfo, CoreConfig, Effects, Event, FirstPacketHome, ListenerPolicy, Shard,
    ShardId, Shared, Timestamp, first_packet_home,
};

use super::access::{Access, judge};
use super::{Broker, Received};
use crate::script::Header;

/// Any time will do; all runs are alike.
const START: Timestamp = Timestamp(1_800_000_000_000);
/// More rounds than this without rest is a shard that keeps itself busy.
const ROUNDS_MAX: usize = 100_000;

/// How the shards are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoreSetup {
    /// Number of shards.
    pub shards: u16,
    /// Whether answers wait for batches of records to be committed, as with a durable store.
    pub durable: bool,
}

/// A broker of shards, driven by hand.
pub struct CoreBroker {
    shards: Vec<Shard>,
    effects: Vec<Effects>,
    config: Arc<CoreConfig>,
    listener: Arc<ListenerPolicy>,
    access: Access,
    enhanced_method: Option<String>,
    now: Timestamp,
    connections: Vec<Connection>,
    /// The present connection of each client.
    present: HashMap<String, usize>,
}

struct Connection {
    shard: usize,
    id: ConnId,
    /// Whether it is at the home of its client.
    at_home: bool,
    /// From the client, not taken yet.
    inbox: Vec<u8>,
    /// To the client, not looked at yet.
    outbox: Vec<u8>,
    paused: bool,
    closed: bool,
}

impl CoreBroker {
    /// Shards with the configuration and the rules of access that a script asks for.
    ///
    /// # Errors
    /// When the configuration is not one.
    pub fn new(header: &Header, setup: CoreSetup) -> Result<Self, String> {
        let mut text = header.config.join("\n");
        text.push_str("\n[[listener]]\naddress = \"tcp://127.0.0.1:1883\"\n");
        text.push_str(&header.listener.join("\n"));
        let mut loaded = Config::parse("script", &text).map_err(|problems| format!("{problems}"))?;
        loaded.config.storage.durability = if setup.durable { Durability::Fsync } else { Durability::Memory };
        let config = Arc::new(ferry_broker::core_config(&loaded.config));
        let listener = loaded.config.listeners.first().ok_or("a configuration without a listener")?;
        let listener = Arc::new(ferry_broker::listener_policy(listener, &loaded.config.authentication));
        let access = Access::new(header);
        let authorizer = Arc::new(access.clone());
        let shared = Arc::new(Shared::new(setup.shards, 7, Arc::clone(&config), authorizer));
        let shard = |id| Shard::new(ShardId(id), setup.shards, Arc::clone(&shared), u64::from(id) + 1, START);
        Ok(Self {
            shards: (0..setup.shards).map(shard).collect(),
            effects: (0..setup.shards).map(|_| Effects::new()).collect(),
            config,
            listener,
            access,
            enhanced_method: header.enhanced_method.clone(),
            now: START,
            connections: Vec::new(),
            present: HashMap::new(),
        })
    }

    fn handle(&mut self, shard: usize, event: Event<'_>) {
        self.shards[shard].handle(self.now, event, &mut self.effects[shard]);
    }

    fn find(&self, shard: usize, id: ConnId) -> Option<usize> {
        self.connections.iter().position(|connection| connection.shard == shard && connection.id == id)
    }

    /// Gives a shard what its client has sent.
    fn feed(&mut self, at: usize) {
        self.bring_home(at);
        let connection = &mut self.connections[at];
        if connection.closed || connection.paused {
            return;
        }
        let (shard, id) = (connection.shard, connection.id);
        let bytes = std::mem::take(&mut connection.inbox);
        let used = self.shards[shard].receive(self.now, id, &bytes, &mut self.effects[shard]);
        let rest = bytes.get(used..).unwrap_or_default().to_vec();
        let connection = &mut self.connections[at];
        connection.inbox.splice(0..0, rest);
    }

    /// A connection moves to the shard of its client once the CONNECT is there.
    fn bring_home(&mut self, at: usize) {
        let connection = &self.connections[at];
        if connection.at_home || connection.closed {
            return;
        }
        let count = u16::try_from(self.shards.len()).unwrap_or(u16::MAX);
        match first_packet_home(&connection.inbox, &self.config.decode, count) {
            FirstPacketHome::Unknown => {}
            FirstPacketHome::Any => self.connections[at].at_home = true,
            FirstPacketHome::Shard(home) => {
                let (from, to) = (connection.shard, usize::from(home.0));
                let id = connection.id;
                self.connections[at].at_home = true;
                if from == to {
                    return;
                }
                if let Some(info) = self.shards[from].hand_over(id) {
                    let id = self.shards[to].open(self.now, info, &mut self.effects[to]);
                    (self.connections[at].shard, self.connections[at].id) = (to, id);
                }
            }
        }
    }

    /// Carries out effects until no shard wants anything.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let mut busy = false;
            for shard in 0..self.shards.len() {
                self.commit(shard);
                if !self.effects[shard].is_empty() {
                    busy = true;
                    let effects = std::mem::take(&mut self.effects[shard]);
                    self.carry_out(shard, effects);
                }
            }
            if !busy {
                match self.next_tick(self.now) {
                    Some((_, shard)) => self.handle(shard, Event::Tick),
                    None => return,
                }
            }
        }
        panic!("the shards never come to rest");
    }

    fn commit(&mut self, shard: usize) {
        // What is committed may make more to commit.
        while let Some(ended) = self.shards[shard].end_turn(&mut self.effects[shard]) {
            self.effects[shard].records.clear();
            self.handle(shard, Event::committed(ended.ticket));
        }
    }

    fn carry_out(&mut self, shard: usize, effects: Effects) {
        for request in effects.authenticate {
            let outcome = judge(&self.access, self.enhanced_method.as_deref(), &request.step);
            self.handle(shard, Event::Authenticated { conn: request.conn, outcome });
        }
        for (to, mail) in effects.mail.into_mail() {
            let from = ShardId(u16::try_from(shard).unwrap_or(u16::MAX));
            self.handle(usize::from(to.0), Event::Mail { from, mail });
        }
        for id in effects.pause {
            if let Some(at) = self.find(shard, id) {
                self.connections[at].paused = true;
            }
        }
        for id in effects.dirty.iter().chain(&effects.close) {
            self.flush(shard, *id);
        }
        for id in effects.close {
            if let Some(at) = self.find(shard, id) {
                self.connections[at].closed = true;
            }
            self.handle(shard, Event::Closed { conn: id, cause: CloseCause::Asked });
        }
        for id in effects.resume {
            if let Some(at) = self.find(shard, id) {
                self.connections[at].paused = false;
                self.feed(at);
            }
        }
    }

    fn flush(&mut self, shard: usize, id: ConnId) {
        let Some(output) = self.shards[shard].output(id) else { return };
        let bytes = output.as_slice().to_vec();
        output.advance(bytes.len());
        if bytes.is_empty() {
            return;
        }
        if let Some(at) = self.find(shard, id) {
            self.connections[at].outbox.extend(bytes);
        }
        self.handle(shard, Event::Written { conn: id });
    }

    fn connection(&mut self, client: &str) -> Option<&mut Connection> {
        let at = *self.present.get(client)?;
        self.connections.get_mut(at)
    }

    /// The shard whose deadline comes first, if it comes before `end`.
    fn next_tick(&self, end: Timestamp) -> Option<(Timestamp, usize)> {
        let deadlines = self.shards.iter().enumerate();
        deadlines
            .filter_map(|(at, shard)| Some((shard.next_deadline()?, at)))
            .filter(|(deadline, _)| *deadline <= end)
            .min()
    }
}

impl Broker for CoreBroker {
    fn open(&mut self, client: &str) -> Result<(), String> {
        let info = ConnInfo {
            listener: Arc::clone(&self.listener),
            peer_address: "203.0.113.1:4711".into(),
            ..ConnInfo::default()
        };
        let id = self.shards[0].open(self.now, info, &mut self.effects[0]);
        let connection = Connection {
            shard: 0,
            id,
            at_home: self.shards.len() == 1,
            inbox: Vec::new(),
            outbox: Vec::new(),
            paused: false,
            closed: false,
        };
        self.connections.push(connection);
        self.present.insert(client.to_owned(), self.connections.len() - 1);
        self.settle();
        Ok(())
    }

    fn send(&mut self, client: &str, bytes: &[u8]) {
        let Some(at) = self.present.get(client).copied() else { return };
        self.connections[at].inbox.extend(bytes);
        self.feed(at);
        self.settle();
    }

    fn receive(&mut self, client: &str, _patience: Duration) -> Received {
        let Some(connection) = self.connection(client) else { return Received::Closed };
        match (connection.outbox.is_empty(), connection.closed) {
            (false, _) => Received::Bytes(std::mem::take(&mut connection.outbox)),
            (true, true) => Received::Closed,
            (true, false) => Received::Nothing,
        }
    }

    fn drop_connection(&mut self, client: &str) {
        let Some(connection) = self.connection(client) else { return };
        let (shard, conn, closed) = (connection.shard, connection.id, connection.closed);
        connection.closed = true;
        if !closed {
            self.handle(shard, Event::Closed { conn, cause: CloseCause::Error });
            self.settle();
        }
    }

    fn advance(&mut self, duration: Duration) {
        let end = Timestamp(self.now.0 + u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let mut rounds = 0;
        while let Some((deadline, shard)) = self.next_tick(end) {
            self.now = self.now.max(deadline);
            self.handle(shard, Event::Tick);
            self.settle();
            rounds += 1;
            assert!(rounds < ROUNDS_MAX, "the deadline of a shard does not move");
        }
        self.now = end;
    }

    fn deny(&mut self, rule: &str) -> Result<(), String> {
        self.access.deny(rule);
        let authorizer = Arc::new(self.access.clone());
        for shard in 0..self.shards.len() {
            let (config, authorizer) = (Arc::clone(&self.config), Arc::clone(&authorizer));
            self.handle(shard, Event::Reload { config, authorizer });
        }
        self.settle();
        Ok(())
    }

    fn is_immediate(&self) -> bool {
        true
    }
}
