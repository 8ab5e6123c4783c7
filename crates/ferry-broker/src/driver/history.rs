use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ferry_codec::ReasonCode;
use ferry_core::{ListenerPolicy, RefusedClient, SlowedClient};
use ferry_session::Timestamp;

use super::refusal_log::slowed_detail;

/// Clients that are remembered on one shard.
const CLIENTS_MAX: usize = 1_000;

/// Decisions that are remembered of each.
const DECISIONS_MAX: usize = 8;

/// A client with a longer identifier is not remembered.
const CLIENT_ID_BYTES_MAX: usize = 1_024;

/// Bytes of the words that are kept.
const DETAIL_BYTES_MAX: usize = 256;

/// Why clients were refused, disconnected or slowed down: the last decisions about each of the clients that there were decisions about
/// lately. Bounded: at most about 1.5 MB when everything is as long as it may be and clients choose long names.
#[derive(Debug, Default)]
pub(crate) struct History {
    clients: HashMap<Arc<str>, VecDeque<Decision>>,
    /// Oldest first.
    order: VecDeque<Arc<str>>,
}

/// One decision, or several that were alike.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    /// When it was taken last.
    pub(crate) at: Timestamp,
    pub(crate) what: Decided,
    pub(crate) reason_code: ReasonCode,
    /// Words for people.
    pub(crate) detail: Box<str>,
    pub(crate) peer_address: Box<str>,
    pub(crate) listener: Arc<ListenerPolicy>,
    pub(crate) count: u64,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    /// The client was not let in.
    Refused,
    Disconnected,
    /// It stayed connected, and was read more slowly than it sent.
    Slowed,
}

impl Decided {
    /// As the admin API says it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Disconnected => "disconnected",
            Self::Slowed => "slowed",
        }
    }
}

impl History {
    pub(crate) fn note(&mut self, now: Timestamp, refused: &RefusedClient) {
        let Some(client_id) = refused.client_id.as_deref().filter(|id| id.len() <= CLIENT_ID_BYTES_MAX)
        else {
            return;
        };
        let decision = Decision {
            at: now,
            what: if refused.connected { Decided::Disconnected } else { Decided::Refused },
            reason_code: refused.reason_code,
            detail: shortened(&refused.detail).into(),
            peer_address: refused.peer_address.clone(),
            listener: Arc::clone(&refused.listener),
            count: 1,
        };
        self.add(client_id, decision);
    }

    /// A client is read more slowly; told once a minute for each connection.
    pub(crate) fn note_slowed(&mut self, now: Timestamp, slowed: &SlowedClient) {
        if slowed.client_id.len() > CLIENT_ID_BYTES_MAX {
            return;
        }
        let decision = Decision {
            at: now,
            what: Decided::Slowed,
            reason_code: ReasonCode::MESSAGE_RATE_TOO_HIGH,
            detail: shortened(&slowed_detail(slowed)).into(),
            peer_address: slowed.peer_address.clone(),
            listener: Arc::clone(&slowed.listener),
            count: 1,
        };
        self.add(&slowed.client_id, decision);
    }

    fn add(&mut self, client_id: &str, mut decision: Decision) {
        let decisions = match self.clients.get_mut(client_id) {
            Some(decisions) => decisions,
            None => self.remember(client_id.into()),
        };
        let is_like =
            |other: &Decision| (other.reason_code, other.what) == (decision.reason_code, decision.what);
        if let Some(last) = decisions.back_mut().filter(|last| is_like(last)) {
            decision.count += last.count;
            *last = decision;
            return;
        }
        if decisions.len() == DECISIONS_MAX {
            decisions.pop_front();
        }
        decisions.push_back(decision);
    }

    /// What was decided about a client, oldest first.
    pub(crate) fn of(&self, client_id: &str) -> impl Iterator<Item = &Decision> {
        self.clients.get(client_id).into_iter().flatten()
    }

    fn remember(&mut self, client_id: Arc<str>) -> &mut VecDeque<Decision> {
        if self.order.len() == CLIENTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.clients.remove(&oldest);
        }
        self.order.push_back(Arc::clone(&client_id));
        self.clients.entry(client_id).or_default()
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(DETAIL_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(client_id: &str, reason_code: ReasonCode) -> RefusedClient {
        RefusedClient {
            listener: Arc::default(),
            peer_address: "192.0.2.7:50000".into(),
            client_id: Some(client_id.into()),
            connected: false,
            reason_code,
            detail: "é".repeat(1000).into(),
            taken_over_by: None,
        }
    }

    #[test]
    fn the_last_decisions_are_remembered_and_what_is_alike_is_counted() {
        let mut history = History::default();
        for time in 0..3 {
            history.note(Timestamp(time), &refused("a", ReasonCode::NOT_AUTHORIZED));
        }
        for code in 0x80..0x88 {
            history.note(Timestamp(9), &refused("a", ReasonCode::new(code)));
        }
        let found: Vec<&Decision> = history.of("a").collect();
        assert_eq!(found.len(), DECISIONS_MAX);
        assert!(found[0].detail.len() <= DETAIL_BYTES_MAX);
        let mut history = History::default();
        history.note(Timestamp(1), &refused("a", ReasonCode::NOT_AUTHORIZED));
        history.note(Timestamp(2), &refused("a", ReasonCode::NOT_AUTHORIZED));
        let found: Vec<&Decision> = history.of("a").collect();
        assert_eq!((found.len(), found[0].count, found[0].at), (1, 2, Timestamp(2)));
    }

    #[test]
    fn no_flood_of_names_takes_more_memory() {
        let mut history = History::default();
        for number in 0..CLIENTS_MAX + 10 {
            history.note(Timestamp(0), &refused(&format!("c{number}"), ReasonCode::NOT_AUTHORIZED));
        }
        history.note(Timestamp(0), &refused(&"x".repeat(2000), ReasonCode::NOT_AUTHORIZED));
        assert_eq!((history.clients.len(), history.order.len()), (CLIENTS_MAX, CLIENTS_MAX));
        assert_eq!((history.of("c9").count(), history.of("c10").count()), (0, 1));
    }
}
