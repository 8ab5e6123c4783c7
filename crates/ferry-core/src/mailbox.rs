use std::sync::Arc;

use ferry_codec::PacketId;
use ferry_router::{ShardId, ShareGroupId};
use ferry_session::{DropReason, Message};

use crate::commit::Waiter;
use crate::packed_messages::PackedMessages;
use crate::publication::Publication;
use crate::record::share_filter;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, Durability, Record, Refusal, SessionNumber, SpanContext};

/// What one shard sends another. Mail between two shards stays in order and is never lost.
#[derive(Clone, Debug)]
pub enum Mail {
    /// A message for the subscribers of the receiving shard.
    Publish {
        /// The message.
        message: Arc<Message>,
        /// Wanted by a publisher that waits for durable copies.
        receipt: Option<Receipt>,
        /// Its name in the store, if it has it on its way: see [`Record::Forwarded`].
        forwarded: Option<u64>,
    },
    /// A message for one member, chosen by the receiving shard, of a share group.
    SharePick {
        /// The group.
        group: ShareGroupId,
        /// The message.
        message: Arc<Message>,
        /// Wanted by a publisher that waits for durable copies.
        receipt: Option<Receipt>,
        /// Its name in the store, if it has it on its way: see [`Record::Forwarded`].
        forwarded: Option<u64>,
    },
    /// A [`SharePick`](Self::SharePick) back at its sender: the last member on the other shard had left meanwhile.
    ShareReturned {
        /// As received.
        group: ShareGroupId,
        /// As received.
        message: Arc<Message>,
        /// As received.
        receipt: Option<Receipt>,
        /// As it was sent.
        forwarded: Option<u64>,
    },
    /// All that was mailed before is to be durable: for a publisher that has lost the connection that the receipts
    /// for it name.
    Settle {
        /// Answered with [`Mail::Accepted`].
        receipt: Receipt,
    },
    /// Messages that nobody waits for: each as [`Publish`](Self::Publish) or [`SharePick`](Self::SharePick).
    Packed(PackedMessages),
    /// A [`Publish`](Self::Publish) or [`SharePick`](Self::SharePick) of a message that is followed: see
    /// [`CoreConfig::spans`](crate::CoreConfig::spans).
    Followed {
        /// By what it is known.
        context: Box<SpanContext>,
        /// The mail itself.
        mail: Box<Mail>,
    },
    /// The copies of a message are durable, or owed to nobody durable.
    Accepted {
        /// As received.
        receipt: Receipt,
        /// A session refused its copy, and the publisher is to know.
        refused: Option<Refusal>,
    },
}

/// Names the acknowledgement that waits for another shard. Meaningful to the shard that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub(crate) conn: ConnId,
    pub(crate) sequence: u64,
    /// How durable the copies must be.
    pub(crate) durability: Durability,
    /// The QoS 2 exchange that is answered, if it outlives the connection: the answer may come too late for that.
    pub(crate) exchange: Option<ReceivedExchange>,
}

/// A QoS 2 exchange of a publisher whose session is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReceivedExchange {
    pub(crate) session_id: SessionId,
    pub(crate) session: SessionNumber,
    pub(crate) packet_id: PacketId,
}

/// A message that was on its way is here: its copies are in the same batch. For that itself nobody waits.
pub(crate) fn arrived(forwarded: Option<u64>) -> Option<Record> {
    forwarded.map(|number| Record::ForwardedArrived { number })
}

/// Whether a full store may refuse a message from another shard. One that is on its way in the store was taken with
/// the QoS 2 exchange it belongs to: when its publisher sends it again, those who have it must not get it twice
/// [MQTT-4.3.3-10] [MQTT3-4.3.3-2].
pub(crate) fn is_refusable(receipt: Option<Receipt>, forwarded: Option<u64>) -> bool {
    receipt.is_some() && forwarded.is_none()
}

impl Mail {
    /// Bytes it counts for in a mailbox.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Publish { message, .. }
            | Self::SharePick { message, .. }
            | Self::ShareReturned { message, .. } => size_of::<Self>() + message.size_bytes(),
            Self::Followed { mail, .. } => size_of::<Self>() + mail.size_bytes(),
            Self::Packed(pack) => size_of::<Self>() + pack.size_bytes(),
            Self::Settle { .. } | Self::Accepted { .. } => size_of::<Self>(),
        }
    }
}

