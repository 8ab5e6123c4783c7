use ferry_session::DropReason;

use crate::ClientDrop;
use crate::client_drops::ClientDrops;

/// Every copy of a message that was discarded: how many for each reason, and the last one of each.
#[derive(Clone, Debug, Default)]
pub struct DropLedger {
    entries: [DropEntry; DropReason::ALL.len()],
    clients: ClientDrops,
}

/// What was dropped for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropEntry {
    /// How many copies.
    pub count: u64,
    /// The client whose copy was dropped last.
    pub last_client_id: String,
    /// The topic of that copy.
    pub last_topic: String,
}

impl DropLedger {
    /// Counts one copy. The strings are overwritten in place.
    pub(crate) fn count(&mut self, reason: DropReason, client_id: &str, topic: &str) {
        self.clients.count(reason, client_id, topic, 1);
        self.set_last(reason, client_id, topic, 1);
    }

    fn set_last(&mut self, reason: DropReason, client_id: &str, topic: &str, copies: u64) {
        let entry = &mut self.entries[reason.index()];
        entry.count += copies;
        entry.last_client_id.clear();
        entry.last_client_id.push_str(client_id);
        entry.last_topic.clear();
        entry.last_topic.push_str(topic);
    }

    /// Counts copies of one client of which only the store knows the topics.
    pub(crate) fn count_many(&mut self, reason: DropReason, client_id: &str, copies: usize) {
        if copies > 0 {
            self.clients.count(reason, client_id, "", copies as u64);
            self.set_last(reason, client_id, "", copies as u64);
        }
    }

    /// What was dropped for `reason`.
    #[must_use]
    pub fn entry(&self, reason: DropReason) -> &DropEntry {
        &self.entries[reason.index()]
    }

    /// What was dropped of a client, if it lost something lately. As long as not many others did, that is everything since
    /// the start.
    #[must_use]
    pub fn of_client(&self, client_id: &str) -> Option<&ClientDrop> {
        self.clients.of(client_id)
    }

    /// All reasons with what was dropped for each.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, &DropEntry)> {
        DropReason::ALL.into_iter().zip(&self.entries)
    }

    /// How many copies were dropped for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.entries.iter().map(|entry| entry.count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_drop_of_each_reason_is_remembered() {
        let mut ledger = DropLedger::default();
        ledger.count(DropReason::Expired, "first-client", "a/b/c");
        ledger.count(DropReason::Expired, "c2", "t");
        let entry = ledger.entry(DropReason::Expired);
        assert_eq!((entry.count, &*entry.last_client_id, &*entry.last_topic), (2, "c2", "t"));
        assert_eq!(ledger.entry(DropReason::QueueFull).count, 0);
        assert_eq!(ledger.total(), 2);
        assert_eq!(ledger.iter().count(), DropReason::ALL.len());
    }
}
