use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use ferry_auth::Authenticator;
use ferry_core::persistence::Restored;
use ferry_core::{Authorizer, Shard, ShardId, Shared};
use ferry_store::Disk;
use tokio::sync::watch;

use crate::accept::{Accepting, BANS_FILE, BanKeeper, BanList};
use crate::access::Access;
use crate::admin_api::{AdminServer, AdminSockets, AdminState, InForce, Tokens};
use crate::authenticators::Authenticators;
use crate::config::{Config, Origins, Problems};
use crate::driver::{Clock, Mailbox, ShardSetup, start_shard};
use crate::from_config::{accept_limits, core_config};
use crate::listeners::{ListenerHandle, Listeners};
use crate::managed_file::ManagedFile;
use crate::opentelemetry::{Exporter, SpanQueue};
use crate::privileges::Account;
use crate::rights::{Rights, RightsInForce};
use crate::role_store::RoleStore;
use crate::running_broker::RunningBroker;
use crate::start_error::StartError;
use crate::storage::{OpenArguments, OpenedStorage, Storage, StorageOpener, opener};
use crate::sys_topics::SysTopicsSetup;
use crate::tls_expiry::expiries;

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
    origins: Origins,
    authenticator: Option<Arc<dyn Authenticator>>,
    authorizer: Option<Arc<dyn Authorizer>>,
    storage: Option<StorageOpener>,
    account: Option<Account>,
}

/// Where the broker listens, before anybody is answered.
struct Bound {
    listeners: Listeners,
    handles: Vec<ListenerHandle>,
    admin: AdminSockets,
}

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
            origins: Origins::default(),
            authenticator: None,
            authorizer: None,
            storage: None,
            account: None,
        }
    }
}

impl BrokerBuilder {
    /// The process, which is root's, becomes this user once all addresses are bound: before the store is opened, and
    /// before there is another thread. For a program that is nothing but the broker.
    pub(crate) fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// A disk of the program's own in place of the data directory.
    #[must_use]
    pub fn disk<D>(mut self, disk: D) -> Self
    where
        D: Disk + Send + 'static,
        D::File: Send,
    {
        self.storage = Some(opener(disk));
        self
    }

    /// Where the options of the configuration were set, for those who ask the admin API.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
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
        self.authorizer = Some(authorizer);
        self
    }

    /// Opens the store and reads what it has, binds every listener, then starts the shards. When this returns, clients
    /// can connect.
    ///
    /// # Errors
    /// The configuration cannot work, the data directory cannot be used, an address is taken, a certificate is unusable;
    /// nothing is left behind.
    pub fn start(self) -> Result<RunningBroker, StartError> {
        check(&self.config, self.authenticator.is_some())?;
        let judges = self.authenticator.is_none().then(|| Authenticators::new(&self.config)).transpose()?;
        let rights = self.authorizer.is_none().then(|| Rights::read(&self.config)).transpose()?;
        let tokens = Tokens::read(&self.config.admin)?;
        let exporter = Exporter::new(&self.config)?;
        // A disk of the program's own has none.
        let data_directory = self.config.storage.directory().filter(|_| self.storage.is_none());
        let become_it = |account| bind_and_become(account, &self.config, data_directory.as_deref());
        let bound_as_root = self.account.as_ref().map(become_it).transpose()?;
        let clock = Clock::start();
        let shard_count = shard_count(&self.config);
        let mailboxes = mailboxes(shard_count, self.config.limits.mailbox_bytes_max);
        // Keys of hash tables: different in each process, so that no client can prepare collisions.
        let seed = RandomState::new().hash_one(shard_count);
        let core_config = Arc::new(core_config(&self.config));
        let rights = rights.map(|rights| with_roles(rights, data_directory.as_deref())).transpose()?;
        let judge = self.authorizer.clone().or_else(|| rights.as_ref().map(RightsInForce::authorizer));
        let judge = judge.expect("there are rights, or the program has its own");
        let shared = Arc::new(Shared::new(shard_count, seed, core_config, judge));
        let arguments =
            OpenArguments { config: &self.config.storage, shared: &shared, mailboxes: &mailboxes };
        let (storage, restored) = open_storage(self.storage, &arguments)?;
        let access = Access::open(judges, rights, data_directory.as_deref(), Arc::clone(&mailboxes))?;
        let authenticator = self.authenticator.or_else(|| access.authenticator());
        let authenticator = authenticator.expect("there are judges, or the program has its own");
        let mut shards = make_shards(shard_count, &shared, seed, clock);
        if let Some(storage) = &storage {
            storage.give(restored, &mut shards, &shared);
        }
        let bound = bound_as_root.map_or_else(|| Bound::bind(&self.config), Ok)?;
        let Bound { listeners, handles, admin: mut admin_sockets } = bound;
        admin_sockets.bind_in(&self.config, data_directory.as_deref());
        let accepting = open_accepting(&self.config, data_directory.as_deref(), clock)?;
        let (sys_interval_seconds, interval_seconds) = watch::channel(self.config.sys.interval_seconds);
        let in_force = in_force(&self.config, tokens, self.origins, &listeners, exporter.queue());
        let admin_state = AdminState::new(
            clock,
            Arc::clone(&mailboxes),
            Arc::clone(&shared),
            Arc::clone(&accepting),
            Arc::new(access),
            storage.clone(),
            in_force,
        );
        let mut running = RunningBroker {
            config: self.config,
            clock,
            mailboxes: Arc::clone(&mailboxes),
            accepting: Arc::clone(&accepting),
            authorizer: self.authorizer,
            access: Arc::clone(&admin_state.access),
            storage: storage.clone(),
            sys_interval_seconds,
            local_addresses: listeners.local_addresses(),
            listeners,
            shards: Vec::new(),
            exporter,
            admin_state: Arc::new(admin_state),
            admin: None,
            shutdown_begun: AtomicBool::new(false),
        };
        let sys_topics = SysTopicsSetup { shared, storage, interval_seconds };
        start_shards(&mut running, shards, &handles, &authenticator, sys_topics)?;
        if !admin_sockets.is_empty() {
            running.admin = Some(AdminServer::start(admin_sockets, Arc::clone(&running.admin_state))?);
        }
        Ok(running)
    }
}

