use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use crate::mailbox_filter::MailboxFilter;
use crate::{Message, QoS};

/// Where received messages wait until their streams take them.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    last_id: u64,
    mailboxes: BTreeMap<u64, Mailbox>,
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
    /// The number under which the session expects its acknowledgement.
    pub(crate) acknowledgement: Option<u64>,
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
    /// There is no room for more of QoS 0.
    Overflowed(Message),
}

impl Mailboxes {
    /// A new mailbox; without filters it takes what nobody else wants.
    pub(crate) fn open(&mut self, filters: &[String]) -> MailboxId {
        self.last_id += 1;
        let filters = filters.iter().map(|filter| MailboxFilter::new(filter)).collect();
        self.mailboxes.insert(self.last_id, Mailbox { filters, ..Mailbox::default() });
        MailboxId(self.last_id)
    }

    /// A SUBSCRIBE for this mailbox is under way, under this number.
    pub(crate) fn subscribed(&mut self, id: MailboxId, number: u64) {
        let Some(mut subscribed) = self.mailboxes.remove(&id.0) else { return };
        for mailbox in self.mailboxes.values_mut() {
            let is_replaced = mailbox.filters.iter().any(|filter| subscribed.filters.contains(filter));
            if is_replaced && !mailbox.subscription_ids.is_empty() {
                mailbox.subscription_ids.push(number);
            }
        }
        subscribed.subscription_ids.push(number);
        self.mailboxes.insert(id.0, subscribed);
    }

    /// Returns what is to be acknowledged: what was not taken.
    pub(crate) fn close(&mut self, id: MailboxId) -> Vec<Taken> {
        let Some(mailbox) = self.mailboxes.remove(&id.0) else { return Vec::new() };
        mailbox.queue.iter().for_each(|taken| self.forget(taken));
        mailbox.queue.into()
    }

    /// Puts a message into each mailbox that wants it. Only the first copy has the acknowledgement.
    pub(crate) fn deliver(
        &mut self,
        message: Message,
        mut acknowledgement: Option<u64>,
        has_room: impl Fn(usize, usize) -> bool,
    ) -> Delivered {
        let mut wanting = self.wanting(&message);
        let Some(last) = wanting.pop() else { return Delivered::Unclaimed(message) };
        if message.qos == QoS::AtMostOnce && !has_room(self.waiting_messages, self.waiting_bytes) {
            return Delivered::Overflowed(message);
        }
        for id in wanting {
            self.put(id, Taken { message: message.clone(), acknowledgement: acknowledgement.take() });
        }
        self.put(last, Taken { message, acknowledgement });
        Delivered::Yes
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
        for mailbox in self.mailboxes.values_mut() {
            mailbox
                .queue
                .retain(|taken| taken.message.qos != QoS::AtLeastOnce || taken.acknowledgement.is_none());
        }
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

    fn message(topic: &str, ids: &[u32]) -> Message {
        let mut message = Message::new(topic, "x");
        if !ids.is_empty() {
            message.properties_mut().subscription_identifiers = ids.to_vec();
        }
        message
    }

    fn deliver(mailboxes: &mut Mailboxes, message: Message) -> Delivered {
        mailboxes.deliver(message, Some(1), |_, _| true)
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
            mailboxes.subscribed(id, number);
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
        assert_eq!(mailboxes.deliver(message("a", &[]), None, has_room), Delivered::Yes);
        let overflowed = Delivered::Overflowed(message("a", &[]));
        assert_eq!(mailboxes.deliver(message("a", &[]), None, has_room), overflowed);
        let other = message("a", &[]).qos(QoS::AtLeastOnce);
        assert_eq!(mailboxes.deliver(other, Some(1), has_room), Delivered::Yes);
        mailboxes.drop_unacknowledged_qos1();
        assert_eq!(count(&mut mailboxes, id), 1);
    }
}
