//! Whether what arrives is what was sent: each message once, in order.

mod flow;
mod shared;

pub(crate) use flow::{Arrival, Flow, Missing};
pub(crate) use shared::SharedFlow;
