//! A shard's thread: what the pure core decides is done here, with sockets, a clock and a store.
//!
//! The turn: each readable connection is read into one scratch buffer, which feeds the core (`serve`, `read`); then
//! `turn` drains the mailbox, commits what is to be stored as one batch, sends mail with one wake
//! per shard, and writes each connection once (`flush`). No connection is written to while deciding.

mod acceptor;
mod authenticate;
mod clock;
mod command;
mod conn;
mod conn_table;
mod duel;
mod ended_users;
mod flush;
mod greeting;
mod history;
mod lap;
mod mailbox;
mod read;
mod refusal_log;
mod report;
mod serve;
mod shard_thread;
mod sockets;
mod talkers;
mod trace;
mod turn;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use ferry_auth::{Authenticator, Exchange};
use ferry_core::{ConnId, Effects, Shard, ShardId, Ticket, Traffic};
use ferry_session::Timestamp;

pub(crate) use clock::Clock;
pub(crate) use command::{Command, ShardReport};
pub(crate) use history::Decision;
pub(crate) use mailbox::Mailbox;
pub(crate) use shard_thread::{ShardSetup, start_shard};
pub(crate) use talkers::TopTalkers;
pub(crate) use trace::{TRACES_MAX, TraceLines, end_line, start_line};

use acceptor::Acceptor;
use conn::Conn;
use conn_table::ConnTable;
use ended_users::EndedUsers;
use history::History;
use lap::Lap;
use mailbox::Parcel;
use refusal_log::RefusalLog;
use report::Watcher;
use sockets::Sockets;
use talkers::Talkers;
use trace::Traces;

use crate::accept::{Accepting, PerMinute};
use crate::opentelemetry::SpanQueue;
use crate::storage::ShardStorage;

/// Bytes read from a connection at a time, into the shard's one buffer.
const SCRATCH_BYTES: usize = 128 * 1024;

/// Bytes read from all connections, and bytes of mail opened, in one turn; the rest waits for the next one. What a
/// turn decides is written only at its end, so much more would not fit in the write buffer of one subscriber to
/// everything, who is quick enough and must not lose anything.
const TURN_BYTES_MAX: usize = 512 * 1024;

/// PUBLISH packets read from all connections in one turn, and what a last read has beyond: so what was made of them and
/// of their acknowledgements is still near the processor when it is written.
const TURN_MESSAGES_MAX: u64 = 1_024;

/// Everything one shard's thread works with. Borrows of the cells never live across an await.
pub(crate) struct Driver {
    id: ShardId,
    clock: Clock,
    shard: RefCell<Shard>,
    effects: RefCell<Effects>,
    scratch: RefCell<Box<[u8]>>,
    turns: Cell<u64>,
    /// Bytes read since the last turn.
    bytes_read: Cell<usize>,
    /// PUBLISH packets read since the last turn.
    messages_read: Cell<u64>,
    sockets: RefCell<Sockets>,
    conns: RefCell<ConnTable>,
    /// Connections to be looked at, each once.
    ready: RefCell<VecDeque<Rc<Conn>>>,

    /// Something of this thread has to be dealt with in a turn.
    turn_wanted: Cell<bool>,
    /// No turn is under way, so that somebody has to ask for one.
    is_waiting: Cell<bool>,

    /// Mailboxes of all shards, by shard.
    mailboxes: Arc<[Mailbox]>,
    /// There may be something in the mailbox.
    has_mail: Cell<bool>,
    /// What was taken from the mailbox and is not opened yet.
    parcels: RefCell<VecDeque<Parcel>>,
    /// Shards to be told that the mailbox has room; empty between turns.
    blocked: RefCell<Vec<ShardId>>,
    /// Shards whose mailbox had no room when last asked.
    congested: RefCell<Vec<ShardId>>,
    /// The store had more to write than it should, when last asked.
    storage_behind: Cell<bool>,
    /// Publishers that are not read until there is room.
    held: RefCell<Vec<ConnId>>,

