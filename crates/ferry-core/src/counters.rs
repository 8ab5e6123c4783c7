use ferry_codec::{Packet, ProtocolVersion, ReasonCode};

use crate::DropLedger;

/// What one shard has done since its start (`u64`, only growing) and what it holds now (`usize`). The driver sums
/// the shards when somebody reads.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Connections opened.
    pub connections_opened: u64,
    /// Connections that are open, with or without a CONNECT.
    pub connections: usize,
    /// Clients that are connected: their CONNACK was a success.
    pub clients_connected: usize,
    /// Those of them that speak MQTT 3.1, 3.1.1 and 5.0.
    pub clients_connected_by_version: [usize; 3],
    /// The highest value of `clients_connected`.
    pub clients_connected_max: usize,
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Sessions that ended because their expiry interval passed.
    pub sessions_expired: u64,
    /// Subscriptions whose maximum QoS was lowered because the rights of their client became fewer.
    pub subscriptions_lowered: u64,
    /// Connections that were taken over.
    pub takeovers: u64,
    /// Connections closed because nothing came for one and a half keep-alive times.
    pub keep_alive_timeouts: u64,
    /// Connections closed because no CONNECT, or no end of the authentication, came in time.
    pub connect_timeouts: u64,
    /// Connections closed because their output did not shrink in time.
    pub output_stalls: u64,
    /// Connections closed without any answer: their first packet was no valid CONNECT.
    pub connects_ignored: u64,
    /// Pauses in the reading of a connection that sent more than it may in a second.
    pub rate_pauses: u64,
    /// Those of them that the rate of a user has asked for.
    pub rate_pauses_by_user: u64,
    /// Those of them that the rate of an address has asked for.
    pub rate_pauses_by_address: u64,
    /// More QoS 1 and 2 messages than Receive Maximum came from a client and were tolerated.
    pub receive_maximum_excesses: u64,

    /// Bytes of whole packets received.
    pub bytes_received: u64,
    /// Bytes of whole packets made for clients.
    pub bytes_sent: u64,
    /// Packets received, by type: index 1 is CONNECT, 15 is AUTH (Table 2-1).
    pub packets_received: [u64; 16],
    /// Packets made for clients, by type.
    pub packets_sent: [u64; 16],
    /// Payload bytes of the PUBLISH packets received.
    pub publish_bytes_received: u64,
    /// Payload bytes of the PUBLISH packets made for clients.
    pub publish_bytes_sent: u64,
    /// PUBLISH packets received, by QoS.
    pub publish_received_by_qos: [u64; 3],
    /// PUBLISH packets made for clients, by QoS.
    pub publish_sent_by_qos: [u64; 3],
    /// PUBLISH packets refused: without permission or over a limit.
    pub publish_refused: u64,
    /// Messages that nobody had subscribed to.
    pub publish_unmatched: u64,
    /// Wills published.
    pub wills_published: u64,
    /// Retained messages that were not kept because of a limit.
    pub retained_refused: u64,
    /// Messages that were not followed because too many were in this second; see
    /// [`CoreConfig::spans`](crate::CoreConfig::spans).
    pub spans_limited: u64,

    /// Subscriptions, without the shared ones.
    pub subscriptions: usize,
    /// Shared subscriptions.
    pub shared_subscriptions: usize,
    /// Copies of messages waiting in queues.
    pub queued_messages: usize,
    /// Bytes of those copies.
    pub queued_bytes: usize,
    /// Copies sent and not yet acknowledged.
    pub inflight_messages: usize,

    /// What clients were told when they were refused or disconnected, and what they did wrong, by reason code.
    pub refusals: ReasonCodeCounts,
    /// Reason codes of the DISCONNECT packets that clients sent.
    pub disconnects_received: ReasonCodeCounts,
    /// Copies of messages that were discarded.
    pub drops: DropLedger,
}

/// Changes with everything that a shard does because of its clients or its timers, and with nothing else: to tell
/// whether something has happened at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Sum of what only grows.
    counted: u64,
    /// What may shrink.
    held: [usize; 6],
}

impl Counters {
    /// What has happened until now.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let counted = [
            self.connections_opened,
            self.sessions_expired,
            self.connect_timeouts,
            self.keep_alive_timeouts,
            self.output_stalls,
            self.bytes_received,
            self.bytes_sent,
            self.wills_published,
            self.retained_refused,
            self.publish_refused,
            self.publish_unmatched,
            self.drops.total(),
        ];
        let held = [
            self.connections,
            self.sessions,
            self.subscriptions,
            self.shared_subscriptions,
            self.queued_messages,
            self.inflight_messages,
        ];
        Activity { counted: counted.iter().sum(), held }
    }

    /// A session's queue went from `before` to `after`: copies, and their bytes.
    pub(crate) fn queue_changed(&mut self, before: (usize, usize), after: (usize, usize)) {
        self.queued_messages = self.queued_messages + after.0 - before.0;
        self.queued_bytes = self.queued_bytes + after.1 - before.1;
    }

    /// A client of this version has connected.
    pub(crate) fn client_connected(&mut self, version: ProtocolVersion) {
        self.clients_connected += 1;
        self.clients_connected_by_version[version_index(version)] += 1;
        self.clients_connected_max = self.clients_connected_max.max(self.clients_connected);
    }

    /// A client of this version is connected no more.
    pub(crate) fn client_left(&mut self, version: ProtocolVersion) {
        self.clients_connected -= 1;
        self.clients_connected_by_version[version_index(version)] -= 1;
    }

    /// A session's open exchanges went from `before` to `after`.
    pub(crate) fn inflight_changed(&mut self, before: usize, after: usize) {
        self.inflight_messages = self.inflight_messages + after - before;
    }
}

fn version_index(version: ProtocolVersion) -> usize {
    match version {
        ProtocolVersion::V31 => 0,
        ProtocolVersion::V311 => 1,
        ProtocolVersion::V5 => 2,
    }
}

/// A count for each reason code.
#[derive(Clone, Debug)]
pub struct ReasonCodeCounts([u64; 256]);

impl Default for ReasonCodeCounts {
    fn default() -> Self {
        Self([0; 256])
    }
}

impl ReasonCodeCounts {
    pub(crate) fn count(&mut self, reason_code: ReasonCode) {
        self.0[usize::from(reason_code.code())] += 1;
    }

    /// How often `reason_code` was counted.
    #[must_use]
    pub fn of(&self, reason_code: ReasonCode) -> u64 {
        self.0[usize::from(reason_code.code())]
    }

    /// Code and count of each code that was counted at all.
    pub fn iter(&self) -> impl Iterator<Item = (u8, u64)> {
        (0..=u8::MAX).zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// The number of the packet type in the fixed header (Table 2-1).
pub(crate) fn packet_type(packet: &Packet<'_>) -> usize {
    match packet {
        Packet::Connect(_) => 1,
        Packet::Connack(_) => 2,
        Packet::Publish(_) => 3,
        Packet::Puback(_) => 4,
        Packet::Pubrec(_) => 5,
        Packet::Pubrel(_) => 6,
        Packet::Pubcomp(_) => 7,
        Packet::Subscribe(_) => 8,
        Packet::Suback(_) => 9,
        Packet::Unsubscribe(_) => 10,
        Packet::Unsuback(_) => 11,
        Packet::Pingreq => 12,
        Packet::Pingresp => 13,
        Packet::Disconnect(_) => 14,
        Packet::Auth(_) => 15,
    }
}
