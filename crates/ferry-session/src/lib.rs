//! MQTT session state machines, without input, output or a clock.
//!
//! The building blocks of which a session is made, for the broker and for the client alike: what is owed to a
//! peer ([`Sender`]), what a peer has sent ([`Receiver`]), and what hangs on time ([`KeepAlive`],
//! [`PendingWill`], [`SessionExpiry`], [`Quota`]). Nothing here knows of sockets, routing or other sessions;
//! the current time is an argument.

mod delivery;
mod drop_reason;
mod expiry;
mod inflight;
mod keep_alive;
mod message;
mod on_use;
mod queue;
mod quota;
mod receiver;
mod sender;
mod spilled;
mod subscription;
mod timestamp;
mod topic_alias_in;
mod topic_alias_out;
mod trace_context;
mod will;

pub use delivery::{Delivery, Dropped, StoredCopy, StoredParts, SubscriptionIdList};
pub use drop_reason::DropReason;
pub use expiry::SessionExpiry;
pub use inflight::InflightState;
pub use keep_alive::KeepAlive;
pub use message::{Message, Payload};
pub use queue::{OverflowPolicy, QueueLimits};
pub use quota::Quota;
pub use receiver::{Received, Receiver};
pub use sender::{Acknowledged, Exchange, Outgoing, Refused, RestoreError, Sender, SenderSnapshot};
pub use spilled::Spilled;
pub use subscription::Subscription;
pub use timestamp::Timestamp;
pub use topic_alias_in::TopicAliasIn;
pub use topic_alias_out::{AliasChoice, TopicAliasOut};
pub use trace_context::{InvalidTraceParent, TRACEPARENT, TRACESTATE, TraceParent, trace_state};
pub use will::{PendingWill, StoredWill};
