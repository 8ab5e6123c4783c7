use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, mpsc};

use ferry_auth::Authenticator;
use ferry_codec::ReasonCode;
use ferry_core::{Authorizer, CoreConfig, Counters, LoadRequest, LoadedCopy};
use ferry_session::Timestamp;
use tokio::sync::{Notify, oneshot};

use super::Driver;
use super::greeting::Greeted;
use crate::accept::ListenerSetup;
use crate::listeners::{ListenerHandle, ListenerId};

/// What the broker, or another shard's acceptor, wants of a shard.
pub(crate) enum Command {
    /// A connection whose client lives here.
    Adopt(Box<Greeted>),
    /// Publish these topics and payloads, retained.
    Publish(Vec<(String, String)>),
    /// Tell the counters, and whether somebody here subscribes to one of these topics. Whatever happens here from now
    /// on, other than the next [`Command::Publish`], is an alarm.
    Report { answer: oneshot::Sender<ShardReport>, topics: Arc<[String]>, alarm: Arc<Notify> },
    /// Do something for whoever asked, and tell them. It is done within a turn, so it is short.
    Ask(Box<dyn FnOnce(&Driver) + Send>),
    /// End the connection of a client that lives here.
    Disconnect {
        client_id: String,
        reason_code: ReasonCode,
        reason_string: Option<String>,
        server_reference: Option<String>,
    },
    /// Accept connections from one more listener.
    Listen(ListenerHandle),
    /// What holds for the connections that come to a listener from now on.
    ChangeListener(ListenerId, Arc<ListenerSetup>),
    /// Accept from these listeners no more; then answer.
    StopListening(Vec<ListenerId>, mpsc::Sender<()>),
    /// What the shard wanted to have back from the store.
    Loaded { request: LoadRequest, copies: Vec<LoadedCopy> },
    /// The store has failed, or works again.
    StoreHealth { is_writable: bool },
    /// Work with a new configuration.
    Reload {
        config: Arc<CoreConfig>,
        authorizer: Arc<dyn Authorizer>,
        /// `None`: the one that is there.
        authenticator: Option<Arc<dyn Authenticator>>,
        /// Users whose connections end.
        ended_users: Arc<HashSet<Box<str>>>,
    },
    /// Roles that are managed at run time have changed.
    Rights(Arc<dyn Authorizer>),
    /// Users that are managed at run time have changed.
    Users {
        authenticator: Arc<dyn Authenticator>,
        /// Those whose connections end.
        ended: Arc<HashSet<Box<str>>>,
    },
    /// Accept nobody any more, and publish the wills that the shutdown causes; then answer.
    PublishWills(mpsc::Sender<()>),
    /// Disconnect everybody and end the thread, at `deadline` even if output is left.
    Shutdown { server_reference: Option<Arc<str>>, deadline: Timestamp },
}

/// What one shard has counted.
pub(crate) struct ShardReport {
    pub(crate) counters: Counters,
    /// Messages that were handed to the store.
    pub(crate) messages_stored: u64,
    /// Turns taken.
    pub(crate) turns: u64,
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    /// Somebody subscribes to one of the topics that were asked about.
    pub(crate) has_subscriber: bool,
}
