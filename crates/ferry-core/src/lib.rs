//! One shard of the broker as a pure state machine.
//!
//! A [`Shard`] owns some of the sessions and the connections of their clients. Bytes and events go in together
//! with the time; bytes (in [`OutputBuffer`]s) and [`Effects`] come out. It knows no socket, file, clock or
//! thread, so the driver, a test and the simulator all run the same thing.
//!
//! ```text
//!   open, receive(bytes)          +--------- Shard ---------+     output(conn), effects.{dirty, close,
//!   handle(Event::{Closed,   ---> | conns  sessions  timers | --->   pause, resume}
//!     Written, Tick, Mail,        | subscriptions  shares   |     effects.{mail, records, authenticate}
//!     Committed, ...})            +-------------------------+     next_deadline, counters
//!                                    |  Shared: route table, retained, configuration
//! ```
//!
//! One turn of the driver: give the shard everything that has happened, call [`Shard::end_turn`], then carry out
//! the effects.

mod accept_session;
mod acknowledge;
mod auth;
mod authentication;
mod authorizer;
mod client_drops;
mod commit;
mod config;
mod conn;
mod connack;
mod connect;
mod counters;
mod deferred;
mod deliver;
mod disconnect;
mod drops;
mod effect;
mod end_session;
mod event;
mod fault;
mod filter_set;
mod home;
mod inspect;
mod legal_reason;
mod listener_policy;
mod load;
mod mailbox;
mod meter;
mod origin;
mod outbox;
mod output_buffer;
mod packed_messages;
pub mod persistence;
mod presence;
mod publication;
mod publish;
mod pump;
mod random;
mod rate_limits;
mod rates;
mod read_ahead;
mod receive;
mod record;
mod refused_client;
mod response;
mod restore;
mod retained_replay;
mod rights_cache;
mod session;
mod session_ends;
mod shard;
mod shared;
mod shared_subscription;
mod span;
mod spans;
mod spare_messages;
mod store_health;
mod subscribe;
mod takeover;
#[cfg(test)]
mod tests;
mod timers;
mod traffic;
mod turn;
mod unpack;
mod unsubscribe;
mod wake;
mod wire_shapes;
mod write_packet;

pub use authentication::{AuthOutcome, AuthRequest, AuthStep, Credentials};
pub use authorizer::{AllowAll, Authorizer, Certificate, ClientOrigin, Grants, Identity};
pub use client_drops::ClientDrop;
pub use commit::CommitRequest;
pub use config::{CoreConfig, DeniedPublish, OverlappingSubscriptions};
pub use conn::{ConnId, ConnInfo, Transport};
pub use counters::{Activity, Counters, ReasonCodeCounts};
pub use drops::{DropEntry, DropLedger};
pub use effect::Effects;
pub use event::{CloseCause, Event, ServerPublish};
pub use ferry_router::ShardId;
pub use ferry_session::{DropReason, OverflowPolicy, Timestamp};
pub use home::{FirstPacketHome, SLOT_COUNT, first_packet_home, home_shard, home_slot};
pub use inspect::{ConnView, SessionCursor, SubscriptionView};
pub use listener_policy::ListenerPolicy;
pub use load::{LoadRequest, LoadedCopy};
pub use mailbox::{Mail, Receipt};
pub use outbox::Outbox;
pub use output_buffer::OutputBuffer;
pub use packed_messages::PackedMessages;
pub use presence::{LeaveReason, Presence};
pub use rate_limits::{RateKind, RateLimits, RateScope};
pub use rates::SlowedClient;
pub use record::{Durability, Record, SessionNumber, Ticket};
pub use refused_client::RefusedClient;
pub use session::SessionView;
pub use shard::Shard;
pub use shared::{RetainedMessage, Shared};
pub use span::{Span, SpanConfig, SpanContext, SpanKind, SpanOutcome};
pub use store_health::Refusal;
pub use traffic::Traffic;
