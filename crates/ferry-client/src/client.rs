use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{OnceCell, oneshot};

use crate::event_loop;
use crate::session::{
    ClientSession, Connected, DisconnectOptions, Filter, IntoFilters, InvalidValue, PublishRefused, Published,
};
use crate::shared::{Accepted, Answer, Phase, Shared};
use crate::{
    ClientOptions, ConnectionError, Events, Message, PublishError, ReasonCode, SubscribeError, Subscription,
};

/// A client: a session that keeps itself connected. A cheap handle, to be cloned at will; the last one of them and of the
/// [`Subscription`]s disconnects.
///
/// ```no_run
/// use ferry_client::{ClientOptions, Message, QoS};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = ClientOptions::new("mqtt://localhost")?.client_id("lamp-1").connect().await?;
/// let mut commands = client.subscribe("lamp/1/set").await?;
/// while let Some(command) = commands.recv().await {
///     let state = Message::new("lamp/1/state", command.payload).qos(QoS::AtLeastOnce).retain(true);
///     client.publish(state).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

/// What all handles share.
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    options: Arc<ClientOptions>,
    /// The topic below which answers to requests come, once it is subscribed to.
    pub(crate) response_base: OnceCell<String>,
    pub(crate) last_request: AtomicU64,
}

impl Client {
    /// A client that does not connect yet, so that streams can be opened with [`listen`](Self::listen) before the first
    /// message comes. Then [`start`](Self::start) or [`connect`](Self::connect) it.
    ///
    /// With an outbox that cannot be used the client has ended: [`connect`](Self::connect) says why.
    #[must_use]
    pub fn new(options: ClientOptions) -> Self {
        let mut session = ClientSession::new(options.connect.clone());
        session.set_mechanism(options.mechanism.as_ref().map(|mechanism| mechanism()));
        let shared = Shared::new(session, options.receive_messages_max, options.receive_bytes_max);
        #[cfg(feature = "outbox")]
        if let Some(outbox) = &options.outbox {
            shared.open_outbox(outbox);
        }
        let inner = Inner {
            shared: Arc::new(shared),
            options: Arc::new(options),
            response_base: OnceCell::new(),
            last_request: AtomicU64::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether the options can be, as far as they are known before the first connection.
    pub(crate) fn check(&self) -> Result<(), ConnectionError> {
        Ok(self.inner.shared.lock().session.check()?)
    }

    /// Begins to connect, and goes on until a server accepts; what happens is told by [`events`](Self::events). What is
    /// published meanwhile waits. With options that cannot be, such as a user name that is too long, the client ends at once.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(&self) {
        self.inner.begin(false);
    }

    /// Connects. Each server is tried once; if none accepts the connection, the client ends.
    ///
    /// # Errors
    /// What the last server said, or why it could not be reached; or the options cannot be.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn connect(&self) -> Result<Connected, ConnectionError> {
        self.inner.begin(true);
        self.connected().await
    }

