use std::sync::Arc;
use std::time::Duration;

use crate::server_address::{AddressError, ServerUrl};
use crate::session::{AuthMechanism, ConnectOptions, Will};
use crate::{Client, ConnectionError, ProtocolVersion, ServerAddress, TransportOptions};

/// Where to connect to, as whom, and how to behave.
///
/// ```
/// use ferry_client::{ClientOptions, Message, QoS};
///
/// let options = ClientOptions::new("mqtts://broker.example")?
///     .server("mqtts://other.example")?
///     .credentials("me", "secret")
///     .client_id("sensor-7")
///     .session_expiry(3600)
///     .will(Message::new("sensor/7/online", "0").qos(QoS::AtLeastOnce).retain(true));
/// # Ok::<(), ferry_client::AddressError>(())
/// ```
#[derive(Clone)]
pub struct ClientOptions {
    pub(crate) servers: Vec<Server>,
    /// What CONNECT says, and the limits of the session.
    pub connect: ConnectOptions,
    /// The way to the server.
    pub transport: TransportOptions,
    /// What to do without a connection.
    pub reconnect: ReconnectOptions,
    /// QoS 0 messages that may wait in the streams of the client. Those of QoS 1 and 2 are limited by
    /// [`ConnectOptions::receive_maximum`]: in 5.0 the server waits for their acknowledgement, in 3.1.1 the client stops reading.
    ///
    /// Above it the client stops reading, unless it waits for an answer of the server, and the server is slowed down. So
    /// a handler that publishes and waits for the PUBACK cannot block itself; QoS 0 messages that come meanwhile are
    /// discarded, and told as [`Event::Overflowed`](crate::Event::Overflowed).
    ///
    /// Messages of QoS 1 and 2 that come meanwhile are taken up to twice the limit in 3.1.1. Those above it are passed over: when
    /// there is room again the client connects anew, and the server sends them again, in order, since they are not acknowledged
    /// ([`CloseReason::ReceiveOverrun`](crate::CloseReason::ReceiveOverrun)). If the session ends with the
    /// connection they would not come again: then they are acknowledged, discarded, and told as
    /// [`Event::Overflowed`](crate::Event::Overflowed).
    pub receive_messages_max: usize,
    /// Bytes of QoS 0 messages that may wait in the streams.
    pub receive_bytes_max: usize,
    /// Where to keep messages that must survive a restart of the process.
    #[cfg(feature = "outbox")]
    pub outbox: Option<crate::OutboxOptions>,
    pub(crate) mechanism: Option<MechanismSource>,
    pub(crate) before_connect: Option<BeforeConnect>,
}

/// A server, and who the client is there.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: ServerAddress,
    /// Those of its URL, which are nobody else's concern; `None`: those of [`ClientOptions::credentials`].
    pub(crate) credentials: Option<Credentials>,
}

#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
}

/// They are not for a log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

pub(crate) type MechanismSource = Arc<dyn Fn() -> Box<dyn AuthMechanism> + Send + Sync>;
pub(crate) type BeforeConnect = Arc<dyn Fn(&mut ConnectOptions) + Send + Sync>;

/// What to do without a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconnectOptions {
    /// Whether to connect again at all, when a connection ends that was not ended on purpose.
    pub enabled: bool,
    /// Before the first attempt; each further one waits twice as long. A random part of up to a half is taken off.
    pub delay_min: Duration,
    /// The longest wait.
    pub delay_max: Duration,
    /// A connection that lasted that long was good: its server is tried again first, after the shortest wait, unless it has said
    /// that it is not there for now (0x89, 0x8B, 0x9C, 0x9D).
    pub good_after: Duration,
    /// Whether to go on after another client with the same Client Identifier took the session over (0x8E). Two clients that
    /// do so would throw each other out for ever.
    pub after_takeover: bool,
}

impl Default for ReconnectOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            delay_min: Duration::from_millis(500),
            delay_max: Duration::from_secs(60),
            good_after: Duration::from_secs(5),
            after_takeover: false,
        }
    }
}

impl ClientOptions {
    /// For the server at this URL: `mqtt://`, `mqtts://` (TLS), `ws://`, `wss://` or `unix://`, with credentials if there
    /// are any. Without a scheme it is `mqtt://`.
    ///
    /// # Errors
    /// The URL names no server.
    pub fn new(url: &str) -> Result<Self, AddressError> {
        Self::without_server().server(url)
    }

    pub(crate) fn without_server() -> Self {
        Self {
            servers: Vec::new(),
            connect: ConnectOptions::default(),
            transport: TransportOptions::default(),
            reconnect: ReconnectOptions::default(),
            receive_messages_max: 10_000,
            receive_bytes_max: 16 * 1024 * 1024,
            #[cfg(feature = "outbox")]
            outbox: None,
            mechanism: None,
            before_connect: None,
        }
    }

