//! Taking in connections: what is refused here costs nothing but the socket.

mod accept_loop;
mod accepting;
mod addresses;
mod gauge;
mod rate_limit;

pub(crate) use accept_loop::accept_connections;
pub(crate) use accepting::{AcceptLimits, Accepting, Arrival, ConnectionPlaces, FullUp, ListenerSetup};
pub(crate) use addresses::AddressLimits;
pub(crate) use gauge::Gauge;
