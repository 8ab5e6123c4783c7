use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};

use ferry_codec::ReasonCode;
use ferry_core::{Authorizer, CoreConfig, Counters};
use ferry_net::DetachedStream;
use ferry_session::Timestamp;
use tokio::sync::oneshot;

use super::greeting::Greeted;

/// What the broker, or another shard's acceptor, wants of a shard.
pub(crate) enum Command {
    /// A connection whose client lives here.
    Adopt(Box<Greeted<DetachedStream>>),
    /// Publish these topics and payloads, retained.
    Publish(Vec<(String, String)>),
    /// Tell the counters.
    Report(oneshot::Sender<ShardReport>),
    /// End the connection of a client that lives here.
    Disconnect {
        client_id: String,
        reason_code: ReasonCode,
        reason_string: Option<String>,
        server_reference: Option<String>,
    },
    /// Work with a new configuration.
    Reload { config: Arc<CoreConfig>, authorizer: Arc<dyn Authorizer> },
    /// Accept nobody any more, and publish the wills that the shutdown causes; then answer.
    PublishWills(mpsc::Sender<()>),
    /// Disconnect everybody and end the thread, at `deadline` even if output is left.
    Shutdown { server_reference: Option<Arc<str>>, deadline: Timestamp },
}

/// What one shard has counted.
pub(crate) struct ShardReport {
    pub(crate) counters: Counters,
    pub(crate) refusals: BTreeMap<&'static str, u64>,
}
