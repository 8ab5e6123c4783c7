//! One shard with what a driver keeps for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ferry_codec::ProtocolVersion;
use ferry_core::persistence::Writer;
use ferry_core::{AuthRequest, ConnId, Effects, Mail, Shard, Shared, Ticket};
use ferry_router::ShardId;
use ferry_session::Timestamp;

use crate::network::LinkId;
use crate::planted_bug::Planter;
use crate::wire::Framer;

/// A shard, its connections, and what is on its way to it.
pub(crate) struct Host {
    pub(crate) shard: Shard,
    pub(crate) effects: Effects,
    /// Records of this turn that the oracles have seen.
    pub(crate) recorded: usize,
    pub(crate) last_ticket: Ticket,
    /// The newest tickets that the store has written, and synced.
    pub(crate) written: Ticket,
    pub(crate) synced: Ticket,
    pub(crate) writer: Writer,
    /// When the first of what this turn is about happened.
    pub(crate) since: Option<Timestamp>,
    pub(crate) links: BTreeMap<ConnId, LinkId>,
    /// Mail from other shards, in order.
    pub(crate) mail: VecDeque<Letter>,
    /// Clients that somebody is judging.
    pub(crate) judging: Vec<(Timestamp, AuthRequest)>,
    pub(crate) turn_ends: Option<Timestamp>,
    /// The deadline that was asked for last.
    pub(crate) deadline: Option<Timestamp>,
}

impl Host {
    pub(crate) fn new(shard: Shard, shared: &Arc<Shared>) -> Self {
        Self {
            shard,
            effects: Effects::new(),
            recorded: 0,
            last_ticket: Ticket::default(),
            written: Ticket::default(),
            synced: Ticket::default(),
            writer: Writer::new(Arc::clone(shared)),
            since: None,
            links: BTreeMap::new(),
            mail: VecDeque::new(),
            judging: Vec::new(),
            turn_ends: None,
            deadline: None,
        }
    }

    /// The turn is also about something that happened then.
    pub(crate) fn began(&mut self, since: Timestamp) {
        self.since = Some(self.since.map_or(since, |other| other.min(since)));
    }
}

/// Mail on its way.
pub(crate) struct Letter {
    pub(crate) arrival: Timestamp,
    /// When what it is about happened.
    pub(crate) since: Timestamp,
    pub(crate) from: ShardId,
    pub(crate) mail: Mail,
}

/// What a driver keeps for one connection.
pub(crate) struct Attachment {
    pub(crate) shard: usize,
    pub(crate) conn: ConnId,
    /// Bytes for the core that it has not taken yet.
    pub(crate) input: Vec<u8>,
    /// The packets in `input`, as the client sent them: each with the number of bytes of `input` up to its end.
    pub(crate) frames: VecDeque<(usize, Vec<u8>)>,
    /// What was put into `frames` already is not in here.
    pub(crate) framer: Framer,
    pub(crate) is_paused: bool,
    /// The core wants it closed once its output is written.
    pub(crate) is_closing: bool,
    /// Bytes of the output that the oracles have seen.
    pub(crate) observed_bytes: usize,
    pub(crate) planter: Option<Planter>,
}

impl Attachment {
    pub(crate) fn new(shard: usize, conn: ConnId, planter: Option<Planter>) -> Self {
        Self {
            shard,
            conn,
            input: Vec::new(),
            frames: VecDeque::new(),
            framer: Framer::default(),
            is_paused: false,
            is_closing: false,
            observed_bytes: 0,
            planter,
        }
    }

    /// Bytes came from the client: they become input for the core, changed if a bug is planted.
    pub(crate) fn put(&mut self, bytes: &[u8], version: Option<ProtocolVersion>) {
        if self.is_closing {
            // The core has thrown away what it had, a part of a packet perhaps.
            return;
        }
        self.framer.push(bytes);
        let mut end = self.frames.back().map_or(0, |(end, _)| *end);
        while let Ok(Some(frame)) = self.framer.next_frame() {
            match &mut self.planter {
                None => end += frame.len(),
                Some(planter) => {
                    let changed = planter.upwards(frame.clone(), version).concat();
                    self.input.extend_from_slice(&changed);
                    end += changed.len();
                }
            }
            self.frames.push_back((end, frame));
        }
        if self.planter.is_none() {
            self.input.extend_from_slice(bytes);
        }
    }

    /// The core took that many bytes of the input; returns the packets that were in them.
    pub(crate) fn take(&mut self, taken: usize) -> Vec<Vec<u8>> {
        self.input.drain(..taken);
        let mut frames = Vec::new();
        while self.frames.front().is_some_and(|(end, _)| *end <= taken) {
            frames.extend(self.frames.pop_front().map(|(_, frame)| frame));
        }
        self.frames.iter_mut().for_each(|(end, _)| *end -= taken);
        frames
    }
}
