use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use ferry_session::Timestamp;
use smallvec::SmallVec;

use crate::mailbox_filter::MailboxFilter;
use crate::{Message, QoS};

/// Milliseconds for which messages that a dropped stream has not taken stay unacknowledged: longer than a program needs from
/// dropping its streams to dropping or disconnecting its client.
const KEEP_MS: u64 = 1_000;

/// Where received messages wait until their streams take them.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    last_id: u64,
    last_delivery: u64,
    mailboxes: BTreeMap<u64, Mailbox>,
    /// Messages of QoS 1 and 2 that nobody takes now, each until a time, in the order of these times.
    kept: VecDeque<(Timestamp, Taken)>,
    /// Until then what nobody wants is kept: it may be on its way to a stream that was dropped.
    keeps_until: Option<Timestamp>,
    /// Of QoS 0; the others are limited by the Receive Maximum.
    waiting_messages: usize,
    waiting_bytes: usize,
    ended: bool,
}

/// Names a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MailboxId(u64);

/// A message on its way out of a mailbox.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) message: Message,
    /// The number under which the session expects its acknowledgement. Of several copies one has it.
    pub(crate) acknowledgement: Option<u64>,
    /// The copies of one message have the same.
    delivery: u64,
    /// Other streams that got a copy, and did not discard it.
    others: usize,
}

#[derive(Debug, Default)]
struct Mailbox {
    /// Empty: it takes what nobody else wants.
    filters: Vec<MailboxFilter>,
    /// The Subscription Identifiers that messages for it can have: its own, and those of later subscriptions to one of its
    /// filters, which replace its own at the server. Empty: any.
    subscription_ids: Vec<u64>,
    queue: VecDeque<Taken>,
    waker: Option<Waker>,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    Yes,
    /// Nobody wants it.
    Unclaimed(Message),
    /// Nobody wants it now; it is not acknowledged yet.
    Kept,
    /// There is no room for more of QoS 0.
    Overflowed(Message),
}

impl Mailboxes {
    /// A new mailbox; without filters it takes what nobody else wants. It begins with what was kept and is for it.
    pub(crate) fn open(&mut self, filters: &[String]) -> MailboxId {
        self.last_id += 1;
        let filters: Vec<_> = filters.iter().map(|filter| MailboxFilter::new(filter)).collect();
        let wants = |message: &Message| {
            filters.is_empty() || filters.iter().any(|filter| filter.matches(&message.topic))
        };
        let kept = std::mem::take(&mut self.kept).into_iter();
        let (wanted, kept): (VecDeque<_>, _) = kept.partition(|(_, taken)| wants(&taken.message));
        self.kept = kept;
        let queue = wanted.into_iter().map(|(_, taken)| taken).collect();
        self.mailboxes.insert(self.last_id, Mailbox { filters, queue, ..Mailbox::default() });
        MailboxId(self.last_id)
    }

    /// A SUBSCRIBE for this mailbox is under way, under this number. Those of `is_subscribed` are still in force.
    pub(crate) fn subscribed(&mut self, id: MailboxId, number: u64, is_subscribed: impl Fn(u64) -> bool) {
        let Some(mut subscribed) = self.mailboxes.remove(&id.0) else { return };
        for mailbox in self.mailboxes.values_mut() {
            let is_replaced = mailbox.filters.iter().any(|filter| subscribed.filters.contains(filter));
            if is_replaced && !mailbox.subscription_ids.is_empty() {
                mailbox.subscription_ids.retain(|number| is_subscribed(*number));
                mailbox.subscription_ids.push(number);
            }
        }
        subscribed.subscription_ids.push(number);
        self.mailboxes.insert(id.0, subscribed);
    }

    /// Closes a mailbox. With a time, what was not taken of QoS 1 and 2 is kept for a while, unacknowledged, and so is what
    /// comes for nobody. Returns what is to be acknowledged now, and whether nobody else had it.
    pub(crate) fn close(&mut self, id: MailboxId, keeps_from: Option<Timestamp>) -> Vec<(Taken, bool)> {
        let Some(mailbox) = self.mailboxes.remove(&id.0) else { return Vec::new() };
        if let Some(now) = keeps_from {
            self.keeps_until = Some(now.plus_milliseconds(KEEP_MS));
        }
        let rest = self.mailboxes.iter().find(|(_, mailbox)| mailbox.filters.is_empty()).map(|(id, _)| *id);
        let mut discarded = Vec::new();
        for taken in mailbox.queue {
            self.forget(&taken);
            match self.hand_over(taken) {
                None => {}
                Some(taken) if taken.others > 0 => discarded.push((taken, false)),
                Some(taken) => match (rest, keeps_from) {
                    (Some(rest), _) => self.put(rest, taken),
                    (None, Some(now)) if taken.acknowledgement.is_some() => self.keep(now, taken),
                    (None, _) => discarded.push((taken, true)),
                },
            }
        }
        discarded
    }

