use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;

use ferry_codec::{ProtocolVersion, QoS, ReasonCode};

use crate::DropReason;

/// Which messages of clients are followed, and how far; see [`Span`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanConfig {
    /// Of the messages that are in no trace one in so many is followed; 0: none.
    pub sample_one_in: u32,
    /// Whether those are followed of which their publisher says that they are sampled. If not, they are as good as those
    /// that are in no trace; others that are in a trace are never followed.
    pub follow_publishers: bool,
    /// Messages of all shards together that are followed in one second.
    pub messages_per_second_max: u32,
    /// Copies of one message that are followed on each shard.
    pub deliveries_max: u32,
    /// Whether messages of 3.x clients that are followed get a `traceparent` among their user properties, of which their
    /// publishers cannot send any.
    pub add_to_v3: bool,
}

/// What became of a message, or of one copy of it, and how long that took: a span of a distributed trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// What it is about.
    pub kind: SpanKind,
    /// The trace.
    pub trace_id: NonZeroU128,
    /// Its own name.
    pub span_id: NonZeroU64,
    /// The span that comes before: of a [`SpanKind::Receive`] that of the publisher.
    pub parent_id: Option<NonZeroU64>,
    /// The `tracestate` of the publisher.
    pub trace_state: Option<Arc<str>>,
    /// When it began, in nanoseconds since 1970.
    pub started_nanoseconds: u64,
    /// When it ended.
    pub ended_nanoseconds: u64,
    /// Who published, or was to get the copy.
    pub client_id: Arc<str>,
    /// What that client speaks; `None` if it is not connected.
    pub protocol_version: Option<ProtocolVersion>,
    /// The topic.
    pub topic: Arc<str>,
    /// Bytes of the payload.
    pub payload_bytes: usize,
    /// Of the message, or of the copy.
    pub qos: QoS,
    /// The RETAIN flag of either.
    pub retain: bool,
    /// The copy had to wait in the queue of the session.
    pub is_queued: bool,
    /// How it ended.
    pub outcome: SpanOutcome,
}

/// What a [`Span`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// A PUBLISH of a client: from its arrival to PUBACK or PUBREC, which say that it is as durable as promised.
    Receive,
    /// A copy for one session: from the decision to the client's PUBACK or PUBREC.
    Deliver,
}

/// How a [`Span`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanOutcome {
    /// By an acknowledgement with this reason code; what has QoS 0 is done when it is routed or sent.
    Done(ReasonCode),
    /// The copy was discarded.
    Dropped(DropReason),
    /// Nobody knows: why not.
    Unfinished(&'static str),
}

/// By what a message is known that another shard follows further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanContext {
    pub(crate) trace_id: NonZeroU128,
    /// That of the [`SpanKind::Receive`].
    pub(crate) span_id: NonZeroU64,
    pub(crate) trace_state: Option<Arc<str>>,
}
