use std::collections::VecDeque;

/// The QoS 0 messages of a connection that the server may not have. Nobody acknowledges them, but the server reads in order: with
/// the answer to something that was sent later it has what came before.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    sent: u64,
    confirmed: u64,
    /// Messages of QoS 1 and 2 behind others of QoS 0: their numbers, which grow, and how many of QoS 0 came before. No more
    /// than are in flight.
    marks: VecDeque<(u64, u64)>,
    /// The same for the PINGREQ that is not answered.
    pinged: Option<u64>,
}

impl Unconfirmed {
    /// A QoS 0 message is sent.
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    /// The message with this number, of QoS 1 or 2, is sent.
    pub(super) fn mark(&mut self, number: u64) {
        let marked = self.marks.back().map_or(self.confirmed, |(_, sent)| *sent);
        if marked < self.sent {
            self.marks.push_back((number, self.sent));
        }
    }

    /// The server has acknowledged the message with this number.
    pub(super) fn acknowledged(&mut self, number: u64) {
        while let Some((marked, sent)) = self.marks.front()
            && *marked <= number
        {
            self.confirmed = self.confirmed.max(*sent);
            self.marks.pop_front();
        }
    }

    /// PINGREQ is sent.
    pub(super) fn pinged(&mut self) {
        self.pinged.get_or_insert(self.sent);
    }

    /// PINGRESP has come.
    pub(super) fn answered(&mut self) {
        let sent = self.pinged.take().unwrap_or_default();
        self.confirmed = self.confirmed.max(sent);
    }

    pub(super) fn count(&self) -> u64 {
        self.sent - self.confirmed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acknowledged_confirms_what_was_sent_before() {
        let mut messages = Unconfirmed::default();
        messages.mark(1);
        messages.acknowledged(1);
        assert_eq!(messages.count(), 0);
        messages.sent();
        messages.sent();
        messages.mark(4);
        messages.mark(5);
        messages.sent();
        messages.mark(7);
        assert_eq!(messages.count(), 3);
        // The second after the two: it was sent later.
        messages.acknowledged(5);
        assert_eq!(messages.count(), 1);
        messages.acknowledged(4);
        messages.sent();
        messages.acknowledged(7);
        assert_eq!(messages.count(), 1);
        assert!(messages.marks.is_empty());
    }

    #[test]
    fn an_answered_ping_confirms_what_was_sent_before() {
        let mut messages = Unconfirmed::default();
        messages.sent();
        messages.pinged();
        messages.sent();
        messages.pinged();
        messages.answered();
        assert_eq!(messages.count(), 1);
        // The answer to the second one, about which nothing is known.
        messages.answered();
        assert_eq!(messages.count(), 1);
    }
}
