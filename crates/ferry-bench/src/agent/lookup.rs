use super::clients::Clients;
use super::connection::{Client, Connection};
use super::order::LookupOutcome;
use crate::packets::{self, Frame, received};
use crate::plan::Pattern;
use crate::stamp::{STAMP_BYTES, Stamp};
use crate::topology::{Part, RETAINED_GROUP};
use ferry_codec::{ProtocolVersion, QoS};
use serde::{Deserialize, Serialize};

/// What a subscriber looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum LookupKind {
    /// Every subscriber: everything, by `#`.
    Everything,
    /// The subscribers together: every topic once, by filters with `+` that match a thousand topics each.
    Groups,
}

/// The filters that one subscriber asks for, one after the other.
pub(crate) struct Lookups {
    kind: LookupKind,
    part: Part,
    /// Groups still to be asked for.
    groups: std::iter::StepBy<std::ops::Range<usize>>,
    /// Topics of the filter that is asked for.
    topics: std::ops::Range<usize>,
    started_at: u64,
    got: usize,
    /// One bit for each of `topics`.
    seen: Vec<u64>,
}

impl Lookups {
    fn new(kind: LookupKind, part: &Part, subscriber: usize) -> Self {
        let groups = match kind {
            LookupKind::Everything => 0..1,
            LookupKind::Groups => subscriber..part.traffic.topics.div_ceil(RETAINED_GROUP),
        };
        let step = part.traffic.subscribers.max(1);
        Self {
            kind,
            part: part.clone(),
            groups: groups.step_by(step),
            topics: 0..0,
            started_at: 0,
            got: 0,
            seen: Vec::new(),
        }
    }

    fn filter(part: &Part, kind: LookupKind, group: usize) -> String {
        match kind {
            LookupKind::Everything => format!("{}/#", part.prefix()),
            LookupKind::Groups => format!("{}/{group}/+/v", part.prefix()),
        }
    }

    /// Asks for the next filter; whether there was one.
    fn ask(
        &mut self,
        version: ProtocolVersion,
        now: u64,
        out: &mut Vec<u8>,
        outcome: &mut LookupOutcome,
    ) -> bool {
        let Some(group) = self.groups.next() else { return false };
        let count = self.part.traffic.topics;
        self.topics = match self.kind {
            LookupKind::Everything => 0..count,
            LookupKind::Groups => group * RETAINED_GROUP..count.min((group + 1) * RETAINED_GROUP),
        };
        self.seen = vec![0; self.topics.len().div_ceil(64)];
        self.got = 0;
        self.started_at = now;
        let filter = Self::filter(&self.part, self.kind, group);
        packets::subscribe(std::slice::from_ref(&filter), QoS::AtMostOnce, version, out);
        outcome.subscriptions += 1;
        outcome.expected += self.topics.len() as u64;
        outcome.filter = filter;
        true
    }

    /// Whether this message is one that was asked for and came for the first time.
    fn take(&mut self, stream: u32) -> bool {
        let topic = stream.checked_sub(self.part.stream(0)).map(|topic| topic as usize);
        let Some(offset) =
            topic.filter(|topic| self.topics.contains(topic)).map(|topic| topic - self.topics.start)
        else {
            return false;
        };
        let (word, bit) = (offset / 64, 1_u64 << (offset % 64));
        let is_new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        self.got += usize::from(is_new);
        is_new
    }
}

impl Clients {
    /// Begins to look up retained messages; returns the subscribers that have something to write.
    pub(crate) fn start_lookups(&mut self, kind: LookupKind, connections: &mut [Connection], now: u64) {
        self.lookup_outcome = LookupOutcome { first_at: now, ..LookupOutcome::default() };
        self.lookups_open = 0;
        let version = self.version();
        for (index, connection) in connections.iter_mut().enumerate() {
            let Client::Subscriber(subscriber) = connection.client else { continue };
            let (part, number) = (self.subscribers[subscriber].part, self.subscribers[subscriber].index);
            if self.part(part).traffic.pattern != Pattern::Retained {
                continue;
            }
            let mut lookups = Lookups::new(kind, self.part(part), number);
            if lookups.ask(version, now, &mut connection.output, &mut self.lookup_outcome) {
                self.subscribers[subscriber].lookups = Some(Box::new(lookups));
                self.lookups_open += 1;
                self.mark_dirty(connection, index);
            }
        }
    }

    /// Takes in a retained message.
    pub(crate) fn looked_up(
        &mut self,
        frame: Frame<'_>,
        index: usize,
        connection: &mut Connection,
        now: u64,
    ) {
        let version = self.version();
        let seed = self.seed();
        let subscriber = &mut self.subscribers[index];
        let Some(lookups) = &mut subscriber.lookups else { return };
        let message = received(frame, version == ProtocolVersion::V5);
        let stamp =
            message.and_then(|message| Stamp::decode(message.payload.first_chunk::<STAMP_BYTES>()?, seed));
        if !stamp.is_some_and(|stamp| lookups.take(stamp.stream)) {
            self.tally.measured.corrupt += 1;
            return;
        }
        self.lookup_outcome.delivered += 1;
        if lookups.got < lookups.topics.len() {
            return;
        }
        self.lookup_outcome.time.record(now - lookups.started_at);
        self.lookup_outcome.last_at = now;
        let filter = Lookups::filter(&lookups.part, lookups.kind, lookups.topics.start / RETAINED_GROUP);
        packets::unsubscribe(&filter, version, &mut connection.output);
        if !lookups.ask(version, now, &mut connection.output, &mut self.lookup_outcome) {
            subscriber.lookups = None;
            self.lookups_open -= 1;
        }
    }

    /// The lookups are over, or are given up.
    pub(crate) fn end_lookups(&mut self) -> Box<LookupOutcome> {
        self.lookups_open = 0;
        self.subscribers.iter_mut().for_each(|subscriber| subscriber.lookups = None);
        Box::new(std::mem::take(&mut self.lookup_outcome))
    }
}
