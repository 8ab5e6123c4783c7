//! Bugs that the oracles must catch, planted between the broker and its clients.

use std::collections::BTreeSet;

use ferry_codec::{Ack, Disconnect, Packet, PacketId, ProtocolVersion, QoS, ReasonCode};

use crate::random::Random;
use crate::wire::{encoded, from_client, from_server};

/// What to break. The core stays as it is: a bug changes the packets that go in and out of it, so that together they
/// behave like a core with that bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlantedBug {
    /// Some PUBACKs are never sent.
    DropPuback,
    /// A QoS 2 PUBLISH that comes again is taken for a new one.
    SkipDeduplication,
    /// Two messages on the same topic change places.
    ReorderDeliveries,
    /// The end of a connection is taken for a DISCONNECT.
    LoseWill,
    /// Some acknowledgements of clients do not free their slot.
    LeakInflightSlot,
    /// Some QoS 1 and 2 messages are never sent.
    LoseDelivery,
    /// PUBACK is sent before anything is committed.
    AcknowledgeEarly,
    /// Some QoS 0 messages are sent twice.
    RepeatDelivery,
}

impl PlantedBug {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::DropPuback,
        Self::SkipDeduplication,
        Self::ReorderDeliveries,
        Self::LoseWill,
        Self::LeakInflightSlot,
        Self::LoseDelivery,
        Self::AcknowledgeEarly,
        Self::RepeatDelivery,
    ];
}

/// Sits on one connection and plants the bug.
pub(crate) struct Planter {
    bug: PlantedBug,
    random: Random,
    /// PUBCOMPs and PUBACKs of the core that the client must not see.
    swallowed: BTreeSet<PacketId>,
    /// Packets for the client that the core did not make.
    pub(crate) made_up: Vec<Vec<u8>>,
}

impl Planter {
    pub(crate) fn new(bug: PlantedBug, random: Random) -> Self {
        Self { bug, random, swallowed: BTreeSet::new(), made_up: Vec::new() }
    }

    /// What the core gets instead of a packet of the client.
    pub(crate) fn upwards(&mut self, frame: Vec<u8>, version: Option<ProtocolVersion>) -> Vec<Vec<u8>> {
        let (Some(version), Ok(packet)) = (version, from_client(&frame, version)) else { return vec![frame] };
        match (self.bug, packet) {
            (PlantedBug::SkipDeduplication, Packet::Publish(publish)) if publish.dup => {
                let Some(id) = publish.packet_id.filter(|_| publish.qos == QoS::ExactlyOnce) else {
                    return vec![frame];
                };
                self.swallowed.insert(id);
                vec![encoded(&Packet::Pubrel(Ack::new(id, ReasonCode::SUCCESS)), version), frame]
            }
            (PlantedBug::LeakInflightSlot, Packet::Puback(_) | Packet::Pubcomp(_))
                if self.random.chance(20) =>
            {
                Vec::new()
            }
            (PlantedBug::AcknowledgeEarly, Packet::Publish(publish)) => {
                if let Some(id) = publish.packet_id.filter(|_| publish.qos == QoS::AtLeastOnce) {
                    self.swallowed.insert(id);
                    self.made_up.push(encoded(&Packet::Puback(Ack::new(id, ReasonCode::SUCCESS)), version));
                }
                vec![frame]
            }
            _ => vec![frame],
        }
    }

    /// What the core gets when the connection ends.
    pub(crate) fn at_end(&mut self, version: ProtocolVersion) -> Option<Vec<u8>> {
        (self.bug == PlantedBug::LoseWill)
            .then(|| encoded(&Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS)), version))
    }

    /// What the client gets instead of packets of the core.
    pub(crate) fn downwards(&mut self, mut frames: Vec<Vec<u8>>, version: ProtocolVersion) -> Vec<Vec<u8>> {
        if self.bug == PlantedBug::ReorderDeliveries {
            let stream = |frame: &[u8]| match from_server(frame, version) {
                Ok(Packet::Publish(publish)) => Some((publish.topic.to_owned(), publish.qos)),
                _ => None,
            };
            if let Some(at) = (1..frames.len())
                .find(|&at| stream(&frames[at]).is_some() && stream(&frames[at]) == stream(&frames[at - 1]))
            {
                frames.swap(at, at - 1);
            }
        }
        frames.into_iter().flat_map(|frame| self.downwards_one(frame, version)).collect()
    }

    fn downwards_one(&mut self, frame: Vec<u8>, version: ProtocolVersion) -> Vec<Vec<u8>> {
        let Ok(packet) = from_server(&frame, version) else { return vec![frame] };
        match (self.bug, packet) {
            (PlantedBug::DropPuback, Packet::Puback(_)) if self.random.chance(30) => Vec::new(),
            (PlantedBug::SkipDeduplication, Packet::Pubcomp(ack))
            | (PlantedBug::AcknowledgeEarly, Packet::Puback(ack))
                if self.swallowed.remove(&ack.packet_id) =>
            {
                Vec::new()
            }
            (PlantedBug::LoseDelivery, Packet::Publish(publish))
                if publish.qos > QoS::AtMostOnce
                    && publish.topic_alias.is_none()
                    && self.random.chance(10) =>
            {
                Vec::new()
            }
            (PlantedBug::RepeatDelivery, Packet::Publish(publish))
                if publish.qos == QoS::AtMostOnce && self.random.chance(10) =>
            {
                vec![frame.clone(), frame]
            }
            _ => vec![frame],
        }
    }
}
