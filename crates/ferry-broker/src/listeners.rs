//! The listeners of a running broker: opened at start, opened, changed and closed by a reload.

use std::io;
use std::sync::Arc;

use ferry_core::ListenerPolicy;
use ferry_net::{BindError, BoundListener, ListenAddress};

use crate::accept::{Gauge, ListenerSetup};
use crate::config::{Authentication, Config, Listener, Place, Problem, Problems, pairs};
use crate::from_config::{listener_options, listener_policy};
use crate::start_error::StartError;

/// Names a listener of this process; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenerId(u32);

/// A listener's sockets, and what holds for its connections; each shard has a handle of its own.
pub(crate) struct ListenerHandle {
    pub(crate) id: ListenerId,
    pub(crate) bound: BoundListener,
    pub(crate) setup: Arc<ListenerSetup>,
}

/// The listeners of a running broker. The sockets are with the shards.
#[derive(Default)]
pub(crate) struct Listeners {
    open: Vec<OpenListener>,
    authentication: Authentication,
    next_id: u32,
}

/// An open listener, as it is told of.
pub(crate) struct ListenerFigures {
    pub(crate) address: ListenAddress,
    pub(crate) config: Listener,
    pub(crate) connections: Arc<Gauge>,
}

struct OpenListener {
    id: ListenerId,
    /// As configured: a port that was 0 is still 0.
    config: Listener,
    local_address: ListenAddress,
    setup: Arc<ListenerSetup>,
}

/// What a reload does to the listeners. Nothing has happened yet, except that the sockets of new ones are bound.
pub(crate) struct ListenerChanges {
    next: Vec<NextListener>,
    pub(crate) removed: Vec<ListenerId>,
}

enum NextListener {
    /// An open one, by its place, as it is to be.
    Kept(usize, Listener),
    Bound(Listener, ListenerHandle),
    /// Its port or file is that of a listener that is to be removed first.
    ToBind(Listener),
}

impl ListenerHandle {
    /// Another handle of the same sockets.
    pub(crate) fn share(&self) -> io::Result<Self> {
        Ok(Self { id: self.id, bound: self.bound.try_clone()?, setup: Arc::clone(&self.setup) })
    }
}

impl Listeners {
    /// Binds all listeners of a configuration.
    pub(crate) fn bind(config: &Config) -> Result<(Self, Vec<ListenerHandle>), StartError> {
        let mut listeners = Self { authentication: config.authentication.clone(), ..Self::default() };
        let mut handles = Vec::new();
        for config in &config.listeners {
            let handle = listeners.bind_one(config)?;
            handles.push(handle.share()?);
            listeners.add(config.clone(), &handle);
        }
        Ok((listeners, handles))
    }

    /// Where clients can connect, in the order of the configuration.
    pub(crate) fn local_addresses(&self) -> Vec<ListenAddress> {
        self.open.iter().map(|listener| listener.local_address.clone()).collect()
    }

    /// What the admin API tells of them.
    pub(crate) fn figures(&self) -> Vec<ListenerFigures> {
        let figures = |listener: &OpenListener| ListenerFigures {
            address: listener.local_address.clone(),
            config: listener.config.clone(),
            connections: Arc::clone(&listener.setup.connections),
        };
        self.open.iter().map(figures).collect()
    }

    /// The configuration in force.
    pub(crate) fn configs(&self) -> Vec<Listener> {
        self.open.iter().map(|listener| listener.config.clone()).collect()
    }

    /// Compares with a new configuration and binds what is new.
    ///
    /// # Errors
    /// A new listener cannot be bound: nothing has changed.
    pub(crate) fn prepare(&mut self, config: &Config) -> Result<ListenerChanges, Problems> {
        let configs = &config.listeners;
        let pairs = pairs(&self.configs(), configs);
        let is_removed = |index: &usize| !pairs.contains(&Some(*index));
        let removed: Vec<usize> = (0..self.open.len()).filter(is_removed).collect();
        let mut next = Vec::new();
        let mut problems = Vec::new();
        let before = std::mem::replace(&mut self.authentication, config.authentication.clone());
        for (config, pair) in configs.iter().zip(&pairs) {
            if let Some(index) = pair {
                next.push(NextListener::Kept(*index, config.clone()));
                continue;
            }
            match self.bind_one(config) {
                Ok(handle) => next.push(NextListener::Bound(config.clone(), handle)),
                Err(StartError::Bind(error))
                    if error.kind() == io::ErrorKind::AddrInUse && self.is_in_the_way(&removed, &error) =>
                {
                    next.push(NextListener::ToBind(config.clone()));
                }
                Err(error) => problems.push(problem(config, &error)),
            }
        }
        if !problems.is_empty() {
            self.authentication = before;
            return Err(Problems(problems));
        }
        Ok(ListenerChanges { next, removed: removed.iter().map(|index| self.open[*index].id).collect() })
    }

