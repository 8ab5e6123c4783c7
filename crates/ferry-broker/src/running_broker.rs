use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use ferry_codec::ReasonCode;
use ferry_core::{Authorizer, home_shard};
use ferry_net::ListenAddress;
use tokio::sync::watch;

use crate::accept::{Accepting, BanListFull, BanOrigin, ListenerSetup};
use crate::access::Access;
use crate::admin_api::{AdminServer, AdminState, InForce, Tokens};
use crate::broker::check;
use crate::config::{Ban, Changes, Config, Origins, Problems, diff};
use crate::driver::{Clock, Command, Mailbox};
use crate::from_config::{accept_limits, core_config};
use crate::listeners::{ListenerHandle, Listeners};
use crate::opentelemetry::Exporter;
use crate::storage::Storage;
use crate::tls_expiry::expiries;

/// How long the shards may take to publish wills before clients are disconnected.
const WILLS_MAX: Duration = Duration::from_secs(2);

/// How long the shards may take to let go of the sockets of a removed listener, and to take a new configuration.
const SHARDS_ANSWER_MAX: Duration = Duration::from_secs(2);

/// A broker at work. Dropping it shuts it down and waits for the end.
pub struct RunningBroker {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) mailboxes: Arc<[Mailbox]>,
    pub(crate) accepting: Arc<Accepting>,
    /// The program's own; `None`: the configuration says who may do what.
    pub(crate) authorizer: Option<Arc<dyn Authorizer>>,
    pub(crate) access: Arc<Access>,
    /// `None`: everything is in memory.
    pub(crate) storage: Option<Arc<Storage>>,
    pub(crate) sys_interval_seconds: watch::Sender<u32>,
    pub(crate) local_addresses: Vec<ListenAddress>,
    pub(crate) listeners: Listeners,
    pub(crate) shards: Vec<JoinHandle<()>>,
    pub(crate) exporter: Exporter,
    pub(crate) admin_state: Arc<AdminState>,
    /// `None`: it is not configured.
    pub(crate) admin: Option<AdminServer>,
    pub(crate) shutdown_begun: AtomicBool,
}

impl RunningBroker {
    /// Where clients can connect, in the order of the configuration; a port that was 0 is the one the system chose.
    #[must_use]
    pub fn local_addresses(&self) -> &[ListenAddress] {
        &self.local_addresses
    }

    /// Where the admin API listens; a port that was 0 is the one the system chose.
    #[must_use]
    pub fn admin_addresses(&self) -> &[ListenAddress] {
        self.admin.as_ref().map_or(&[], AdminServer::addresses)
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many shards serve clients.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        self.mailboxes.len()
    }

    /// Works with `config` from now on, as far as that is possible without a restart, and loads the certificates of
    /// TLS listeners again. No connection is dropped, not even those of a listener that is gone. Returns what changed,
    /// and what will only at the next start.
    ///
    /// # Errors
    /// The configuration cannot work: nothing has changed.
    pub fn reload(&mut self, config: Config) -> Result<Changes, Problems> {
        self.reload_with_origins(config, Origins::default())
    }

