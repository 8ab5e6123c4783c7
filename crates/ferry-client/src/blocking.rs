//! The client for threads that wait.
//!
//! ```no_run
//! use ferry_client::{ClientOptions, Message, QoS};
//!
//! let client = ClientOptions::new("mqtt://localhost")?.connect_blocking()?;
//! let commands = client.subscribe("lamp/set")?;
//! client.publish(Message::new("lamp/online", "1").qos(QoS::AtLeastOnce))?;
//! for command in commands {
//!     println!("{}", command.text()?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::session::{Connected, DisconnectOptions, IntoFilters, InvalidValue, Published};
use crate::shared::Shared;
use crate::{
    ClientOptions, ConnectionError, Event, Message, PublishError, ReasonCode, RequestError, SubscribeError,
};

/// As [`crate::Client`], with a thread of its own for the network. Must not be used within a tokio runtime.
///
/// [`ClientOptions::connect_blocking`] makes one that is connected.
#[derive(Clone, Debug)]
pub struct Client {
    client: crate::Client,
    thread: Arc<NetworkThread>,
}

/// The messages that match some filters; as an iterator it waits for each, and ends with the client.
#[derive(Debug)]
pub struct Subscription {
    subscription: crate::Subscription,
    thread: Arc<NetworkThread>,
}

/// The answers to a request; as an iterator it waits for each, and ends with the client.
#[derive(Debug)]
pub struct Responses {
    responses: crate::Responses,
    thread: Arc<NetworkThread>,
}

/// Everything that happens to a client; as an iterator it waits for each event, and ends with the client.
#[derive(Debug)]
pub struct Events {
    events: crate::Events,
    thread: Arc<NetworkThread>,
}

/// Drives the network until nobody needs it any more: a client that was dropped has disconnected then.
#[derive(Debug)]
struct NetworkThread {
    runtime: Handle,
    /// Dropped, it lets the thread end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// A client that does not connect yet, so that streams can be opened with [`listen`](Self::listen) before the first
    /// message comes. Then [`start`](Self::start) or [`connect`](Self::connect) it.
    ///
    /// # Errors
    /// The system has no threads left, or the options cannot be.
    pub fn new(options: ClientOptions) -> Result<Self, ConnectionError> {
        let client = crate::Client::new(options);
        client.check()?;
        let thread = NetworkThread::start(Arc::clone(&client.inner.shared))?;
        Ok(Self { client, thread: Arc::new(thread) })
    }

    /// Begins to connect, and goes on until a server accepts; see [`crate::Client::start`].
    pub fn start(&self) {
        let _entered = self.thread.runtime.enter();
        self.client.start();
    }

    /// Connects. Each server is tried once; if none accepts the connection, the client ends.
    ///
    /// # Errors
    /// What the last server said, or why it could not be reached.
    pub fn connect(&self) -> Result<Connected, ConnectionError> {
        self.thread.runtime.block_on(self.client.connect())
    }

    /// Waits until there is a connection; see [`crate::Client::connected`].
    ///
    /// # Errors
    /// The client has ended.
    pub fn connected(&self) -> Result<Connected, ConnectionError> {
        self.thread.runtime.block_on(self.client.connected())
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Publishes, and waits until the server has taken the message; see [`crate::Client::publish`].
    ///
    /// # Errors
    /// It has not.
    pub fn publish(&self, message: Message) -> Result<Published, PublishError> {
        self.thread.runtime.block_on(self.client.publish(message))
    }

    /// Publishes, and does not wait; see [`crate::Client::try_publish`].
    ///
    /// # Errors
    /// With the message, if it cannot be sent or too many wait already.
    pub fn try_publish(&self, message: Message) -> Result<(), (Message, PublishError)> {
        self.client.try_publish(message)
    }

    /// How many messages have come to their end; see [`crate::Client::published_count`].
    #[must_use]
    pub fn published_count(&self) -> u64 {
        self.client.published_count()
    }

    /// Waits until everything published so far is sent and acknowledged.
    ///
    /// # Errors
    /// The client has ended first.
    pub fn flush(&self) -> Result<(), PublishError> {
        self.thread.runtime.block_on(self.client.flush())
    }

    /// Subscribes, and waits for the answer; see [`crate::Client::subscribe`].
    ///
    /// # Errors
    /// A filter is not one, the server has refused all of them, or the client has ended.
    pub fn subscribe(&self, filters: impl IntoFilters) -> Result<Subscription, SubscribeError> {
        let subscription = self.thread.runtime.block_on(self.client.subscribe(filters))?;
        Ok(Subscription { subscription, thread: Arc::clone(&self.thread) })
    }

    /// The messages that match, without telling the server: for subscriptions that a session has from an earlier program.
    /// Without filters, `listen(())`, everything that no other stream wants; see [`crate::Client::listen`].
    #[must_use]
    pub fn listen(&self, filters: impl IntoFilters) -> Subscription {
        Subscription { subscription: self.client.listen(filters), thread: Arc::clone(&self.thread) }
    }

    /// Unsubscribes, and waits for the answer.
    ///
    /// # Errors
    /// A filter is not one, or the client has ended.
    pub fn unsubscribe(&self, filters: impl IntoFilters) -> Result<Vec<ReasonCode>, SubscribeError> {
        self.thread.runtime.block_on(self.client.unsubscribe(filters))
    }

    /// Asks, and waits for one answer; see [`crate::Client::request`].
    ///
    /// # Errors
    /// There is none.
    pub fn request(&self, request: Message, patience: Duration) -> Result<Message, RequestError> {
        self.thread.runtime.block_on(self.client.request(request, patience))
    }

    /// Asks, and gives all answers; see [`crate::Client::request_many`].
    ///
    /// # Errors
    /// The request cannot be made, or nobody has subscribed to its topic.
    pub fn request_many(&self, request: Message) -> Result<Responses, RequestError> {
        let responses = self.thread.runtime.block_on(self.client.request_many(request))?;
        Ok(Responses { responses, thread: Arc::clone(&self.thread) })
    }

    /// Authenticates again on the connection there is; see [`crate::Client::re_authenticate`].
    #[must_use]
    pub fn re_authenticate(&self) -> bool {
        self.client.re_authenticate()
    }

    /// Everything that happens to the client from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events { events: self.client.events(), thread: Arc::clone(&self.thread) }
    }

