use std::sync::Arc;

use ferry_codec::ReasonCode;
use ferry_session::Timestamp;

use crate::ConnId;
use crate::session::SessionId;
use crate::shard::Shard;
use crate::turn::Turn;

/// A client has come or gone: for those who want to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub client_id: Arc<str>,
    /// The name that was proven.
    pub user_name: Option<Arc<str>>,
    /// See [`ConnInfo::peer_address`](crate::ConnInfo::peer_address).
    pub peer_address: Box<str>,
    /// Why it has gone; `None` if it has come.
    pub left: Option<LeaveReason>,
    /// When.
    pub at: Timestamp,
}

/// Why a client is connected no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// It has sent DISCONNECT.
    Disconnect,
    /// Its connection has ended without that.
    ConnectionLost,
    /// The broker has ended the connection for this.
    Ended(ReasonCode),
}

impl LeaveReason {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disconnect => "Disconnected by the client",
            Self::ConnectionLost => "Connection lost",
            Self::Ended(reason_code) => reason_code.name(),
        }
    }
}

impl Shard {
    /// Tells, if that is wanted, that the client of a session has come, or has gone for `left` unless the broker itself had
    /// ended its connection.
    pub(crate) fn note_presence(
        &self,
        turn: &mut Turn<'_>,
        id: ConnId,
        session: SessionId,
        left: Option<LeaveReason>,
    ) {
        // What the end of the broker does to all of them is no news.
        if !self.config.presence || self.shutting_down {
            return;
        }
        let (Some(conn), Some(session)) = (self.conns.get(id), self.sessions.get(session)) else { return };
        let ended = conn.end_reason != ReasonCode::NORMAL_DISCONNECTION;
        turn.effects.presence.push(Presence {
            client_id: Arc::clone(session.client_id()),
            user_name: session.identity.user_name.clone(),
            peer_address: conn.info.peer_address().into(),
            left: left.map(|left| if ended { LeaveReason::Ended(conn.end_reason) } else { left }),
            at: turn.now,
        });
    }
}