    /// As [`RunningBroker::reload`], knowing where the options were set.
    ///
    /// # Errors
    /// As there.
    pub fn reload_with_origins(&mut self, config: Config, origins: Origins) -> Result<Changes, Problems> {
        check(&config, self.access.is_of_program())?;
        let changes = diff(&self.config, &config);
        let made = self.access.make(&config)?;
        let tokens = Tokens::read(&config.admin)?;
        let outlet = self.exporter.make(&config)?;
        self.reload_listeners(&config)?;
        self.config = self.config_in_force(config);
        self.admin_state.set_in_force(InForce {
            config: self.config.clone(),
            tokens,
            origins,
            listeners: self.listeners.figures(),
            expiries: expiries(&self.config),
            spans: self.exporter.queue(),
        });
        if let Some(admin) = &self.admin {
            admin.reload(&self.config);
        }
        self.exporter.put_in_force(outlet);
        if let Err(error) = self.exporter.begin() {
            tracing::error!(%error, "nobody can be told of traces");
        }
        let core_config = Arc::new(core_config(&self.config));
        self.access.put_in_force(made, |in_force| {
            let ended_users = Arc::new(in_force.ended_users);
            let authorizer = in_force.authorizer.or_else(|| self.authorizer.clone());
            let authorizer = authorizer.expect("there are rights, or the program has its own");
            for mailbox in &*self.mailboxes {
                mailbox.set_bytes_max(self.config.limits.mailbox_bytes_max);
                mailbox.command(Command::Reload {
                    config: Arc::clone(&core_config),
                    authorizer: Arc::clone(&authorizer),
                    authenticator: in_force.authenticator.clone(),
                    ended_users: Arc::clone(&ended_users),
                });
            }
        });
        self.accepting.reload(accept_limits(&self.config));
        self.sys_interval_seconds.send_replace(self.config.sys.interval_seconds);
        // Whoever connects when this has returned gets what is new.
        let (done, taken) = mpsc::channel();
        for mailbox in &*self.mailboxes {
            let done = done.clone();
            mailbox.command(Command::Ask(Box::new(move |_| {
                // Whoever waited may have given up.
                let _ = done.send(());
            })));
        }
        self.await_shards(&taken);
        Ok(changes)
    }

    /// Waits for an answer of each shard, but not for ever: one may be held up by its disk.
    fn await_shards(&self, answers: &mpsc::Receiver<()>) {
        for _ in &*self.mailboxes {
            if answers.recv_timeout(SHARDS_ANSWER_MAX).is_err() {
                return;
            }
        }
    }

    /// The configuration after a reload of `config`.
    fn config_in_force(&self, config: Config) -> Config {
        // Options that need a restart stay as they are, so that the next reload names them again.
        Config {
            listeners: self.listeners.configs(),
            authentication: crate::config::Authentication {
                hash_threads: self.config.authentication.hash_threads,
                ..config.authentication
            },
            authorization: config.authorization,
            limits: config.limits,
            abuse: config.abuse,
            session: config.session,
            sys: config.sys,
            opentelemetry: config.opentelemetry,
            // What needs a restart is in the sockets.
            admin: crate::config::Admin {
                token: config.admin.token,
                metrics_without_token: config.admin.metrics_without_token,
                hosts: config.admin.hosts,
                tls_certificate_file: config.admin.tls_certificate_file,
                tls_key_file: config.admin.tls_key_file,
                ..self.config.admin.clone()
            },
            log: config.log,
            storage: crate::config::Storage {
                topic_durability: config.storage.topic_durability,
                queue_messages_in_memory_max: config.storage.queue_messages_in_memory_max,
                queue_bytes_in_memory_max: config.storage.queue_bytes_in_memory_max,
                ..self.config.storage.clone()
            },
            server: crate::config::Server {
                reference: config.server.reference,
                certificate_expiry_warning_seconds: config.server.certificate_expiry_warning_seconds,
                shutdown_timeout_seconds: config.server.shutdown_timeout_seconds,
                ..self.config.server.clone()
            },
        }
    }

    /// Ends the connection of a client, if it has one, as an operator's decision: MQTT 5.0 clients get a DISCONNECT with
    /// `reason_code`, such as 0x98 (Administrative action), 0x9C (Use another server) or 0x9D (Server moved), the
    /// latter two with a `server_reference` (section 4.11).
    pub fn disconnect(
        &self,
        client_id: &str,
        reason_code: ReasonCode,
        reason_string: Option<&str>,
        server_reference: Option<&str>,
    ) {
        // As many mailboxes as there are shards.
        let home = home_shard(client_id, self.mailboxes.len() as u16);
        self.mailboxes[usize::from(home.0)].command(Command::Disconnect {
            client_id: client_id.to_owned(),
            reason_code,
            reason_string: reason_string.map(str::to_owned),
            server_reference: server_reference.map(str::to_owned),
        });
    }

