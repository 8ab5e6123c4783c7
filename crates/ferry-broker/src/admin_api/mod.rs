//! The HTTP API of those who run the broker: `/health`, `/ready`, `/metrics`, `/api/v1`.
//!
//! It has a thread of its own, made only if it is configured. What it wants to know of a shard it asks by mail, and the
//! shard answers in its next turn: nothing here can hold up a client, and a shard that does not answer in time is an error
//! of one request.

mod answer;
mod connection;
mod guard;
mod health;
mod metrics;
mod problem;
mod process;
mod prometheus;
mod query;
mod request;
mod routes;
mod server;
mod state;
mod stream_io;
mod tokens;

pub(crate) use server::{AdminServer, AdminSockets};
pub(crate) use state::{AdminState, InForce};
pub(crate) use tokens::Tokens;
