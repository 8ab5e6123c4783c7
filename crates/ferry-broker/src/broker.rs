use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use ferry_auth::{AnonymousAuthenticator, Authenticator};
use ferry_core::{AllowAll, Authorizer, Durability, Record, ShardId, Shared};
use ferry_net::{BoundListener, ListenAddress, TlsAcceptor};
use ferry_store::{MemoryStore, Store};
use tokio::sync::watch;

use crate::accept::{Accepting, ListenerSetup};
use crate::config::{Config, Problems};
use crate::driver::{Clock, Mailbox, ShardSetup, start_shard};
use crate::from_config::{accept_limits, core_config, listener_options, listener_policy};
use crate::running_broker::RunningBroker;
use crate::start_error::StartError;
use crate::sys_topics::SysTopicsSetup;

/// A broker inside this process, next to others if need be.
///
/// ```no_run
/// # use ferry_broker::{Broker, config::Config};
/// let broker = Broker::start(Config::default())?;
/// for address in broker.local_addresses() {
///     println!("{address}");
/// }
/// broker.shutdown();
/// broker.join();
/// # Ok::<(), ferry_broker::StartError>(())
/// ```
pub struct Broker(());

/// A broker to be started, with parts of the program's own.
pub struct BrokerBuilder {
    config: Config,
    authenticator: Option<Arc<dyn Authenticator>>,
    authorizer: Arc<dyn Authorizer>,
    durability: Durability,
    store: StoreMaker,
}

/// Makes the store of each shard; the function it is given rings that shard when a ticket has been committed.
type StoreMaker = Box<dyn Fn(ShardId, CommitBell) -> Box<dyn Store<Record>>>;

/// Called, from any thread, when [`Store::committed`] has moved on.
pub type CommitBell = Box<dyn Fn() + Send + Sync>;

impl Broker {
    /// Starts a broker with this configuration, which lets everybody in where the listener does, and to all topics.
    ///
    /// # Errors
    /// As [`BrokerBuilder::start`].
    pub fn start(config: Config) -> Result<RunningBroker, StartError> {
        Self::builder(config).start()
    }

    /// A broker with parts of the program's own.
    #[must_use]
    pub fn builder(config: Config) -> BrokerBuilder {
        BrokerBuilder {
            config,
            authenticator: None,
            authorizer: Arc::new(AllowAll),
            durability: Durability::Memory,
            store: Box::new(|_, _| Box::new(MemoryStore::new())),
        }
    }
}

impl BrokerBuilder {
    /// Another store than memory: `make` is called for each shard, with the function that rings that shard when
    /// [`Store::committed`] has moved on.
    #[must_use]
    pub fn store(
        mut self,
        durability: Durability,
        make: impl Fn(ShardId, CommitBell) -> Box<dyn Store<Record>> + 'static,
    ) -> Self {
        self.durability = durability;
        self.store = Box::new(make);
        self
    }

