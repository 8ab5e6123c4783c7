use std::collections::HashMap;
use std::num::{NonZeroU64, NonZeroU128};
use std::sync::Arc;

use ahash::RandomState;
use ferry_codec::{PacketId, ProtocolVersion, Publish, ReasonCode, UserPropertiesBuf};
use ferry_router::ShardId;
use ferry_session::{Quota, Timestamp, TraceParent, trace_state};

use crate::deliver::Target;
use crate::fault::Fault;
use crate::publication::Publication;
use crate::random::Random;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, DropReason, Mail, Refusal, Span, SpanConfig, SpanContext, SpanKind, SpanOutcome};

/// Spans that are open on one shard; what would be more ends when it begins.
const OPEN_MAX: usize = 1024;

/// Seconds after which an open span ends as it is.
const OPEN_SECONDS_MAX: u32 = 60;

const NANOSECONDS_PER_MILLISECOND: u64 = 1_000_000;

/// The messages that a shard follows.
pub(crate) struct Spans {
    config: SpanConfig,
    ids: Ids,
    quota: Quota,
    /// The time that the driver has told last.
    noted_nanoseconds: u64,
    open: HashMap<SpanKey, Span, RandomState>,
    /// When the first of them has been open for too long.
    look_at: Timestamp,
    /// While a message is routed that is followed.
    following: Option<Following>,
}

/// Where an open span is to be found when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SpanKey {
    /// A PUBLISH of this connection, with its packet identifier.
    Received(ConnId, Option<PacketId>),
    /// The copy with this sequence number in a session.
    Delivered(SessionId, u64),
}

struct Following {
    context: SpanContext,
    /// Copies that may still be followed.
    deliveries_left: u32,
    /// Its own span, on the shard of its publisher.
    received: Option<SpanKey>,
}

/// What was there before a copy was given to a session: the difference says what became of it.
pub(crate) struct Before {
    last_sequence: u64,
    queue_len: usize,
    drops: [u64; DropReason::ALL.len()],
}

/// Names of traces and spans. They get out to others, who must not learn from them what the seed of the shard is: hashed with
/// keys of their own.
struct Ids {
    hasher: RandomState,
    count: u64,
}

impl Ids {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let hasher = RandomState::with_seeds(random.next(), random.next(), random.next(), random.next());
        Self { hasher, count: 0 }
    }

    fn number(&mut self) -> u64 {
        self.count += 1;
        self.hasher.hash_one(self.count)
    }

    fn span_id(&mut self) -> NonZeroU64 {
        NonZeroU64::new(self.number()).unwrap_or(NonZeroU64::MIN)
    }

    fn trace_id(&mut self) -> NonZeroU128 {
        let number = u128::from(self.number()) << 64 | u128::from(self.number());
        NonZeroU128::new(number).unwrap_or(NonZeroU128::MIN)
    }
}

impl Spans {
    pub(crate) fn new(config: SpanConfig, shard_count: u16, seed: u64, now: Timestamp) -> Self {
        let mut ids = Ids::new(seed);
        let hasher = RandomState::with_seeds(ids.number(), ids.number(), ids.number(), ids.number());
        Self {
            config,
            ids,
            quota: quota(config, shard_count, now),
            noted_nanoseconds: 0,
            open: HashMap::with_hasher(hasher),
            look_at: Timestamp::NEVER,
            following: None,
        }
    }

    /// What is open stays open.
    pub(crate) fn configure(&mut self, config: SpanConfig, shard_count: u16, now: Timestamp) {
        if self.config != config {
            self.config = config;
            self.quota = quota(config, shard_count, now);
        }
    }

    /// Whether copies of the message that is being routed are to be followed.
    pub(crate) fn is_following(&self) -> bool {
        self.following.is_some()
    }

