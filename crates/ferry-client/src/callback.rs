//! The client for programs that are built of callbacks, with the names of Paho.
//!
//! ```no_run
//! use ferry_client::{QoS, callback::Client};
//!
//! let mut client = Client::new("lamp-1", 0_u32);
//! client.username_pw_set("lamp", "secret");
//! client.will_set("lamp/1/online", "0", QoS::AtLeastOnce, true);
//! client.on_connect(|client, _count, _connected| {
//!     client.subscribe("lamp/1/set")?;
//!     Ok(())
//! });
//! client.on_message(|client, count, message| {
//!     *count += 1;
//!     client.publish("lamp/1/state", message.payload, QoS::AtLeastOnce, true)?;
//!     Ok(())
//! });
//! client.connect("localhost", 1883, 60)?;
//! client.loop_forever();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::error::Error;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use ferry_codec::topic::matches;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use crate::session::{Connected, IntoFilters, Published, Will};
use crate::{
    ClientOptions, ConnectionError, Event, Events, Message, PublishError, QoS, ReasonCode, SubscribeError,
    Subscription,
};

/// What a callback returns. An error ends the loop, and comes out of [`Client::loop_forever`] or [`Client::loop_stop`].
pub type CallbackResult = Result<(), Box<dyn Error + Send + Sync>>;

/// The end of a message: the number that publishing it gave, and what the server said.
pub type Outcome = (u64, Result<Published, PublishError>);

/// The answer to a subscription or its end: the number that asking gave, and one reason code for each filter.
pub type Answer = (u64, Result<Vec<ReasonCode>, SubscribeError>);

type Callback<U, A> = Box<dyn FnMut(&Handle, &mut U, A) -> CallbackResult + Send>;

/// A client that calls back, with user data of your own that every callback gets.
///
/// The functions that set something are for the time before [`connect`](Self::connect), those that set callbacks for the
/// time before the loop.
pub struct Client<U> {
    options: ClientOptions,
    scheme: &'static str,
    runtime: Arc<Runtime>,
    /// Absent while the loop runs in a thread of its own.
    core: Option<Core<U>>,
    connection: Option<Handle>,
    running: Option<Running<U>>,
}

/// What a callback can do; works in any thread.
#[derive(Clone)]
pub struct Handle {
    client: crate::Client,
    runtime: Arc<Runtime>,
    reports: mpsc::UnboundedSender<Report>,
    last_mid: Arc<AtomicU64>,
}

struct Core<U> {
    user_data: U,
    on_connect: Option<Callback<U, Connected>>,
    on_disconnect: Option<Callback<U, ConnectionError>>,
    on_message: Option<Callback<U, Message>>,
    on_message_of: Vec<(String, Callback<U, Message>)>,
    on_publish: Option<Callback<U, Outcome>>,
    on_subscribe: Option<Callback<U, Answer>>,
    on_unsubscribe: Option<Callback<U, Answer>>,
    streams: Option<Streams>,
}

/// Where what happens comes from, once there is a connection to be made.
struct Streams {
    events: Events,
    messages: Subscription,
    reports: mpsc::UnboundedReceiver<Report>,
}

struct Running<U> {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<(Core<U>, CallbackResult)>,
}

/// The end of something that a handle has begun. There are no more of them than messages that may wait.
enum Report {
    Published(u64, Result<Published, PublishError>),
    Subscribed(u64, Result<Vec<ReasonCode>, SubscribeError>),
    Unsubscribed(u64, Result<Vec<ReasonCode>, SubscribeError>),
}

