use std::collections::VecDeque;
use std::sync::Arc;

use ahash::RandomState;
use ferry_codec::ReasonCode;
use ferry_router::{LastMatches, RouteCache, ShardId, SharedGroups, SubscriptionTrie};
use ferry_session::{Quota, Timestamp};

use crate::commit::Commit;
use crate::conn::{Conn, ConnState, Conns};
use crate::deferred::Deferred;
use crate::deliver::Matches;
use crate::meter::MeterTable;
use crate::output_buffer::SpareBuffers;
use crate::random::Random;
use crate::rights_cache::Answers;
use crate::session::{Session, SessionId, SessionView, Sessions};
use crate::session_ends::SessionEnds;
use crate::spans::Spans;
use crate::spare_messages::SpareMessages;
use crate::subscribe::Grant;
use crate::timers::{TimerKey, Timers};
use crate::turn::Turn;
use crate::wire_shapes::WireShapes;
use crate::{Authorizer, ConnId, ConnInfo, CoreConfig, Counters, Effects, Event, OutputBuffer, Shared};

/// Some of the broker's sessions, with their connections, subscriptions, queues and timers.
///
/// Its sessions are those whose client identifiers have it as their [home](crate::home_shard), so taking over a
/// connection and finding a session never concerns another shard.
pub struct Shard {
    pub(crate) id: ShardId,
    pub(crate) shared: Arc<Shared>,
    pub(crate) config: Arc<CoreConfig>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    /// How its answers are used.
    pub(crate) answers: Answers,
    /// See [`Event::Reload`].
    reloads: u32,
    pub(crate) conns: Conns,
    pub(crate) sessions: Sessions,
    pub(crate) subscriptions: SubscriptionTrie<SessionId, Grant>,
    pub(crate) last_matches: LastMatches<SessionId, Grant>,
    pub(crate) share_groups: SharedGroups<SessionId, Grant>,
    pub(crate) route_cache: RouteCache,
    pub(crate) timers: Timers,
    /// What has come lately from each client.
    pub(crate) client_meters: MeterTable<Arc<str>>,
    pub(crate) counters: Counters,
    pub(crate) commit: Commit,
    pub(crate) session_ends: SessionEnds,
    pub(crate) deferred: VecDeque<Deferred>,
    /// Sessions whose replay of retained messages can go on.
    pub(crate) replaying: VecDeque<SessionId>,
    /// Sessions whose subscriptions the present rules have not judged yet.
    pub(crate) unjudged: Vec<SessionId>,
    pub(crate) matches: Matches,
    pub(crate) shapes: WireShapes,
    pub(crate) spare_buffers: SpareBuffers,
    pub(crate) spare_messages: SpareMessages,
    /// The topic that an alias stands for, while the PUBLISH is handled.
    pub(crate) topic: String,
    /// That of the message made last: the next one is often of the same.
    pub(crate) last_topic: Arc<str>,
    pub(crate) connect_quota: Option<Quota>,
    pub(crate) retained_sweep: crate::wake::RetainedSweep,
    pub(crate) random: Random,
    /// For topics that compete for aliases.
    pub(crate) hasher: RandomState,
    pub(crate) now: Timestamp,
    /// `None`: no message is followed.
    pub(crate) spans: Option<Box<Spans>>,
    pub(crate) shutting_down: bool,
    /// See [`Event::StoreHealth`].
    pub(crate) store_writable: bool,
}

