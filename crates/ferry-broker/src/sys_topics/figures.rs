use std::collections::BTreeMap;
use std::time::Duration;

use ferry_core::{Counters, DropReason};

use crate::driver::ShardReport;
use crate::storage::StorageFigures;

/// All that `$SYS` tells of, summed over the shards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) uptime: Duration,
    pub(crate) shard_count: usize,
    pub(crate) retained_messages: usize,
    pub(crate) retained_bytes: usize,
    /// Numbers that only grow.
    pub(crate) totals: Totals,
    pub(crate) connections: usize,
    pub(crate) clients_connected: usize,
    /// Of MQTT 3.1, 3.1.1 and 5.0.
    pub(crate) clients_connected_by_version: [usize; 3],
    /// The sum of what each shard had at most: exact for one shard, too high for several.
    pub(crate) clients_connected_max: usize,
    pub(crate) sessions: usize,
    pub(crate) subscriptions: usize,
    pub(crate) shared_subscriptions: usize,
    pub(crate) queued_messages: usize,
    pub(crate) queued_bytes: usize,
    pub(crate) inflight_messages: usize,
    /// Absent if everything is in memory.
    pub(crate) storage: Option<StorageFigures>,
    /// Messages that were handed to the store.
    pub(crate) messages_stored: u64,
    pub(crate) drops: [u64; DropReason::ALL.len()],
    /// Somebody subscribes to one of the topics.
    pub(crate) has_subscriber: bool,
    /// Reason codes that clients were refused or disconnected with.
    pub(crate) reason_codes: BTreeMap<u8, u64>,
    /// Connections that were refused or failed without any.
    pub(crate) refusals: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) turns: u64,
    pub(crate) connections_opened: u64,
    pub(crate) connects_received: u64,
    pub(crate) sessions_expired: u64,
    pub(crate) bytes_received: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) messages_received: u64,
    pub(crate) messages_sent: u64,
    /// By type: index 1 is CONNECT (MQTT 5.0 table 2-1).
    pub(crate) packets_received: [u64; 16],
    pub(crate) packets_sent: [u64; 16],
    /// By QoS.
    pub(crate) publish_received_by_qos: [u64; 3],
    pub(crate) publish_sent_by_qos: [u64; 3],
    pub(crate) publish_unmatched: u64,
    pub(crate) publish_received: u64,
    pub(crate) publish_sent: u64,
    pub(crate) publish_bytes_received: u64,
    pub(crate) publish_bytes_sent: u64,
    pub(crate) publish_dropped: u64,
    pub(crate) publish_refused: u64,
    pub(crate) wills_published: u64,
    pub(crate) takeovers: u64,
    pub(crate) spans_limited: u64,
}

/// Positions of packet types in the counters (MQTT 5.0 table 2-1).
const CONNECT: usize = 1;
const PUBLISH: usize = 3;

impl Figures {
    /// Adds what one shard has counted.
    pub(crate) fn add(&mut self, report: &ShardReport) {
        let counters = &report.counters;
        self.shard_count += 1;
        self.has_subscriber |= report.has_subscriber;
        self.connections += counters.connections;
        self.clients_connected += counters.clients_connected;
        add(&mut self.clients_connected_by_version, &counters.clients_connected_by_version);
        self.clients_connected_max += counters.clients_connected_max;
        self.sessions += counters.sessions;
        self.subscriptions += counters.subscriptions;
        self.shared_subscriptions += counters.shared_subscriptions;
        self.queued_messages += counters.queued_messages;
        self.queued_bytes += counters.queued_bytes;
        self.inflight_messages += counters.inflight_messages;
        self.messages_stored += report.messages_stored;
        self.totals.turns += report.turns;
        self.totals.add(counters);
        for (reason, entry) in counters.drops.iter() {
            self.drops[reason.index()] += entry.count;
        }
        for (code, count) in counters.refusals.iter() {
            *self.reason_codes.entry(code).or_default() += count;
        }
        self.add_refusals(report);
    }

    fn add_refusals(&mut self, report: &ShardReport) {
        let counters = &report.counters;
        let of_core = [
            ("keep_alive_timeout", counters.keep_alive_timeouts),
            ("connect_timeout", counters.connect_timeouts),
            ("write_stall", counters.output_stalls),
            ("rate_limited", counters.rate_pauses),
            ("rate_limited_by_user", counters.rate_pauses_by_user),
            ("rate_limited_by_address", counters.rate_pauses_by_address),
            ("no_connect", counters.connects_ignored),
            ("receive_maximum_tolerated", counters.receive_maximum_excesses),
            ("retained_limit", counters.retained_refused),
        ];
        let of_driver = report.refusals.iter().map(|(reason, count)| (*reason, *count));
        for (reason, count) in of_core.into_iter().chain(of_driver).filter(|(_, count)| *count > 0) {
            *self.refusals.entry(reason).or_default() += count;
        }
    }
}

impl Totals {
    fn add(&mut self, counters: &Counters) {
        self.connections_opened += counters.connections_opened;
        self.connects_received += counters.packets_received[CONNECT];
        self.sessions_expired += counters.sessions_expired;
        self.bytes_received += counters.bytes_received;
        self.bytes_sent += counters.bytes_sent;
        self.messages_received += counters.packets_received.iter().sum::<u64>();
        self.messages_sent += counters.packets_sent.iter().sum::<u64>();
        add(&mut self.packets_received, &counters.packets_received);
        add(&mut self.packets_sent, &counters.packets_sent);
        add(&mut self.publish_received_by_qos, &counters.publish_received_by_qos);
        add(&mut self.publish_sent_by_qos, &counters.publish_sent_by_qos);
        self.publish_unmatched += counters.publish_unmatched;
        self.publish_received += counters.packets_received[PUBLISH];
        self.publish_sent += counters.packets_sent[PUBLISH];
        self.publish_bytes_received += counters.publish_bytes_received;
        self.publish_bytes_sent += counters.publish_bytes_sent;
        self.publish_dropped += counters.drops.total();
        self.publish_refused += counters.publish_refused;
        self.wills_published += counters.wills_published;
        self.takeovers += counters.takeovers;
        self.spans_limited += counters.spans_limited;
    }
}

fn add<T: Copy + std::ops::AddAssign, const N: usize>(sums: &mut [T; N], counts: &[T; N]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += *count;
    }
}
