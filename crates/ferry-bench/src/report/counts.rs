use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What became of messages. One copy for one subscriber is one message, except in `sent` and `acknowledged`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// PUBLISH packets written, each message once.
    pub sent: u64,
    /// Messages that a schedule had, and that could not be sent: the broker, or this generator, did not keep up.
    pub unsent: u64,
    /// Of `sent`, acknowledged by PUBACK or PUBCOMP.
    pub acknowledged: u64,
    /// Copies that should be delivered.
    pub expected: u64,
    /// Copies that arrived, duplicates not counted.
    pub delivered: u64,
    /// Copies that never came. At QoS 0 this is allowed.
    pub lost: u64,
    /// Of `lost`, those of a message that the broker had acknowledged.
    pub lost_acknowledged: u64,
    /// Copies that came again. At QoS 1 this is allowed.
    pub duplicates: u64,
    /// Of `duplicates`, those of QoS 0 and 2.
    #[serde(default)]
    pub duplicates_forbidden: u64,
    /// Copies that came after a later one of the same publisher and topic.
    pub reordered: u64,
    /// Payloads that are not what was sent, and messages for somebody else.
    pub corrupt: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.unsent += other.unsent;
        self.acknowledged += other.acknowledged;
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.lost_acknowledged += other.lost_acknowledged;
        self.duplicates += other.duplicates;
        self.duplicates_forbidden += other.duplicates_forbidden;
        self.reordered += other.reordered;
        self.corrupt += other.corrupt;
    }
}
