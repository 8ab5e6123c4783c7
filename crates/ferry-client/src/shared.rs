use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use ferry_session::Timestamp;
use tokio::sync::{Notify, oneshot};

use crate::clock::Clock;
use crate::event::{EventSources, Events};
use crate::mailbox::{Delivered, MailboxId, Mailboxes, Taken};
use crate::numbers::ByNumber;
use crate::session::{
    ClientSession, Connected, DisconnectOptions, Filter, InvalidValue, PublishRefused, Published,
    SessionEvent, SubscribeRefused,
};
use crate::{ConnectionError, Event, Message, PublishError, QoS, ReasonCode, SubscribeError};

/// What the handles of a client and its event loop share: the session behind a lock that is never held while waiting.
/// Whoever has something to say says it to the session itself, and rings the loop, which writes.
pub(crate) struct Shared {
    state: Mutex<State>,
    clock: Clock,
    /// Something left the session: there is room for more, or nothing is left. Told if somebody waits for it.
    progress: Notify,
    /// [`Phase`] has changed.
    phase_changed: Notify,
    receive_messages_max: usize,
    receive_bytes_max: usize,
}

pub(crate) struct State {
    pub(crate) session: ClientSession,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) events: EventSources,
    pub(crate) phase: Phase,
    /// The application wants no connection any more.
    pub(crate) is_leaving: bool,
    /// The loop has been rung and has not looked yet.
    is_rung: bool,
    /// Of the loop, once it has waited.
    waker: Option<Waker>,
    /// Something that left the session has not left the connection.
    is_writing: bool,
    /// Somebody waits for progress since it was told last.
    is_progress_wanted: bool,
    /// Messages whose end has been told.
    pub(crate) published_count: u64,
    publishes: ByNumber<oneshot::Sender<Result<Published, PublishError>>>,
    requests: ByNumber<oneshot::Sender<Answer>>,
    #[cfg(feature = "outbox")]
    outbox: Option<crate::outbox::Outbox>,
}

/// The life of a client.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It has not begun.
    Idle,
    /// It tries to connect.
    Connecting,
    Connected(Arc<Connected>),
    /// It was connected, and will be again.
    Disconnected,
    Ended(ConnectionError),
}

/// What the server answered to a SUBSCRIBE or UNSUBSCRIBE.
pub(crate) struct Answer {
    pub(crate) reason_codes: Vec<ReasonCode>,
    pub(crate) reason_string: Option<String>,
}

/// A message was taken.
pub(crate) enum Accepted {
    /// It is on its way, and nothing more will be known.
    Sent,
    Waiting(oneshot::Receiver<Result<Published, PublishError>>),
    /// The outbox cannot be written, and the client ends.
    Failed,
}

