use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use ferry_codec::ReasonCode;
use ferry_core::{Authorizer, Durability, home_shard};
use ferry_net::{ListenAddress, TlsAcceptor};
use tokio::sync::watch;

use crate::accept::Accepting;
use crate::broker::check;
use crate::config::{Changes, Config, Listener, Problems, diff};
use crate::driver::{Clock, Command, Mailbox};
use crate::from_config::{accept_limits, core_config};

/// How long the shards may take to publish wills before clients are disconnected.
const WILLS_MAX: Duration = Duration::from_secs(2);

/// A broker at work. Dropping it shuts it down and waits for the end.
pub struct RunningBroker {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) mailboxes: Arc<[Mailbox]>,
    pub(crate) accepting: Arc<Accepting>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    /// The program has an authenticator of its own.
    pub(crate) users_known: bool,
    pub(crate) durability: Durability,
    pub(crate) sys_interval_seconds: watch::Sender<u32>,
    pub(crate) local_addresses: Vec<ListenAddress>,
    pub(crate) tls_acceptors: Vec<(ListenAddress, Arc<TlsAcceptor>)>,
    pub(crate) shards: Vec<JoinHandle<()>>,
    pub(crate) shutdown_begun: AtomicBool,
}

impl RunningBroker {
    /// Where clients can connect, in the order of the configuration; a port that was 0 is the one the system chose.
    #[must_use]
    pub fn local_addresses(&self) -> &[ListenAddress] {
        &self.local_addresses
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
    /// TLS listeners again. No connection is dropped. Returns what changed, and what will only at the next start.
    ///
    /// # Errors
    /// The configuration cannot work: nothing has changed. Certificates that cannot be loaded are logged, and the old
    /// ones stay.
    pub fn reload(&mut self, config: Config) -> Result<Changes, Problems> {
        check(&config, self.users_known)?;
        self.reload_certificates(&config);
        let changes = diff(&self.config, &config);
        // Options that need a restart stay as they are, so that the next reload names them again.
        self.config = Config {
            limits: config.limits,
            session: config.session,
            sys: config.sys,
            log: config.log,
            server: crate::config::Server {
                reference: config.server.reference,
                shutdown_timeout_seconds: config.server.shutdown_timeout_seconds,
                ..self.config.server.clone()
            },
            ..self.config.clone()
        };
        let core_config = Arc::new(core_config(&self.config, self.durability));
        for mailbox in &*self.mailboxes {
            mailbox.set_bytes_max(self.config.limits.mailbox_bytes_max);
            mailbox.command(Command::Reload {
                config: Arc::clone(&core_config),
                authorizer: Arc::clone(&self.authorizer),
            });
        }
        self.accepting.reload(accept_limits(&self.config));
        self.sys_interval_seconds.send_replace(self.config.sys.interval_seconds);
        Ok(changes)
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

    /// Begins the end: nobody is accepted any more, wills are published, clients are disconnected (MQTT 5.0 clients
    /// with 0x8B, Server shutting down), and what is written to them is sent within
    /// `server.shutdown_timeout_seconds`. Returns when that has begun; [`RunningBroker::join`] waits for the end.
    pub fn shutdown(&self) {
        if self.shutdown_begun.swap(true, Ordering::SeqCst) {
            return;
        }
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
    }

    fn reload_certificates(&self, config: &Config) {
        for (address, acceptor) in &self.tls_acceptors {
            let same = |listener: &&Listener| listener.address == *address;
            let Some(options) = config.listeners.iter().find(same).and_then(Listener::tls_options) else {
                continue;
            };
            if let Err(error) = acceptor.reload(&options) {
                tracing::error!(listener = %address, %error, "the certificates stay as they were");
            }
        }
    }
}

impl Drop for RunningBroker {
    fn drop(&mut self) {
        self.shutdown();
        self.join_shards();
    }
}
