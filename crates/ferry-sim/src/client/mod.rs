//! Clients: sessions that keep to the standard, and users who do not keep still.

mod behaviour;
mod profile;
mod receive;
mod session;

use std::collections::{BTreeMap, VecDeque};

use ferry_codec::{Packet, PacketId};
use ferry_session::Timestamp;

use crate::fact::Copy;
use crate::network::LinkId;
use crate::random::Random;
use crate::wire::{Framer, encoded};
pub(crate) use profile::Profile;
use session::ClientSession;

/// One client with its user.
pub(crate) struct Client {
    pub(crate) index: usize,
    pub(crate) profile: Profile,
    pub(crate) link: Option<LinkId>,
    role: Role,
    random: Random,
    phase: Phase,
    session: ClientSession,
    connection: Connection,
    /// Subscriptions that the user knows of.
    filters: Vec<String>,
    /// A CONNECT with Clean Start went out and no answer came, so that the old session may or may not be there:
    /// only another Clean Start leaves no doubt.
    must_start_clean: bool,
    /// The broker may run out of time while it judges the client.
    may_be_refused: bool,
    /// Faults are over: reconnect, acknowledge, and wait.
    is_calm: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Does at random whatever one may do.
    User,
    /// Comes once, at the end, and asks for all retained messages.
    Auditor,
}

/// ```text
/// Offline --(open, CONNECT)--> Connecting --(CONNACK 0)--> Online
///    ^                              |                        |
///    +------------------------------+------------------------+
///                    closed by either side, or cut
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Offline { until: Timestamp },
    Connecting,
    Online,
}

/// What is forgotten when the connection ends.
#[derive(Default)]
struct Connection {
    framer: Framer,
    keep_alive_seconds: u16,
    session_expiry_seconds: u32,
    receive_maximum_of_broker: usize,
    topic_alias_maximum_of_broker: usize,
    aliases_in: BTreeMap<u16, String>,
    aliases_out: Vec<String>,
    subscribes: BTreeMap<PacketId, usize>,
    unsubscribes: BTreeMap<PacketId, usize>,
    owed: VecDeque<(Timestamp, Owed)>,
    last_sent: Timestamp,
    /// The user's program does not read before.
    reads_from: Timestamp,
}

/// An acknowledgement that the client will send.
#[derive(Clone, Copy, Debug)]
enum Owed {
    Puback(PacketId),
    Pubrec(PacketId),
    Pubcomp(PacketId),
}

/// What a client wants done, and what it noticed.
#[derive(Default)]
pub(crate) struct ClientEffects {
    /// A new connection, before anything is sent.
    pub(crate) open: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) ending: Option<Ending>,
    pub(crate) delivered: Vec<(Copy, bool)>,
    pub(crate) misbehaved: Vec<String>,
}

/// How a client leaves its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It closes it after the last byte.
    Close,
    /// The network breaks it.
    Cut,
    /// The network swallows everything and tells nobody but, in the end, the client.
    HalfOpen,
}

impl Client {
    pub(crate) fn new(index: usize, mut random: Random, now: Timestamp) -> Self {
        let profile = Profile::draw(&mut random);
        let until = Timestamp(now.0 + random.below(500));
        Self {
            index,
            profile,
            link: None,
            role: Role::User,
            random,
            phase: Phase::Offline { until },
            session: ClientSession::default(),
            connection: Connection::default(),
            filters: Vec::new(),
            must_start_clean: false,
            may_be_refused: false,
            is_calm: false,
        }
    }

    /// A client that comes at `from` and asks for all retained messages.
    pub(crate) fn new_auditor(index: usize, random: Random, from: Timestamp) -> Self {
        let mut client = Self::new(index, random, from);
        client.profile = Profile::plain();
        client.role = Role::Auditor;
        client.phase = Phase::Offline { until: from };
        client.is_calm = true;
        client
    }

    /// From now on: reconnect, acknowledge, and wait.
    pub(crate) fn calm_down(&mut self, now: Timestamp) {
        self.is_calm = true;
        self.connection.reads_from = now;
        self.connection.owed.iter_mut().for_each(|(due, _)| *due = now.min(*due));
        if let (Role::User, Phase::Offline { until }) = (self.role, &mut self.phase) {
            *until = now.min(*until);
        }
    }

    /// The broker's clock may jump over the deadline of a connection attempt.
    pub(crate) fn expect_refusals(&mut self) {
        self.may_be_refused = true;
    }

    pub(crate) fn is_online(&self) -> bool {
        self.phase == Phase::Online
    }

    /// When its program reads again; in the past if it does.
    pub(crate) fn reads_from(&self) -> Timestamp {
        self.connection.reads_from
    }

    /// QoS 1 and 2 messages that it could not get rid of yet.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.session.outgoing.len()
    }

    /// The connection is closed, by the broker or by the network.
    pub(crate) fn closed(&mut self, now: Timestamp) {
        let pause = match self.random.below(10) {
            _ if self.is_calm => 100,
            0 => self.random.between(5_000, 20_000),
            1..4 => 0,
            _ => self.random.between(1, 3_000),
        };
        self.phase = Phase::Offline { until: Timestamp(now.0 + pause) };
        self.link = None;
        self.connection = Connection::default();
    }

    /// Whether acknowledgements do not wait for the user.
    pub(crate) fn acknowledges_at_once(&self) -> bool {
        self.is_calm || self.profile.acknowledges == profile::Acknowledges::AtOnce
    }

    fn send(&mut self, now: Timestamp, packet: &Packet<'_>, effects: &mut ClientEffects) {
        effects.bytes.extend(encoded(packet, self.profile.version));
        self.connection.last_sent = now;
    }
}