impl Shared {
    pub(crate) fn new(session: ClientSession, receive_messages_max: usize, receive_bytes_max: usize) -> Self {
        let state = State {
            session,
            mailboxes: Mailboxes::default(),
            events: EventSources::default(),
            phase: Phase::Idle,
            is_leaving: false,
            is_rung: false,
            waker: None,
            is_writing: false,
            published_count: 0,
            is_progress_wanted: false,
            publishes: ByNumber::default(),
            requests: ByNumber::default(),
            #[cfg(feature = "outbox")]
            outbox: None,
        };
        Self {
            state: Mutex::new(state),
            clock: Clock::new(),
            progress: Notify::new(),
            phase_changed: Notify::new(),
            receive_messages_max,
            receive_bytes_max,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Rings the event loop, unless it has been rung and has not come yet.
    pub(crate) fn ring(&self, state: &mut State) {
        if !std::mem::replace(&mut state.is_rung, true)
            && let Some(waker) = &state.waker
        {
            waker.wake_by_ref();
        }
    }

    /// Whether the event loop has been rung; if not, it is woken when it is.
    pub(crate) fn poll_rung(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_rung {
            return Poll::Ready(());
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            state.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// The event loop has come.
    pub(crate) fn heard(&self, state: &mut State) {
        state.is_rung = false;
    }

    pub(crate) fn publish(
        &self,
        message: Message,
        wants_answer: bool,
    ) -> Result<Accepted, (Message, PublishError)> {
        let now = self.now();
        let mut state = self.lock();
        if matches!(state.phase, Phase::Ended(_)) || state.is_leaving {
            return Err((message, PublishError::Ended));
        }
        let number = state.session.publish(now, message);
        let number = number.map_err(|(message, refused)| (message, PublishError::Refused(refused)))?;
        // With an outbox the message is there when it is taken, whatever happens then.
        if self.commit(&mut state).is_err() {
            return Ok(Accepted::Failed);
        }
        self.ring(&mut state);
        if number.is_none() {
            state.published_count += 1;
        }
        let waiting = number.filter(|_| wants_answer).map(|number| {
            let (sender, receiver) = oneshot::channel();
            state.publishes.insert(number, sender);
            receiver
        });
        // It may have been sent, and done with, within the call; or others have made room for it.
        self.dispatch(&mut state);
        Ok(waiting.map_or(Accepted::Sent, Accepted::Waiting))
    }

    /// As [`publish`](Self::publish), but waits for room.
    pub(crate) async fn publish_when_possible(&self, mut message: Message) -> Result<Accepted, PublishError> {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            self.lock().is_progress_wanted = true;
            match self.publish(message, true) {
                Ok(accepted) => return Ok(accepted),
                Err((back, PublishError::Refused(PublishRefused::Full))) => message = back,
                Err((_, error)) => return Err(error),
            }
            progress.await;
        }
    }

    /// Takes up what the outbox has.
    #[cfg(feature = "outbox")]
    pub(crate) fn open_outbox(&self, options: &crate::OutboxOptions) {
        let mut state = self.lock();
        match crate::outbox::Outbox::open(options) {
            Ok((outbox, stored)) => {
                state.session.restore(stored);
                state.outbox = Some(outbox);
            }
            Err(error) => self.end(&mut state, error),
        }
    }

    /// Stores what must be stored before the output that the session gives may be sent. If that fails the client ends: it
    /// cannot keep its promises any more.
    #[cfg(feature = "outbox")]
    pub(crate) fn commit(&self, state: &mut State) -> Result<(), ConnectionError> {
        let records = state.session.take_records();
        let Some(outbox) = state.outbox.as_mut().filter(|_| !records.is_empty()) else { return Ok(()) };
        outbox.commit(&records).inspect_err(|_| {
            state.is_leaving = true;
            self.ring(state);
        })
    }

    /// There is no outbox.
    #[cfg(not(feature = "outbox"))]
    #[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with an outbox")]
    pub(crate) fn commit(&self, _state: &mut State) -> Result<(), ConnectionError> {
        Ok(())
    }

    /// Whether the connection has output that is not written.
    pub(crate) fn set_writing(&self, state: &mut State, is_writing: bool) {
        let was_writing = std::mem::replace(&mut state.is_writing, is_writing);
        if was_writing && !is_writing {
            self.tell_progress(state);
        }
    }

    /// Waits until everything that was published is sent and acknowledged.
    pub(crate) async fn flush(&self) -> Result<(), PublishError> {
        loop {
            let progress = self.progress.notified();
            tokio::pin!(progress);
            progress.as_mut().enable();
            {
                let mut state = self.lock();
                state.is_progress_wanted = true;
                if state.session.outgoing_len() == 0 && !state.session.has_output() && !state.is_writing {
                    return Ok(());
                }
                if matches!(state.phase, Phase::Ended(_)) {
                    return Err(PublishError::Ended);
                }
            }
            progress.await;
        }
    }

    /// Subscribes, for this mailbox if there is one.
    pub(crate) fn subscribe(
        &self,
        mailbox: Option<MailboxId>,
        filters: Vec<Filter>,
    ) -> Result<oneshot::Receiver<Answer>, SubscribeError> {
        self.request(|now, state| {
            let number = state.session.subscribe(now, filters)?;
            if let Some(mailbox) = mailbox {
                let State { session, mailboxes, .. } = state;
                mailboxes.subscribed(mailbox, number, |number| session.is_subscribed(number));
            }
            Ok(number)
        })
    }

    pub(crate) fn unsubscribe(
        &self,
        filters: Vec<String>,
    ) -> Result<oneshot::Receiver<Answer>, SubscribeError> {
        self.request(|now, state| state.session.unsubscribe(now, filters))
    }

    pub(crate) fn open_mailbox(&self, filters: &[String]) -> MailboxId {
        self.lock().mailboxes.open(filters)
    }

    /// What was not taken comes again if the session outlives the connection: it is not acknowledged as long as the client may
    /// be about to leave.
    pub(crate) fn close_mailbox(&self, mailbox: MailboxId) {
        let now = self.now();
        let mut state = self.lock();
        let is_over = state.is_leaving || matches!(state.phase, Phase::Ended(_));
        let keeps_from = (is_over || state.session.outlives_connection()).then_some(now);
        for (taken, is_unclaimed) in state.mailboxes.close(mailbox, keeps_from) {
            // What nobody is to acknowledge any more would be acknowledged in vain, and an event would tell an untruth.
            if is_over {
                continue;
            }
            if is_unclaimed {
                self.unclaimed(&mut state, taken.message.topic, taken.acknowledgement);
            } else {
                self.acknowledge_in(&mut state, taken.acknowledgement, ReasonCode::SUCCESS);
            }
        }
        if !state.mailboxes.next_release().is_never() {
            // It has another deadline now.
            self.ring(&mut state);
        }
    }

    /// Acknowledges what was kept long enough for those who might still have wanted it.
    pub(crate) fn release(&self, now: Timestamp, state: &mut State) {
        while !state.is_leaving
            && let Some(taken) = state.mailboxes.release(now)
        {
            self.unclaimed(state, taken.message.topic, taken.acknowledgement);
        }
    }

    /// The next message of a mailbox, acknowledged at once.
    pub(crate) fn try_take(&self, mailbox: MailboxId) -> Option<Message> {
        let mut state = self.lock();
        let taken = state.mailboxes.take(mailbox)?;
        self.made_room(&mut state, &taken);
        self.acknowledge_in(&mut state, taken.acknowledgement, ReasonCode::SUCCESS);
        Some(taken.message)
    }

    /// As [`try_take`](Self::try_take), but waits for it. With `acknowledges` it is acknowledged at once.
    pub(crate) fn poll_take(
        &self,
        mailbox: MailboxId,
        acknowledges: bool,
        context: &Context<'_>,
    ) -> Poll<Option<Taken>> {
        let mut state = self.lock();
        let taken = state.mailboxes.poll_take(mailbox, context);
        if let Poll::Ready(Some(taken)) = &taken {
            self.made_room(&mut state, taken);
            if acknowledges {
                self.acknowledge_in(&mut state, taken.acknowledgement, ReasonCode::SUCCESS);
            }
        }
        taken
    }

    pub(crate) fn acknowledge(&self, number: Option<u64>, reason_code: ReasonCode) {
        self.acknowledge_in(&mut self.lock(), number, reason_code);
    }

    fn acknowledge_in(&self, state: &mut State, number: Option<u64>, reason_code: ReasonCode) {
        if let Some(number) = number
            && state.session.acknowledge(self.now(), number, reason_code)
        {
            self.ring(state);
        }
    }

    /// Whether so much waits to be taken that reading should stop.
    pub(crate) fn is_full(&self, state: &State) -> bool {
        let (messages, bytes) = state.mailboxes.waiting();
        !self.has_room(messages, bytes)
    }

    pub(crate) fn events(&self) -> Events {
        self.lock().events.subscribe()
    }

    pub(crate) fn disconnect(&self, options: &DisconnectOptions) -> Result<(), InvalidValue> {
        let now = self.now();
        let mut state = self.lock();
        state.session.disconnect(now, options)?;
        state.is_leaving = true;
        if matches!(state.phase, Phase::Idle) {
            self.end(&mut state, ConnectionError::Ended);
        }
        self.ring(&mut state);
        Ok(())
    }

    /// Waits until a client that is leaving has left.
    pub(crate) async fn left(&self) {
        if self.lock().is_leaving {
            self.wait_for(|phase| matches!(phase, Phase::Ended(_)).then_some(())).await;
        }
    }

    /// As [`disconnect`](Self::disconnect), normally.
    pub(crate) fn leave(&self) {
        self.disconnect(&DisconnectOptions::default())
            .expect("there are neither texts nor a strange reason code in it");
    }

    pub(crate) fn re_authenticate(&self) -> bool {
        let now = self.now();
        let mut state = self.lock();
        let begun = state.session.re_authenticate(now);
        self.ring(&mut state);
        begun
    }

    /// Waits until the phase is one that `wanted` takes something of.
    pub(crate) async fn wait_for<R>(&self, wanted: impl Fn(&Phase) -> Option<R>) -> R {
        loop {
            let changed = self.phase_changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(found) = wanted(&self.lock().phase) {
                return found;
            }
            changed.await;
        }
    }

    fn tell_progress(&self, state: &mut State) {
        if std::mem::take(&mut state.is_progress_wanted) {
            self.progress.notify_waiters();
        }
    }

    pub(crate) fn set_phase(&self, state: &mut State, phase: Phase) {
        state.phase = phase;
        self.phase_changed.notify_waiters();
    }

    /// Nothing more will happen: whoever waits is told.
    pub(crate) fn end(&self, state: &mut State, reason: ConnectionError) {
        state.publishes.drain().for_each(|(_, sender)| drop(sender.send(Err(PublishError::Ended))));
        state.requests.clear();
        state.mailboxes.end();
        state.events.end();
        self.set_phase(state, Phase::Ended(reason));
        self.tell_progress(state);
    }

    /// Passes on what the session tells.
    pub(crate) fn dispatch(&self, state: &mut State) {
        let mut has_progress = false;
        while let Some(event) = state.session.next_event() {
            has_progress |=
                matches!(event, SessionEvent::Published { .. } | SessionEvent::NotPublished { .. });
            self.dispatch_one(state, event);
        }
        if has_progress || state.session.outgoing_len() == 0 {
            self.tell_progress(state);
        }
    }

    fn dispatch_one(&self, state: &mut State, event: SessionEvent) {
        match event {
            SessionEvent::Message { message, acknowledgement } => {
                self.deliver(state, message, acknowledgement);
            }
            SessionEvent::Published { number, outcome, refused_topic } => {
                state.published_count += 1;
                let is_error = outcome.reason_code.is_error();
                let reason_code = outcome.reason_code;
                let result = if is_error { Err(PublishError::Rejected(outcome)) } else { Ok(outcome) };
                if !answer(&mut state.publishes, number, result) && is_error {
                    let topic = refused_topic.unwrap_or_default();
                    state.events.send(&Event::Rejected { topic, reason_code });
                }
            }
            SessionEvent::NotPublished { number, topic, reason } => {
                if !answer(&mut state.publishes, number, Err(PublishError::NotPublished(reason))) {
                    state.events.send(&Event::NotPublished { topic, reason });
                }
            }
            SessionEvent::Subscribed { number, filters, reason_codes, reason_string, again } => {
                if let (Some(log), false) = (state.events.log(), again) {
                    log.subscribed(&filters, &reason_codes);
                }
                if again {
                    state.events.send(&Event::Resubscribed { filters, reason_codes });
                } else {
                    answer(&mut state.requests, number, Answer { reason_codes, reason_string });
                }
            }
            SessionEvent::Unsubscribed { number, reason_codes } => {
                answer(&mut state.requests, number, Answer { reason_codes, reason_string: None });
            }
            SessionEvent::Connected(connected) => {
                if connected.session_present {
                    state.mailboxes.drop_unacknowledged_qos1();
                }
                state.events.send(&Event::Connected(connected.clone()));
                self.set_phase(state, Phase::Connected(connected.into()));
            }
            SessionEvent::Overflowed { topic } => state.events.send(&Event::Overflowed { topic }),
            SessionEvent::Authenticated => state.events.send(&Event::Authenticated),
        }
    }

    fn deliver(&self, state: &mut State, message: Message, acknowledgement: Option<u64>) {
        // What was read before reading stops is taken: a few kilobytes. It does not stop while an answer is awaited.
        let must_read = state.session.awaits_answer();
        let delivered = state.mailboxes.deliver(self.now(), message, acknowledgement, |messages, bytes| {
            !must_read || self.has_room(messages / 2, bytes / 2)
        });
        match delivered {
            Delivered::Yes | Delivered::Kept => {}
            Delivered::Unclaimed(message) => self.unclaimed(state, message.topic, acknowledgement),
            Delivered::Overflowed(message) => {
                state.events.send(&Event::Overflowed { topic: message.topic });
            }
        }
    }

    fn unclaimed(&self, state: &mut State, topic: String, acknowledgement: Option<u64>) {
        if let Some(number) = acknowledgement {
            let now = self.now();
            state.session.acknowledge(now, number, ReasonCode::SUCCESS);
            self.ring(state);
        }
        state.events.send(&Event::Unclaimed { topic });
    }

    fn request(
        &self,
        make: impl FnOnce(Timestamp, &mut State) -> Result<u64, SubscribeRefused>,
    ) -> Result<oneshot::Receiver<Answer>, SubscribeError> {
        let now = self.now();
        let mut state = self.lock();
        if matches!(state.phase, Phase::Ended(_)) || state.is_leaving {
            return Err(SubscribeError::Ended);
        }
        let number = make(now, &mut state).map_err(SubscribeError::Refused)?;
        let (sender, receiver) = oneshot::channel();
        state.requests.insert(number, sender);
        self.dispatch(&mut state);
        self.ring(&mut state);
        Ok(receiver)
    }

    /// A QoS 0 message was taken: reading may go on.
    fn made_room(&self, state: &mut State, taken: &Taken) {
        let (messages, bytes) = state.mailboxes.waiting();
        let was_full = !self.has_room(messages + 1, bytes + taken.message.size_bytes());
        if taken.message.qos == QoS::AtMostOnce && was_full && self.has_room(messages, bytes) {
            self.ring(state);
        }
    }

    fn has_room(&self, messages: usize, bytes: usize) -> bool {
        messages < self.receive_messages_max && bytes < self.receive_bytes_max
    }
}

fn answer<T>(waiting: &mut ByNumber<oneshot::Sender<T>>, number: u64, answer: T) -> bool {
    waiting.remove(&number).is_some_and(|sender| sender.send(answer).is_ok())
}
