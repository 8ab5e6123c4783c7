use std::sync::Arc;

use ahash::RandomState;
use ferry_codec::QoS;
use ferry_session::{Delivery, Message, StoredCopy};
use hashbrown::HashMap;

use super::forwarded::write_forwarded;
use super::message_value::write_message_value;
use super::session_value::{SentValue, SessionValue, write_subscription, write_will};
use super::{CopyBody, CopyValue, EntryKey, EntrySink, Space, VERSION};
use crate::{Record, SessionNumber, Shared};

/// Turns records into entries. One for each shard: it has memory to use again.
///
/// A message that a batch queues for one session only is written with its copy; one that it queues for several is
/// written once, and their copies refer to it.
pub struct Writer {
    shared: Arc<Shared>,
    /// By the address of the message.
    bodies: HashMap<usize, Body, RandomState>,
}

#[derive(Clone, Copy, Default)]
struct Body {
    copies: u32,
    /// The key of the body, once it is written.
    key: Option<EntryKey>,
}

impl Writer {
    /// A writer that takes the numbers of its bodies from `shared`.
    #[must_use]
    pub fn new(shared: Arc<Shared>) -> Self {
        // The keys are addresses of our own: nobody can choose them.
        Self { shared, bodies: HashMap::with_hasher(RandomState::with_seeds(1, 2, 3, 4)) }
    }

    /// Writes the records of a batch, which must stay whole: a copy and what it refers to.
    pub fn write(&mut self, records: &[Record], sink: &mut impl EntrySink) {
        for record in records {
            if let Record::Queued { message, .. } = record {
                self.bodies.entry(address(message)).or_default().copies += 1;
            }
        }
        for record in records {
            self.write_record(record, sink);
        }
        self.bodies.clear();
    }

    fn write_record(&mut self, record: &Record, sink: &mut impl EntrySink) {
        match record {
            Record::Session { .. }
            | Record::SessionEnded { .. }
            | Record::Subscribed { .. }
            | Record::Unsubscribed { .. }
            | Record::Will { .. }
            | Record::WillGone { .. } => write_state(record, sink),
            Record::Queued { .. } => self.write_queued(record, sink),
            Record::Sent { session, sequence, packet_id, qos } => {
                let value = SentValue { packet_id: *packet_id, qos: *qos, released: None };
                sink.put(Space::Sent.of_session(*session, *sequence), |out| value.write(out));
            }
            Record::Dropped { session, copy } | Record::Completed { session, copy } => {
                delete_copy(*session, *copy, sink);
            }
            Record::Released { session, copy, packet_id, order } => {
                if copy.parts.copy {
                    sink.delete(Space::Queued.of_session(*session, copy.sequence));
                }
                let qos = QoS::ExactlyOnce;
                let value = SentValue { packet_id: *packet_id, qos, released: Some(*order) };
                sink.put(Space::Sent.of_session(*session, copy.sequence), |out| value.write(out));
            }
            Record::Received { session, packet_id } => {
                let key = Space::Received.of_session(*session, u64::from(packet_id.get()));
                sink.put(key, |out| out.push(VERSION));
            }
            Record::ReceivedReleased { session, packet_id } => {
                sink.delete(Space::Received.of_session(*session, u64::from(packet_id.get())));
            }
            Record::Forwarded { number, to, shard_count, shared_subscription, message } => {
                sink.put(Space::Forwarded.of_broker(*number), |out| {
                    write_forwarded(*to, *shard_count, shared_subscription.as_deref(), message, out);
                });
            }
            Record::ForwardedArrived { number } => sink.delete(Space::Forwarded.of_broker(*number)),
            Record::Retained { number, message } => {
                sink.put(Space::Retained.of_broker(*number), |out| write_message_value(message, out));
            }
            Record::RetainedCleared { number } => sink.delete(Space::Retained.of_broker(*number)),
        }
    }

    fn write_queued(&mut self, record: &Record, sink: &mut impl EntrySink) {
        let Record::Queued {
            session,
            sequence,
            message,
            qos,
            retain,
            subscription_ids,
            shared_subscription,
            packet_id,
        } = record
        else {
            return;
        };
        let shared = self.write_body(message, sink);
        let size_bytes = size_of::<Delivery>() + message.size_bytes();
        let value = CopyValue {
            size_bytes: u32::try_from(size_bytes).unwrap_or(u32::MAX),
            expires_at: message.expires_at,
            qos: *qos,
            retain: *retain,
            packet_id: *packet_id,
            subscription_ids: subscription_ids.clone(),
            shared_subscription: shared_subscription.as_deref(),
            body: shared.map_or(CopyBody::Message(message), |_| CopyBody::Elsewhere),
        };
        let key = Space::Queued.of_session(*session, *sequence);
        match shared {
            Some(shared) => sink.put_referring(key, shared, |out| value.write(out)),
            None => sink.put(key, |out| value.write(out)),
        }
    }

    /// Writes the message, if several copies refer to it and it is not written; its key if they do.
    fn write_body(&mut self, message: &Arc<Message>, sink: &mut impl EntrySink) -> Option<EntryKey> {
        let body = self.bodies.get_mut(&address(message)).filter(|body| body.copies > 1)?;
        if body.key.is_none() {
            let key = Space::Body.of_broker(self.shared.take_number());
            sink.put_shared(key, |out| write_message_value(message, out));
            body.key = Some(key);
        }
        body.key
    }
}

fn address(message: &Arc<Message>) -> usize {
    Arc::as_ptr(message) as usize
}

fn write_state(record: &Record, sink: &mut impl EntrySink) {
    match record {
        Record::Session { session, client_id, user_name, expiry_interval_seconds, disconnected_at } => {
            sink.put(Space::Session.of_session(*session, 0), |out| {
                let user_name = user_name.as_deref();
                SessionValue::write(client_id, user_name, *expiry_interval_seconds, *disconnected_at, out);
            });
        }
        Record::SessionEnded { session } => sink.delete_group(session.0.get()),
        Record::Subscribed { session, number, filter, options, subscription_id } => {
            let key = Space::Subscription.of_session(*session, *number);
            sink.put(key, |out| write_subscription(filter, *options, *subscription_id, out));
        }
        Record::Unsubscribed { session, number } => {
            sink.delete(Space::Subscription.of_session(*session, *number));
        }
        Record::Will { session, will } => {
            sink.put(Space::Will.of_session(*session, 0), |out| write_will(will, out));
        }
        Record::WillGone { session } => sink.delete(Space::Will.of_session(*session, 0)),
        _ => {}
    }
}

fn delete_copy(session: SessionNumber, copy: StoredCopy, sink: &mut impl EntrySink) {
    if copy.parts.copy {
        sink.delete(Space::Queued.of_session(session, copy.sequence));
    }
    if copy.parts.sent {
        sink.delete(Space::Sent.of_session(session, copy.sequence));
    }
}
