//! Which sessions want a topic: subscriptions, shared groups, retained messages.
//!
//! ```text
//!            PUBLISH topic
//!                 |
//!          RouteTable (shared)             which shards, which (share group, shard); RouteCache: asked before
//!            |          |
//!  SubscriptionTrie   SharedGroups         per shard: which sessions (LastMatches: asked before); which member
//!
//!  Retained (shared)                       topic -> last message, walked by filter on SUBSCRIBE
//! ```
//! Nothing here knows a session, a connection or a packet: keys and values are the caller's.
//! Filters and topics are expected to be validated by [`ferry_codec::topic`]; an invalid one
//! matches something odd but can never panic.

mod arena;
mod filter_index;
mod id_table;
mod intern;
mod last_matches;
mod retained;
mod retained_scan;
mod route_cache;
mod route_table;
mod shards_of_filter;
mod shared_subscription;
mod subscriber_list;
mod subscription_trie;

pub use last_matches::LastMatches;
pub use retained::{Retained, RetainedBody, RetainedCursor, RetainedLimits, RetainedRefused};
pub use route_cache::RouteCache;
pub use route_table::{RouteTable, ShardId, ShareGroupId, ShareMembers};
pub use shared_subscription::SharedGroups;
pub use subscription_trie::{FilterId, Subscribed, SubscriptionTrie, Unsubscribed};
