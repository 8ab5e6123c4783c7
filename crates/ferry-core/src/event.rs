use std::collections::HashSet;
use std::sync::Arc;

use ferry_codec::{MessageProperties, QoS, ReasonCode};
use ferry_router::ShardId;

use crate::{AuthOutcome, Authorizer, ConnId, CoreConfig, LoadRequest, LoadedCopy, Mail, Ticket};

/// What happens to a shard, besides [`Shard::open`](crate::Shard::open) and
/// [`Shard::receive`](crate::Shard::receive).
pub enum Event<'a> {
    /// The connection is closed, by whomever: the last event of every connection.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why, for the counters; ignored if the shard itself had asked for it.
        cause: CloseCause,
    },
    /// Output was written and there may be room for more.
    Written {
        /// The connection.
        conn: ConnId,
    },
    /// [`Shard::next_deadline`](crate::Shard::next_deadline) has come.
    Tick,
    /// The batches under these tickets, and all before them, are committed.
    Committed {
        /// The newest that is with the operating system, as returned by
        /// [`Shard::end_turn`](crate::Shard::end_turn).
        written: Ticket,
        /// The newest that is on the disk.
        synced: Ticket,
    },
    /// The store has become full or unusable, or takes records again. While it is not writable, messages of clients
    /// that need it are refused with 0x97 (Quota exceeded), or not acknowledged to 3.x clients until it is writable
    /// again and their connections end. It still gets the other records.
    StoreHealth {
        /// Whether it takes what can be refused.
        writable: bool,
    },
    /// The answer to a [`LoadRequest`].
    Loaded {
        /// As it was in [`Effects::load`](crate::Effects::load).
        request: LoadRequest,
        /// What the store has, one for each sequence number of the request.
        copies: Vec<LoadedCopy>,
    },
    /// From another shard.
    Mail {
        /// Who sent it.
        from: ShardId,
        /// What.
        mail: Mail,
    },
    /// The answer to an [`AuthRequest`](crate::AuthRequest).
    Authenticated {
        /// The connection that was judged.
        conn: ConnId,
        /// The judgement.
        outcome: AuthOutcome,
    },
    /// The broker itself publishes. To every shard's subscribers, so give it to one shard only.
    Publish(ServerPublish<'a>),
    /// An operator ends a connection.
    Disconnect {
        /// Whose; nothing happens if it is not connected here.
        client_id: &'a str,
        /// Such as 0x98 (Administrative action), 0x9C (Use another server) or 0x9D (Server moved).
        reason_code: ReasonCode,
        /// Words for people.
        reason_string: Option<&'a str>,
        /// Another server, with 0x9C or 0x9D (section 4.11).
        server_reference: Option<&'a str>,
    },
    /// An operator ends a session, with its connection if there is one, which is told 0x98 (Administrative action).
    EndSession {
        /// Whose; nothing happens if it has no session here.
        client_id: &'a str,
    },
    /// What some users have proven who they are with does not hold any more: their connections end, and are told 0x98
    /// (Administrative action). For a change of permissions see [`Event::Reload`].
    EndUsers {
        /// Their names.
        users: &'a HashSet<Box<str>>,
        /// Who has judged them: only connections of listeners that have named this one, in
        /// [`ListenerPolicy::authenticators`](crate::ListenerPolicy::authenticators), end.
        authenticator: &'a str,
    },
    /// New configuration. Connections keep what they were told in their CONNACK.
    Reload {
        /// The limits.
        config: Arc<CoreConfig>,
        /// The permissions.
        authorizer: Arc<dyn Authorizer>,
    },
    /// New permissions alone.
    Rights {
        /// They.
        authorizer: Arc<dyn Authorizer>,
    },
    /// The broker is about to shut down: publish the wills that its end causes, while subscribers are still
    /// connected. To all shards before the first gets [`Event::Shutdown`].
    PublishWills,
    /// Disconnect everybody: 5.0 clients get 0x8B (Server shutting down).
    Shutdown {
        /// Another server for the clients to use, if there is one.
        server_reference: Option<&'a str>,
    },
}

impl Event<'_> {
    /// All batches up to this one are as durable as can be.
    #[must_use]
    pub const fn committed(ticket: Ticket) -> Self {
        Self::Committed { written: ticket, synced: ticket }
    }
}

/// Why a connection was closed by the network or the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The shard asked for it and the output is written.
    Asked,
    /// The client closed it, with or without DISCONNECT.
    Peer,
    /// Reading or writing failed.
    Error,
    /// The output could not be written in time.
    Stalled,
}

/// A message of the broker itself.
#[derive(Clone, Copy, Debug)]
pub struct ServerPublish<'a> {
    /// A valid topic name.
    pub topic: &'a str,
    /// The application message.
    pub payload: &'a [u8],
    /// How it is delivered at most.
    pub qos: QoS,
    /// Store it as the retained message of the topic.
    pub retain: bool,
    /// What goes with it.
    pub properties: MessageProperties<'a>,
}
