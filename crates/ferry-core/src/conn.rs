use std::fmt;
use std::sync::Arc;

use ferry_codec::{ProtocolVersion, ReasonCode};
use ferry_session::{KeepAlive, Timestamp, TopicAliasIn, TopicAliasOut};

use crate::auth::Authentication;
use crate::connect::PendingConnect;
use crate::origin::Origin;
use crate::rates::Rates;
use crate::response::Responses;
use crate::session::SessionId;
use crate::{ListenerPolicy, OutputBuffer, Traffic};

/// Names one connection of a shard; never used again for another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    index: u32,
    generation: u32,
}

impl ConnId {
    /// The place in a table of connections: small, and used again after the connection is closed.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    pub(crate) const fn place(self) -> ConnIndex {
        ConnIndex(self.index)
    }
}

/// The place of a connection, whoever has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnIndex(pub(crate) u32);

impl fmt::Debug for ConnId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "conn {}.{}", self.index, self.generation)
    }
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Plain TCP.
    #[default]
    Tcp,
    /// TLS.
    Tls,
    /// WebSocket.
    WebSocket,
    /// WebSocket over TLS.
    SecureWebSocket,
    /// A Unix socket.
    Unix,
}

/// What is known of a connection before its first byte.
#[derive(Clone, Debug, Default)]
pub struct ConnInfo {
    /// What it may do.
    pub listener: Arc<ListenerPolicy>,
    /// Address of the client, behind a proxy the one that the proxy reported.
    pub peer_address: Box<str>,
    /// Common name of the verified client certificate.
    pub certificate_common_name: Option<Box<str>>,
    /// The whole of it; behind a proxy only if that tells it.
    pub certificate: Option<crate::Certificate>,
    /// Identity whose pre-shared key the client has shown in the TLS handshake.
    pub psk_identity: Option<Box<str>>,
    /// How it is connected.
    pub transport: Transport,
    /// When the CONNECT must be there; `None`: the configured time from now. Set for a connection that another
    /// shard has handed over.
    pub connect_deadline: Option<Timestamp>,
}

/// One connection and what belongs to it alone: everything here is forgotten when it closes.
pub(crate) struct Conn {
    pub(crate) state: ConnState,
    pub(crate) info: Origin,
    pub(crate) output: OutputBuffer,
    pub(crate) responses: Responses,
    /// Bytes of packets, and PUBLISH packets, that have come; the output knows what was sent.
    pub(crate) bytes_received: u64,
    pub(crate) messages_received: u64,
    pub(crate) keep_alive: KeepAlive,
    /// Until when the CONNECT, or the end of an authentication, must have come; else how long the client may stay connected.
    pub(crate) deadline: Timestamp,
    /// Since when the output has been full without any progress.
    pub(crate) output_full_since: Timestamp,
    /// The deadline set in the timers.
    pub(crate) armed: Timestamp,
    pub(crate) authentication: Option<Box<Authentication>>,
    /// `None`: it may be as fast as it can.
    pub(crate) rates: Option<Box<Rates>>,
    /// Until when it is not read, because it was too fast.
    pub(crate) rate_limited_until: Timestamp,
    /// Made with the first alias.
    pub(crate) alias_in: Option<Box<TopicAliasIn>>,
    pub(crate) alias_out: Option<Box<TopicAliasOut>>,
    /// The highest alias that the client was told it may use.
    pub(crate) topic_alias_maximum: u16,
    /// Bytes of a packet that the client takes.
    pub(crate) maximum_packet_size: u32,
    pub(crate) version: ProtocolVersion,
    /// A 3.x bridge: No Local and Retain As Published on all its subscriptions.
    pub(crate) bridge: bool,
    pub(crate) request_problem_information: bool,
    /// The CONNACK has been written, so that other packets may follow [MQTT-3.2.0-1].
    pub(crate) acknowledged: bool,
    /// Named in [`Effects::dirty`](crate::Effects::dirty) and not looked at since.
    pub(crate) dirty: bool,
    pub(crate) paused: Paused,
    /// Its PUBLISH packets are not acknowledged any more: see [`Shard::withhold`](crate::Shard).
    pub(crate) withholds: bool,
    /// Why the connection ends, once it does.
    pub(crate) end_reason: ReasonCode,
}

/// ```text
///               CONNECT                  accepted
///  AwaitConnect -------> Authenticating -------> Online
///       |                     |                    |
///       +---------------------+--------------------+---> Closing ---> (Event::Closed) gone
///          refused, timed out, disconnected, closed
/// ```
pub(crate) enum ConnState {
    AwaitConnect,
    Authenticating(Box<PendingConnect>),
    Online(SessionId),
    /// Its client has left its session and is about to be closed.
    Left,
    /// Nothing is taken from the client any more; what is in the output is still written.
    Closing,
}