    /// When [`Shard::end_old_spans`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        (!self.open.is_empty()).then_some(self.look_at)
    }

    fn nanoseconds(&self, now: Timestamp) -> u64 {
        // The driver's is the same clock, and finer.
        self.noted_nanoseconds.max(now.0.saturating_mul(NANOSECONDS_PER_MILLISECOND))
    }

    /// The trace that a message is followed in, with the span before; `None` if it is not.
    fn sample(&mut self, parent: Option<TraceParent>) -> Option<(NonZeroU128, Option<NonZeroU64>)> {
        let is_chosen = match parent {
            Some(parent) if !parent.is_sampled => false,
            Some(_) if self.config.follow_publishers => true,
            _ => match u64::from(self.config.sample_one_in) {
                0 => false,
                one_in => self.ids.number().is_multiple_of(one_in),
            },
        };
        is_chosen.then(|| match parent {
            Some(parent) => (parent.trace_id, Some(parent.span_id)),
            None => (self.ids.trace_id(), None),
        })
    }

    /// Keeps a span until [`close`](Self::close); gives it back if there are too many.
    fn open(&mut self, now: Timestamp, key: SpanKey, span: Span) -> Option<Span> {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&key) {
            let outcome = SpanOutcome::Unfinished("too many messages are followed at once");
            return Some(Span { outcome, ..span });
        }
        if self.open.is_empty() {
            self.look_at = now.plus_seconds(OPEN_SECONDS_MAX);
        }
        // A packet identifier is used again only after a fault of the client.
        self.open.insert(key, span)
    }

    /// Ends a span; one that was refused keeps that.
    fn close(&mut self, now: Timestamp, key: SpanKey, outcome: SpanOutcome) -> Option<Span> {
        let mut span = self.open.remove(&key)?;
        span.ended_nanoseconds = self.nanoseconds(now).max(span.started_nanoseconds);
        if matches!(span.outcome, SpanOutcome::Unfinished(_)) {
            span.outcome = outcome;
        }
        Some(span)
    }

    fn close_if(
        &mut self,
        now: Timestamp,
        reason: &'static str,
        is_over: impl Fn(&SpanKey, &Span) -> bool,
    ) -> Vec<Span> {
        if self.open.is_empty() {
            return Vec::new();
        }
        let over = self.open.iter().filter(|(key, span)| is_over(key, span)).map(|(key, _)| *key);
        let over: Vec<SpanKey> = over.collect();
        over.into_iter().filter_map(|key| self.close(now, key, SpanOutcome::Unfinished(reason))).collect()
    }
}

fn quota(config: SpanConfig, shard_count: u16, now: Timestamp) -> Quota {
    let rate = config.messages_per_second_max.div_ceil(u32::from(shard_count));
    Quota::new(rate, rate, now)
}

fn deadline(span: &Span) -> Timestamp {
    Timestamp(span.started_nanoseconds / NANOSECONDS_PER_MILLISECOND).plus_seconds(OPEN_SECONDS_MAX)
}

impl Shard {
    /// Whether messages are followed, so that [`note_nanoseconds`](Self::note_nanoseconds) is of use.
    #[must_use]
    pub fn has_spans(&self) -> bool {
        self.spans.is_some()
    }

    /// The time of what follows, in nanoseconds since 1970: for spans, which a [`Timestamp`] is too coarse for.
    pub fn note_nanoseconds(&mut self, now: u64) {
        if let Some(spans) = &mut self.spans {
            spans.noted_nanoseconds = spans.noted_nanoseconds.max(now);
        }
    }