    /// Keeps somebody from connecting from now on, until the ban ends or is lifted, also after a restart if there is a data
    /// directory: it is written there by a thread of its own. A client that is connected stays, unless the ban names its client identifier and nothing else: then its connection is ended with
    /// 0x98 (Administrative action).
    ///
    /// # Errors
    /// There are too many bans.
    pub fn ban(&self, ban: Ban) -> Result<(), BanListFull> {
        let client_id = ban.client_id.clone().filter(|_| ban.network.is_none() && ban.user_name.is_none());
        self.accepting.bans.add(self.clock.now(), ban, BanOrigin::Operator)?;
        // Nobody waits for it.
        let _ = self.accepting.keep_bans();
        if let Some(client_id) = client_id {
            self.disconnect(&client_id, ReasonCode::ADMINISTRATIVE_ACTION, None, None);
        }
        Ok(())
    }

    /// Lifts the ban of the same address, user name and client identifier; whether there was one. Those of the
    /// configuration are changed there.
    pub fn lift_ban(&self, about: &Ban) -> bool {
        let was_there = self.accepting.bans.lift(about);
        // Nobody waits for it.
        let _ = self.accepting.keep_bans();
        was_there
    }

    /// All bans in force, in no particular order.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.accepting.bans.all(self.clock.now()).into_iter().map(|(ban, _)| ban).collect()
    }

    /// Begins the end: nobody is accepted any more, wills are published, clients are disconnected (MQTT 5.0 clients
    /// with 0x8B, Server shutting down), and what is written to them is sent within
    /// `server.shutdown_timeout_seconds`. Returns when that has begun; [`RunningBroker::join`] waits for the end.
    pub fn shutdown(&self) {
        if self.shutdown_begun.swap(true, Ordering::SeqCst) {
            return;
        }
        self.admin_state.set_stopping();
        // All wills are on their way before the first subscriber is disconnected.
        let (done, published) = mpsc::channel();
        for mailbox in &*self.mailboxes {
            mailbox.command(Command::PublishWills(done.clone()));
        }
        drop(done);
        for _ in &*self.mailboxes {
            if published.recv_timeout(WILLS_MAX).is_err() {
                break;
            }
        }
        let server = &self.config.server;
        let timeout_milliseconds = u64::from(server.shutdown_timeout_seconds) * 1000;
        let deadline = self.clock.now().plus_milliseconds(timeout_milliseconds);
        let server_reference: Option<Arc<str>> = server.reference.as_deref().map(Arc::from);
        for mailbox in &*self.mailboxes {
            mailbox.command(Command::Shutdown { server_reference: server_reference.clone(), deadline });
        }
    }

    /// Waits until the broker has come to its end, after [`RunningBroker::shutdown`].
    pub fn join(mut self) {
        self.join_shards();
    }

    fn join_shards(&mut self) {
        for shard in self.shards.drain(..) {
            if shard.join().is_err() {
                tracing::error!("a shard has failed");
            }
        }
        if let Some(storage) = &self.storage {
            storage.close();
        }
        self.exporter.close();
    }

    /// Opens, changes and closes listeners; connections stay.
    ///
    /// # Errors
    /// A new one cannot be opened: all stay as they were.
    fn reload_listeners(&mut self, config: &Config) -> Result<(), Problems> {
        let changes = self.listeners.prepare(config)?;
        if !changes.removed.is_empty() {
            let (done, stopped) = mpsc::channel();
            for mailbox in &*self.mailboxes {
                mailbox.command(Command::StopListening(changes.removed.clone(), done.clone()));
            }
            drop(done);
            self.await_shards(&stopped);
        }
        let mailboxes = &self.mailboxes;
        let opened = |handle: &ListenerHandle| {
            tracing::info!("listening on {}", handle.bound.address());
            for mailbox in &**mailboxes {
                match handle.share() {
                    Ok(handle) => mailbox.command(Command::Listen(handle)),
                    Err(error) => tracing::error!(%error, "a new listener does not work on every shard"),
                }
            }
        };
        let changed = |id, setup: &Arc<ListenerSetup>| {
            for mailbox in &**mailboxes {
                mailbox.command(Command::ChangeListener(id, Arc::clone(setup)));
            }
        };
        self.listeners.apply(changes, opened, changed);
        self.local_addresses = self.listeners.local_addresses();
        Ok(())
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        self.shutdown();
        self.join_shards();
    }
}