    /// Puts a message into each mailbox that wants it. Only the first copy has the acknowledgement.
    pub(crate) fn deliver(
        &mut self,
        now: Timestamp,
        message: Message,
        mut acknowledgement: Option<u64>,
        has_room: impl Fn(usize, usize) -> bool,
    ) -> Delivered {
        let mut wanting = self.wanting(&message);
        self.last_delivery += 1;
        let delivery = self.last_delivery;
        let Some(last) = wanting.pop() else {
            if acknowledgement.is_some() && self.keeps_until.is_some_and(|until| now < until) {
                self.keep(now, Taken { message, acknowledgement, delivery, others: 0 });
                return Delivered::Kept;
            }
            return Delivered::Unclaimed(message);
        };
        if message.qos == QoS::AtMostOnce && !has_room(self.waiting_messages, self.waiting_bytes) {
            return Delivered::Overflowed(message);
        }
        let others = wanting.len();
        for id in wanting {
            let (message, acknowledgement) = (message.clone(), acknowledgement.take());
            self.put(id, Taken { message, acknowledgement, delivery, others });
        }
        self.put(last, Taken { message, acknowledgement, delivery, others });
        Delivered::Yes
    }

    /// When the next message that is kept is not to be kept any more.
    pub(crate) fn next_release(&self) -> Timestamp {
        self.kept.front().map_or(Timestamp::NEVER, |(until, _)| *until)
    }

    /// A message that was kept long enough: it is to be acknowledged.
    pub(crate) fn release(&mut self, now: Timestamp) -> Option<Taken> {
        if self.next_release() > now {
            return None;
        }
        self.kept.pop_front().map(|(_, taken)| taken)
    }

    pub(crate) fn take(&mut self, id: MailboxId) -> Option<Taken> {
        let taken = self.mailboxes.get_mut(&id.0)?.queue.pop_front()?;
        self.forget(&taken);
        Some(taken)
    }

    pub(crate) fn poll_take(&mut self, id: MailboxId, context: &Context<'_>) -> Poll<Option<Taken>> {
        if let Some(taken) = self.take(id) {
            return Poll::Ready(Some(taken));
        }
        match self.mailboxes.get_mut(&id.0) {
            Some(mailbox) if !self.ended => {
                mailbox.waker = Some(context.waker().clone());
                Poll::Pending
            }
            _ => Poll::Ready(None),
        }
    }