    /// Follows a PUBLISH if it is to be followed, until [`unfollow`](Self::unfollow). Returns `None` if it
    /// is not.
    #[cold]
    #[inline(never)]
    pub(crate) fn follow(
        &mut self,
        turn: &mut Turn<'_>,
        conn: ConnId,
        session: SessionId,
        publish: &Publish<'_>,
        topic: &str,
    ) -> Option<Box<Followed>> {
        let version = self.conns.get(conn)?.version;
        let client_id = Arc::clone(self.sessions.get(session)?.client_id());
        let spans = self.spans.as_mut()?;
        let properties = publish.properties.user_properties;
        let parent = TraceParent::of(properties);
        let (trace_id, parent_id) = spans.sample(parent)?;
        if !spans.quota.take(1, turn.now) {
            self.counters.spans_limited += 1;
            return None;
        }
        let span_id = spans.ids.span_id();
        // It says something about the parent.
        let trace_state = parent.and_then(|_| trace_state(properties)).map(Arc::from);
        let started_nanoseconds = spans.nanoseconds(turn.now);
        let span = Span {
            kind: SpanKind::Receive,
            trace_id,
            span_id,
            parent_id,
            trace_state: Option::clone(&trace_state),
            started_nanoseconds,
            ended_nanoseconds: started_nanoseconds,
            client_id,
            protocol_version: Some(version),
            topic: topic.into(),
            payload_bytes: publish.payload.len(),
            qos: publish.qos,
            retain: publish.retain,
            is_queued: false,
            outcome: SpanOutcome::Unfinished(""),
        };
        let key = SpanKey::Received(conn, publish.packet_id);
        turn.effects.spans.extend(spans.open(turn.now, key, span));
        spans.following = Some(Following {
            context: SpanContext { trace_id, span_id, trace_state },
            deliveries_left: spans.config.deliveries_max,
            received: Some(key),
        });
        let mut added = UserPropertiesBuf::new();
        if spans.config.add_to_v3 && version != ProtocolVersion::V5 {
            TraceParent { trace_id, span_id, is_sampled: true }.push_to(&mut added);
        }
        Some(Box::new(Followed { added, key }))
    }

    /// The message that is followed is refused, whatever its publisher is told.
    #[cold]
    #[inline(never)]
    pub(crate) fn followed_is_refused(&mut self, reason_code: ReasonCode) {
        let Some(spans) = &mut self.spans else { return };
        let key = spans.following.as_ref().and_then(|following| following.received);
        if let Some(span) = key.and_then(|key| spans.open.get_mut(&key)) {
            span.outcome = SpanOutcome::Done(reason_code);
        }
    }

    /// The message is with all who get it, or its publisher did wrong. That of QoS 0 is not told anything later.
    #[cold]
    #[inline(never)]
    pub(crate) fn unfollow(
        &mut self,
        turn: &mut Turn<'_>,
        followed: &Followed,
        packet_id: Option<PacketId>,
        result: &Result<(), Fault>,
    ) {
        let ended_by = match result {
            Err(fault) => Some(fault.reason_code),
            Ok(()) => packet_id.is_none().then_some(ReasonCode::SUCCESS),
        };
        if let Some(spans) = &mut self.spans {
            spans.following = None;
        }
        if let Some(reason_code) = ended_by {
            self.end_span(turn, followed.key, reason_code);
        }
    }

