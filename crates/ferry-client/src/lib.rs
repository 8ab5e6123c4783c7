//! An MQTT 3.1.1 and 5.0 client that keeps its promises when the network does not.
//!
//! ```no_run
//! use ferry_client::{ClientOptions, Message, QoS};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = ClientOptions::new("mqtt://localhost")?.client_id("thermometer").connect().await?;
//!
//! // Waits for PUBACK; across reconnects, if need be.
//! client.publish(Message::new("house/temperature", "21.5").qos(QoS::AtLeastOnce).retain(true)).await?;
//!
//! // A stream of its own for each subscription.
//! let mut commands = client.subscribe("house/set/+").await?;
//! while let Some(command) = commands.recv().await {
//!     println!("{}: {}", command.topic, command.text()?);
//! }
//! client.disconnect().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What there is
//!
//! | to do | with |
//! |---|---|
//! | choose server, credentials, will, limits, TLS | [`ClientOptions`]: `new(url)`, `server(url)` for more servers; fields [`connect`](ClientOptions::connect), [`transport`](ClientOptions::transport), [`reconnect`](ClientOptions::reconnect) |
//! | connect once, or fail | [`ClientOptions::connect()`], [`Client::connect`] |
//! | keep trying | [`Client::new`], [`Client::start`] |
//! | publish and know the outcome | [`Client::publish`] |
//! | publish without waiting, bounded | [`Client::try_publish`], then [`Client::flush`] |
//! | subscribe | [`Client::subscribe`] with a string, several, or [`Filter`]s; gives a [`Subscription`] |
//! | take messages | [`Subscription::recv`]; [`Subscription::recv_unacknowledged`] to acknowledge when done |
//! | end a subscription | [`Client::unsubscribe`], [`Subscription::unsubscribe`] |
//! | find out whether a filter matches a topic | [`topic_matches`] |
//! | take up the subscriptions of an earlier program | [`Client::listen`] before [`Client::connect`] |
//! | ask, and wait for one answer or many | [`Client::request`], [`Client::request_many`]; answer with [`Message::response`] |
//! | prove who it is without showing the password | `Scram`, `Kerberos`, [`ClientOptions::authentication`] |
//! | keep messages over a restart of the program | `ClientOptions::outbox` |
//! | see what happens | [`Client::events`] |
//! | test a program without a network | the crate `ferry-test-broker`; [`Connector`] |
//! | end | [`Client::disconnect`], [`Client::disconnect_with`] |
//!
//! # What it promises
//!
//! - **Nothing is dropped silently.** A message is refused at once ([`PublishRefused`]), or its end is told: by the future
//!   of [`Client::publish`], or by an [`Event`] if nobody waits. How many QoS 0 messages a lost connection may have taken along
//!   is told with its end: [`Event::Disconnected`].
//! - **Memory is bounded**, by [`ConnectOptions::outgoing_bytes_max`], [`ConnectOptions::receive_maximum`],
//!   [`ClientOptions::receive_bytes_max`] and their like.
//! - **A lost connection is no event of yours.** The client connects again, with growing, random delays; what was in
//!   flight goes on if the server still has the session; if it has not, subscriptions are made again, QoS 1 messages are
//!   published again, and QoS 2 messages whose fate is unknown are told rather than sent twice.
//! - **A handler may publish and wait.** Answers of the server are read however full the streams are.
//! - **A quiet client does nothing**: its only timer is Keep Alive.
//!
//! What happens is told to `tracing` too, in a span `mqtt_connection` for each connection, with the fields `client_id`, `server`,
//! `protocol_version` and `attempt`: at `info` connections, their ends and subscriptions that were made again, at `warn` what went
//! wrong, at `debug` the rest. Neither payloads nor secrets are told.
//!
//! Threads that wait have [`blocking::Client`]; programs of callbacks, such as those that come from Paho,
//! [`callback::Client`]. The protocol itself is in [`session`], without input or output, for those who have a loop of their own.
//!
//! # Features
//!
//! `tls` and `websocket` (default). `json`, `cbor` and `messagepack`: payloads as values of serde, such as `Message::json`.
//! `scram`: enhanced authentication by SCRAM, which does not show the password, see `Scram`.
//! `kerberos`: enhanced authentication by Kerberos tickets, see `Kerberos`; it needs the library of MIT Kerberos.
//! `srv`: servers by SRV records, `mqtt+srv://`. `pkcs12`: certificates of clients from PKCS#12 files.
//! `outbox`: messages of QoS 1 and 2 survive a restart of the process, see `ClientOptions::outbox`.

pub mod blocking;
pub mod callback;
mod client;
mod client_options;
mod clock;
mod connection;
mod error;
mod event;
mod event_log;
mod event_loop;
#[cfg(feature = "kerberos")]
mod kerberos;
mod mailbox;
mod mailbox_filter;
mod message;
mod numbers;
#[cfg(feature = "outbox")]
mod outbox;
#[cfg(any(feature = "json", feature = "cbor", feature = "messagepack"))]
mod payload;
mod request;
#[cfg(feature = "scram")]
mod scram;
mod server_address;
pub mod session;
mod shared;
mod subscription;
mod transport;

pub use client::Client;
pub use client_options::{ClientOptions, ReconnectOptions};
pub use error::{ConnectionError, PublishError, SubscribeError};
pub use event::{Event, Events};
pub use ferry_codec::topic::{TopicError, matches as topic_matches};
pub use ferry_codec::{ProtocolVersion, QoS, ReasonCode, RetainHandling, SubscriptionOptions};
pub use ferry_session::{InvalidTraceParent, TraceParent};
#[cfg(feature = "kerberos")]
pub use kerberos::Kerberos;
pub use message::{Message, Properties};
#[cfg(feature = "outbox")]
pub use outbox::OutboxOptions;
#[cfg(any(feature = "json", feature = "cbor", feature = "messagepack"))]
pub use payload::PayloadError;
pub use request::{RequestError, Responses};
#[cfg(feature = "scram")]
pub use scram::{Scram, ScramHash};
pub use server_address::{AddressError, Scheme, ServerAddress};
pub use session::{
    AuthMechanism, CloseReason, ConnectOptions, Connected, DisconnectOptions, Fault, Filter, IntoFilters,
    InvalidValue, NotPublished, OutgoingOverflow, PublishRefused, Published, ServerReason, SubscribeRefused,
    Will,
};
pub use subscription::{Acknowledgement, Subscription};
#[cfg(feature = "psk")]
pub use transport::PreSharedKey;
#[cfg(feature = "tls")]
pub use transport::{ClientCertificate, TlsOptions};
pub use transport::{Connector, Proxy, ProxyKind, TransportOptions};
