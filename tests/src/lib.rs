//! Scripts of packets in and out, run in process, over TCP and against other brokers; and what the tests with real
//! clients need.

pub mod broker;
pub mod ferry;
pub mod run;
pub mod script;
pub mod wire;