impl Bound {
    fn bind(config: &Config) -> Result<Self, StartError> {
        let (listeners, handles) = Listeners::bind(config)?;
        Ok(Self { listeners, handles, admin: AdminSockets::bind(config)? })
    }
}

/// Binds all addresses as root, and becomes another user. In the directory that belongs to that user nothing is opened
/// before.
fn bind_and_become(
    account: &Account,
    config: &Config,
    data_directory: Option<&Path>,
) -> Result<Bound, StartError> {
    let bound = Bound::bind(config)?;
    for path in config.listeners.iter().filter_map(|listener| listener.address.unix_path()) {
        if let Err(error) = account.give_socket(path) {
            tracing::warn!("the socket {} stays root's: {error}", path.display());
        }
    }
    if let Some(directory) = data_directory {
        account.prepare(directory)?;
    }
    account.become_it()?;
    if let Some(directory) = data_directory {
        account.check_directory(directory)?;
    }
    Ok(bound)
}

/// The bans that are kept in the data directory, and all limits.
fn open_accepting(
    config: &Config,
    directory: Option<&Path>,
    clock: Clock,
) -> Result<Arc<Accepting>, StartError> {
    let bans = Arc::new(BanList::default());
    let keeper = directory
        .map(|directory| BanKeeper::open(ManagedFile::new(directory, BANS_FILE), Arc::clone(&bans), clock));
    Ok(Arc::new(Accepting::new(accept_limits(config), bans, keeper.transpose()?)))
}

fn make_shards(shard_count: u16, shared: &Arc<Shared>, seed: u64, clock: Clock) -> Vec<Shard> {
    let shards = (0..shard_count).map(|id| {
        let seed = seed.wrapping_add(u64::from(id) + 1);
        Shard::new(ShardId(id), shard_count, Arc::clone(shared), seed, clock.now())
    });
    shards.collect()
}

/// Starts the threads of shards, and the one that asks servers. On failure, dropping `running` stops those that run already.
fn start_shards(
    running: &mut RunningBroker,
    shards: Vec<Shard>,
    listeners: &[ListenerHandle],
    authenticator: &Arc<dyn Authenticator>,
    sys_topics: SysTopicsSetup,
) -> Result<(), StartError> {
    running.access.begin()?;
    running.exporter.begin()?;
    let shared = Arc::clone(&sys_topics.shared);
    let mut sys_topics = Some(sys_topics);
    for (id, shard) in (0..).map(ShardId).zip(shards) {
        let storage = running.storage.as_ref();
        let setup = ShardSetup {
            id,
            shard,
            clock: running.clock,
            mailboxes: Arc::clone(&running.mailboxes),
            storage: storage.and_then(|storage| storage.shard(id, Arc::clone(&shared))),
            authenticator: Arc::clone(authenticator),
            accepting: Arc::clone(&running.accepting),
            listeners: listeners.iter().map(ListenerHandle::share).collect::<Result<_, _>>()?,
            sys_topics: sys_topics.take(),
            spans: running.exporter.queue(),
        };
        running.shards.push(start_shard(setup)?);
    }
    Ok(())
}

/// Opens the store, unless everything is in memory.
fn open_storage(
    opener: Option<StorageOpener>,
    arguments: &OpenArguments<'_>,
) -> Result<(Option<Arc<Storage>>, Restored), StartError> {
    if !arguments.config.is_on_disk() {
        return Ok((None, Restored::default()));
    }
    let OpenedStorage { storage, restored } = match opener {
        Some(opener) => opener(arguments)?,
        None => {
            let directory = arguments.config.directory().ok_or(StartError::NoDirectory)?;
            OpenedStorage::in_directory(directory, arguments)?
        }
    };
    Ok((Some(Arc::new(storage)), restored))
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

fn in_force(
    config: &Config,
    tokens: Tokens,
    origins: Origins,
    listeners: &Listeners,
    spans: Arc<SpanQueue>,
) -> InForce {
    let (listeners, expiries) = (listeners.figures(), expiries(config));
    InForce { config: config.clone(), tokens, origins, listeners, expiries, spans }
}

/// Rights with the roles of the data directory.
fn with_roles(rights: Rights, directory: Option<&Path>) -> Result<RightsInForce, StartError> {
    Ok(RightsInForce { rights, roles: RoleStore::open(directory)? })
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
    (0..shard_count).map(|_| Mailbox::new(bytes_max)).collect()
}