    /// One more server, to be used when those before it cannot be reached. After a connection that was good (see
    /// [`ReconnectOptions::good_after`]) the same one is tried again first.
    ///
    /// Credentials in the URL are for this server alone; the others get those of [`credentials`](Self::credentials).
    ///
    /// # Errors
    /// The URL names no server.
    pub fn server(mut self, url: &str) -> Result<Self, AddressError> {
        let url = ServerUrl::parse(url)?;
        let password = url.password.map(String::into_bytes);
        let has_credentials = url.user_name.is_some() || password.is_some();
        let credentials = has_credentials.then_some(Credentials { user_name: url.user_name, password });
        self.servers.push(Server { address: url.address, credentials });
        Ok(self)
    }

    /// Sets the version; 5.0 by default.
    #[must_use]
    pub fn protocol_version(mut self, protocol_version: ProtocolVersion) -> Self {
        self.connect.protocol_version = protocol_version;
        self
    }

    /// Sets the Client Identifier; by default the server chooses one.
    #[must_use]
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.connect.client_id = client_id.into();
        self
    }

    /// Whether to begin with a new session; true by default.
    #[must_use]
    pub fn clean_start(mut self, clean_start: bool) -> Self {
        self.connect.clean_start = clean_start;
        self
    }

    /// Sets the Session Expiry Interval, so that the session outlives its connections; 0 by default. In 3.1.1 set
    /// [`clean_start`](Self::clean_start) to false instead.
    #[must_use]
    pub fn session_expiry(mut self, seconds: u32) -> Self {
        self.connect.session_expiry_interval = seconds;
        self
    }

    /// Sets the Keep Alive; 60 seconds by default, 0 turns it off.
    #[must_use]
    pub fn keep_alive(mut self, seconds: u16) -> Self {
        self.connect.keep_alive_seconds = seconds;
        self
    }

    /// Sets user name and password, for all servers whose URL has none.
    #[must_use]
    pub fn credentials(mut self, user_name: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        self.connect.user_name = Some(user_name.into());
        self.connect.password = Some(password.into());
        self
    }

    /// Sets the will.
    #[must_use]
    pub fn will(mut self, will: impl Into<Will>) -> Self {
        self.connect.will = Some(will.into());
        self
    }

    /// Sets the way to the server.
    #[must_use]
    pub fn transport(mut self, transport: TransportOptions) -> Self {
        self.transport = transport;
        self
    }

    /// Sets what to do without a connection.
    #[must_use]
    pub fn reconnect(mut self, reconnect: ReconnectOptions) -> Self {
        self.reconnect = reconnect;
        self
    }

    /// Uses enhanced authentication, 5.0 only; `mechanism` makes one for each client.
    #[must_use]
    pub fn authentication<M: AuthMechanism + 'static>(
        mut self,
        mechanism: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        self.mechanism = Some(Arc::new(move || Box::new(mechanism())));
        self
    }

    /// Calls this before each connection, which may change what CONNECT says: for passwords that expire, or a will that
    /// tells the time. It must not wait.
    #[must_use]
    pub fn before_connect(mut self, change: impl Fn(&mut ConnectOptions) + Send + Sync + 'static) -> Self {
        self.before_connect = Some(Arc::new(change));
        self
    }

    /// Keeps messages of QoS 1 and 2 in this directory until they are delivered, so that they survive a restart of the
    /// process. See [`OutboxOptions`](crate::OutboxOptions).
    #[cfg(feature = "outbox")]
    #[must_use]
    pub fn outbox(mut self, directory: impl Into<std::path::PathBuf>) -> Self {
        self.outbox = Some(crate::OutboxOptions { directory: directory.into(), sync: false });
        self
    }

    /// Makes the client and connects it. Each server is tried once; if none accepts the connection, it ends.
    ///
    /// # Errors
    /// What the last server said, or why it could not be reached; or the options cannot be.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn connect(self) -> Result<Client, ConnectionError> {
        let client = Client::new(self);
        client.connect().await?;
        Ok(client)
    }
}

/// For the server at this address.
impl From<ServerAddress> for ClientOptions {
    fn from(server: ServerAddress) -> Self {
        let mut options = Self::without_server();
        options.servers.push(Server { address: server, credentials: None });
        options
    }
}

impl std::fmt::Debug for ClientOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientOptions").field("servers", &self.servers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_for_a_log() {
        let options = ClientOptions::new("mqtt://ada:secret@h").unwrap().credentials("ben", "secret");
        let options = options.will(crate::Message::new("t", "secret"));
        let proxy = crate::Proxy::new("http://me:secret@proxy:8080").unwrap();
        let shown = format!("{options:?} {:?} {proxy:?}", options.connect);
        // As bytes too.
        assert!(!shown.contains("secret") && !shown.contains("115, 101, 99"), "{shown}");
        assert!(shown.contains("\"ben\"") && shown.contains("Http proxy:8080"), "{shown}");
    }
}