impl Shard {
    /// Shard `id` of `shard_count`, without sessions. `seed` should be secret and different for each shard: it
    /// keys the hash tables and makes client identifiers.
    ///
    /// # Panics
    /// If `shared` was made for another number of shards.
    #[must_use]
    pub fn new(id: ShardId, shard_count: u16, shared: Arc<Shared>, seed: u64, now: Timestamp) -> Self {
        assert_eq!(shared.route_table.shard_count(), shard_count, "Shared is made for all shards");
        let config = Arc::clone(&shared.config);
        let authorizer = Arc::clone(&shared.authorizer);
        let answers = Answers::new(&*authorizer, 0);
        let mut random = Random::new(seed);
        let mut shard = Self {
            id,
            shared,
            authorizer,
            answers,
            reloads: 0,
            conns: Conns::default(),
            sessions: Sessions::new(random.next()),
            subscriptions: SubscriptionTrie::new(random.next()),
            last_matches: LastMatches::default(),
            share_groups: SharedGroups::new(id, random.next()),
            route_cache: RouteCache::new(random.next()),
            timers: Timers::default(),
            counters: Counters::default(),
            commit: Commit::default(),
            session_ends: SessionEnds::default(),
            deferred: VecDeque::new(),
            replaying: VecDeque::new(),
            unjudged: Vec::new(),
            matches: Matches::default(),
            shapes: WireShapes::default(),
            spare_buffers: SpareBuffers::default(),
            spare_messages: SpareMessages::default(),
            topic: String::new(),
            last_topic: Arc::from(""),
            connect_quota: None,
            retained_sweep: crate::wake::RetainedSweep::default(),
            client_meters: MeterTable::new(seed),
            hasher: RandomState::with_seeds(random.next(), random.next(), random.next(), random.next()),
            random,
            now,
            spans: None,
            shutting_down: false,
            store_writable: true,
            config: Arc::default(),
        };
        shard.configure(config, now);
        shard.sweep_restored();
        shard
    }

    /// A connection begins; its CONNECT must come in time. End it with [`Event::Closed`].
    pub fn open(&mut self, now: Timestamp, info: ConnInfo, _effects: &mut Effects) -> ConnId {
        self.now = self.now.max(now);
        let timeout = self.config.connect_timeout_seconds;
        let deadline = info.connect_deadline.unwrap_or_else(|| now.plus_seconds(timeout));
        let id = self.conns.insert(Conn::new(info, deadline, now));
        self.counters.connections_opened += 1;
        self.counters.connections += 1;
        self.arm_conn(id);
        id
    }

    /// Takes a connection out again, to be opened at the home of its client; see
    /// [`first_packet_home`](crate::first_packet_home). `None` if it is closing or its CONNECT was received.
    pub fn hand_over(&mut self, conn: ConnId) -> Option<ConnInfo> {
        if !matches!(self.conns.get(conn)?.state, ConnState::AwaitConnect) {
            return None;
        }
        let mut removed = self.conns.remove(conn)?;
        self.timers.disarm(TimerKey::Conn(conn.place()), &mut removed.armed);
        self.counters.connections -= 1;
        self.counters.connections_opened -= 1;
        Some(ConnInfo { connect_deadline: Some(removed.deadline), ..removed.info.into_info() })
    }

    /// Something happened.
    pub fn handle(&mut self, now: Timestamp, event: Event<'_>, effects: &mut Effects) {
        self.now = self.now.max(now);
        let turn = &mut Turn { now: self.now, effects };
        match event {
            Event::Closed { conn, cause } => self.closed(turn, conn, cause),
            Event::Written { conn } => self.written(turn, conn),
            Event::Tick => self.tick(turn),
            Event::Committed { written, synced } => self.committed(turn, written, synced),
            Event::Loaded { request, copies } => self.loaded(turn, &request, copies),
            Event::StoreHealth { writable } => self.store_health(turn, writable),
            Event::Mail { from, mail } => self.mail_came(turn, from, mail),
            Event::Authenticated { conn, outcome } => self.authenticated(turn, conn, outcome),
            Event::Publish(publish) => self.publish_own(turn, &publish),
            Event::Disconnect { client_id, reason_code, reason_string, server_reference } => {
                self.disconnect_client(turn, client_id, reason_code, reason_string, server_reference);
            }
            Event::EndSession { client_id } => self.end_session_of(turn, client_id),
            Event::EndUsers { users, authenticator } => self.end_users(turn, users, authenticator),
            Event::Reload { config, authorizer } => {
                self.replace_authorizer(turn, authorizer);
                let before = Arc::clone(&self.config);
                self.configure(config, now);
                self.renew_rates(&before);
            }
            Event::Rights { authorizer } => self.replace_authorizer(turn, authorizer),
            Event::PublishWills => self.publish_wills(turn),
            Event::Shutdown { server_reference } => self.shut_down(turn, server_reference),
        }
        self.settle(turn);
    }

    /// What is to be written to a connection, `None` if it is gone. Call it for each connection in
    /// [`Effects::dirty`], and whenever it can be written again.
    pub fn output(&mut self, conn: ConnId) -> Option<&mut OutputBuffer> {
        let conn = self.conns.get_mut(conn)?;
        conn.dirty = false;
        Some(&mut conn.output)
    }