    /// An acknowledgement ends a span, if there is one.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_span(&mut self, turn: &mut Turn<'_>, key: SpanKey, reason_code: ReasonCode) {
        if let Some(spans) = &mut self.spans {
            turn.effects.spans.extend(spans.close(turn.now, key, SpanOutcome::Done(reason_code)));
        }
    }

    /// A connection is gone: nothing of it is acknowledged any more.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_spans_of_conn(&mut self, turn: &mut Turn<'_>, id: ConnId) {
        let Some(spans) = &mut self.spans else { return };
        let reason = "the connection ended before it was acknowledged";
        let is_over = |key: &SpanKey, _: &Span| matches!(key, SpanKey::Received(conn, _) if *conn == id);
        turn.effects.spans.append(&mut spans.close_if(turn.now, reason, is_over));
    }

    /// A session is gone: what it was owed it does not get.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_spans_of_session(&mut self, turn: &mut Turn<'_>, id: SessionId) {
        let Some(spans) = &mut self.spans else { return };
        let is_over =
            |key: &SpanKey, _: &Span| matches!(key, SpanKey::Delivered(session, _) if *session == id);
        turn.effects.spans.append(&mut spans.close_if(turn.now, "the session ended", is_over));
    }

    /// Ends what has been open for too long.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_old_spans(&mut self, turn: &mut Turn<'_>) {
        let Some(spans) = &mut self.spans else { return };
        if spans.next_deadline().is_none_or(|due| due > turn.now) {
            return;
        }
        let now = turn.now;
        let reason = "it is not acknowledged within 60 s";
        turn.effects.spans.append(&mut spans.close_if(now, reason, |_, span| deadline(span) <= now));
        spans.look_at = spans.open.values().map(deadline).min().unwrap_or(Timestamp::NEVER);
    }

    /// Mail about the message that is followed, if there is one, is followed.
    pub(crate) fn followed_mail(&self, mail: Mail) -> Mail {
        let following = self.spans.as_ref().and_then(|spans| spans.following.as_ref());
        let Some(following) = following else { return mail };
        Mail::Followed { context: Box::new(following.context.clone()), mail: Box::new(mail) }
    }

    /// Mail of another shard about a message that it follows.
    #[cold]
    #[inline(never)]
    pub(crate) fn followed_mail_came(
        &mut self,
        turn: &mut Turn<'_>,
        from: ShardId,
        context: SpanContext,
        mail: Mail,
    ) {
        if let Some(spans) = &mut self.spans {
            let deliveries_left = spans.config.deliveries_max;
            spans.following = Some(Following { context, deliveries_left, received: None });
        }
        self.mail_came(turn, from, mail);
        if let Some(spans) = &mut self.spans {
            spans.following = None;
        }
    }

    /// Before a copy is given to a session; `None` if it is not followed.
    #[cold]
    #[inline(never)]
    pub(crate) fn before_delivery(&mut self, session: SessionId) -> Option<Box<Before>> {
        let following = self.spans.as_mut()?.following.as_mut()?;
        let sender = &self.sessions.get(session)?.sender;
        following.deliveries_left = following.deliveries_left.checked_sub(1)?;
        let (last_sequence, queue_len) = (sender.last_sequence(), sender.queue_len());
        Some(Box::new(Before { last_sequence, queue_len, drops: self.drops() }))
    }

    fn drops(&self) -> [u64; DropReason::ALL.len()] {
        DropReason::ALL.map(|reason| self.counters.drops.entry(reason).count)
    }

    /// After it, whatever became of it.
    #[cold]
    #[inline(never)]
    pub(crate) fn delivered(
        &mut self,
        turn: &mut Turn<'_>,
        publication: &Publication<'_>,
        target: &Target,
        before: &Before,
        refused: Option<Refusal>,
    ) {
        let drops = self.drops();
        let Some(session) = self.sessions.get(target.session) else { return };
        let Some(spans) = &mut self.spans else { return };
        let Some(following) = &spans.following else { return };
        let context = following.context.clone();
        let sequence = session.sender.last_sequence();
        let is_owed = sequence != before.last_sequence;
        let dropped = DropReason::ALL.into_iter().find(|reason| {
            let index = reason.index();
            !is_owed && drops[index] > before.drops[index]
        });
        let outcome = match (dropped, refused) {
            (Some(reason), _) => SpanOutcome::Dropped(reason),
            (None, Some(refused)) => SpanOutcome::Done(refused.reason_code()),
            (None, None) if is_owed => SpanOutcome::Unfinished(""),
            (None, None) => SpanOutcome::Done(ReasonCode::SUCCESS),
        };
        let now_nanoseconds = spans.nanoseconds(turn.now);
        let conn = session.conn.and_then(|conn| self.conns.get(conn));
        let span = Span {
            kind: SpanKind::Deliver,
            trace_id: context.trace_id,
            span_id: spans.ids.span_id(),
            parent_id: Some(context.span_id),
            trace_state: context.trace_state,
            started_nanoseconds: now_nanoseconds,
            ended_nanoseconds: now_nanoseconds,
            client_id: Arc::clone(session.client_id()),
            protocol_version: conn.map(|conn| conn.version),
            topic: publication.topic.into(),
            payload_bytes: publication.payload.len(),
            qos: target.qos,
            retain: target.retain,
            is_queued: is_owed && session.sender.queue_len() > before.queue_len,
            outcome,
        };
        if is_owed {
            let key = SpanKey::Delivered(target.session, sequence);
            turn.effects.spans.extend(spans.open(turn.now, key, span));
        } else {
            turn.effects.spans.push(span);
        }
    }
}

/// A PUBLISH that is followed.
pub(crate) struct Followed {
    /// What its copies say about it; empty if they are not to.
    pub(crate) added: UserPropertiesBuf,
    key: SpanKey,
}
