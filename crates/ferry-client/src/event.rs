use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use crate::event_log::ConnectionLog;
use crate::session::{Connected, NotPublished};
use crate::{ConnectionError, ReasonCode, ServerAddress};

/// Everything that changes the state of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It connects to this server.
    Connecting(ServerAddress),
    /// The server has accepted the connection.
    Connected(Box<Connected>),
    /// There is no connection, or not any more.
    Disconnected {
        /// Why.
        reason: ConnectionError,
        /// Milliseconds until the next attempt; `None`: there is none, the client has ended.
        retry_in_ms: Option<u64>,
        /// QoS 0 messages that were sent on this connection after the last one that the server is known to have: so many at most
        /// are lost, and nobody sends them again. 0 if the client has ended the connection, and everything was written.
        unconfirmed_qos0: u64,
    },
    /// A subscription is in force again after the server had lost the session.
    Resubscribed {
        /// Its filters.
        filters: Vec<String>,
        /// One for each; from 0x80 the server refused it this time.
        reason_codes: Vec<ReasonCode>,
    },
    /// A message for whose end nobody waits was not delivered.
    NotPublished {
        /// Its topic.
        topic: String,
        /// Why.
        reason: NotPublished,
    },
    /// A message for whose end nobody waits was refused by the server.
    Rejected {
        /// Its topic.
        topic: String,
        /// Why.
        reason_code: ReasonCode,
    },
    /// A received message was discarded, because no stream wanted it. One of QoS 1 or 2 was acknowledged
    /// `[MQTT-4.5.0-2]`.
    Unclaimed {
        /// Its topic.
        topic: String,
    },
    /// A received QoS 0 message was discarded, because the streams were full while the client waited for an answer of the
    /// server. In 3.1.1 also one of QoS 1 or 2, if twice as much was unacknowledged as may be and the session would not
    /// outlive the connection; it was acknowledged.
    Overflowed {
        /// Its topic.
        topic: String,
    },
    /// A re-authentication has succeeded.
    Authenticated,
    /// This stream was not read in time, and so many events are missing here.
    Missed(u64),
}

/// The events of a client from the moment it was made, in their order.
///
/// At most 1,024 wait to be read.
#[derive(Debug)]
pub struct Events {
    queue: Arc<Mutex<Queue>>,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    ended: bool,
    waker: Option<Waker>,
}

/// The other ends of all [`Events`].
#[derive(Debug, Default)]
pub(crate) struct EventSources {
    queues: Vec<Weak<Mutex<Queue>>>,
    ended: bool,
    /// Of the present connection.
    log: Option<ConnectionLog>,
}

const WAITING_MAX: usize = 1_024;

impl Events {
    /// The next event; `None` after the last one, when the client has ended.
    pub async fn recv(&mut self) -> Option<Event> {
        std::future::poll_fn(|context| self.poll_recv(context)).await
    }

    fn poll_recv(&self, context: &Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.queue);
        match queue.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.ended => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_recv(context)
    }
}

impl EventSources {
    pub(crate) fn subscribe(&mut self) -> Events {
        let queue = Arc::new(Mutex::new(Queue { ended: self.ended, ..Queue::default() }));
        self.queues.push(Arc::downgrade(&queue));
        Events { queue }
    }

    /// A connection begins, and what happens belongs to it.
    pub(crate) fn begin_log(&mut self, log: ConnectionLog) {
        self.log = Some(log);
    }

    /// Of the present connection.
    pub(crate) fn log(&self) -> Option<&ConnectionLog> {
        self.log.as_ref()
    }

    pub(crate) fn send(&mut self, event: &Event) {
        if let Some(log) = &mut self.log {
            log.event(event);
        }
        self.for_each(|queue| {
            // It stands where those are missing: behind what came before them.
            let is_full = queue.events.len() >= WAITING_MAX;
            match queue.events.back_mut() {
                _ if !is_full => queue.events.push_back(event.clone()),
                Some(Event::Missed(count)) => *count += 1,
                _ => queue.events.push_back(Event::Missed(1)),
            }
        });
    }

    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.log = None;
        self.for_each(|queue| queue.ended = true);
    }

    fn for_each(&mut self, mut with: impl FnMut(&mut Queue)) {
        self.queues.retain(|queue| {
            let Some(queue) = queue.upgrade() else { return false };
            let mut queue = lock(&queue);
            with(&mut queue);
            if let Some(waker) = queue.waker.take() {
                waker.wake();
            }
            true
        });
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_its_place() {
        let mut sources = EventSources::default();
        let events = sources.subscribe();
        let numbered = |number: u64| Event::Unclaimed { topic: number.to_string() };
        let all = WAITING_MAX as u64 + 5;
        (0..all).for_each(|number| sources.send(&numbered(number)));
        let next = || match events.poll_recv(&Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        };
        assert_eq!([next(), next()], [Some(numbered(0)), Some(numbered(1))]);
        sources.send(&numbered(all));
        for number in 2..WAITING_MAX as u64 {
            assert_eq!(next(), Some(numbered(number)));
        }
        assert_eq!([next(), next(), next()], [Some(Event::Missed(5)), Some(numbered(all)), None]);
    }
}
