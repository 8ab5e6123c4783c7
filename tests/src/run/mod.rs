//! Runs a script against a broker.

mod client;
mod matching;
mod rules;
mod runner;

pub use runner::{Manner, check};
