//! Scripts of packets in and out, run in process, over TCP and against other brokers; and what the tests with real
//! clients need; and brokers to be measured.

pub mod broker;
pub mod crash;
pub mod ferry;
pub mod measured_broker;
pub mod run;
pub mod script;
pub mod store_bench;
pub mod wire;