impl<U: Send + 'static> Client<U> {
    /// A client with this Client Identifier, which may be empty, for MQTT 5.0; see [`options_mut`](Self::options_mut).
    ///
    /// # Panics
    /// If the system does not let us wait for sockets.
    #[must_use]
    pub fn new(client_id: impl Into<String>, user_data: U) -> Self {
        let runtime =
            Builder::new_current_thread().enable_all().build().expect("the system can wait for sockets");
        let options = ClientOptions::without_server().client_id(client_id);
        Self {
            options,
            scheme: "mqtt",
            runtime: Arc::new(runtime),
            core: Some(Core::new(user_data)),
            connection: None,
            running: None,
        }
    }

    /// All options, for what has no function here.
    pub fn options_mut(&mut self) -> &mut ClientOptions {
        &mut self.options
    }

    /// Sets user name and password.
    pub fn username_pw_set(&mut self, user_name: impl Into<String>, password: impl Into<Vec<u8>>) {
        self.options.connect.user_name = Some(user_name.into());
        self.options.connect.password = Some(password.into());
    }

    /// Sets the will.
    pub fn will_set(&mut self, topic: &str, payload: impl Into<Vec<u8>>, qos: QoS, retain: bool) {
        self.options.connect.will = Some(Will::new(Message::new(topic, payload).qos(qos).retain(retain)));
    }

    /// Uses TLS, and trusts the authorities in this file, or those of the system.
    #[cfg(feature = "tls")]
    pub fn tls_set(&mut self, ca_certs: Option<PathBuf>, certificate_and_key: Option<(PathBuf, PathBuf)>) {
        self.scheme = "mqtts";
        self.options.transport.tls.ca_file = ca_certs;
        self.options.transport.tls.client_certificate = certificate_and_key
            .map(|(certificate, key)| crate::ClientCertificate::Files { certificate, key });
    }

    /// Whether not to care whose certificate the server has: for tests only.
    #[cfg(feature = "tls")]
    pub fn tls_insecure_set(&mut self, insecure: bool) {
        self.options.transport.tls.insecure = insecure;
    }

    /// The user data; `None` while the loop runs in a thread of its own.
    pub fn user_data(&mut self) -> Option<&mut U> {
        self.core.as_mut().map(|core| &mut core.user_data)
    }

    /// Called with each connection that a server accepts.
    pub fn on_connect(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Connected) -> CallbackResult + Send + 'static,
    ) {
        self.core_mut().on_connect = Some(Box::new(callback));
    }

    /// Called with the end of each connection, and with each attempt that fails.
    pub fn on_disconnect(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, ConnectionError) -> CallbackResult + Send + 'static,
    ) {
        self.core_mut().on_disconnect = Some(Box::new(callback));
    }

    /// Called with each message that no callback of [`message_callback_add`](Self::message_callback_add) takes. It is
    /// acknowledged when the callback returns.
    pub fn on_message(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Message) -> CallbackResult + Send + 'static,
    ) {
        self.core_mut().on_message = Some(Box::new(callback));
    }

    /// Called with each message whose topic matches the filter; the first such callback takes it.
    pub fn message_callback_add(
        &mut self,
        filter: impl Into<String>,
        callback: impl FnMut(&Handle, &mut U, Message) -> CallbackResult + Send + 'static,
    ) {
        self.core_mut().on_message_of.push((filter.into(), Box::new(callback)));
    }

    /// Called when a message is delivered, or will not be: with the number that publishing it gave.
    pub fn on_publish(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Outcome) -> CallbackResult + Send + 'static,
    ) {
        self.core_mut().on_publish = Some(Box::new(callback));
    }

    /// Called with the answer to a subscription: with the number that subscribing gave.
    pub fn on_subscribe(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Answer) -> CallbackResult + Send + 'static,
    ) {
        self.core_mut().on_subscribe = Some(Box::new(callback));
    }

    /// Called with the answer to an unsubscription: with the number that unsubscribing gave.
    pub fn on_unsubscribe(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Answer) -> CallbackResult + Send + 'static,
    ) {
        self.core_mut().on_unsubscribe = Some(Box::new(callback));
    }

    /// Chooses the server. The connection is made by the loop, which also makes it again.
    ///
    /// # Errors
    /// The host names no server.
    pub fn connect(&mut self, host: &str, port: u16, keep_alive_seconds: u16) -> Result<(), ConnectionError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        self.options.connect.keep_alive_seconds = keep_alive_seconds;
        self.connect_url(&format!("{}://{host}:{port}", self.scheme))
    }

    /// As [`connect`](Self::connect), with the URL of a server.
    ///
    /// # Errors
    /// The URL names no server.
    pub fn connect_url(&mut self, url: &str) -> Result<(), ConnectionError> {
        let options = self.options.clone().server(url)?;
        let client = crate::Client::new(options);
        let (sender, reports) = mpsc::unbounded_channel();
        let streams =
            Streams { events: client.events(), messages: client.listen(Vec::<String>::new()), reports };
        let (runtime, last_mid) = (Arc::clone(&self.runtime), Arc::default());
        self.core_mut().streams = Some(streams);
        self.connection = Some(Handle { client, runtime, reports: sender, last_mid });
        Ok(())
    }

    /// To publish and subscribe from outside of the callbacks; `None` before [`connect`](Self::connect).
    #[must_use]
    pub fn handle(&self) -> Option<Handle> {
        self.connection.clone()
    }

    /// Connects, and calls back in this thread until the client has disconnected.
    ///
    /// # Errors
    /// That of a callback.
    pub fn loop_forever(&mut self) -> CallbackResult {
        let (_stop, stopped) = oneshot::channel();
        let (Some(handle), Some(core)) = (&self.connection, &mut self.core) else {
            return Err("connect first, and use one loop at a time".into());
        };
        self.runtime.block_on(core.run(handle, stopped))
    }

    /// Connects, and calls back in a thread of its own.
    ///
    /// # Errors
    /// There is no [`connect`](Self::connect) before it, or a loop runs already, or the system has no threads left.
    pub fn loop_start(&mut self) -> CallbackResult {
        let Some(handle) = self.connection.clone() else { return Err("connect first".into()) };
        let Some(mut core) = self.core.take() else { return Err("a loop runs already".into()) };
        let (stop, stopped) = oneshot::channel();
        let runtime = Arc::clone(&self.runtime);
        let body = move || {
            let result = runtime.block_on(core.run(&handle, stopped));
            (core, result)
        };
        let thread = std::thread::Builder::new().name("mqtt".to_owned()).spawn(body)?;
        self.running = Some(Running { stop, thread });
        Ok(())
    }

    /// Ends the loop of [`loop_start`](Self::loop_start) after the callback that runs; the connection is left as it is.
    ///
    /// # Errors
    /// That of a callback.
    pub fn loop_stop(&mut self) -> CallbackResult {
        let Some(running) = self.running.take() else { return Ok(()) };
        let _ended_already = running.stop.send(());
        let (core, result) = running.thread.join().map_err(|_| "a callback has panicked")?;
        self.core = Some(core);
        result
    }

    /// Disconnects; the loop ends.
    pub fn disconnect(&self) {
        if let Some(handle) = &self.connection {
            handle.disconnect();
        }
    }

    fn core_mut(&mut self) -> &mut Core<U> {
        self.core.as_mut().expect("callbacks are set before the loop starts")
    }
}

