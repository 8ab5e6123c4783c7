//! The client for threads that wait.
//!
//! ```no_run
//! use ferry_client::{ClientOptions, Message, QoS, blocking::Client};
//!
//! let client = Client::connect(ClientOptions::new("mqtt://localhost")?)?;
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

use crate::session::{Connected, DisconnectOptions, IntoFilters, Published};
use crate::{
    ClientOptions, ConnectionError, Event, Message, PublishError, ReasonCode, RequestError, SubscribeError,
};

/// As [`crate::Client`], with a thread of its own for the network. Must not be used within a tokio runtime.
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

/// Everything that happens to a client; as an iterator it waits for each event, and ends with the client.
#[derive(Debug)]
pub struct Events {
    events: crate::Events,
    thread: Arc<NetworkThread>,
}

/// Drives the network until nobody needs it any more.
#[derive(Debug)]
struct NetworkThread {
    runtime: Handle,
    /// Dropped, it lets the thread end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Connects; see [`ClientOptions::connect`].
    ///
    /// # Errors
    /// What the last server said, or why it could not be reached; or the system has no threads left.
    pub fn connect(options: ClientOptions) -> Result<Self, ConnectionError> {
        let client = Self::new(options)?;
        client.thread.runtime.block_on(client.client.connect())?;
        Ok(client)
    }

    /// Begins to connect, and goes on until a server accepts; see [`crate::Client::start`].
    ///
    /// # Errors
    /// The system has no threads left.
    pub fn start(options: ClientOptions) -> Result<Self, ConnectionError> {
        let client = Self::new(options)?;
        let _entered = client.thread.runtime.enter();
        client.client.start();
        drop(_entered);
        Ok(client)
    }

    /// Waits until there is a connection; see [`crate::Client::connected`].
    ///
    /// # Errors
    /// The client has ended.
    pub fn connected(&self) -> Result<Connected, ConnectionError> {
        self.thread.runtime.block_on(self.client.connected())
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

    /// Unsubscribes, and waits for the answer.
    ///
    /// # Errors
    /// A filter is not one, or the client has ended.
    pub fn unsubscribe<F: Into<String>>(
        &self,
        filters: impl IntoIterator<Item = F>,
    ) -> Result<Vec<ReasonCode>, SubscribeError> {
        self.thread.runtime.block_on(self.client.unsubscribe(filters))
    }

    /// Asks, and waits for one answer; see [`crate::Client::request`].
    ///
    /// # Errors
    /// There is none.
    pub fn request(&self, request: Message, patience: Duration) -> Result<Message, RequestError> {
        self.thread.runtime.block_on(self.client.request(request, patience))
    }

    /// Everything that happens to the client from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        Events { events: self.client.events(), thread: Arc::clone(&self.thread) }
    }

    /// Disconnects normally and ends the client.
    pub fn disconnect(&self) {
        self.disconnect_with(DisconnectOptions::default());
    }

    /// As [`disconnect`](Self::disconnect), with a reason code, another Session Expiry Interval, ...
    pub fn disconnect_with(&self, options: DisconnectOptions) {
        self.thread.runtime.block_on(self.client.disconnect_with(options));
    }

    /// The same client for tasks that do not wait.
    #[must_use]
    pub fn asynchronous(&self) -> &crate::Client {
        &self.client
    }

    fn new(options: ClientOptions) -> Result<Self, ConnectionError> {
        let thread = NetworkThread::start()?;
        Ok(Self { client: crate::Client::new(options), thread: Arc::new(thread) })
    }
}

impl Subscription {
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

    /// The next message, to be acknowledged by the caller when it is done with it.
    pub fn recv_unacknowledged(&mut self) -> Option<(Message, crate::Acknowledgement)> {
        self.thread.runtime.block_on(self.subscription.recv_unacknowledged())
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
        self.thread.runtime.block_on(self.events.recv())
    }
}

impl NetworkThread {
    fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let drive = move || drop(runtime.block_on(stopped));
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
