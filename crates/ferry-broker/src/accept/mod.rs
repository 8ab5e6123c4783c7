//! Taking in connections: what is refused here costs nothing but the socket.

mod accept_loop;
mod accepting;
mod addresses;
mod ban_keeper;
mod ban_list;
mod gauge;
mod misbehaviour;
mod overload;
mod per_minute;
mod rate_limit;

pub(crate) use accept_loop::accept_connections;
pub(crate) use accepting::{AcceptLimits, Accepting, Arrival, ConnectionPlaces, ListenerSetup, TurnedAway};
pub(crate) use addresses::AddressLimits;
pub(crate) use ban_keeper::{BANS_FILE, BanKeeper, Kept, ban_json, ban_of, bans_text, read_bans};
pub use ban_list::BanListFull;
pub(crate) use ban_list::{BANS_MAX, BanList, BanOrigin};
pub(crate) use gauge::Gauge;
pub(crate) use misbehaviour::{MisbehaviourLimits, ip_of, is_fault};
pub(crate) use overload::{OverloadLimits, Strain};
pub(crate) use per_minute::PerMinute;
