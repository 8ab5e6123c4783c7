//! Event loops that have clients, and do what the coordinator says.

mod clients;
mod connection;
mod connector;
mod lookup;
mod order;
mod publisher;
mod shared_credits;
mod subscriber;
mod tally;
mod timer;
mod worker;

pub(crate) use lookup::LookupKind;
pub(crate) use order::{
    Collection, ConnectOutcome, LoadTimes, LookupOutcome, Order, Outcome, Published, Tick, Who, Word,
};
pub(crate) use shared_credits::SharedCredits;
pub(crate) use worker::{WAKER, Worker, WorkerSetup};
