use ferry_codec::topic::matches;
use tokio::sync::{mpsc, oneshot};

use super::handle::{Handle, Report};
use super::{Answer, CallbackResult, ClientError, Outcome};
use crate::session::Connected;
use crate::subscription::Acknowledgement;
use crate::{ConnectionError, Event, Events, Message, Subscription};

pub(super) type Callback<U, A> = Box<dyn FnMut(&Handle, &mut U, A) -> CallbackResult + Send>;

/// A change of the callbacks: it takes effect before the next one is called.
pub(super) type Change<U> = Box<dyn FnOnce(&mut Callbacks<U>) + Send>;

/// What is called back.
pub(super) struct Callbacks<U> {
    pub(super) on_connect: Option<Callback<U, Connected>>,
    pub(super) on_disconnect: Option<Callback<U, ConnectionError>>,
    pub(super) on_message: Option<Callback<U, Message>>,
    pub(super) on_message_of: Vec<(String, Callback<U, Message>)>,
    pub(super) on_publish: Option<Callback<U, Outcome>>,
    pub(super) on_subscribe: Option<Callback<U, Answer>>,
    pub(super) on_unsubscribe: Option<Callback<U, Answer>>,
}

/// What the loop works with.
pub(super) struct Core<U> {
    pub(super) user_data: U,
    pub(super) streams: Option<Streams>,
    callbacks: Callbacks<U>,
    changes: mpsc::UnboundedReceiver<Change<U>>,
}

/// Where what happens comes from, once there is a connection to be made.
pub(super) struct Streams {
    pub(super) events: Events,
    pub(super) messages: Subscription,
    pub(super) reports: mpsc::UnboundedReceiver<Report>,
}

/// What the loop waits for.
enum Happening {
    Stop,
    Event(Event),
    Report(Report),
    Message(Message, Acknowledgement),
    /// The client has ended.
    End,
}

impl<U> Core<U> {
    pub(super) fn new(user_data: U, changes: mpsc::UnboundedReceiver<Change<U>>) -> Self {
        Self { user_data, streams: None, callbacks: Callbacks::none(), changes }
    }

    /// The loop: calls back until it is stopped, the client has ended, or a callback fails.
    pub(super) async fn run(
        &mut self,
        handle: &Handle,
        mut stopped: oneshot::Receiver<()>,
    ) -> CallbackResult {
        let Some(mut streams) = self.streams.take() else { return Err(ClientError::NoServer.into()) };
        handle.client().start();
        let result = loop {
            let happening = streams.next(&mut stopped).await;
            self.apply_changes();
            let result = match happening {
                Happening::Stop => break Ok(()),
                Happening::End => break self.rest(handle, &mut streams).and_then(|()| handle.given_up()),
                Happening::Event(event) => self.event(handle, event),
                Happening::Report(report) => self.report(handle, report),
                Happening::Message(message, acknowledgement) => {
                    let result = self.message(handle, message);
                    acknowledgement.send();
                    result
                }
            };
            if result.is_err() {
                break result;
            }
        };
        self.streams = Some(streams);
        result
    }

    fn apply_changes(&mut self) {
        while let Ok(change) = self.changes.try_recv() {
            change(&mut self.callbacks);
        }
    }

    /// The client has ended: what is there already is still told.
    fn rest(&mut self, handle: &Handle, streams: &mut Streams) -> CallbackResult {
        while let Some(message) = streams.messages.try_recv() {
            self.message(handle, message)?;
        }
        while let Ok(report) = streams.reports.try_recv() {
            self.report(handle, report)?;
        }
        Ok(())
    }

    fn event(&mut self, handle: &Handle, event: Event) -> CallbackResult {
        let Self { callbacks, user_data, .. } = self;
        match event {
            Event::Connected(connected) => call(&mut callbacks.on_connect, handle, user_data, *connected),
            Event::Disconnected { reason, .. } => {
                call(&mut callbacks.on_disconnect, handle, user_data, reason)
            }
            _ => Ok(()),
        }
    }

    /// As Paho does: every callback of a matching filter, or `on_message` if there is none.
    fn message(&mut self, handle: &Handle, message: Message) -> CallbackResult {
        let Self { callbacks, user_data, .. } = self;
        let is_for = |(filter, _): &(String, Callback<U, Message>)| matches(filter, &message.topic);
        let Some(last) = callbacks.on_message_of.iter().rposition(is_for) else {
            return call(&mut callbacks.on_message, handle, user_data, message);
        };
        for (filter, callback) in &mut callbacks.on_message_of[..last] {
            if matches(filter, &message.topic) {
                callback(handle, user_data, message.clone())?;
            }
        }
        callbacks.on_message_of[last].1(handle, user_data, message)
    }

    fn report(&mut self, handle: &Handle, report: Report) -> CallbackResult {
        let Self { callbacks, user_data, .. } = self;
        match report {
            Report::Published(outcome) => call(&mut callbacks.on_publish, handle, user_data, outcome),
            Report::Subscribed(answer) => call(&mut callbacks.on_subscribe, handle, user_data, answer),
            Report::Unsubscribed(answer) => call(&mut callbacks.on_unsubscribe, handle, user_data, answer),
        }
    }
}

impl<U> Callbacks<U> {
    const fn none() -> Self {
        Self {
            on_connect: None,
            on_disconnect: None,
            on_message: None,
            on_message_of: Vec::new(),
            on_publish: None,
            on_subscribe: None,
            on_unsubscribe: None,
        }
    }
}

impl Streams {
    async fn next(&mut self, stopped: &mut oneshot::Receiver<()>) -> Happening {
        tokio::select! {
            biased;
            _ = stopped => Happening::Stop,
            event = self.events.recv() => event.map_or(Happening::End, Happening::Event),
            Some(report) = self.reports.recv() => Happening::Report(report),
            Some((message, acknowledgement)) = self.messages.recv_unacknowledged() => {
                Happening::Message(message, acknowledgement)
            }
        }
    }
}

fn call<U, A>(
    callback: &mut Option<Callback<U, A>>,
    handle: &Handle,
    user_data: &mut U,
    argument: A,
) -> CallbackResult {
    callback.as_mut().map_or(Ok(()), |callback| callback(handle, user_data, argument))
}
