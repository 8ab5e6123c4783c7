//! The Session State of a client (section 4.1).

use std::collections::{BTreeSet, VecDeque};

use ferry_codec::{PacketId, QoS};

use crate::journal::{Journal, MessageId};

/// What a client keeps between connections.
#[derive(Default)]
pub(super) struct ClientSession {
    /// QoS 1 and 2 messages, in the order in which the user published them.
    pub(super) outgoing: VecDeque<Outgoing>,
    /// QoS 2 messages that came and are not yet released.
    pub(super) incoming: BTreeSet<PacketId>,
    last_packet_id: u16,
}

/// A message on its way to the broker.
pub(super) struct Outgoing {
    pub(super) content: Content,
    pub(super) stage: Stage,
}

/// What is published.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Message(MessageId),
    /// An empty payload, which clears the retained message.
    Clear {
        topic: &'static str,
        qos: QoS,
    },
}

impl Content {
    pub(super) fn qos(self, journal: &Journal) -> QoS {
        match self {
            Self::Message(message) => journal.get(message).qos,
            Self::Clear { qos, .. } => qos,
        }
    }
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    AwaitPuback(PacketId),
    AwaitPubrec(PacketId),
    AwaitPubcomp(PacketId),
}

impl Stage {
    pub(super) fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::Waiting => None,
            Self::AwaitPuback(id) | Self::AwaitPubrec(id) | Self::AwaitPubcomp(id) => Some(id),
        }
    }
}

impl ClientSession {
    pub(super) fn inflight(&self) -> usize {
        self.outgoing.iter().filter(|outgoing| outgoing.stage != Stage::Waiting).count()
    }

    pub(super) fn find(&mut self, stage: Stage) -> Option<usize> {
        self.outgoing.iter().position(|outgoing| outgoing.stage == stage)
    }

    /// A packet identifier that is not in use; `others` are those of SUBSCRIBE and UNSUBSCRIBE.
    pub(super) fn next_packet_id(&mut self, is_used: impl Fn(PacketId) -> bool) -> PacketId {
        loop {
            // Few different ones, so that they are used again soon.
            self.last_packet_id = self.last_packet_id % 60 + 1;
            let Some(id) = PacketId::new(self.last_packet_id) else { continue };
            if !is_used(id) && self.outgoing.iter().all(|outgoing| outgoing.stage.packet_id() != Some(id)) {
                return id;
            }
        }
    }
}
