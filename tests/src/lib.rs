//! Scripts of packets in and out, run in process, over TCP and against other brokers; and what the tests with real
//! clients need; and a small load.

pub mod broker;
pub mod crash;
pub mod ferry;
pub mod load;
pub mod run;
pub mod script;
pub mod store_bench;
pub mod wire;
