//! An MQTT broker in the process of a test: the core of Ferry, connected to clients of [`ferry_client`] through memory, with
//! the time of tokio. In a runtime whose time stands still an hour takes no time, and nothing depends on how fast the
//! machine is.
//!
//! ```
//! use std::time::Duration;
//!
//! use ferry_client::{Message, QoS};
//! use ferry_test_broker::TestBroker;
//!
//! # async fn work_of_the_sensor(client: ferry_client::Client) {
//! #     loop {
//! #         tokio::time::sleep(Duration::from_secs(60)).await;
//! #         let _refused = client.try_publish(Message::new("cellar/humidity", "61").retain(true).qos(QoS::AtLeastOnce));
//! #     }
//! # }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // #[tokio::test(start_paused = true)]
//! let broker = TestBroker::start();
//! let client = broker.options("sensor").session_expiry(3600).connect().await?;
//! tokio::spawn(work_of_the_sensor(client));
//!
//! broker.advance(Duration::from_secs(61)).await;
//! assert_eq!(broker.retained("cellar/humidity").as_deref(), Some(&b"61"[..]));
//!
//! // Somebody pulls the cable, for a quarter of an hour.
//! broker.set_reachable(false);
//! broker.advance(Duration::from_secs(900)).await;
//! assert!(!broker.is_connected("sensor"));
//!
//! broker.set_reachable(true);
//! broker.advance(Duration::from_secs(60)).await;
//! assert!(broker.is_connected("sensor"));
//! # Ok(())
//! # }
//! ```
//!
//! What a test looks at besides is best looked at by a second client, `broker.options("watcher")`, that subscribes.
//!
//! It is a whole broker, except that it lets everybody in, keeps nothing on a disk, and has no listeners, so neither TLS
//! nor WebSocket.

mod engine;
mod line;
mod session;
mod test_broker;

pub use session::TestSession;
pub use test_broker::TestBroker;