    /// The round over all connections that is under way.
    lap: Cell<Lap>,
    /// Since when the store has been behind.
    storage_behind_since: Cell<Option<Timestamp>>,
    /// `None`: everything is in memory.
    storage: RefCell<Option<ShardStorage>>,
    /// The newest tickets that the core knows to be written and synced.
    committed: Cell<(Ticket, Ticket)>,
    authenticator: RefCell<Arc<dyn Authenticator>>,
    ended_users: RefCell<EndedUsers>,
    /// The users of this machine that clients of Unix sockets run as, where listeners ask for it.
    peer_user_ids: RefCell<HashMap<ConnId, u32>>,
    /// Enhanced authentications under way.
    exchanges: RefCell<HashMap<ConnId, Box<dyn Exchange>>>,

    accepting: Arc<Accepting>,
    /// The shard that gets the next client without a client identifier.
    next_shard: Cell<ShardId>,
    acceptors: RefCell<Vec<Acceptor>>,
    /// Connections refused or failed, by what is counted.
    refusals: RefCell<BTreeMap<&'static str, u64>>,
    refusal_log: RefCell<RefusalLog>,
    history: RefCell<History>,
    /// Takeovers, by client identifier.
    takeovers: RefCell<PerMinute<Box<str>>>,
    watcher: RefCell<Watcher>,
    talkers: RefCell<Talkers<ConnId>>,
    /// Clients of which somebody wants to know every packet.
    traces: RefCell<Traces>,
    /// There are some; all that is looked at while there are none.
    is_tracing: Cell<bool>,
    /// Where it is told what became of messages.
    spans: Arc<SpanQueue>,

    /// Connections that the core has closed, oldest first, with the time until which their output may wait.
    flushing: RefCell<VecDeque<(Timestamp, ConnId)>>,
    /// Streams that wait for their peer's end.
    lingering: Cell<usize>,
    /// When the thread ends at the latest, once a shutdown has begun.
    stopping: Cell<Option<Timestamp>>,
}

impl Driver {
    pub(crate) fn accepting(&self) -> &Accepting {
        &self.accepting
    }

    /// Counts a connection that was refused, or failed, for `reason`.
    pub(crate) fn count_refusal(&self, reason: &'static str) {
        *self.refusals.borrow_mut().entry(reason).or_default() += 1;
        self.watcher.borrow_mut().alarm();
    }

    /// Counts a connection that was refused for `reason`, and explains it in the log.
    pub(crate) fn refuse(&self, reason: &'static str, words: impl fmt::Display) {
        self.count_refusal(reason);
        self.refusal_log.borrow_mut().named(self.now(), reason, words);
    }

    /// Counts what has passed on a connection.
    fn count_traffic(&self, shard: &Shard, id: ConnId, traffic: Traffic) {
        self.talkers.borrow_mut().add(id, traffic, || shard.client_id(id).map(Into::into));
    }

    /// The clients of this shard with most traffic lately.
    pub(crate) fn top_talkers(&self, clients_max: usize) -> TopTalkers {
        let shard = self.shard.borrow();
        self.talkers.borrow().top(clients_max, |id| shard.client_id(id))
    }

    /// This shard's own mailbox.
    fn mailbox(&self) -> &Mailbox {
        &self.mailboxes[usize::from(self.id.0)]
    }

    fn shard_count(&self) -> u16 {
        // The configuration allows no more than 1,024.
        self.mailboxes.len() as u16
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Tells the core the time as exactly as spans want it.
    fn note_time(&self, shard: &mut Shard) {
        if shard.has_spans() {
            shard.note_nanoseconds(self.clock.nanoseconds());
        }
    }

    /// Hands over what the core tells about messages.
    fn send_spans(&self) {
        let spans = &mut self.effects.borrow_mut().spans;
        if !spans.is_empty() {
            self.spans.offer(spans.drain(..));
        }
    }

    /// The connection, if it has not been closed meanwhile.
    fn conn(&self, id: ConnId) -> Option<Rc<Conn>> {
        self.conns.borrow().get(id).cloned()
    }

    /// Makes a turn follow the tasks that are ready now.
    fn want_turn(&self) {
        if !self.turn_wanted.replace(true) && self.is_waiting.get() {
            self.mailbox().ring();
        }
    }
}