/// Why a connection is not read: any number of reasons at the same time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paused(u8);

impl Paused {
    /// An answer to its CONNECT is awaited.
    pub(crate) const AUTHENTICATION: Self = Self(1);
    /// Its output is full.
    pub(crate) const OUTPUT: Self = Self(2);
    /// It has sent too much in too short a time.
    pub(crate) const RATE: Self = Self(4);

    pub(crate) fn is_paused(self) -> bool {
        self.0 != 0
    }

    pub(crate) fn contains(self, reason: Self) -> bool {
        self.0 & reason.0 != 0
    }

    pub(crate) fn insert(&mut self, reason: Self) {
        self.0 |= reason.0;
    }

    pub(crate) fn remove(&mut self, reason: Self) {
        self.0 &= !reason.0;
    }
}

impl Conn {
    pub(crate) fn new(info: ConnInfo, deadline: Timestamp, now: Timestamp) -> Self {
        Self {
            state: ConnState::AwaitConnect,
            info: Origin::new(info),
            output: OutputBuffer::default(),
            responses: Responses::default(),
            bytes_received: 0,
            messages_received: 0,
            keep_alive: KeepAlive::new(0, now),
            deadline,
            output_full_since: Timestamp::NEVER,
            armed: Timestamp::NEVER,
            authentication: None,
            rates: None,
            rate_limited_until: Timestamp::NEVER,
            alias_in: None,
            alias_out: None,
            topic_alias_maximum: 0,
            maximum_packet_size: u32::MAX,
            version: ProtocolVersion::V5,
            bridge: false,
            request_problem_information: true,
            acknowledged: false,
            dirty: false,
            paused: Paused::default(),
            withholds: false,
            end_reason: ReasonCode::NORMAL_DISCONNECTION,
        }
    }

    /// The session, if the client is connected.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.state {
            ConnState::Online(session) => Some(session),
            _ => None,
        }
    }

    /// Whether its silence counts: not while we are the ones who do not listen.
    pub(crate) fn counts_keep_alive(&self) -> bool {
        self.session().is_some() && !self.paused.is_paused()
    }

    /// Bytes that wait to be sent or written.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.output.len() + self.responses.bytes()
    }

    /// What has passed since it was opened.
    pub(crate) fn traffic(&self) -> Traffic {
        let (bytes_sent, messages_sent) = self.output.sent();
        let Self { bytes_received, messages_received, .. } = *self;
        Traffic { bytes_received, bytes_sent, messages_received, messages_sent }
    }

    /// No packet is too large for the client: it has named no maximum, and none can have more bytes than that.
    pub(crate) fn takes_all_sizes(&self) -> bool {
        self.maximum_packet_size == u32::MAX
    }

    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.state, ConnState::Left | ConnState::Closing)
    }
}

/// The connections of a shard.
#[derive(Default)]
pub(crate) struct Conns {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    generation: u32,
    conn: Option<Box<Conn>>,
}

impl Conns {
    pub(crate) fn insert(&mut self, conn: Conn) -> ConnId {
        let conn = Some(Box::new(conn));
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.conn = conn;
            return ConnId { index, generation: slot.generation };
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 connections fit in memory");
        self.slots.push(Slot { generation: 0, conn });
        ConnId { index, generation: 0 }
    }

    /// Who has this place now.
    pub(crate) fn at(&self, index: ConnIndex) -> Option<ConnId> {
        let slot = self.slots.get(index.0 as usize).filter(|slot| slot.conn.is_some())?;
        Some(ConnId { index: index.0, generation: slot.generation })
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&Conn> {
        let slot = self.slots.get(id.index())?;
        if slot.generation == id.generation { slot.conn.as_deref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation == id.generation { slot.conn.as_deref_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Box<Conn>> {
        let slot = self.slots.get_mut(id.index())?;
        if slot.generation != id.generation {
            return None;
        }
        let conn = slot.conn.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(conn)
    }

    /// All connections, as they are now.
    pub(crate) fn ids(&self) -> Vec<ConnId> {
        (0..)
            .zip(&self.slots)
            .filter(|(_, slot)| slot.conn.is_some())
            .map(|(index, slot)| ConnId { index, generation: slot.generation })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_used_again() {
        let new = || Conn::new(ConnInfo::default(), Timestamp::NEVER, Timestamp(0));
        let mut conns = Conns::default();
        let first = conns.insert(new());
        assert!(conns.remove(first).is_some());
        assert!(conns.remove(first).is_none());
        let second = conns.insert(new());
        assert_eq!(first.index(), second.index());
        assert!(conns.get(first).is_none() && conns.get_mut(second).is_some());
        assert_eq!(conns.ids(), [second]);
    }

    #[test]
    fn an_idle_connection_is_small() {
        assert!(size_of::<Conn>() <= 232, "{}", size_of::<Conn>());
    }
}