    /// Waits until there is a connection: what the server accepted.
    ///
    /// # Errors
    /// The client has ended.
    pub async fn connected(&self) -> Result<Connected, ConnectionError> {
        let shared = &self.inner.shared;
        let found = |phase: &Phase| match phase {
            Phase::Connected(connected) => Some(Ok((**connected).clone())),
            Phase::Ended(reason) => Some(Err(reason.clone())),
            Phase::Idle | Phase::Connecting | Phase::Disconnected => None,
        };
        shared.wait_for(found).await
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.inner.shared.lock().phase, Phase::Connected(_))
    }

    /// Publishes, and waits until the server has taken the message: for PUBACK or PUBCOMP, or, with QoS 0, until it is on
    /// its way. It is taken at the time of the call if there is room for it, else while the result is awaited. Without a
    /// connection it waits for one.
    ///
    /// # Errors
    /// The message cannot be sent, was refused by the server, or has expired; or the client has ended.
    #[must_use = "with QoS 1 and 2 the outcome matters; see try_publish"]
    pub fn publish(
        &self,
        message: Message,
    ) -> impl Future<Output = Result<Published, PublishError>> + Send + 'static {
        let shared = Arc::clone(&self.inner.shared);
        let first = shared.publish(message, true);
        async move {
            let accepted = match first {
                Ok(accepted) => accepted,
                Err((message, PublishError::Refused(PublishRefused::Full))) => {
                    shared.publish_when_possible(message).await?
                }
                Err((_, error)) => return Err(error),
            };
            match accepted {
                Accepted::Sent => Ok(Published::default()),
                Accepted::Waiting(receiver) => receiver.await.unwrap_or(Err(PublishError::Ended)),
                Accepted::Failed => Err(PublishError::Ended),
            }
        }
    }

    /// Publishes, and does not wait for anything. If the message is lost in the end, an [`Event`](crate::Event) tells.
    ///
    /// # Errors
    /// The message cannot be sent; or as many wait already as may: then it comes back with [`PublishRefused::Full`].
    pub fn try_publish(&self, message: Message) -> Result<(), (Message, PublishError)> {
        self.inner.shared.publish(message, false).map(drop)
    }

    /// Takes the message now or not at all; its end can be awaited.
    pub(crate) fn publish_now(
        &self,
        message: Message,
    ) -> Result<impl Future<Output = Result<Published, PublishError>> + Send + 'static, PublishError> {
        let accepted = self.inner.shared.publish(message, true).map_err(|(_, error)| error)?;
        Ok(async move {
            match accepted {
                Accepted::Sent => Ok(Published::default()),
                Accepted::Waiting(receiver) => receiver.await.unwrap_or(Err(PublishError::Ended)),
                Accepted::Failed => Err(PublishError::Ended),
            }
        })
    }

    /// How many messages have come to their end: acknowledged or refused by the server, or, with QoS 0, on their way.
    #[must_use]
    pub fn published_count(&self) -> u64 {
        self.inner.shared.lock().published_count
    }

    /// Waits until everything published so far is sent and acknowledged.
    ///
    /// # Errors
    /// The client has ended first.
    pub async fn flush(&self) -> Result<(), PublishError> {
        self.inner.shared.flush().await
    }

    /// Subscribes to one filter or several (`"a/+"`, `["a", "b"]`, [`Filter`]), and waits for the answer.
    ///
    /// # Errors
    /// A filter is not one, the server has refused all of them, or the client has ended.
    pub async fn subscribe(&self, filters: impl IntoFilters) -> Result<Subscription, SubscribeError> {
        let filters = filters.into_filters();
        let mut subscription = self.listen(filters.clone());
        let answer = self.inner.shared.subscribe(Some(subscription.mailbox), filters)?.await;
        let Answer { reason_codes, reason_string } = answer.map_err(|_| SubscribeError::Ended)?;
        if reason_codes.iter().all(|code| code.is_error()) {
            return Err(SubscribeError::Rejected { reason_codes, reason_string });
        }
        subscription.reason_codes = reason_codes;
        Ok(subscription)
    }

    /// A stream of the messages that match, without telling the server: for subscriptions that a session has from an
    /// earlier program. Without filters, `listen(())`, it gets everything that no other stream wants.
    #[must_use]
    pub fn listen(&self, filters: impl IntoFilters) -> Subscription {
        let filters = filters.into_names();
        let mailbox = self.inner.shared.open_mailbox(&filters);
        Subscription { inner: Arc::clone(&self.inner), mailbox, filters, reason_codes: Vec::new() }
    }

    /// Unsubscribes, and waits for the answer: one reason code for each filter.
    ///
    /// # Errors
    /// A filter is not one, or the client has ended.
    pub async fn unsubscribe(&self, filters: impl IntoFilters) -> Result<Vec<ReasonCode>, SubscribeError> {
        self.inner.unsubscribe(filters.into_names()).await
    }

    /// Authenticates again on the connection there is (5.0); [`Event::Authenticated`](crate::Event::Authenticated) tells of
    /// success. False if there is no connection or no mechanism.
    #[must_use]
    pub fn re_authenticate(&self) -> bool {
        self.inner.shared.re_authenticate()
    }

    /// Everything that happens to the client from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.inner.shared.events()
    }

    /// Disconnects normally and ends the client. What has not been sent by then is not sent: [`flush`](Self::flush) first.
    pub async fn disconnect(&self) {
        self.inner.shared.leave();
        self.ended().await;
    }

    /// As [`disconnect`](Self::disconnect), with a reason code, another Session Expiry Interval, ...
    ///
    /// # Errors
    /// A DISCONNECT cannot say that, see [`DisconnectOptions::check`]: the client goes on.
    pub async fn disconnect_with(&self, options: DisconnectOptions) -> Result<(), InvalidValue> {
        self.inner.shared.disconnect(&options)?;
        self.ended().await;
        Ok(())
    }

    /// Waits until the client has ended: why.
    pub async fn ended(&self) -> ConnectionError {
        let ended = |phase: &Phase| match phase {
            Phase::Ended(reason) => Some(reason.clone()),
            _ => None,
        };
        self.inner.shared.wait_for(ended).await
    }
}

impl Inner {
    /// Subscribes; the messages go to whoever listens.
    pub(crate) fn subscribe_without_stream(
        &self,
        filters: Vec<Filter>,
    ) -> Result<oneshot::Receiver<Answer>, SubscribeError> {
        self.shared.subscribe(None, filters)
    }

    pub(crate) async fn unsubscribe(&self, filters: Vec<String>) -> Result<Vec<ReasonCode>, SubscribeError> {
        let answer = self.shared.unsubscribe(filters)?.await;
        answer.map(|answer| answer.reason_codes).map_err(|_| SubscribeError::Ended)
    }

    fn begin(&self, only_once: bool) {
        let mut state = self.shared.lock();
        if matches!(state.phase, Phase::Idle) {
            self.shared.set_phase(&mut state, Phase::Connecting);
            let (shared, options) = (Arc::clone(&self.shared), Arc::clone(&self.options));
            tokio::spawn(event_loop::run(shared, options, only_once));
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("servers", &self.options.servers).finish_non_exhaustive()
    }
}