    /// Another judge of who may connect.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self
    }

    /// Another judge of who may publish and subscribe.
    #[must_use]
    pub fn authorizer(mut self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.authorizer = authorizer;
        self
    }

    /// Binds every listener, then starts the shards. When this returns, clients can connect.
    ///
    /// # Errors
    /// The configuration cannot work, an address is taken, a certificate is unusable; nothing is left behind.
    pub fn start(self) -> Result<RunningBroker, StartError> {
        let users_known = self.authenticator.is_some();
        check(&self.config, users_known)?;
        let authenticator = self.authenticator.unwrap_or_else(|| Arc::new(AnonymousAuthenticator));
        let clock = Clock::start();
        let listeners = bind(&self.config)?;
        let shard_count = shard_count(&self.config);
        let mailboxes = mailboxes(shard_count, self.config.limits.mailbox_bytes_max);
        // Keys of hash tables: different in each process, so that no client can prepare collisions.
        let seed = RandomState::new().hash_one(shard_count);
        let core_config = Arc::new(core_config(&self.config, self.durability));
        let shared = Arc::new(Shared::new(shard_count, seed, core_config, Arc::clone(&self.authorizer)));
        let accepting = Arc::new(Accepting::new(accept_limits(&self.config)));
        let (sys_interval_seconds, sys_interval_changes) = watch::channel(self.config.sys.interval_seconds);
        let mut running = RunningBroker {
            config: self.config,
            clock,
            mailboxes: Arc::clone(&mailboxes),
            accepting: Arc::clone(&accepting),
            authorizer: self.authorizer,
            users_known,
            durability: self.durability,
            sys_interval_seconds,
            local_addresses: listeners.iter().map(|listener| listener.bound.address().clone()).collect(),
            tls_acceptors: listeners.iter().filter_map(BoundListenerSetup::tls_acceptor).collect(),
            shards: Vec::new(),
            shutdown_begun: AtomicBool::new(false),
        };
        let mut sys_topics =
            Some(SysTopicsSetup { shared: Arc::clone(&shared), interval_seconds: sys_interval_changes });
        for index in 0..shard_count {
            let id = ShardId(index);
            let bell = {
                let mailboxes = Arc::clone(&mailboxes);
                Box::new(move || mailboxes[usize::from(index)].ring())
            };
            let setup = ShardSetup {
                id,
                seed: seed.wrapping_add(u64::from(index) + 1),
                clock,
                shared: Arc::clone(&shared),
                mailboxes: Arc::clone(&mailboxes),
                store: (self.store)(id, bell),
                authenticator: Arc::clone(&authenticator),
                accepting: Arc::clone(&accepting),
                listeners: shares(&listeners)?,
                sys_topics: sys_topics.take(),
            };
            // On failure, dropping `running` stops the shards that run already.
            running.shards.push(start_shard(setup)?);
        }
        Ok(running)
    }
}

/// Checks a configuration. An authenticator of the program's own can tell who a client is (`users_known`), of which
/// the configuration knows nothing.
pub(crate) fn check(config: &Config, users_known: bool) -> Result<(), Problems> {
    let Err(Problems(mut problems)) = config.check() else { return Ok(()) };
    if users_known {
        problems.retain(|problem| !problem.option.ends_with(".allow_anonymous"));
    }
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// A listening socket and what its connections are given.
struct BoundListenerSetup {
    /// As configured: a port that was 0 is still 0.
    address: ListenAddress,
    bound: BoundListener,
    setup: Arc<ListenerSetup>,
}

impl BoundListenerSetup {
    fn tls_acceptor(&self) -> Option<(ListenAddress, Arc<TlsAcceptor>)> {
        self.setup.options.tls.as_ref().map(|acceptor| (self.address.clone(), Arc::clone(acceptor)))
    }
}

fn bind(config: &Config) -> Result<Vec<BoundListenerSetup>, StartError> {
    let mut listeners = Vec::new();
    for listener in &config.listeners {
        let address = listener.address.clone();
        let tls = listener
            .tls_options()
            .map(|options| TlsAcceptor::new(&options, address.transport()))
            .transpose()
            .map_err(|error| StartError::Tls { address: address.clone(), error })?;
        let bound = BoundListener::bind(&address, &listener.bind_options())?;
        let options = listener_options(listener, tls.map(Arc::new));
        let setup = ListenerSetup::new(listener_policy(listener), options, listener.connections_max);
        listeners.push(BoundListenerSetup { address, bound, setup: Arc::new(setup) });
    }
    Ok(listeners)
}

/// A shard's own handles of all listening sockets.
fn shares(listeners: &[BoundListenerSetup]) -> Result<Vec<(BoundListener, Arc<ListenerSetup>)>, StartError> {
    let share =
        |listener: &BoundListenerSetup| Ok((listener.bound.try_clone()?, Arc::clone(&listener.setup)));
    listeners.iter().map(share).collect()
}

/// One shard on up to two cores, else one for each.
fn shard_count(config: &Config) -> u16 {
    if let Some(shards) = config.server.shards {
        return shards.get();
    }
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    if cores <= 2 { 1 } else { u16::try_from(cores).unwrap_or(u16::MAX).min(1024) }
}

fn mailboxes(shard_count: u16, bytes_max: usize) -> Arc<[Mailbox]> {
    (0..shard_count).map(|index| Mailbox::new(ShardId(index), bytes_max)).collect()
}