    /// Does it, once the shards have let go of the removed ones: `opened` and `changed` are told of the others.
    pub(crate) fn apply(
        &mut self,
        changes: ListenerChanges,
        mut opened: impl FnMut(&ListenerHandle),
        mut changed: impl FnMut(ListenerId, &Arc<ListenerSetup>),
    ) {
        let mut before: Vec<Option<OpenListener>> =
            std::mem::take(&mut self.open).into_iter().map(Some).collect();
        for next in changes.next {
            match next {
                NextListener::Kept(index, config) => {
                    let Some(mut listener) = before[index].take() else { continue };
                    listener.change(config, &self.authentication);
                    changed(listener.id, &listener.setup);
                    self.open.push(listener);
                }
                NextListener::Bound(config, handle) => {
                    opened(&handle);
                    self.add(config, &handle);
                }
                NextListener::ToBind(config) => match self.bind_one(&config) {
                    Ok(handle) => {
                        opened(&handle);
                        self.add(config, &handle);
                    }
                    Err(error) => tracing::error!("{error}"),
                },
            }
        }
    }

    fn add(&mut self, config: Listener, handle: &ListenerHandle) {
        let local_address = handle.bound.address().clone();
        self.open.push(OpenListener {
            id: handle.id,
            config,
            local_address,
            setup: Arc::clone(&handle.setup),
        });
    }

    fn bind_one(&mut self, config: &Listener) -> Result<ListenerHandle, StartError> {
        let address = &config.address;
        let tls =
            config.tls_acceptor().map_err(|error| StartError::Tls { address: address.clone(), error })?;
        let bound = BoundListener::bind(address, &config.bind_options())?;
        let options = listener_options(config, tls.map(Arc::new));
        let policy = named_policy(config, &self.authentication, bound.address());
        let setup = ListenerSetup::new(policy, options, config.connections_max);
        let id = ListenerId(self.next_id);
        self.next_id += 1;
        Ok(ListenerHandle { id, bound, setup: Arc::new(setup) })
    }

    /// Whether the address could not be had because of a listener that is to be removed.
    fn is_in_the_way(&self, removed: &[usize], error: &BindError) -> bool {
        removed.iter().any(|index| {
            let theirs = &self.open[*index].local_address;
            match (error.address().host_port(), theirs.host_port()) {
                (Some(ours), Some(theirs)) => ours.port == theirs.port,
                _ => error.address() == theirs,
            }
        })
    }
}

impl OpenListener {
    fn change(&mut self, config: Listener, authentication: &Authentication) {
        let tls = config.tls_acceptor().map(|acceptor| acceptor.map(Arc::new)).unwrap_or_else(|error| {
            tracing::error!(listener = %config.address, %error, "certificates and keys stay as they were");
            self.setup.options.tls.clone()
        });
        let options = listener_options(&config, tls);
        let policy = named_policy(&config, authentication, &self.local_address);
        let setup = self.setup.changed(policy, options, config.connections_max);
        self.setup = Arc::new(setup);
        // These are properties of the socket, which stays.
        let (backlog, unix_socket_mode) = (self.config.backlog, self.config.unix_socket_mode);
        self.config = Listener { backlog, unix_socket_mode, ..config };
    }
}

/// The policy under the address that the listener has: port 0 is none to look for in a log.
fn named_policy(
    config: &Listener,
    authentication: &Authentication,
    local_address: &ListenAddress,
) -> ListenerPolicy {
    ListenerPolicy { name: local_address.to_string().into(), ..listener_policy(config, authentication) }
}

fn problem(config: &Listener, error: &StartError) -> Problem {
    Problem {
        place: Place::Default,
        option: format!("listener[{}]", config.address),
        message: error.to_string(),
        remedy: "until then the broker goes on as it was".to_owned(),
    }
}