    /// Why the shard closed a connection that is named in [`Effects::close`], until it is told that it is gone: for
    /// transports that can say it. Normal disconnection if the client has asked for it.
    #[must_use]
    pub fn end_reason(&self, conn: ConnId) -> ReasonCode {
        self.conns.get(conn).map_or(ReasonCode::NORMAL_DISCONNECTION, |conn| conn.end_reason)
    }

    /// When to send [`Event::Tick`] at the latest; it may be in the past: there is work left.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if !self.replaying.is_empty() || !self.unjudged.is_empty() {
            return Some(self.now);
        }
        let timers = self.timers.next_deadline();
        match &self.spans {
            None => timers,
            Some(spans) => [timers, spans.next_deadline()].into_iter().flatten().min(),
        }
    }

    /// What the shard has done and what it holds.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The sessions of this shard, in no particular order.
    pub fn sessions(&self) -> impl Iterator<Item = SessionView<'_>> {
        self.sessions.iter().map(|(_, session)| SessionView::new(session))
    }

    /// Whether a session of this shard has a subscription, not a shared one, that matches the topic.
    #[must_use]
    pub fn has_subscriber(&self, topic: &str) -> bool {
        let mut found = false;
        self.subscriptions.matches(topic, |_, _| found = true);
        found
    }

    /// The address that the other end of a connection has; see [`ConnInfo::peer_address`].
    #[must_use]
    pub fn peer_address(&self, conn: ConnId) -> Option<&str> {
        Some(self.conns.get(conn)?.info.peer_address())
    }

    /// The client identifier of a connected client.
    #[must_use]
    pub fn client_id(&self, conn: ConnId) -> Option<&str> {
        let session = self.conns.get(conn)?.session()?;
        Some(self.sessions.get(session)?.client_id())
    }

    /// The client identifier of a connection, whether its client is let in yet or not; `None` before its CONNECT.
    #[must_use]
    pub fn named_client_id(&self, conn: ConnId) -> Option<&str> {
        match &self.conns.get(conn)?.state {
            ConnState::Authenticating(pending) => Some(&pending.client_id),
            _ => self.client_id(conn),
        }
    }

    /// Number of shards.
    pub(crate) fn shard_count(&self) -> u16 {
        self.shared.route_table.shard_count()
    }

    pub(crate) fn session_of_mut(&mut self, conn: ConnId) -> Option<&mut Session> {
        self.sessions.get_mut(self.conns.get(conn)?.session()?)
    }

    fn replace_authorizer(&mut self, turn: &mut Turn<'_>, authorizer: Arc<dyn Authorizer>) {
        self.reloads = self.reloads.wrapping_add(1);
        self.answers = Answers::new(&*authorizer, self.reloads);
        self.authorizer = authorizer;
        if self.authorizer.judges_origin() {
            self.learn_origins();
        }
        self.unjudged.clear();
        if self.authorizer.restricts_subscribing() {
            // Those of clients that are not here are judged when they come back.
            let connected = self.sessions.iter().filter(|(_, session)| session.conn.is_some());
            self.unjudged.extend(connected.map(|(session_id, _)| session_id));
            self.judge_subscriptions(turn);
        }
    }

    fn learn_origins(&mut self) {
        // The one before may not have wanted to know where the clients come from.
        let conns = &self.conns;
        for session in self.sessions.iter_mut().filter(|session| session.identity.origin.is_none()) {
            let conn = session.conn.and_then(|conn| conns.get(conn));
            session.identity.origin = conn.map(|conn| Arc::new(conn.info.client_origin(None)));
        }
    }

    fn configure(&mut self, config: Arc<CoreConfig>, now: Timestamp) {
        let rate = config.connects_per_second_max.div_ceil(u32::from(self.shard_count()));
        self.connect_quota = (rate > 0).then(|| Quota::new(rate, rate, now));
        let shard_count = self.shard_count();
        match (&mut self.spans, config.spans) {
            (Some(spans), Some(config)) => spans.configure(config, shard_count, now),
            (None, Some(config)) => {
                let seed = self.random.next();
                self.spans = Some(Box::new(Spans::new(config, shard_count, seed, now)));
            }
            (_, None) => self.spans = None,
        }
        self.config = config;
    }
}
