use std::collections::{BTreeSet, HashSet, VecDeque};
use std::num::NonZeroU16;

use ferry_codec::{PacketId, ReasonCode};

use super::{Filter, SessionEvent};

/// The packet ids above it are for SUBSCRIBE and UNSUBSCRIBE, so that no two packets ever share one `[MQTT-2.2.1-3]`,
/// `[MQTT3-2.3.1-2]`.
pub(super) const PUBLISH_PACKET_ID_MAX: NonZeroU16 = NonZeroU16::new(0xF000).unwrap();

/// What the application has subscribed to, and the requests that the server has not answered.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    last_number: u64,
    last_packet_id: u16,
    /// To be made again if the server loses the session.
    wanted: Vec<Wanted>,
    /// In their order: those under way, then those to be sent.
    pub(super) requests: VecDeque<Request>,
    packet_ids: BTreeSet<u16>,
}

/// The filters of one SUBSCRIBE that are in force, or will be.
#[derive(Debug)]
struct Wanted {
    number: u64,
    filters: Vec<Filter>,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) number: u64,
    /// There as long as it is under way.
    pub(super) packet_id: Option<PacketId>,
    pub(super) kind: RequestKind,
}

#[derive(Debug)]
pub(super) enum RequestKind {
    Subscribe { filters: Vec<Filter>, again: bool },
    Unsubscribe { filters: Vec<String> },
}

impl Subscriptions {
    pub(super) fn subscribe(&mut self, filters: Vec<Filter>) -> u64 {
        self.last_number += 1;
        self.wanted.push(Wanted { number: self.last_number, filters: filters.clone() });
        self.request(self.last_number, RequestKind::Subscribe { filters, again: false });
        self.last_number
    }

    pub(super) fn unsubscribe(&mut self, filters: Vec<String>) -> u64 {
        self.last_number += 1;
        for wanted in &mut self.wanted {
            wanted.filters.retain(|filter| !filters.contains(&filter.filter));
        }
        self.wanted.retain(|wanted| !wanted.filters.is_empty());
        self.request(self.last_number, RequestKind::Unsubscribe { filters });
        self.last_number
    }

    /// What the server has answered: what it accepted replaces earlier subscriptions to the same filters (3.8.4), and what it did
    /// not accept is not wanted any more.
    pub(super) fn granted(&mut self, number: u64, filters: &[Filter], reason_codes: &[ReasonCode]) {
        let accepted: HashSet<&str> = filters
            .iter()
            .zip(reason_codes)
            .filter(|(_, code)| !code.is_error())
            .map(|(filter, _)| filter.filter.as_str())
            .collect();
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.number < number) {
            wanted.filters.retain(|filter| !accepted.contains(filter.filter.as_str()));
        }
        self.refused(number, filters, reason_codes);
    }

    /// Whether something of this subscription is in force, or will be.
    pub(super) fn is_wanted(&self, number: u64) -> bool {
        self.wanted.iter().any(|wanted| wanted.number == number)
    }

    /// What the server did not accept is not wanted any more.
    pub(super) fn refused(&mut self, number: u64, filters: &[Filter], reason_codes: &[ReasonCode]) {
        let refused = |filter: &Filter| {
            let at = filters.iter().position(|other| other == filter);
            at.and_then(|at| reason_codes.get(at)).is_some_and(|code| code.is_error())
        };
        for wanted in self.wanted.iter_mut().filter(|wanted| wanted.number == number) {
            wanted.filters.retain(|filter| !refused(filter));
        }
        self.wanted.retain(|wanted| !wanted.filters.is_empty());
    }

    pub(super) fn awaits_answer(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Takes out the request that is answered.
    pub(super) fn answered(&mut self, packet_id: PacketId, is_subscribe: bool) -> Option<Request> {
        let at = self.requests.iter().position(|request| {
            request.packet_id == Some(packet_id)
                && is_subscribe == matches!(request.kind, RequestKind::Subscribe { .. })
        })?;
        self.packet_ids.remove(&packet_id.get());
        self.requests.remove(at)
    }

    /// Where in the requests those begin that are to be sent.
    pub(super) fn first_unsent(&self) -> usize {
        self.requests.partition_point(|request| request.packet_id.is_some())
    }

    /// A packet id that no request uses, marked as used; `None` if all 4,095 are.
    pub(super) fn take_packet_id(&mut self) -> Option<PacketId> {
        let first = PUBLISH_PACKET_ID_MAX.get() + 1;
        if self.packet_ids.len() > usize::from(u16::MAX - first) {
            return None;
        }
        loop {
            self.last_packet_id = self.last_packet_id.checked_add(1).unwrap_or(first).max(first);
            if self.packet_ids.insert(self.last_packet_id) {
                return PacketId::new(self.last_packet_id);
            }
        }
    }

    /// The request at this place is not sent after all.
    pub(super) fn remove(&mut self, at: usize) -> Option<Request> {
        let request = self.requests.remove(at)?;
        if let Some(packet_id) = request.packet_id {
            self.packet_ids.remove(&packet_id.get());
        }
        Some(request)
    }

    /// Unanswered requests are sent again, as new packets.
    pub(super) fn on_disconnect(&mut self) {
        self.packet_ids.clear();
        for request in &mut self.requests {
            request.packet_id = None;
        }
    }

    /// The server has no session: there is nothing to unsubscribe from, and what was subscribed to is again.
    pub(super) fn session_lost(&mut self, resubscribe: bool, events: &mut VecDeque<SessionEvent>) {
        let requests = std::mem::take(&mut self.requests);
        let mut unanswered = VecDeque::new();
        for request in requests {
            match &request.kind {
                RequestKind::Subscribe { again: true, .. } => {}
                RequestKind::Subscribe { .. } => unanswered.push_back(request),
                RequestKind::Unsubscribe { filters } => {
                    let reason_codes = vec![ReasonCode::SUCCESS; filters.len()];
                    events.push_back(SessionEvent::Unsubscribed { number: request.number, reason_codes });
                }
            }
        }
        let is_unanswered = |number| unanswered.iter().any(|request| request.number == number);
        if !resubscribe {
            self.wanted.retain(|wanted| is_unanswered(wanted.number));
        }
        for wanted in self.wanted.iter().filter(|wanted| !is_unanswered(wanted.number)) {
            let kind = RequestKind::Subscribe { filters: wanted.filters.clone(), again: true };
            self.requests.push_back(Request { number: wanted.number, packet_id: None, kind });
        }
        self.requests.append(&mut unanswered);
    }

    fn request(&mut self, number: u64, kind: RequestKind) {
        self.requests.push_back(Request { number, packet_id: None, kind });
    }
}
