//! The HTTP API of those who run the broker: `/health`, `/ready`, `/metrics`, `/api/v1`.
//!
//! It has a thread of its own, made only if it is configured. What it wants to know of a shard it asks by mail, and the
//! shard answers in its next turn: nothing here can hold up a client, and a shard that does not answer in time is an error
//! of one request.

mod access_schemas;
mod answer;
mod bans;
mod broker;
mod client_rows;
mod clients;
mod configuration;
mod connection;
mod groups;
mod guard;
mod health;
mod history;
mod json_body;
mod log_levels;
mod metrics;
mod openapi;
mod paging;
mod problem;
mod process;
mod prometheus;
mod publish;
mod query;
mod request;
mod retained;
mod roles;
mod routes;
mod schemas;
mod server;
mod state;
mod stream_io;
mod subscriptions;
mod tokens;
mod trace;
mod traffic;
mod users;
mod why;

pub(crate) use metrics::reason_code_label;
pub(crate) use server::{AdminServer, AdminSockets};
pub use state::LogLevels;
pub(crate) use state::{AdminState, InForce, ReloadRequest};
pub(crate) use tokens::Tokens;
