use std::sync::Arc;

use ferry_codec::ReasonCode;

use crate::conn::ConnState;
use crate::shard::Shard;
use crate::turn::Turn;
use crate::{ConnId, ListenerPolicy};

/// A connection that the broker ends because of its client: words for the log. The counters have it already.
#[derive(Clone, Debug)]
pub struct RefusedClient {
    /// Where it came in.
    pub listener: Arc<ListenerPolicy>,
    /// Who it is, as far as the network knows.
    pub peer_address: Box<str>,
    /// Who it says it is; `None` if its CONNECT was not taken.
    pub client_id: Option<Box<str>>,
    /// Whether it had been connected.
    pub connected: bool,
    /// Why, whether or not the client could be told.
    pub reason_code: ReasonCode,
    /// Why, in words; may be empty.
    pub detail: Box<str>,
    /// The address of the connection that has taken its place, if one has.
    pub taken_over_by: Option<Box<str>>,
}

impl Shard {
    /// Notes, before its state changes, that a connection is about to end because of its client. What the end of the
    /// broker itself does to clients is no news.
    pub(crate) fn note_refused_client(
        &self,
        turn: &mut Turn<'_>,
        id: ConnId,
        reason_code: ReasonCode,
        detail: Option<&str>,
    ) {
        let Some(conn) = self.conns.get(id).filter(|_| !self.shutting_down) else { return };
        let client_id: Option<&str> = match &conn.state {
            ConnState::Authenticating(pending) => Some(&pending.client_id),
            ConnState::Online(session) => self.sessions.get(*session).map(|session| &**session.client_id()),
            ConnState::AwaitConnect | ConnState::Left | ConnState::Closing => None,
        };
        turn.effects.refused_clients.push(RefusedClient {
            listener: Arc::clone(&conn.info.listener),
            peer_address: conn.info.peer_address().into(),
            client_id: client_id.map(Into::into),
            connected: conn.session().is_some(),
            reason_code,
            detail: detail.unwrap_or_default().into(),
            taken_over_by: None,
        });
    }

    /// The client that was noted just now has this identifier, although it had not got as far as to be known by it.
    pub(crate) fn name_refused_client(&self, turn: &mut Turn<'_>, client_id: &str) {
        if let Some(refused) = turn.effects.refused_clients.last_mut().filter(|_| !self.shutting_down)
            && !client_id.is_empty()
        {
            refused.client_id.get_or_insert_with(|| client_id.into());
        }
    }
}
