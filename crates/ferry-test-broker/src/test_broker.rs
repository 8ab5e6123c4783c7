use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ferry_client::{ClientOptions, Connector, Message};
use ferry_core::{Event, ServerPublish};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use crate::TestSession;
use crate::engine::Engine;
use crate::line::{LINE_BYTES_MAX, lock, serve};

/// A broker in this process. A cheap handle; it runs as long as there is one, or a client that has its [`Connector`].
#[derive(Clone)]
pub struct TestBroker {
    engine: Arc<Mutex<Engine>>,
    /// Its clock and its connections, ended with the last handle.
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl TestBroker {
    /// Starts it in the runtime of the caller. Begin that with its time paused: `#[tokio::test(start_paused = true)]`.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start() -> Self {
        let engine = Engine::new();
        let changed = Arc::clone(&engine.changed);
        let engine = Arc::new(Mutex::new(engine));
        let clock = Arc::clone(&engine);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let deadline = lock(&clock).deadline();
                match deadline {
                    None => changed.notified().await,
                    Some(deadline) => tokio::select! {
                        () = changed.notified() => {}
                        () = sleep_until(deadline) => lock(&clock).tick(),
                    },
                }
            }
        });
        Self { engine, tasks: Arc::new(Mutex::new(tasks)) }
    }

    /// Options of a client of this broker.
    ///
    /// # Panics
    /// Never: the URL is one.
    #[must_use]
    pub fn options(&self, client_id: &str) -> ClientOptions {
        let options = ClientOptions::new("mqtt://test-broker").expect("a URL");
        let mut options = options.client_id(client_id);
        options.transport.connector = Some(self.connector());
        options
    }

    /// For the options of a program that makes them itself: `options.transport.connector`. Then all its servers are this
    /// broker.
    #[must_use]
    pub fn connector(&self) -> Connector {
        let broker = self.clone();
        Connector::new(move |_address| {
            let stream = broker.connect();
            async move { stream }
        })
    }

    /// Lets time pass: everything that is due happens in its order.
    ///
    /// In a runtime whose time is not paused, it takes that long.
    pub async fn advance(&self, duration: Duration) {
        sleep(duration).await;
    }

    /// Breaks all connections, as a network does that fails: wills are published. Clients may connect again. How many there
    /// were.
    #[must_use = "0 means that nothing was broken; drop it if that does not matter"]
    pub fn drop_connections(&self) -> usize {
        let mut engine = lock(&self.engine);
        let connections = engine.connections();
        connections.iter().for_each(|id| engine.closed(*id));
        connections.len()
    }

    /// Breaks the connection of one client; false if it has none.
    #[must_use = "false means that nothing was broken"]
    pub fn drop_connection(&self, client_id: &str) -> bool {
        let mut engine = lock(&self.engine);
        let found = engine.shard.sessions().find(|session| session.client_id == client_id);
        let Some(id) = found.and_then(|session| session.conn) else { return false };
        engine.closed(id);
        true
    }

    /// Whether clients can connect. False breaks the connections there are.
    pub fn set_reachable(&self, is_reachable: bool) {
        lock(&self.engine).is_reachable = is_reachable;
        if !is_reachable {
            let _connections = self.drop_connections();
        }
    }

    /// Loses all sessions and retained messages, and breaks all connections: a broker that was started anew without a disk.
    pub fn forget(&self) {
        lock(&self.engine).forget();
    }

    /// Publishes to whoever has subscribed: topic, payload, QoS and RETAIN of the message.
    pub fn publish(&self, message: &Message) {
        let mut engine = lock(&self.engine);
        engine.handle(Event::Publish(ServerPublish {
            topic: &message.topic,
            payload: &message.payload,
            qos: message.qos,
            retain: message.retain,
            properties: ferry_codec::MessageProperties::default(),
        }));
        engine.settle();
    }

    /// The sessions of all clients, connected or not, by Client Identifier.
    #[must_use]
    pub fn sessions(&self) -> Vec<TestSession> {
        let engine = lock(&self.engine);
        let mut sessions: Vec<_> =
            engine.shard.sessions().map(|session| TestSession::new(&session)).collect();
        sessions.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        sessions
    }

    /// The session of one client.
    #[must_use]
    pub fn session(&self, client_id: &str) -> Option<TestSession> {
        self.sessions().into_iter().find(|session| session.client_id == client_id)
    }

    /// Whether a client is connected.
    #[must_use]
    pub fn is_connected(&self, client_id: &str) -> bool {
        self.session(client_id).is_some_and(|session| session.is_connected)
    }

    /// The payload of the retained message of a topic.
    #[must_use]
    pub fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        let retained = lock(&self.engine).shared.retained.get(topic)?;
        Some(retained.message.payload.to_vec())
    }

    fn connect(&self) -> io::Result<tokio::io::DuplexStream> {
        let (of_client, of_broker) = tokio::io::duplex(LINE_BYTES_MAX);
        let mut engine = lock(&self.engine);
        if !engine.is_reachable {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (id, wake) = engine.open();
        drop(engine);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are forgotten.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(serve(Arc::clone(&self.engine), id, wake, of_broker));
        Ok(of_client)
    }
}
