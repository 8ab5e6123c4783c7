//! Bugs that the oracles must catch, planted between the broker and its clients.

use std::collections::BTreeSet;

use ferry_codec::{Ack, Connect, Disconnect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};
use ferry_core::persistence::Space;
use ferry_core::{CoreConfig, Record};

use crate::random::Random;
use crate::wire::{encoded, from_client, from_server};

/// What to break. The core stays as it is: a bug changes the packets that go in and out of it, its limits, or what
/// becomes of its records, so that together they behave like a core with that bug.
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
    /// A DISCONNECT is taken for the end of a connection.
    PublishCancelledWill,
    /// Wills are sent twice.
    RepeatWill,
    /// Some acknowledgements of clients do not free their slot.
    LeakInflightSlot,
    /// Receive Maximum of clients is ignored.
    ExceedReceiveMaximum,
    /// Some QoS 1 and 2 messages are never sent.
    LoseDelivery,
    /// Some QoS 0 messages are sent twice.
    RepeatDelivery,
    /// PUBACK is sent before anything is committed.
    AcknowledgeEarly,
    /// Some records never reach the disk.
    LoseRecords,
    /// What is written is taken for durable.
    AcknowledgeBeforeSync,
    /// Nothing is ever synced, but by the log itself.
    DropSync,
    /// Some subscriptions are not recorded.
    ForgetSubscription,
    /// That PUBREC came is not recorded.
    SkipReleased,
    /// That a session has ended is not recorded.
    ForgetSessionEnd,
    /// What an acknowledgement means is the same for all topics.
    IgnoreTopicDurability,
    /// What is sent again does not have the DUP flag.
    SendAgainWithoutDup,
    /// After a restart nobody knows which packet identifiers are in use.
    ForgetPacketIds,
    /// After a restart nobody knows which QoS 2 messages were received.
    ForgetReceived,
    /// After a restart there are no wills.
    ForgetWill,
    /// A damaged log is taken for more damaged than it is.
    LoseUndamaged,
    /// Message expiry is ignored.
    IgnoreExpiry,
    /// Some retained messages are not retained.
    LoseRetained,
    /// Some retained messages wait until others have been sent.
    SendRetainedLate,
    /// Some connections do not take over the one that their client identifier has.
    DeliverToTwoConnections,
    /// Some sessions are discarded when their client comes back.
    ForgetSession,
    /// The limits of queues and retained messages are ignored.
    IgnoreLimits,
    /// Some PUBACKs carry a reason code that is not for PUBACK.
    IllegalReasonCode,
    /// Some packets lose their last byte.
    TruncatePacket,
}

impl PlantedBug {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::DropPuback,
        Self::SkipDeduplication,
        Self::ReorderDeliveries,
        Self::LoseWill,
        Self::PublishCancelledWill,
        Self::RepeatWill,
        Self::LeakInflightSlot,
        Self::ExceedReceiveMaximum,
        Self::LoseDelivery,
        Self::RepeatDelivery,
        Self::AcknowledgeEarly,
        Self::LoseRecords,
        Self::AcknowledgeBeforeSync,
        Self::DropSync,
        Self::ForgetSubscription,
        Self::SkipReleased,
        Self::ForgetSessionEnd,
        Self::IgnoreTopicDurability,
        Self::SendAgainWithoutDup,
        Self::ForgetPacketIds,
        Self::ForgetReceived,
        Self::ForgetWill,
        Self::LoseUndamaged,
        Self::IgnoreExpiry,
        Self::LoseRetained,
        Self::SendRetainedLate,
        Self::DeliverToTwoConnections,
        Self::ForgetSession,
        Self::IgnoreLimits,
        Self::IllegalReasonCode,
        Self::TruncatePacket,
    ];

    /// Whether it changes packets.
    pub(crate) fn is_on_the_wire(self) -> bool {
        !matches!(
            self,
            Self::IgnoreLimits
                | Self::LoseRecords
                | Self::AcknowledgeBeforeSync
                | Self::DropSync
                | Self::ForgetSubscription
                | Self::SkipReleased
                | Self::ForgetSessionEnd
                | Self::IgnoreTopicDurability
                | Self::ForgetPacketIds
                | Self::ForgetReceived
                | Self::ForgetWill
                | Self::LoseUndamaged
        )
    }

    /// What a restart does not find because of it.
    pub(crate) fn forgotten_at_restart(self) -> Option<Space> {
        match self {
            Self::ForgetPacketIds => Some(Space::Sent),
            Self::ForgetReceived => Some(Space::Received),
            Self::ForgetWill => Some(Space::Will),
            _ => None,
        }
    }

    /// Takes away some of what was recorded after the first `old` records.
    pub(crate) fn lose_records(self, records: &mut Vec<Record>, old: usize, random: &mut Random) {
        let mut index = 0;
        records.retain(|record| {
            index += 1;
            let is_lost = match (self, record) {
                (Self::LoseRecords, Record::Queued { .. }) => random.chance(20),
                (Self::ForgetSubscription, Record::Subscribed { .. }) => random.chance(30),
                (Self::SkipReleased, Record::Released { .. })
                | (Self::ForgetSessionEnd, Record::SessionEnded { .. }) => true,
                _ => false,
            };
            index <= old || !is_lost
        });
    }

    /// The configuration of a core with this bug.
    pub(crate) fn change_config(self, config: &mut CoreConfig) {
        if self == Self::IgnoreTopicDurability {
            config.durability_by_filter.clear();
        }
        if self == Self::IgnoreLimits {
            config.queue_messages_max = u32::MAX;
            config.queue_bytes_max = usize::MAX / 1024;
            config.retained.count_max = usize::MAX;
        }
    }
}