    /// Disconnects normally and ends the client. What has not been sent by then is not sent: [`flush`](Self::flush) first.
    pub fn disconnect(&self) {
        self.thread.runtime.block_on(self.client.disconnect());
    }

    /// As [`disconnect`](Self::disconnect), with a reason code, another Session Expiry Interval, ...
    ///
    /// # Errors
    /// A DISCONNECT cannot say that; see [`crate::Client::disconnect_with`].
    pub fn disconnect_with(&self, options: DisconnectOptions) -> Result<(), InvalidValue> {
        self.thread.runtime.block_on(self.client.disconnect_with(options))
    }

    /// Waits until the client has ended: why.
    pub fn ended(&self) -> ConnectionError {
        self.thread.runtime.block_on(self.client.ended())
    }

    /// The same client for tasks that do not wait.
    #[must_use]
    pub fn asynchronous(&self) -> &crate::Client {
        &self.client
    }
}

impl ClientOptions {
    /// Makes the client and connects it, for threads that wait; see [`ClientOptions::connect`].
    ///
    /// # Errors
    /// What the last server said, or why it could not be reached; the options cannot be; or the system has no threads left.
    pub fn connect_blocking(self) -> Result<Client, ConnectionError> {
        let client = Client::new(self)?;
        client.connect()?;
        Ok(client)
    }
}

impl Subscription {
    /// The filters, in the order of the SUBSCRIBE.
    #[must_use]
    pub fn filters(&self) -> &[String] {
        self.subscription.filters()
    }

    /// What the server granted; see [`crate::Subscription::reason_codes`].
    #[must_use]
    pub fn reason_codes(&self) -> &[ReasonCode] {
        self.subscription.reason_codes()
    }

    /// The next message; `None` when the client has ended.
    pub fn recv(&mut self) -> Option<Message> {
        self.thread.runtime.block_on(self.subscription.recv())
    }

    /// The next message if it comes in time.
    pub fn recv_timeout(&mut self, patience: Duration) -> Option<Message> {
        let Self { subscription, thread } = self;
        let received = async { tokio::time::timeout(patience, subscription.recv()).await };
        thread.runtime.block_on(received).ok().flatten()
    }

    /// The next message if there is one already.
    pub fn try_recv(&mut self) -> Option<Message> {
        self.subscription.try_recv()
    }

    /// Unsubscribes from all its filters, and waits for the answer: one reason code for each.
    ///
    /// # Errors
    /// If the client ends first.
    pub fn unsubscribe(self) -> Result<Vec<ReasonCode>, SubscribeError> {
        let Self { subscription, thread } = self;
        thread.runtime.block_on(subscription.unsubscribe())
    }

    /// The next message, to be acknowledged by the caller when it is done with it.
    pub fn recv_unacknowledged(&mut self) -> Option<(Message, crate::Acknowledgement)> {
        self.thread.runtime.block_on(self.subscription.recv_unacknowledged())
    }
}

impl Responses {
    /// The next answer; `None` when the client has ended.
    pub fn recv(&mut self) -> Option<Message> {
        self.thread.runtime.block_on(self.responses.recv())
    }

    /// The next answer if it comes in time.
    pub fn recv_timeout(&mut self, patience: Duration) -> Option<Message> {
        let Self { responses, thread } = self;
        let received = async { tokio::time::timeout(patience, responses.recv()).await };
        thread.runtime.block_on(received).ok().flatten()
    }
}

impl Events {
    /// The next event; `None` when the client has ended.
    pub fn recv(&mut self) -> Option<Event> {
        self.thread.runtime.block_on(self.events.recv())
    }

    /// The next event if it comes in time.
    pub fn recv_timeout(&mut self, patience: Duration) -> Option<Event> {
        let Self { events, thread } = self;
        let received = async { tokio::time::timeout(patience, events.recv()).await };
        thread.runtime.block_on(received).ok().flatten()
    }
}

impl Iterator for Responses {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.recv()
    }
}

impl Iterator for Subscription {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        self.recv()
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.recv()
    }
}

impl NetworkThread {
    fn start(shared: Arc<Shared>) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let drive = move || {
            runtime.block_on(async {
                // An error is the end of the other side, which is what is waited for.
                let _ended = stopped.await;
                shared.left().await;
            });
        };
        let thread = std::thread::Builder::new().name("mqtt".to_owned()).spawn(drive)?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for NetworkThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