    /// Messages and bytes of QoS 0 that wait.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.waiting_messages, self.waiting_bytes)
    }

    /// The session goes on with a new connection: the server sends again what was not acknowledged, QoS 1 as new messages,
    /// so what waits of it here would come twice.
    pub(crate) fn drop_unacknowledged_qos1(&mut self) {
        let stays = |taken: &Taken| taken.message.qos != QoS::AtLeastOnce || taken.acknowledgement.is_none();
        for mailbox in self.mailboxes.values_mut() {
            mailbox.queue.retain(stays);
        }
        self.kept.retain(|(_, taken)| stays(taken));
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.mailboxes.values_mut().filter_map(|mailbox| mailbox.waker.take()).for_each(Waker::wake);
    }

    fn wanting(&self, message: &Message) -> SmallVec<[u64; 4]> {
        let matching =
            |mailbox: &Mailbox| mailbox.filters.iter().any(|filter| filter.matches(&message.topic));
        let ids =
            message.properties.as_ref().map_or(&[][..], |properties| &properties.subscription_identifiers);
        let named = |mailbox: &Mailbox| {
            mailbox.subscription_ids.is_empty()
                || ids.iter().any(|id| mailbox.subscription_ids.contains(&u64::from(*id)))
        };
        let find = |wants: &dyn Fn(&Mailbox) -> bool| -> SmallVec<[u64; 4]> {
            self.mailboxes.iter().filter(|(_, mailbox)| wants(mailbox)).map(|(id, _)| *id).collect()
        };
        let mut found = SmallVec::new();
        if !ids.is_empty() {
            found = find(&|mailbox| named(mailbox) && matching(mailbox));
        }
        if found.is_empty() {
            // Without identifiers, or with those that an earlier life of the session has left.
            found = find(&matching);
        }
        if found.is_empty() {
            found = find(&|mailbox| mailbox.filters.is_empty());
        }
        found
    }

    /// A copy is discarded: another stream that has one gets its acknowledgement. Returned if none has one.
    fn hand_over(&mut self, mut taken: Taken) -> Option<Taken> {
        if taken.others == 0 {
            return Some(taken);
        }
        let mut was_found = false;
        let queues = self.mailboxes.values_mut().flat_map(|mailbox| &mut mailbox.queue);
        for copy in queues.filter(|copy| copy.delivery == taken.delivery) {
            was_found = true;
            copy.others -= 1;
            copy.acknowledgement = copy.acknowledgement.or(taken.acknowledgement.take());
        }
        (!was_found).then_some(taken)
    }

    fn keep(&mut self, now: Timestamp, taken: Taken) {
        self.kept.push_back((now.plus_milliseconds(KEEP_MS), taken));
    }

    fn put(&mut self, id: u64, taken: Taken) {
        let Some(mailbox) = self.mailboxes.get_mut(&id) else { return };
        if taken.message.qos == QoS::AtMostOnce {
            self.waiting_messages += 1;
            self.waiting_bytes += taken.message.size_bytes();
        }
        mailbox.queue.push_back(taken);
        if let Some(waker) = mailbox.waker.take() {
            waker.wake();
        }
    }

    fn forget(&mut self, taken: &Taken) {
        if taken.message.qos == QoS::AtMostOnce {
            self.waiting_messages -= 1;
            self.waiting_bytes -= taken.message.size_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(10_000);

    fn message(topic: &str, ids: &[u32]) -> Message {
        let mut message = Message::new(topic, "x");
        if !ids.is_empty() {
            message.properties_mut().subscription_identifiers = ids.to_vec();
        }
        message
    }

    fn deliver(mailboxes: &mut Mailboxes, message: Message) -> Delivered {
        mailboxes.deliver(NOW, message, Some(1), |_, _| true)
    }

    fn count(mailboxes: &mut Mailboxes, id: MailboxId) -> usize {
        std::iter::from_fn(|| mailboxes.take(id)).count()
    }

    #[test]
    fn each_message_goes_to_all_who_want_it() {
        let mut mailboxes = Mailboxes::default();
        let one = mailboxes.open(&["a/+".to_owned()]);
        let all = mailboxes.open(&["b".to_owned(), "$share/g/a/#".to_owned()]);
        assert_eq!(deliver(&mut mailboxes, message("a/x", &[])), Delivered::Yes);
        assert_eq!(deliver(&mut mailboxes, message("a/x/y", &[])), Delivered::Yes);
        assert_eq!(deliver(&mut mailboxes, message("c", &[])), Delivered::Unclaimed(message("c", &[])));
        assert_eq!((count(&mut mailboxes, one), count(&mut mailboxes, all)), (1, 2));
        let rest = mailboxes.open(&[]);
        assert_eq!(deliver(&mut mailboxes, message("c", &[])), Delivered::Yes);
        assert_eq!((count(&mut mailboxes, all), count(&mut mailboxes, rest)), (0, 1));
        assert_eq!(mailboxes.waiting(), (0, 0));
    }

    /// A server that sends one copy for each subscription does not make each stream get all of them.
    #[test]
    fn subscription_identifiers_tell_copies_apart() {
        let mut mailboxes = Mailboxes::default();
        let [one, two, same] = ["a/+", "a/#", "a/+"].map(|filter| mailboxes.open(&[filter.to_owned()]));
        for (id, number) in [(one, 1), (two, 2), (same, 3)] {
            mailboxes.subscribed(id, number, |_| true);
        }
        deliver(&mut mailboxes, message("a/x", &[2]));
        // The third subscription has replaced the first.
        deliver(&mut mailboxes, message("a/x", &[3]));
        assert_eq!([one, two, same].map(|id| count(&mut mailboxes, id)), [1, 1, 1]);
        // An identifier that nobody knows, from an earlier program.
        deliver(&mut mailboxes, message("a/x", &[99]));
        assert_eq!([one, two, same].map(|id| count(&mut mailboxes, id)), [1, 1, 1]);
    }

    #[test]
    fn qos_0_is_limited() {
        let mut mailboxes = Mailboxes::default();
        let id = mailboxes.open(&["#".to_owned()]);
        let has_room = |messages, _| messages < 1;
        assert_eq!(mailboxes.deliver(NOW, message("a", &[]), None, has_room), Delivered::Yes);
        let overflowed = Delivered::Overflowed(message("a", &[]));
        assert_eq!(mailboxes.deliver(NOW, message("a", &[]), None, has_room), overflowed);
        let other = message("a", &[]).qos(QoS::AtLeastOnce);
        assert_eq!(mailboxes.deliver(NOW, other, Some(1), has_room), Delivered::Yes);
        mailboxes.drop_unacknowledged_qos1();
        assert_eq!(count(&mut mailboxes, id), 1);
    }

    fn numbered(topic: &str) -> Message {
        message(topic, &[]).qos(QoS::AtLeastOnce)
    }

    #[test]
    fn what_a_closed_one_has_not_given_is_kept_for_a_while() {
        let mut mailboxes = Mailboxes::default();
        let id = mailboxes.open(&["a".to_owned()]);
        deliver(&mut mailboxes, numbered("a"));
        mailboxes.deliver(NOW, message("a", &[]), None, |_, _| true);
        let discarded = mailboxes.close(id, Some(NOW));
        assert!(matches!(&discarded[..], [(taken, true)] if taken.message.qos == QoS::AtMostOnce));
        // What is still on its way belongs to it.
        assert_eq!(deliver(&mut mailboxes, numbered("a")), Delivered::Kept);
        assert_eq!(deliver(&mut mailboxes, numbered("b")), Delivered::Kept);
        let next = mailboxes.open(&["a".to_owned()]);
        assert_eq!(count(&mut mailboxes, next), 2);
        let end = NOW.plus_milliseconds(KEEP_MS);
        assert_eq!(mailboxes.next_release(), end);
        assert!(mailboxes.release(NOW).is_none());
        assert!(mailboxes.release(end).is_some_and(|taken| taken.message.topic == "b"));
        let late = mailboxes.deliver(end, numbered("b"), Some(1), |_, _| true);
        assert_eq!(late, Delivered::Unclaimed(numbered("b")));
        assert_eq!(mailboxes.waiting(), (0, 0));
    }

    #[test]
    fn nothing_is_kept_that_does_not_come_again() {
        let mut mailboxes = Mailboxes::default();
        let id = mailboxes.open(&["a".to_owned()]);
        deliver(&mut mailboxes, numbered("a"));
        assert_eq!(mailboxes.close(id, None).len(), 1);
        assert_eq!(deliver(&mut mailboxes, numbered("a")), Delivered::Unclaimed(numbered("a")));
        let id = mailboxes.open(&["a".to_owned()]);
        deliver(&mut mailboxes, numbered("a"));
        mailboxes.close(id, Some(NOW));
        mailboxes.drop_unacknowledged_qos1();
        assert!(mailboxes.next_release().is_never());
    }

    /// Whichever of two streams is dropped first, the message is acknowledged by the other.
    #[test]
    fn the_acknowledgement_goes_to_who_is_left() {
        for first in [0, 1] {
            let mut mailboxes = Mailboxes::default();
            let ids = ["a", "#"].map(|filter| mailboxes.open(&[filter.to_owned()]));
            deliver(&mut mailboxes, numbered("a"));
            deliver(&mut mailboxes, numbered("a"));
            assert!(mailboxes.close(ids[first], Some(NOW)).is_empty());
            let taken = mailboxes.take(ids[1 - first]).unwrap();
            assert_eq!(taken.acknowledgement, Some(1));
            // Nobody has taken the second one.
            assert!(mailboxes.close(ids[1 - first], Some(NOW)).is_empty());
            assert_eq!(mailboxes.next_release(), NOW.plus_milliseconds(KEEP_MS));
        }
    }

    /// What one stream has taken need not come again for another that was dropped.
    #[test]
    fn what_somebody_has_taken_is_acknowledged() {
        let mut mailboxes = Mailboxes::default();
        let ids = ["a", "#"].map(|filter| mailboxes.open(&[filter.to_owned()]));
        deliver(&mut mailboxes, numbered("a"));
        assert_eq!(mailboxes.take(ids[1]).unwrap().acknowledgement, None);
        let discarded = mailboxes.close(ids[0], Some(NOW));
        assert!(matches!(&discarded[..], [(taken, false)] if taken.acknowledgement == Some(1)));
    }

    #[test]
    fn subscribing_again_and_again_takes_no_room() {
        let mut mailboxes = Mailboxes::default();
        let stays = mailboxes.open(&["a".to_owned()]);
        mailboxes.subscribed(stays, 1, |_| true);
        for number in 2..100 {
            let id = mailboxes.open(&["a".to_owned()]);
            mailboxes.subscribed(id, number, |other| other == number - 1);
            mailboxes.close(id, None);
        }
        assert_eq!(mailboxes.mailboxes[&stays.0].subscription_ids, [98, 99]);
    }
}
