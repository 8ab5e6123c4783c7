//! The configuration: one `ferry.toml`, environment variables, flags.
//!
//! This is the only place that reads configuration files and the environment. Every option stands in one table (see
//! [`option`]), from which parser, example file and reference are made.

mod limits;
mod listener;
pub mod option;
mod problem;
mod quantity;
mod sections;
mod session;
mod value;

pub use limits::Limits;
pub use listener::{AllowAnonymous, ClientCertificate, Listener, MqttVersion, TlsVersion};
pub use problem::{Place, Problem, Problems};
pub use sections::{Log, LogLevel, Server, Storage, Sys};
pub use session::{OverflowPolicy, OverlappingSubscriptions, Session, TakeoverPolicy};
pub use value::{Kind, Setting};

/// The whole configuration, checked: every value is in its range, and the listeners may start as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The broker as a whole.
    pub server: Server,
    /// Where clients connect; never empty.
    pub listeners: Vec<Listener>,
    /// The bound of everything.
    pub limits: Limits,
    /// How sessions live.
    pub session: Session,
    /// Where state is kept.
    pub storage: Storage,
    /// The log.
    pub log: Log,
    /// The broker's own figures.
    pub sys: Sys,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            listeners: default_listeners(),
            limits: Limits::default(),
            session: Session::default(),
            storage: Storage::default(),
            log: Log::default(),
            sys: Sys::default(),
        }
    }
}

fn default_listeners() -> Vec<Listener> {
    ["tcp://127.0.0.1:1883", "ws://127.0.0.1:8083/mqtt"]
        .map(|address| Listener { address: address.to_owned(), ..Listener::default() })
        .into()
}
