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
//! client.publish("lamp/1/online", "1", QoS::AtLeastOnce, true)?;
//! client.loop_forever()?;
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
//! ```
//!
//! What differs from Paho: [`Client::connect`] does not wait for the server, the loop connects, and connects again. So what
//! is published and subscribed to between the two is not refused, but sent with the first connection. An error that a
//! callback returns ends the loop. A string as a filter asks for QoS 1, `("filter", QoS::AtMostOnce)` for QoS 0.
//!
//! What has no function here is in [`Client::options_mut`], before [`Client::connect`]:
//!
//! | Paho | here |
//! |---|---|
//! | `Client(protocol=MQTTv311)` | `options_mut().connect.protocol_version` |
//! | `clean_session`, `clean_start` | `options_mut().connect.clean_start` |
//! | `max_inflight_messages_set` | `options_mut().connect.inflight_max` |
//! | `max_queued_messages_set` | `options_mut().connect.outgoing_messages_max` |
//! | `reconnect_delay_set` | `options_mut().reconnect.delay_min`, `delay_max` |
//! | `transport="websockets"`, `ws_set_options` | [`Client::connect_url`] with `ws://host/path`; `options_mut().transport.websocket_headers` |
//! | `proxy_set` | `options_mut().transport.proxy` |
//! | `topic_matches_sub` | [`topic_matches`](crate::topic_matches) |
//! | `user_data_get`, `user_data_set` | [`Client::user_data`] |
//! | `enable_logger` | a subscriber of `tracing` |

mod callbacks;
mod client;
mod client_error;
mod handle;

use std::error::Error;

pub use client::Client;
pub use client_error::ClientError;
pub use handle::Handle;

use crate::session::Published;
use crate::{PublishError, ReasonCode, SubscribeError};

/// What a callback returns. An error ends the loop, and comes out of [`Client::loop_forever`] or [`Client::loop_stop`].
pub type CallbackResult = Result<(), Box<dyn Error + Send + Sync>>;

/// The end of a message: the number that publishing it gave, and what the server said.
pub type Outcome = (u64, Result<Published, PublishError>);

/// The answer to a subscription or its end: the number that asking gave, and one reason code for each filter.
pub type Answer = (u64, Result<Vec<ReasonCode>, SubscribeError>);
