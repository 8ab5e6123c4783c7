//! The configuration: one `ferry.toml`, environment variables, flags.
//!
//! This is the only place that reads configuration files and the environment. Every option stands in one table (see
//! [`option`]), from which parser, example file and reference are made.

mod abuse;
mod admin;
mod authentication;
mod authorization;
mod ban;
mod document;
mod environment;
mod file;
mod file_access;
mod file_watch;
mod hook;
mod jwt;
mod kerberos;
mod limits;
mod listener;
mod load;
mod network;
mod opentelemetry;
pub mod option;
mod password_file;
mod peer_users;
mod problem;
mod quantity;
mod reload;
mod sections;
mod session;
mod sql;
mod storage;
mod summary;
#[cfg(test)]
mod tests;
mod validate;
mod validate_admin;
mod value;

pub use abuse::Abuse;
pub use admin::{Admin, AdminRole, AdminToken, HostName, OpenMetrics, TokenSecret};
pub use authentication::{
    Authentication, AuthenticatorKind, CertificateUserName, JwtAlgorithmName, WhenUnavailable,
};
pub use authorization::Authorization;
pub use ban::Ban;
pub(crate) use ban::show_time;
pub use document::{example, reference};
pub use kerberos::Realm;
#[cfg(feature = "kerberos")]
pub(crate) use kerberos::kerberos_rules;
pub use limits::Limits;
pub use listener::{AllowAnonymous, ClientCertificate, FileMode, Listener};
pub use load::{Flags, Loaded, Origins, Sources};
pub use network::Network;
pub use opentelemetry::OpenTelemetry;
pub use problem::{Place, Problem, Problems};
pub use reload::{Change, Changes, diff};
pub use sections::{Log, LogLevel, Server, Sys};
pub use session::{DeniedV3Publish, OverflowPolicy, OverlappingSubscriptions, Session, TakeoverPolicy};
#[cfg(any(feature = "postgresql", feature = "sqlite"))]
pub(crate) use sql::{SqlSource, read_sql};
pub use storage::{Durability, DurabilityRule, Storage};
pub use value::{Kind, Setting};
pub(crate) use {
    admin::read_secret,
    authorization::read_acl_file,
    authorization::read_rules_file,
    file_watch::FileWatch,
    hook::read_hook,
    jwt::{JwksServer, JwtSetup, read_jwt_rules},
    opentelemetry::read_collector,
    password_file::read_password_file,
    peer_users::read_system_users,
    reload::pairs,
};

use option::{Section, SectionSpec};

/// Every section, in the order in which they are documented.
pub const SECTIONS: [&SectionSpec; 12] = [
    &Server::SPEC,
    &Listener::SPEC,
    &Authentication::SPEC,
    &Authorization::SPEC,
    &Limits::SPEC,
    &Abuse::SPEC,
    &Session::SPEC,
    &Storage::SPEC,
    &Admin::SPEC,
    &Log::SPEC,
    &Sys::SPEC,
    &OpenTelemetry::SPEC,
];

/// The whole configuration, checked: every value is in its range, and the listeners may start as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The broker as a whole.
    pub server: Server,
    /// Where clients connect; never empty.
    pub listeners: Vec<Listener>,
    /// How clients tell who they are.
    pub authentication: Authentication,
    /// What clients may do.
    pub authorization: Authorization,
    /// The bound of everything.
    pub limits: Limits,
    /// How much one address may ask.
    pub abuse: Abuse,
    /// How sessions live.
    pub session: Session,
    /// Where state is kept.
    pub storage: Storage,
    /// The HTTP API of those who run the broker.
    pub admin: Admin,
    /// The log.
    pub log: Log,
    /// The broker's own figures.
    pub sys: Sys,
    /// Traces of messages.
    pub opentelemetry: OpenTelemetry,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: Server::default(),
            listeners: vec![Listener::default(), Listener::default_websocket()],
            authentication: Authentication::default(),
            authorization: Authorization::default(),
            limits: Limits::default(),
            abuse: Abuse::default(),
            session: Session::default(),
            storage: Storage::default(),
            admin: Admin::default(),
            log: Log::default(),
            sys: Sys::default(),
            opentelemetry: OpenTelemetry::default(),
        }
    }
}

impl Config {
    /// The section with this name; the listeners, of which there are several, are none.
    pub fn section(&self, name: &str) -> Option<&dyn Section> {
        Some(match name {
            "server" => &self.server,
            "authentication" => &self.authentication,
            "authorization" => &self.authorization,
            "limits" => &self.limits,
            "abuse" => &self.abuse,
            "session" => &self.session,
            "storage" => &self.storage,
            "admin" => &self.admin,
            "log" => &self.log,
            "sys" => &self.sys,
            "opentelemetry" => &self.opentelemetry,
            _ => return None,
        })
    }

    fn section_mut(&mut self, name: &str) -> Option<&mut dyn Section> {
        Some(match name {
            "server" => &mut self.server,
            "authentication" => &mut self.authentication,
            "authorization" => &mut self.authorization,
            "limits" => &mut self.limits,
            "abuse" => &mut self.abuse,
            "session" => &mut self.session,
            "storage" => &mut self.storage,
            "admin" => &mut self.admin,
            "log" => &mut self.log,
            "sys" => &mut self.sys,
            "opentelemetry" => &mut self.opentelemetry,
            _ => return None,
        })
    }
}
