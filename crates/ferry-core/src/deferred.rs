use std::sync::Arc;

use ferry_codec::ReasonCode;
use ferry_router::ShareGroupId;
use ferry_session::{Delivery, Message};

use crate::ConnId;
use crate::fault::Fault;
use crate::publication::Publication;
use crate::shard::Shard;
use crate::turn::Turn;

/// What follows from a step, done when the step is complete: a will that fills a queue that disconnects a client
/// that has a will is a line of these and not a recursion.
pub(crate) enum Deferred {
    /// Publish a will that its publisher may publish; whether the store had it.
    Will(Arc<Message>, bool),
    /// Give a shared subscription's copy, whose member is gone, to another one.
    Redeliver { group: ShareGroupId, delivery: Delivery },
    /// Its queue is full and the operator wants slow clients to go.
    DisconnectSlow(ConnId),
    /// A packet that it needs is larger than it takes.
    DisconnectTooLarge(ConnId),
}

impl Shard {
    /// Does what was put off, and what follows from that.
    #[inline]
    pub(crate) fn settle(&mut self, turn: &mut Turn<'_>) {
        if !self.deferred.is_empty() {
            self.settle_deferred(turn);
        }
    }

    fn settle_deferred(&mut self, turn: &mut Turn<'_>) {
        while let Some(deferred) = self.deferred.pop_front() {
            match deferred {
                Deferred::Will(message, was_stored) => {
                    let publisher = message.publisher.as_deref().and_then(|id| self.sessions.find(id));
                    let mut publication = Publication::from_message(&message, publisher, turn.now);
                    publication.is_forwarded = was_stored;
                    self.counters.wills_published += 1;
                    self.route(turn, &mut publication, None);
                }
                Deferred::Redeliver { group, delivery } => self.redeliver(turn, group, delivery),
                Deferred::DisconnectSlow(conn) => {
                    let fault = Fault::new(ReasonCode::QUOTA_EXCEEDED, "the client reads too slowly");
                    self.disconnect(turn, conn, fault);
                }
                Deferred::DisconnectTooLarge(conn) => {
                    let detail = "an answer is larger than the client's maximum packet size";
                    self.disconnect(turn, conn, Fault::new(ReasonCode::PACKET_TOO_LARGE, detail));
                }
            }
        }
    }
}
