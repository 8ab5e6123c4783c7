//! What an operator may see of a shard, in pieces that are short however much there is.

use std::borrow::Cow;

use ferry_codec::topic::parse_shared;
use ferry_codec::{ProtocolVersion, QoS, SubscriptionOptions};
use ferry_session::Timestamp;

use crate::filter_set::SubscribedFilter;
use crate::session::{Session, SessionId};
use crate::shard::Shard;
use crate::{Certificate, ConnId, ListenerPolicy, SessionView, Traffic, Transport};

/// Where a walk over the sessions of a shard, and their subscriptions, stands. Whatever comes and goes meanwhile, what stays
/// is seen once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCursor {
    /// The place of a session.
    pub place: u32,
    /// How many of its subscriptions have been seen.
    pub subscriptions_seen: u32,
}

/// What an operator may see of a connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnView<'a> {
    /// See [`ConnInfo::peer_address`](crate::ConnInfo::peer_address).
    pub peer_address: &'a str,
    /// Common name of the verified client certificate.
    pub certificate_common_name: Option<&'a str>,
    /// See [`ConnInfo::certificate`](crate::ConnInfo::certificate).
    pub certificate: Option<&'a Certificate>,
    /// How it is connected.
    pub transport: Transport,
    /// What it may do.
    pub listener: &'a ListenerPolicy,
    /// What it speaks.
    pub protocol_version: ProtocolVersion,
    /// The value in force, 0 for none.
    pub keep_alive_seconds: u16,
    /// When the last packet came.
    pub last_received_at: Timestamp,
    /// Bytes that wait to be written.
    pub unwritten_bytes: usize,
    /// What has passed since it was opened.
    pub traffic: Traffic,
    /// It has sent too many messages in too short a time, or does not take what it is sent, so it is not read.
    pub is_paused: bool,
}

/// What an operator may see of a subscription.
#[derive(Clone, Debug)]
pub struct SubscriptionView<'a> {
    /// As the client wrote it, with `$share/group/` if it is shared.
    pub filter: Cow<'a, str>,
    /// As asked for, with the QoS that was granted.
    pub options: SubscriptionOptions,
    /// The Subscription Identifier.
    pub subscription_id: Option<u32>,
}

impl Shard {
    /// Shows the sessions from `cursor` on until `visit` returns `false`, which then is not seen as shown, or about
    /// `steps_max` places were looked at. Where to go on; `None` at the end.
    pub fn visit_sessions<'a>(
        &'a self,
        cursor: SessionCursor,
        steps_max: usize,
        mut visit: impl FnMut(SessionView<'a>) -> bool,
    ) -> Option<SessionCursor> {
        for (step, (place, session)) in self.sessions.iter_from(cursor.place).enumerate() {
            let is_shown = step < steps_max && session.is_none_or(|session| visit(SessionView::new(session)));
            if !is_shown {
                return Some(SessionCursor { place, subscriptions_seen: 0 });
            }
        }
        None
    }

    /// As [`Self::visit_sessions`], for the subscriptions of all sessions; each counts as a step, too.
    pub fn visit_subscriptions<'a>(
        &'a self,
        cursor: SessionCursor,
        steps_max: usize,
        mut visit: impl FnMut(&'a str, SubscriptionView<'a>) -> bool,
    ) -> Option<SessionCursor> {
        let mut steps = 0;
        for (place, session) in self.sessions.iter_from(cursor.place) {
            let seen = if place == cursor.place { cursor.subscriptions_seen } else { 0 };
            steps += 1;
            let Some(session) = session else { continue };
            let subscriptions = self.subscriptions_of(SessionId(place), session, seen);
            for (subscriptions_seen, subscription) in (seen..).zip(subscriptions) {
                if steps >= steps_max || !visit(session.client_id(), subscription) {
                    return Some(SessionCursor { place, subscriptions_seen });
                }
                steps += 1;
            }
        }
        None
    }

    /// Shows client and granted QoS of each subscription, but for shared ones, that matches a topic.
    pub fn visit_subscribers(&self, topic: &str, mut visit: impl FnMut(&str, QoS)) {
        self.subscriptions.matches(topic, |id, grant| {
            if let Some(session) = self.sessions.get(id) {
                visit(session.client_id(), grant.options.maximum_qos);
            }
        });
    }

    /// The session of a client, if it has one here.
    #[must_use]
    pub fn session(&self, client_id: &str) -> Option<SessionView<'_>> {
        Some(SessionView::new(self.sessions.get(self.sessions.find(client_id)?)?))
    }

    /// Some of the subscriptions of a client, after the first `skipped`.
    pub fn client_subscriptions(
        &self,
        client_id: &str,
        skipped: u32,
    ) -> impl Iterator<Item = SubscriptionView<'_>> {
        let found = self.sessions.find(client_id).and_then(|id| Some((id, self.sessions.get(id)?)));
        found.into_iter().flat_map(move |(id, session)| self.subscriptions_of(id, session, skipped))
    }

    /// A connection, if it is open.
    #[must_use]
    pub fn conn_view(&self, conn: ConnId) -> Option<ConnView<'_>> {
        let conn = self.conns.get(conn)?;
        Some(ConnView {
            peer_address: conn.info.peer_address(),
            certificate_common_name: conn.info.certificate_common_name(),
            certificate: conn.info.certificate(),
            transport: conn.info.transport(),
            listener: &conn.info.listener,
            protocol_version: conn.version,
            keep_alive_seconds: conn.keep_alive.keep_alive_seconds(),
            last_received_at: conn.keep_alive.last_received_at(),
            unwritten_bytes: conn.unwritten_bytes(),
            traffic: conn.traffic(),
            is_paused: conn.paused.is_paused(),
        })
    }

    fn subscriptions_of<'a>(
        &'a self,
        id: SessionId,
        session: &'a Session,
        skipped: u32,
    ) -> impl Iterator<Item = SubscriptionView<'a>> {
        session.filters.iter().skip(skipped as usize).filter_map(move |subscribed| {
            let grant = match subscribed {
                SubscribedFilter::Plain(filter) => self.subscriptions.get(filter, id),
                SubscribedFilter::Shared(filter) => {
                    let shared = parse_shared(filter).ok().flatten()?;
                    self.share_groups.get(shared.group, shared.filter, id)
                }
            }?;
            let filter = self.filter_text(subscribed);
            Some(SubscriptionView { filter, options: grant.options, subscription_id: grant.subscription_id })
        })
    }
}
