//! The broker: driver, configuration, lifecycle.
//!
//! [`run()`] is what `ferry serve` does: a broker until a signal ends it. [`Broker::start`] starts one inside another
//! program, which may have several.

mod accept;
mod access;
mod acl_authorizer;
mod admin_api;
mod answer_cache;
mod authenticators;
mod broker;
pub mod config;
mod driver;
mod explain;
mod from_config;
mod grants_authorizer;
mod hook;
mod http_client;
mod jwks;
mod listeners;
mod managed_file;
mod opentelemetry;
mod privileges;
mod process_limits;
mod process_memory;
mod rights;
mod role_store;
mod rules_authorizer;
mod run;
mod running_broker;
mod service_manager;
#[cfg(any(feature = "postgresql", feature = "sqlite"))]
mod sql;
mod start_block;
mod start_error;
mod storage;
pub mod store_tools;
mod sys_topics;
mod tls_expiry;
mod user_store;

pub use accept::BanListFull;
pub use admin_api::LogLevels;
pub use broker::{Broker, BrokerBuilder};
pub use explain::{Action, Applicant, Explanation, explain};
pub use from_config::{core_config, listener_policy};
pub use run::run;
pub use running_broker::RunningBroker;
pub use start_error::StartError;
