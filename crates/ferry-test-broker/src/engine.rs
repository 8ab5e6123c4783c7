use std::collections::HashMap;
use std::sync::Arc;

use ferry_core::{
    AllowAll, AuthOutcome, AuthStep, CloseCause, ConnId, ConnInfo, CoreConfig, Effects, Event,
    ListenerPolicy, Shard, ShardId, Shared, Timestamp,
};
use tokio::sync::Notify;
use tokio::time::Instant;

/// When the time of the broker begins. Any will do; all tests are alike.
const START: Timestamp = Timestamp(1_800_000_000_000);

/// Keys hash tables.
const SEED: u64 = 7;

/// One shard with its connections.
pub(crate) struct Engine {
    pub(crate) shard: Shard,
    pub(crate) shared: Arc<Shared>,
    pub(crate) is_reachable: bool,
    effects: Effects,
    listener: Arc<ListenerPolicy>,
    connections: HashMap<ConnId, Connection>,
    started_at: Instant,
    /// Its deadline may be another.
    pub(crate) changed: Arc<Notify>,
}

#[derive(Default)]
struct Connection {
    /// From the client, not taken yet.
    inbox: Vec<u8>,
    /// To the client.
    outbox: Vec<u8>,
    is_paused: bool,
    /// To be closed when the outbox is written.
    is_over: bool,
    wake: Arc<Notify>,
}

/// What is to be done for a connection.
pub(crate) enum Work {
    Write(Vec<u8>),
    Read,
    /// Nothing is read for now.
    Wait,
    Close,
}

impl Engine {
    pub(crate) fn new() -> Self {
        let started_at = Instant::now();
        let (shard, shared) = new_shard(START);
        Self {
            shard,
            shared,
            is_reachable: true,
            effects: Effects::new(),
            listener: Arc::default(),
            connections: HashMap::new(),
            started_at,
            changed: Arc::default(),
        }
    }

    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.started_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        START.plus_milliseconds(elapsed)
    }

    /// When [`tick`](Self::tick) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let at = self.shard.next_deadline()?.milliseconds_since(START);
        self.started_at.checked_add(std::time::Duration::from_millis(at))
    }

    pub(crate) fn tick(&mut self) {
        self.handle(Event::Tick);
        self.settle();
    }

    /// A new connection, and what wakes it when there is [`work`](Self::work).
    pub(crate) fn open(&mut self) -> (ConnId, Arc<Notify>) {
        let info = ConnInfo {
            listener: Arc::clone(&self.listener),
            peer_address: "memory".into(),
            ..ConnInfo::default()
        };
        let id = self.shard.open(self.now(), info, &mut self.effects);
        let connection = Connection::default();
        let wake = Arc::clone(&connection.wake);
        self.connections.insert(id, connection);
        self.settle();
        (id, wake)
    }

    pub(crate) fn receive(&mut self, id: ConnId, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.inbox.extend_from_slice(bytes);
        }
        self.feed(id);
        self.settle();
    }

    pub(crate) fn work(&mut self, id: ConnId) -> Work {
        let Some(connection) = self.connections.get_mut(&id) else { return Work::Close };
        if !connection.outbox.is_empty() {
            return Work::Write(std::mem::take(&mut connection.outbox));
        }
        match (connection.is_over, connection.is_paused) {
            (true, _) => Work::Close,
            (false, true) => Work::Wait,
            (false, false) => Work::Read,
        }
    }

    pub(crate) fn written(&mut self, id: ConnId) {
        self.handle(Event::Written { conn: id });
        self.settle();
    }

    /// The connection is gone.
    pub(crate) fn closed(&mut self, id: ConnId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        connection.wake.notify_one();
        if !connection.is_over {
            self.handle(Event::Closed { conn: id, cause: CloseCause::Error });
            self.settle();
        }
    }

    pub(crate) fn is_open(&self, id: ConnId) -> bool {
        self.connections.contains_key(&id)
    }

    /// Every connection.
    pub(crate) fn connections(&self) -> Vec<ConnId> {
        self.connections.keys().copied().collect()
    }

    /// Begins anew, without connections.
    pub(crate) fn forget(&mut self) {
        for id in self.connections() {
            self.closed(id);
        }
        (self.shard, self.shared) = new_shard(self.now());
        self.effects = Effects::new();
        self.changed.notify_one();
    }

    pub(crate) fn handle(&mut self, event: Event<'_>) {
        self.shard.handle(self.now(), event, &mut self.effects);
    }

    /// Carries out effects until the shard wants nothing any more.
    pub(crate) fn settle(&mut self) {
        loop {
            // What is committed may make more to commit.
            while let Some(ended) = self.shard.end_turn(&mut self.effects) {
                self.effects.records.clear();
                self.shared.append_retained(|_| ());
                self.handle(Event::committed(ended.ticket));
            }
            if self.effects.is_empty() {
                break;
            }
            let effects = std::mem::take(&mut self.effects);
            self.carry_out(effects);
        }
        self.changed.notify_one();
    }

    fn carry_out(&mut self, effects: Effects) {
        for request in effects.authenticate {
            self.handle(Event::Authenticated { conn: request.conn, outcome: judge(request.step) });
        }
        for id in effects.pause {
            self.connections.entry(id).and_modify(|connection| connection.is_paused = true);
        }
        for id in effects.dirty.iter().chain(&effects.close) {
            self.flush(*id);
        }
        for id in effects.close {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.is_over = true;
                connection.wake.notify_one();
            }
            self.handle(Event::Closed { conn: id, cause: CloseCause::Asked });
        }
        for id in effects.resume {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.is_paused = false;
                connection.wake.notify_one();
            }
            self.feed(id);
        }
    }

    fn feed(&mut self, id: ConnId) {
        let now = self.now();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.is_over || connection.is_paused {
            return;
        }
        let taken = self.shard.receive(now, id, &connection.inbox, &mut self.effects);
        connection.inbox.drain(..taken.min(connection.inbox.len()));
    }

    fn flush(&mut self, id: ConnId) {
        let Some(output) = self.shard.output(id) else { return };
        let bytes = output.as_slice().to_vec();
        output.advance(bytes.len());
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.outbox.extend(bytes);
            connection.wake.notify_one();
        }
    }
}

fn new_shard(now: Timestamp) -> (Shard, Arc<Shared>) {
    let shared = Arc::new(Shared::new(1, SEED, Arc::<CoreConfig>::default(), Arc::new(AllowAll)));
    (Shard::new(ShardId(0), 1, Arc::clone(&shared), SEED, now), shared)
}

/// Everybody is let in.
fn judge(step: AuthStep) -> AuthOutcome {
    let user_name = match step {
        AuthStep::Connect(credentials) => credentials.user_name,
        AuthStep::Start { .. } | AuthStep::Continue { .. } => None,
    };
    AuthOutcome::Accept { user_name, data: None, until: Timestamp::NEVER, grants: None }
}
