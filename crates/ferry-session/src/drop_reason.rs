use std::fmt;

/// Why one copy of a message was discarded instead of delivered.
///
/// Nothing is dropped silently: whoever discards a copy counts it under one of these in the drop ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DropReason {
    /// The session's queue holds as many messages as it may.
    QueueFull,
    /// The session's queue holds as many bytes as it may.
    QueueBytesFull,
    /// All queues together hold as many messages or bytes as they may.
    TotalQueueFull,
    /// A QoS 0 copy for a connection whose output is not drained fast enough.
    Qos0Backpressure,
    /// A QoS 0 copy for a session without a connection.
    Qos0Offline,
    /// The Message Expiry Interval passed before delivery began.
    Expired,
    /// The packet would exceed the Maximum Packet Size of the receiver.
    PacketTooLarge,
    /// The session ended while the copy waited.
    SessionEnded,
    /// The receiver may not (or no longer) read the topic.
    NotAuthorized,
    /// The receiver refused it: a PUBACK or PUBREC with a Reason Code of 0x80 or more.
    RejectedByReceiver,
    /// Every member of the shared subscription was gone or unable to take it.
    NoSharedSubscriber,
    /// The queue between two shards holds as many bytes as it may.
    MailboxFull,
    /// An administrator cleared the queue.
    Purged,
    /// The store had it and cannot read it back.
    Lost,
    /// The store took nothing; the publisher was told or not answered.
    StoreUnwritable,
}

impl DropReason {
    /// Every reason, in the order of their discriminants.
    pub const ALL: [Self; 15] = [
        Self::QueueFull,
        Self::QueueBytesFull,
        Self::TotalQueueFull,
        Self::Qos0Backpressure,
        Self::Qos0Offline,
        Self::Expired,
        Self::PacketTooLarge,
        Self::SessionEnded,
        Self::NotAuthorized,
        Self::RejectedByReceiver,
        Self::NoSharedSubscriber,
        Self::MailboxFull,
        Self::Purged,
        Self::Lost,
        Self::StoreUnwritable,
    ];

    /// The name in metrics and under `$SYS`; it never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::QueueBytesFull => "queue_bytes_full",
            Self::TotalQueueFull => "total_queue_full",
            Self::Qos0Backpressure => "qos0_backpressure",
            Self::Qos0Offline => "qos0_offline",
            Self::Expired => "expired",
            Self::PacketTooLarge => "packet_too_large",
            Self::SessionEnded => "session_ended",
            Self::NotAuthorized => "not_authorized",
            Self::RejectedByReceiver => "rejected_by_receiver",
            Self::NoSharedSubscriber => "no_shared_subscriber",
            Self::MailboxFull => "mailbox_full",
            Self::Purged => "purged",
            Self::Lost => "lost",
            Self::StoreUnwritable => "store_unwritable",
        }
    }

    /// The position in [`DropReason::ALL`]: the index of its counter.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_reason_at_its_index_with_a_name_of_its_own() {
        for (index, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
            assert!(reason.name().bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()));
        }
        let mut names = DropReason::ALL.map(DropReason::name);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