impl Handle {
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
        self.report(async move { Report::Published(mid, outcome.await) });
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
            Report::Subscribed(mid, codes.map_err(|_| SubscribeError::Ended))
        });
        Ok(mid)
    }

    /// Unsubscribes; `on_unsubscribe` gets the number.
    ///
    /// # Errors
    /// A filter is not one.
    pub fn unsubscribe<F: Into<String>>(
        &self,
        filters: impl IntoIterator<Item = F>,
    ) -> Result<u64, SubscribeError> {
        let answer = self.client.inner.shared.unsubscribe(filters.into_iter().map(Into::into).collect())?;
        let mid = self.next_mid();
        self.report(async move {
            let codes = answer.await.map(|answer| answer.reason_codes);
            Report::Unsubscribed(mid, codes.map_err(|_| SubscribeError::Ended))
        });
        Ok(mid)
    }

    /// Disconnects; the loop ends.
    pub fn disconnect(&self) {
        self.client.inner.shared.disconnect(&crate::DisconnectOptions::default());
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    fn next_mid(&self) -> u64 {
        self.last_mid.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn report(&self, report: impl Future<Output = Report> + Send + 'static) {
        let reports = self.reports.clone();
        self.runtime.spawn(async move { drop(reports.send(report.await)) });
    }
}

impl<U> Core<U> {
    const fn new(user_data: U) -> Self {
        Self {
            user_data,
            on_connect: None,
            on_disconnect: None,
            on_message: None,
            on_message_of: Vec::new(),
            on_publish: None,
            on_subscribe: None,
            on_unsubscribe: None,
            streams: None,
        }
    }

    async fn run(&mut self, handle: &Handle, mut stopped: oneshot::Receiver<()>) -> CallbackResult {
        let Some(mut streams) = self.streams.take() else { return Err("connect first".into()) };
        handle.client.start();
        let result = loop {
            let result = tokio::select! {
                biased;
                _ = &mut stopped => break Ok(()),
                event = streams.events.recv() => match event {
                    Some(event) => self.event(handle, event),
                    None => break self.rest(handle, &mut streams),
                },
                Some(report) = streams.reports.recv() => self.report(handle, report),
                Some((message, acknowledgement)) = streams.messages.recv_unacknowledged() => {
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
        match event {
            Event::Connected(connected) => {
                call(&mut self.on_connect, handle, &mut self.user_data, *connected)
            }
            Event::Disconnected { reason, .. } => {
                call(&mut self.on_disconnect, handle, &mut self.user_data, reason)
            }
            _ => Ok(()),
        }
    }

    fn message(&mut self, handle: &Handle, message: Message) -> CallbackResult {
        let special = self.on_message_of.iter_mut().find(|(filter, _)| matches(filter, &message.topic));
        match special {
            Some((_, callback)) => callback(handle, &mut self.user_data, message),
            None => call(&mut self.on_message, handle, &mut self.user_data, message),
        }
    }

    fn report(&mut self, handle: &Handle, report: Report) -> CallbackResult {
        let user_data = &mut self.user_data;
        match report {
            Report::Published(mid, outcome) => call(&mut self.on_publish, handle, user_data, (mid, outcome)),
            Report::Subscribed(mid, codes) => call(&mut self.on_subscribe, handle, user_data, (mid, codes)),
            Report::Unsubscribed(mid, codes) => {
                call(&mut self.on_unsubscribe, handle, user_data, (mid, codes))
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
