//! Taking in connections: what is refused here costs nothing but the socket.

mod accept_loop;
mod accepting;
mod gauge;
mod rate_limit;

pub(crate) use accept_loop::accept_connections;
pub(crate) use accepting::{AcceptLimits, Accepting, Arrival, ConnectionPlaces, ListenerSetup};
pub(crate) use gauge::Gauge;
