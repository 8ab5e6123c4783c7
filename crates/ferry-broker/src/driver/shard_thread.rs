use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use ferry_auth::Authenticator;
use ferry_core::{Effects, Shard, ShardId};
use tokio::task::LocalSet;

use super::sockets::Sockets;
use super::talkers::Talkers;
use super::turn::take_turns;
use super::{Clock, Driver, Mailbox, SCRATCH_BYTES};
use crate::accept::Accepting;
use crate::listeners::ListenerHandle;
use crate::opentelemetry::SpanQueue;
use crate::storage::ShardStorage;
use crate::sys_topics::{SysTopicsSetup, publish_sys_topics};

/// What a shard's thread is started with.
pub(crate) struct ShardSetup {
    pub(crate) id: ShardId,
    /// With the sessions that the store has.
    pub(crate) shard: Shard,
    pub(crate) clock: Clock,
    /// Mailboxes of all shards.
    pub(crate) mailboxes: Arc<[Mailbox]>,
    /// `None`: everything is in memory.
    pub(crate) storage: Option<ShardStorage>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) accepting: Arc<Accepting>,
    /// The shard's own handles of the listening sockets.
    pub(crate) listeners: Vec<ListenerHandle>,
    /// For the one shard that publishes `$SYS`.
    pub(crate) sys_topics: Option<SysTopicsSetup>,
    /// Where spans go.
    pub(crate) spans: Arc<SpanQueue>,
}

/// Starts the thread of a shard, and returns once it accepts connections.
pub(crate) fn start_shard(setup: ShardSetup) -> io::Result<JoinHandle<()>> {
    let (started, starting) = mpsc::channel();
    let thread = thread::Builder::new()
        .name(format!("ferry-shard-{}", setup.id.0))
        .spawn(move || run_shard(setup, &started))?;
    match starting.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(mpsc::RecvError) => Err(io::Error::other("the shard's thread ended while starting")),
    }
}

fn run_shard(mut setup: ShardSetup, started: &mpsc::Sender<io::Result<()>>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(started, Err(error)),
    };
    let tasks = LocalSet::new();
    tasks.block_on(&runtime, async {
        let listeners = std::mem::take(&mut setup.listeners);
        let sys_topics = setup.sys_topics.take();
        let driver = match Driver::new(setup) {
            Ok(driver) => driver,
            Err(error) => return report(started, Err(error)),
        };
        match listeners.into_iter().try_for_each(|listener| driver.listen(listener)) {
            Ok(()) => report(started, Ok(())),
            Err(error) => return report(started, Err(error)),
        }
        if let Some(sys_topics) = sys_topics {
            let mailboxes = Arc::clone(&driver.mailboxes);
            tokio::task::spawn_local(publish_sys_topics(sys_topics, driver.clock, mailboxes));
        }
        let turns = tokio::task::spawn_local(take_turns(driver));
        if let Err(error) = turns.await {
            tracing::error!(%error, "a shard has failed");
        }
    });
}

fn report(started: &mpsc::Sender<io::Result<()>>, result: io::Result<()>) {
    // The starting thread waits for this message and nothing else.
    let _ = started.send(result);
}

impl Driver {
    /// Needs the runtime of the shard.
    fn new(setup: ShardSetup) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            id: setup.id,
            clock: setup.clock,
            shard: RefCell::new(setup.shard),
            effects: RefCell::new(Effects::new()),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into()),
            turns: Cell::new(0),
            bytes_read: Cell::new(0),
            messages_read: Cell::new(0),
            sockets: RefCell::new(Sockets::new()?),
            conns: RefCell::default(),
            ready: RefCell::default(),
            turn_wanted: Cell::new(false),
            is_waiting: Cell::new(false),
            mailboxes: setup.mailboxes,
            has_mail: Cell::new(false),
            parcels: RefCell::default(),
            blocked: RefCell::default(),
            congested: RefCell::default(),
            storage_behind: Cell::new(false),
            lap: Cell::default(),
            storage_behind_since: Cell::default(),
            held: RefCell::default(),
            committed: Cell::default(),
            storage: RefCell::new(setup.storage),
            authenticator: RefCell::new(setup.authenticator),
            ended_users: RefCell::default(),
            peer_user_ids: RefCell::default(),
            exchanges: RefCell::default(),
            accepting: setup.accepting,
            next_shard: Cell::new(setup.id),
            acceptors: RefCell::default(),
            refusals: RefCell::default(),
            refusal_log: RefCell::default(),
            history: RefCell::default(),
            takeovers: RefCell::default(),
            watcher: RefCell::default(),
            talkers: RefCell::new(Talkers::new(setup.clock.now())),
            traces: RefCell::default(),
            is_tracing: Cell::new(false),
            spans: setup.spans,
            flushing: RefCell::default(),
            lingering: Cell::new(0),
            stopping: Cell::new(None),
        }))
    }
}
