use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ferry_net::{
    BindOptions, BoundListener, HandshakeLimits, ListenAddress, Listener, ListenerOptions, TlsAcceptor,
};
use tokio::sync::{Semaphore, oneshot};

use super::connection::serve;
use super::state::AdminState;
use crate::config::Config;
use crate::start_error::StartError;

/// The Unix socket's name in the data directory.
const SOCKET_NAME: &str = "admin.sock";

/// Few connections that the system keeps waiting; and who may open the socket's file may do everything.
const OPTIONS: BindOptions = BindOptions { backlog: 64, unix_socket_mode: 0o600 };

/// After the system could not give a connection, the next try waits this long.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// Where the API listens, before anybody is answered.
pub(crate) struct AdminSockets {
    bound: Vec<BoundListener>,
    tls: Option<Arc<TlsAcceptor>>,
}

/// The thread that answers. Dropping it ends the thread.
pub(crate) struct AdminServer {
    addresses: Vec<ListenAddress>,
    tls: Option<Arc<TlsAcceptor>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl AdminSockets {
    /// Listens on the address of the configuration, if it names one.
    ///
    /// # Errors
    /// The address is taken, a certificate is unusable.
    pub(crate) fn bind(config: &Config) -> Result<Self, StartError> {
        let admin = &config.admin;
        let bound = admin.address.iter().map(|address| BoundListener::bind(address, &OPTIONS));
        let bound = bound.collect::<Result<_, _>>()?;
        let tls = match (admin.tls_options(), &admin.address) {
            (Some(options), Some(address)) => {
                let acceptor = TlsAcceptor::new(&options, address.transport());
                let address = address.clone();
                Some(Arc::new(acceptor.map_err(|error| StartError::Tls { address, error })?))
            }
            _ => None,
        };
        Ok(Self { bound, tls })
    }

    /// Listens in `directory` too, which is the data directory if there is one, unless the configuration says otherwise.
    pub(crate) fn bind_in(&mut self, config: &Config, directory: Option<&Path>) {
        let Some(directory) = directory.filter(|_| config.admin.unix_socket) else { return };
        let address = ListenAddress::Unix(directory.join(SOCKET_NAME));
        match BoundListener::bind(&address, &OPTIONS) {
            Ok(socket) => self.bound.push(socket),
            // Nobody has asked for it: a file system without sockets, or a long path, is no reason not to start.
            Err(error) => tracing::warn!(
                "the admin API has no socket in the data directory: {error}; \
                 admin.address gives it another place, admin.unix_socket = false ends this warning"
            ),
        }
    }

    /// Whether it listens nowhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.bound.is_empty()
    }
}

impl AdminServer {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has none to give.
    pub(crate) fn start(sockets: AdminSockets, state: Arc<AdminState>) -> io::Result<Self> {
        let AdminSockets { bound, tls } = sockets;
        let addresses = bound.iter().map(|bound| bound.address().clone()).collect();
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let acceptor = tls.clone();
        let thread = thread::Builder::new().name("ferry-admin".to_owned()).spawn(move || {
            runtime.block_on(run(bound, acceptor, state, stopped));
        })?;
        Ok(Self { addresses, tls, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; a port that was 0 is the one the system chose.
    pub(crate) fn addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// Reads the certificate again.
    pub(crate) fn reload(&self, config: &Config) {
        if let (Some(acceptor), Some(options)) = (&self.tls, config.admin.tls_options())
            && let Err(error) = acceptor.reload(&options)
        {
            tracing::error!(%error, "the certificate of the admin API stays as it was");
        }
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the admin API has failed");
        }
    }
}

async fn run(
    bound: Vec<BoundListener>,
    tls: Option<Arc<TlsAcceptor>>,
    state: Arc<AdminState>,
    stopped: oneshot::Receiver<()>,
) {
    let admin = &state.in_force().config.admin;
    let time = Duration::from_secs(u64::from(admin.request_timeout_seconds));
    let limits = HandshakeLimits {
        total_timeout: time,
        first_byte_timeout: time,
        tls_timeout: time,
        ..HandshakeLimits::default()
    };
    let options = Arc::new(ListenerOptions { tls, limits, ..ListenerOptions::default() });
    let places = Arc::new(Semaphore::new(usize::from(admin.connections_max)));
    for bound in bound {
        match bound.attach() {
            Ok(listener) => {
                let (options, state, places) =
                    (Arc::clone(&options), Arc::clone(&state), Arc::clone(&places));
                tokio::spawn(accept(listener, options, state, places));
            }
            Err(error) => tracing::error!(%error, "the admin API does not listen"),
        }
    }
    // Dropping the sender is the message.
    let _ = stopped.await;
}

async fn accept(
    listener: Listener,
    options: Arc<ListenerOptions>,
    state: Arc<AdminState>,
    places: Arc<Semaphore>,
) {
    loop {
        match listener.accept().await {
            Ok(accepted) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let (options, state) = (Arc::clone(&options), Arc::clone(&state));
                    tokio::spawn(async move {
                        serve(accepted, &options, state).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    state.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::debug!(
                        "refused a connection to the admin API: admin.connections_max is reached"
                    );
                }
            },
            Err(error) => {
                tracing::debug!(%error, "the admin API cannot accept a connection");
                tokio::time::sleep(FAILURE_PAUSE).await;
            }
        }
    }
}