/// Sits on one connection and plants the bug.
pub(crate) struct Planter {
    bug: PlantedBug,
    random: Random,
    /// PUBCOMPs and PUBACKs of the core that the client must not see.
    swallowed: BTreeSet<PacketId>,
    /// Packets of the core that the client gets later.
    late: Vec<Vec<u8>>,
    /// Packets for the client that the core did not make.
    pub(crate) made_up: Vec<Vec<u8>>,
}

impl Planter {
    pub(crate) fn new(bug: PlantedBug, random: Random) -> Self {
        Self { bug, random, swallowed: BTreeSet::new(), late: Vec::new(), made_up: Vec::new() }
    }

    /// What the core gets instead of a packet of the client.
    pub(crate) fn upwards(&mut self, frame: Vec<u8>, version: Option<ProtocolVersion>) -> Vec<Vec<u8>> {
        match (version, from_client(&frame, version)) {
            (_, Ok(Packet::Connect(connect))) => vec![self.connect(&connect)],
            (Some(version), Ok(Packet::Publish(publish))) => self.publish(publish, version),
            (_, Ok(Packet::Puback(_) | Packet::Pubcomp(_)))
                if self.bug == PlantedBug::LeakInflightSlot && self.random.chance(20) =>
            {
                Vec::new()
            }
            (_, Ok(Packet::Disconnect(_))) if self.bug == PlantedBug::PublishCancelledWill => Vec::new(),
            _ => vec![frame],
        }
    }

    fn connect(&mut self, asked: &Connect<'_>) -> Vec<u8> {
        let twin = format!("{}-twin", asked.client_id);
        let mut connect = *asked;
        match self.bug {
            PlantedBug::ExceedReceiveMaximum => connect.properties.receive_maximum = None,
            PlantedBug::DeliverToTwoConnections if self.random.chance(30) => connect.client_id = &twin,
            PlantedBug::ForgetSession if self.random.chance(30) => connect.clean_start = true,
            PlantedBug::IgnoreExpiry => {
                if let Some(will) = &mut connect.will {
                    will.properties.message_expiry_interval = None;
                }
            }
            _ => {}
        }
        encoded(&Packet::Connect(connect), connect.protocol_version)
    }

    fn publish(&mut self, mut publish: Publish<'_>, version: ProtocolVersion) -> Vec<Vec<u8>> {
        let mut before = None;
        match (self.bug, publish.packet_id) {
            (PlantedBug::SkipDeduplication, Some(id)) if publish.dup && publish.qos == QoS::ExactlyOnce => {
                self.swallowed.insert(id);
                before = Some(encoded(&Packet::Pubrel(Ack::new(id, ReasonCode::SUCCESS)), version));
            }
            (PlantedBug::AcknowledgeEarly, Some(id)) if publish.qos == QoS::AtLeastOnce => {
                self.swallowed.insert(id);
                self.made_up.push(encoded(&Packet::Puback(Ack::new(id, ReasonCode::SUCCESS)), version));
            }
            (PlantedBug::IgnoreExpiry, _) => publish.properties.message_expiry_interval = None,
            (PlantedBug::LoseRetained, _) if self.random.chance(30) => publish.retain = false,
            _ => {}
        }
        before.into_iter().chain([encoded(&Packet::Publish(publish), version)]).collect()
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

    fn downwards_one(&mut self, mut frame: Vec<u8>, version: ProtocolVersion) -> Vec<Vec<u8>> {
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
            (PlantedBug::RepeatWill, Packet::Publish(publish))
                if publish.qos == QoS::AtMostOnce && publish.topic.starts_with("w/") =>
            {
                vec![frame.clone(), frame]
            }
            (PlantedBug::SendRetainedLate, Packet::Publish(publish))
                if publish.qos == QoS::AtMostOnce && publish.topic_alias.is_none() =>
            {
                if publish.retain && self.random.chance(50) {
                    self.late.push(frame);
                    return Vec::new();
                }
                let late = std::mem::take(&mut self.late);
                std::iter::once(frame).chain(late).collect()
            }
            (PlantedBug::SendAgainWithoutDup, Packet::Publish(mut publish)) if publish.dup => {
                publish.dup = false;
                vec![encoded(&Packet::Publish(publish), version)]
            }
            (PlantedBug::IllegalReasonCode, Packet::Puback(ack))
                if version == ProtocolVersion::V5 && self.random.chance(10) =>
            {
                let wrong = Ack::new(ack.packet_id, ReasonCode::SESSION_TAKEN_OVER);
                vec![encoded(&Packet::Puback(wrong), version)]
            }
            (PlantedBug::TruncatePacket, _) if self.random.chance(5) => {
                frame.pop();
                vec![frame]
            }
            _ => vec![frame],
        }
    }
}
