use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::{Answer, CallbackResult, ClientError, Outcome};
use crate::session::{CloseReason, ConnectOptions, IntoFilters};
use crate::shared::Phase;
use crate::{ConnectionError, Message, PublishError, QoS, SubscribeError};

/// What a callback can do; works in any thread.
#[derive(Clone)]
pub struct Handle {
    client: crate::Client,
    runtime: Arc<Runtime>,
    reports: mpsc::UnboundedSender<Report>,
    last_mid: Arc<AtomicU64>,
}

/// The end of something that a handle has begun. There are no more of them than messages that may wait.
pub(super) enum Report {
    Published(Outcome),
    Subscribed(Answer),
    Unsubscribed(Answer),
}

impl Handle {
    pub(super) fn new(
        client: crate::Client,
        runtime: Arc<Runtime>,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Self {
        Self { client, runtime, reports, last_mid: Arc::default() }
    }

    /// Publishes; `on_publish` gets the number.
    ///
    /// # Errors
    /// The message cannot be sent, or too many wait already.
    pub fn publish(
        &self,
        topic: impl Into<String>,
        payload: impl Into<Vec<u8>>,
        qos: QoS,
        retain: bool,
    ) -> Result<u64, PublishError> {
        self.publish_message(Message::new(topic, payload).qos(qos).retain(retain))
    }

    /// As [`publish`](Self::publish), with all that a message can have.
    ///
    /// # Errors
    /// The message cannot be sent, or too many wait already.
    pub fn publish_message(&self, message: Message) -> Result<u64, PublishError> {
        let outcome = self.client.publish_now(message)?;
        let mid = self.next_mid();
        self.report(async move { Report::Published((mid, outcome.await)) });
        Ok(mid)
    }

    /// Subscribes; `on_subscribe` gets the number, `on_message` the messages.
    ///
    /// # Errors
    /// A filter is not one.
    pub fn subscribe(&self, filters: impl IntoFilters) -> Result<u64, SubscribeError> {
        let answer = self.client.inner.subscribe_without_stream(filters.into_filters())?;
        let mid = self.next_mid();
        self.report(async move {
            let codes = answer.await.map(|answer| answer.reason_codes);
            Report::Subscribed((mid, codes.map_err(|_| SubscribeError::Ended)))
        });
        Ok(mid)
    }

    /// Unsubscribes; `on_unsubscribe` gets the number.
    ///
    /// # Errors
    /// A filter is not one.
    pub fn unsubscribe(&self, filters: impl IntoFilters) -> Result<u64, SubscribeError> {
        let answer = self.client.inner.shared.unsubscribe(filters.into_names())?;
        let mid = self.next_mid();
        self.report(async move {
            let codes = answer.await.map(|answer| answer.reason_codes);
            Report::Unsubscribed((mid, codes.map_err(|_| SubscribeError::Ended)))
        });
        Ok(mid)
    }

    /// Disconnects; the loop ends.
    pub fn disconnect(&self) {
        self.client.inner.shared.leave();
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// # Errors
    /// Why the client has ended, if nobody has told it to disconnect.
    pub(super) fn given_up(&self) -> CallbackResult {
        match &self.client.inner.shared.lock().phase {
            Phase::Ended(ConnectionError::Ended | ConnectionError::Session(CloseReason::Requested(_))) => {
                Ok(())
            }
            Phase::Ended(reason) => Err(ClientError::Connection(reason.clone()).into()),
            Phase::Idle | Phase::Connecting | Phase::Connected(_) | Phase::Disconnected => Ok(()),
        }
    }

    /// Whether the client has disconnected for good.
    #[cfg(feature = "tls")]
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.client.inner.shared.lock().phase, Phase::Ended(_))
    }

    pub(super) fn client(&self) -> &crate::Client {
        &self.client
    }

    /// Changes what the next CONNECT says.
    pub(super) fn change_connect(&self, change: impl FnOnce(&mut ConnectOptions)) {
        change(self.client.inner.shared.lock().session.options_mut());
    }

    fn next_mid(&self) -> u64 {
        self.last_mid.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn report(&self, report: impl Future<Output = Report> + Send + 'static) {
        let reports = self.reports.clone();
        self.runtime.spawn(async move { drop(reports.send(report.await)) });
    }
}
