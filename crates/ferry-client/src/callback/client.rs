use std::mem;
#[cfg(feature = "tls")]
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};

use super::callbacks::{Callback, Callbacks, Change, Core, Streams};
use super::{Answer, CallbackResult, ClientError, Handle, Outcome};
use crate::session::{ConnectOptions, Connected, IntoFilters, Will};
use crate::{ClientOptions, ConnectionError, Message, QoS};

/// A client that calls back, with user data of your own that every callback gets.
///
/// Callbacks may be set at any time: while a loop runs, they are the ones that are called next.
pub struct Client<U> {
    options: ClientOptions,
    scheme: &'static str,
    runtime: Arc<Runtime>,
    /// Absent while the loop runs in a thread of its own.
    core: Option<Core<U>>,
    changes: mpsc::UnboundedSender<Change<U>>,
    connection: Option<Handle>,
    running: Option<Running<U>>,
    /// Of a loop that has ended by itself, until somebody asks.
    result: CallbackResult,
}

struct Running<U> {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<(Core<U>, CallbackResult)>,
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
        let (changes, of_callbacks) = mpsc::unbounded_channel();
        Self {
            options: ClientOptions::without_server().client_id(client_id),
            scheme: "mqtt",
            runtime: Arc::new(runtime),
            core: Some(Core::new(user_data, of_callbacks)),
            changes,
            connection: None,
            running: None,
            result: Ok(()),
        }
    }

    /// All options, for what has no function here. They hold from the next [`connect`](Self::connect).
    pub fn options_mut(&mut self) -> &mut ClientOptions {
        &mut self.options
    }

    /// Sets user name and password. A client that is connected already says them when it connects again.
    pub fn username_pw_set(&mut self, user_name: impl Into<String>, password: impl Into<Vec<u8>>) {
        let (user_name, password) = (user_name.into(), password.into());
        self.change_connect(|connect| {
            connect.user_name = Some(user_name.clone());
            connect.password = Some(password.clone());
        });
    }

    /// Sets the will. A client that is connected already has it from when it connects again.
    pub fn will_set(&mut self, topic: &str, payload: impl Into<Vec<u8>>, qos: QoS, retain: bool) {
        let will = Will::new(Message::new(topic, payload).qos(qos).retain(retain));
        self.change_connect(|connect| connect.will = Some(will.clone()));
    }

    /// Takes the will back. The connection there is keeps its own.
    pub fn will_clear(&mut self) {
        self.change_connect(|connect| connect.will = None);
    }

    /// Uses TLS, and trusts the authorities in this file, or those of the system.
    ///
    /// # Errors
    /// [`connect`](Self::connect) has been called, and the client has not disconnected since.
    #[cfg(feature = "tls")]
    pub fn tls_set(
        &mut self,
        ca_certs: Option<PathBuf>,
        certificate_and_key: Option<(PathBuf, PathBuf)>,
    ) -> Result<(), ClientError> {
        let tls = self.tls_mut()?;
        tls.ca_file = ca_certs;
        tls.client_certificate = certificate_and_key
            .map(|(certificate, key)| crate::ClientCertificate::Files { certificate, key });
        self.scheme = "mqtts";
        Ok(())
    }

    /// Whether not to care whose certificate the server has: for tests only.
    ///
    /// # Errors
    /// [`connect`](Self::connect) has been called, and the client has not disconnected since.
    #[cfg(feature = "tls")]
    pub fn tls_insecure_set(&mut self, insecure: bool) -> Result<(), ClientError> {
        self.tls_mut()?.insecure = insecure;
        Ok(())
    }

    /// The user data; `None` while the loop runs in a thread of its own.
    pub fn user_data(&mut self) -> Option<&mut U> {
        self.idle_core().ok().map(|core| &mut core.user_data)
    }

    /// Called with each connection that a server accepts.
    pub fn on_connect(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Connected) -> CallbackResult + Send + 'static,
    ) {
        let callback: Callback<U, Connected> = Box::new(callback);
        self.change(move |callbacks| callbacks.on_connect = Some(callback));
    }

    /// Called with the end of each connection, and with each attempt that fails.
    pub fn on_disconnect(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, ConnectionError) -> CallbackResult + Send + 'static,
    ) {
        let callback: Callback<U, ConnectionError> = Box::new(callback);
        self.change(move |callbacks| callbacks.on_disconnect = Some(callback));
    }

    /// Called with each message for which there is no callback of [`message_callback_add`](Self::message_callback_add). It is
    /// acknowledged when the callback returns.
    pub fn on_message(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Message) -> CallbackResult + Send + 'static,
    ) {
        let callback: Callback<U, Message> = Box::new(callback);
        self.change(move |callbacks| callbacks.on_message = Some(callback));
    }

    /// Called with each message whose topic matches the filter. It takes the place of the callback that this filter had; if
    /// several filters match, each is called.
    pub fn message_callback_add(
        &mut self,
        filter: impl Into<String>,
        callback: impl FnMut(&Handle, &mut U, Message) -> CallbackResult + Send + 'static,
    ) {
        let filter = filter.into();
        self.message_callback_remove(filter.as_str());
        let callback: Callback<U, Message> = Box::new(callback);
        self.change(move |callbacks| callbacks.on_message_of.push((filter, callback)));
    }

    /// Takes away the callback of this filter.
    pub fn message_callback_remove(&mut self, filter: impl Into<String>) {
        let filter = filter.into();
        self.change(move |callbacks| callbacks.on_message_of.retain(|(other, _)| *other != filter));
    }

    /// Called when a message is delivered, or will not be: with the number that publishing it gave.
    pub fn on_publish(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Outcome) -> CallbackResult + Send + 'static,
    ) {
        let callback: Callback<U, Outcome> = Box::new(callback);
        self.change(move |callbacks| callbacks.on_publish = Some(callback));
    }

    /// Called with the answer to a subscription: with the number that subscribing gave.
    pub fn on_subscribe(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Answer) -> CallbackResult + Send + 'static,
    ) {
        let callback: Callback<U, Answer> = Box::new(callback);
        self.change(move |callbacks| callbacks.on_subscribe = Some(callback));
    }

    /// Called with the answer to an unsubscription: with the number that unsubscribing gave.
    pub fn on_unsubscribe(
        &mut self,
        callback: impl FnMut(&Handle, &mut U, Answer) -> CallbackResult + Send + 'static,
    ) {
        let callback: Callback<U, Answer> = Box::new(callback);
        self.change(move |callbacks| callbacks.on_unsubscribe = Some(callback));
    }

    /// Chooses the server. The connection is made by the loop, which also makes it again; what is published and subscribed
    /// to before waits for it. Called once more it begins anew, with nothing of what was before.
    ///
    /// # Errors
    /// The host names no server, an option cannot be (such as a user name that is too long), or a loop runs.
    pub fn connect(&mut self, host: &str, port: u16, keep_alive_seconds: u16) -> Result<(), ClientError> {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let keep_alive = mem::replace(&mut self.options.connect.keep_alive_seconds, keep_alive_seconds);
        self.connect_url(&format!("{}://{host}:{port}", self.scheme))
            .inspect_err(|_| self.options.connect.keep_alive_seconds = keep_alive)
    }

    /// As [`connect`](Self::connect), with the URL of a server.
    ///
    /// # Errors
    /// The URL names no server, an option cannot be, or a loop runs.
    pub fn connect_url(&mut self, url: &str) -> Result<(), ClientError> {
        self.idle_core()?;
        let options = self.options.clone().server(url).map_err(ConnectionError::from)?;
        let client = crate::Client::new(options);
        client.check()?;
        let (sender, reports) = mpsc::unbounded_channel();
        let streams = Streams { events: client.events(), messages: client.listen(()), reports };
        self.idle_core()?.streams = Some(streams);
        self.connection = Some(Handle::new(client, Arc::clone(&self.runtime), sender));
        Ok(())
    }

    /// To publish and subscribe from another thread; `None` before [`connect`](Self::connect).
    #[must_use]
    pub fn handle(&self) -> Option<Handle> {
        self.connection.clone()
    }

    /// Publishes; `on_publish` gets the number. Without a connection the message waits for one.
    ///
    /// # Errors
    /// There was no [`connect`](Self::connect), the message cannot be sent, or too many wait already.
    pub fn publish(
        &self,
        topic: impl Into<String>,
        payload: impl Into<Vec<u8>>,
        qos: QoS,
        retain: bool,
    ) -> Result<u64, ClientError> {
        Ok(self.connection()?.publish(topic, payload, qos, retain)?)
    }

    /// As [`publish`](Self::publish), with all that a message can have.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_message(&self, message: Message) -> Result<u64, ClientError> {
        Ok(self.connection()?.publish_message(message)?)
    }

    /// Subscribes; `on_subscribe` gets the number, `on_message` the messages. Without a connection it waits for one.
    ///
    /// # Errors
    /// There was no [`connect`](Self::connect), or a filter is not one.
    pub fn subscribe(&self, filters: impl IntoFilters) -> Result<u64, ClientError> {
        Ok(self.connection()?.subscribe(filters)?)
    }

    /// Unsubscribes; `on_unsubscribe` gets the number. Without a connection it waits for one.
    ///
    /// # Errors
    /// There was no [`connect`](Self::connect), or a filter is not one.
    pub fn unsubscribe(&self, filters: impl IntoFilters) -> Result<u64, ClientError> {
        Ok(self.connection()?.unsubscribe(filters)?)
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(Handle::is_connected)
    }

    /// Connects, and calls back in this thread until the client has disconnected.
    ///
    /// # Errors
    /// That of a callback; why the client has given up, if nobody has told it to disconnect; or there was no
    /// [`connect`](Self::connect), or a loop runs already.
    pub fn loop_forever(&mut self) -> CallbackResult {
        let handle = self.connection()?.clone();
        let (_stop, stopped) = oneshot::channel();
        let runtime = Arc::clone(&self.runtime);
        runtime.block_on(self.idle_core()?.run(&handle, stopped))
    }

    /// Connects, and calls back in a thread of its own.
    ///
    /// # Errors
    /// There was no [`connect`](Self::connect), or a loop runs already, or the system has no threads left.
    pub fn loop_start(&mut self) -> CallbackResult {
        let handle = self.connection()?.clone();
        self.idle_core()?;
        let Some(mut core) = self.core.take() else { return Err(ClientError::CallbackPanicked.into()) };
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
    /// That of a callback; or why the client has given up, if nobody has told it to disconnect.
    pub fn loop_stop(&mut self) -> CallbackResult {
        self.take_back();
        mem::replace(&mut self.result, Ok(()))
    }

    /// Disconnects; the loop ends.
    pub fn disconnect(&self) {
        if let Some(handle) = &self.connection {
            handle.disconnect();
        }
    }

    fn connection(&self) -> Result<&Handle, ClientError> {
        self.connection.as_ref().ok_or(ClientError::NoServer)
    }

    /// What the loop works with, if none runs.
    fn idle_core(&mut self) -> Result<&mut Core<U>, ClientError> {
        if self.running.as_ref().is_some_and(|running| !running.thread.is_finished()) {
            return Err(ClientError::LoopRuns);
        }
        self.take_back();
        self.core.as_mut().ok_or(ClientError::CallbackPanicked)
    }

    /// Waits until the loop has ended.
    fn take_back(&mut self) {
        let Some(running) = self.running.take() else { return };
        let _ended_already = running.stop.send(());
        self.result = match running.thread.join() {
            Ok((core, result)) => {
                self.core = Some(core);
                result
            }
            Err(_) => Err(ClientError::CallbackPanicked.into()),
        };
    }

    fn change(&self, change: impl FnOnce(&mut Callbacks<U>) + Send + 'static) {
        // Without a receiver a callback has panicked, which the next loop will tell.
        let _nobody = self.changes.send(Box::new(change));
    }

    fn change_connect(&mut self, change: impl Fn(&mut ConnectOptions)) {
        change(&mut self.options.connect);
        if let Some(handle) = &self.connection {
            handle.change_connect(change);
        }
    }

    /// A client that was told to use TLS must not go on without it.
    #[cfg(feature = "tls")]
    fn tls_mut(&mut self) -> Result<&mut crate::TlsOptions, ClientError> {
        if self.connection.as_ref().is_some_and(|handle| !handle.has_ended()) {
            return Err(ClientError::TlsTooLate);
        }
        Ok(&mut self.options.transport.tls)
    }
}