impl Shard {
    /// Another shard has sent something.
    pub(crate) fn mail_came(&mut self, turn: &mut Turn<'_>, from: ShardId, mail: Mail) {
        let records_before = turn.effects.recorded();
        let (refused, receipt, forwarded) = match mail {
            // [MQTT-3.3.2-5]: the mailbox may have been full for a while.
            Mail::Publish { message, receipt, forwarded }
            | Mail::SharePick { message, receipt, forwarded, .. }
                if message.is_expired(turn.now) =>
            {
                self.counters.drops.count(DropReason::Expired, "", &message.topic);
                (None, receipt, forwarded)
            }
            Mail::Publish { message, receipt, forwarded } => {
                let mut publication = Publication::from_message(&message, None, turn.now);
                publication.is_refusable = is_refusable(receipt, forwarded);
                (self.deliver_matching(turn, &mut publication).refused, receipt, forwarded)
            }
            Mail::SharePick { group, message, receipt, forwarded } => {
                if !self.has_members(group) {
                    let returned = Mail::ShareReturned { group, message, receipt, forwarded };
                    return turn.effects.mail.push(from, returned);
                }
                let mut publication = Publication::from_message(&message, None, turn.now);
                publication.is_refusable = is_refusable(receipt, forwarded);
                (self.deliver_shared(turn, &mut publication, group), receipt, forwarded)
            }
            Mail::ShareReturned { group, message, receipt, forwarded } => {
                return self.pick_again(turn, group, message, receipt, forwarded);
            }
            Mail::Settle { receipt } => {
                return match self.commit.promise_all(turn.effects, receipt.durability) {
                    Some(promise) => self.commit.wait(promise, Waiter::Receipt(from, receipt, None)),
                    None => self.give_receipt(turn, from, receipt, None),
                };
            }
            Mail::Accepted { receipt, refused } => {
                return self.receipt_came(turn, receipt, refused);
            }
            Mail::Packed(pack) => return self.unpack(turn, from, pack),
            Mail::Followed { context, mail } => {
                return self.followed_mail_came(turn, from, *context, *mail);
            }
        };
        self.give_receipt_when_durable(turn, from, receipt, refused, records_before);
        turn.effects.records.extend(arrived(forwarded));
    }

    /// Notes that a message is on its way to another shard, to be mailed with the name returned.
    pub(crate) fn forward(
        &self,
        turn: &mut Turn<'_>,
        to: ShardId,
        group: Option<ShareGroupId>,
        message: &Arc<Message>,
    ) -> u64 {
        let number = self.shared.take_number();
        let shared_subscription = group.and_then(|group| share_filter(&self.shared.route_table, group));
        turn.effects.records.push(Record::Forwarded {
            number,
            to,
            shard_count: self.shard_count(),
            shared_subscription,
            message: Arc::clone(message),
        });
        number
    }

    /// Accepts copies, once what was recorded for them is committed.
    pub(crate) fn give_receipt_when_durable(
        &mut self,
        turn: &mut Turn<'_>,
        to: ShardId,
        receipt: Option<Receipt>,
        refused: Option<Refusal>,
        records_before: usize,
    ) {
        let Some(receipt) = receipt else { return };
        // Its publisher waits for no less than this: what is not promised so much is not asked for.
        let recorded = turn.effects.recorded() > records_before;
        let durability = if recorded { receipt.durability } else { Durability::Memory };
        match self.commit.promise(turn.effects, durability) {
            Some(promise) => self.commit.wait(promise, Waiter::Receipt(to, receipt, refused)),
            None => self.give_receipt(turn, to, receipt, refused),
        }
    }

    /// Tells the shard whose publisher waits, which may be this one, that the copies are durable.
    pub(crate) fn give_receipt(
        &mut self,
        turn: &mut Turn<'_>,
        to: ShardId,
        receipt: Receipt,
        refused: Option<Refusal>,
    ) {
        if to == self.id {
            self.receipt_came(turn, receipt, refused);
        } else {
            turn.effects.mail.push(to, Mail::Accepted { receipt, refused });
        }
    }
}
