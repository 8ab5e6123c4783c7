use serde::{Deserialize, Serialize};

use super::lookup::LookupKind;
use crate::Latencies;
use crate::report::Counts;

/// What the coordinator wants of all event loops. All times are of the run's clock, in nanoseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Open the connections of these clients, and subscribe; answered by [`Word::Connected`].
    Connect(Who),
    /// Publish as the plan says; answered by [`Word::Stopped`] when it is over.
    Load(LoadTimes),
    /// Publish no more; answered by [`Word::Stopped`] as [`Order::Load`] is.
    EndLoad,
    /// Publish so many messages of every stream, as fast as it goes; answered by [`Word::Stopped`].
    PublishEach(u32),
    /// Close the connections of these clients; answered by [`Word::Disconnected`].
    Disconnect {
        /// Whose.
        who: Who,
        /// Without a DISCONNECT.
        abrupt: bool,
    },
    /// From now on lost connections come back.
    Reconnect,
    /// Look up retained messages; answered by [`Word::LookedUp`].
    Lookup(LookupKind),
    /// Remove all retained messages; answered by [`Word::Stopped`].
    RemoveRetained,
    /// Say what was counted until now; answered by a tick and [`Word::Counted`].
    Count,
    /// Say what was published; answered by [`Word::Collected`].
    Collect,
    /// Compare what has come with what was published, everywhere; answered by [`Word::Finished`], the last word.
    Finish {
        /// By number of the stream.
        published: Vec<Published>,
        /// Streams and numbers of messages that were never acknowledged.
        unacknowledged: Vec<(u32, u32)>,
    },
}

/// Some of the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Who {
    Publishers,
    Subscribers,
    Everyone,
}

/// When to publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoadTimes {
    pub(crate) start: u64,
    /// Messages sent from here on count.
    pub(crate) measure_from: u64,
    pub(crate) until: u64,
}

/// What event loops tell the coordinator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    Connected(Box<ConnectOutcome>),
    Disconnected,
    Tick(Box<Tick>),
    Counted,
    Stopped,
    LookedUp(Box<LookupOutcome>),
    Collected(Collection),
    Finished(Box<Outcome>),
    /// It cannot go on.
    Failed(String),
}

/// How connecting went.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct ConnectOutcome {
    pub(crate) clients: u64,
    pub(crate) connected: u64,
    pub(crate) failed: u64,
    pub(crate) subscriptions: u64,
    pub(crate) failures: Vec<String>,
    /// Of the first attempt.
    pub(crate) first_at: u64,
    /// Of the last success.
    pub(crate) last_at: u64,
    pub(crate) tcp: Latencies,
    pub(crate) handshake: Latencies,
    pub(crate) connack: Latencies,
    pub(crate) suback: Latencies,
}

/// What looking up retained messages came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LookupOutcome {
    /// One of the filters.
    pub(crate) filter: String,
    pub(crate) subscriptions: u64,
    pub(crate) expected: u64,
    pub(crate) delivered: u64,
    pub(crate) first_at: u64,
    pub(crate) last_at: u64,
    /// From each SUBSCRIBE to its last message.
    pub(crate) time: Latencies,
}

/// What happened since the last tick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tick {
    pub(crate) at: u64,
    /// Now.
    pub(crate) connected: u64,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    /// Without duplicates.
    pub(crate) delivered: u64,
    pub(crate) latencies: Latencies,
}

/// What event loops have published.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Collection {
    pub(crate) streams: Vec<(u32, Published)>,
    pub(crate) unacknowledged: Vec<(u32, u32)>,
}

/// What was published in one stream.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Published {
    /// How many.
    pub(crate) sent: u32,
    /// The number of the first that was measured.
    pub(crate) measured_from: u32,
}

/// What one event loop has found in the end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) warm_up: Counts,
    pub(crate) measured: Counts,
    pub(crate) latency: Latencies,
    pub(crate) acknowledgement: Latencies,
    pub(crate) send_lag: Latencies,
    /// Connections that broke off when they should not.
    pub(crate) connections_lost: u64,
    /// Why, if none should break off at all: each reason once.
    pub(crate) loss_reasons: Vec<String>,
    pub(crate) reconnected: u64,
    /// Publishes that the broker refused by their acknowledgement.
    pub(crate) refused: u64,
    /// How often saturating publishers waited a second for deliveries that did not come.
    pub(crate) stalls: u64,
    pub(crate) failures: Vec<String>,
}
