use std::collections::VecDeque;

use ferry_codec::{DecodeLimits, Packet, ProtocolVersion, encode};
use ferry_session::{Receiver, Sender, Timestamp, TopicAliasIn, TopicAliasOut};

use super::acknowledgements::Acknowledgements;
use super::output::Output;
use super::ping_timer::{PingAction, PingTimer};
use super::subscriptions::Subscriptions;
use super::unconfirmed::Unconfirmed;
use super::{AuthMechanism, CloseReason, ConnectOptions, Connected, Record, SessionEvent};

/// A session and, at times, the connection it has. See the [module](super) for how to drive it.
pub struct ClientSession {
    pub(super) options: ConnectOptions,
    pub(super) mechanism: Option<Box<dyn AuthMechanism>>,
    pub(super) state: State,
    /// Some connection was accepted, so that the server may have the session.
    pub(super) was_connected: bool,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) outgoing_bytes: usize,
    pub(super) acknowledgements: Acknowledgements,
    pub(super) subscriptions: Subscriptions,
    pub(super) alias_in: TopicAliasIn,
    pub(super) alias_out: TopicAliasOut,
    pub(super) ping: PingTimer,
    pub(super) unconfirmed: Unconfirmed,
    pub(super) limits: DecodeLimits,
    pub(super) output: Output,
    /// The output was full before everything was in it that could be sent.
    pub(super) is_cut_short: bool,
    /// Messages of this connection were passed over, for lack of room.
    pub(super) is_overrun: bool,
    pub(super) events: VecDeque<SessionEvent>,
    pub(super) close_reason: Option<CloseReason>,
    /// What is to be stored; absent if nothing is.
    pub(super) records: Option<Vec<Record>>,
}

/// ```text
///                open                    CONNACK 0x00
/// Disconnected --------> AwaitConnack -----------------> Connected
///      ^                      |                              |
///      |       closed         v   refused, fault, timeout,   v
///      +------------------ Closing <----- disconnect --------+
/// ```
#[derive(Debug)]
pub(super) enum State {
    Disconnected,
    /// CONNECT is sent.
    AwaitConnack {
        deadline: Timestamp,
        clean_start: bool,
    },
    Connected(Box<Connected>),
    /// Nothing is sent or taken any more `[MQTT-3.14.4-1]`, `[MQTT-3.14.4-2]`, `[MQTT3-3.14.4-1]`, `[MQTT3-3.14.4-2]`.
    Closing,
}

impl ClientSession {
    /// A new session, disconnected.
    #[must_use]
    pub fn new(options: ConnectOptions) -> Self {
        let mut sender = Sender::new();
        sender.limit_packet_ids(super::subscriptions::PUBLISH_PACKET_ID_MAX);
        let limits = DecodeLimits { packet_size_max: options.packet_size_max(), ..DecodeLimits::UNLIMITED };
        Self {
            options,
            mechanism: None,
            state: State::Disconnected,
            was_connected: false,
            sender,
            receiver: Receiver::new(),
            outgoing_bytes: 0,
            acknowledgements: Acknowledgements::default(),
            subscriptions: Subscriptions::default(),
            alias_in: TopicAliasIn::default(),
            alias_out: TopicAliasOut::default(),
            ping: PingTimer::OFF,
            unconfirmed: Unconfirmed::default(),
            limits,
            output: Output::default(),
            is_cut_short: false,
            is_overrun: false,
            events: VecDeque::new(),
            close_reason: None,
            records: None,
        }
    }

    /// Uses enhanced authentication from the next connection on.
    pub fn set_mechanism(&mut self, mechanism: Option<Box<dyn AuthMechanism>>) {
        self.mechanism = mechanism;
    }

    /// What the next CONNECT says. Later changes of the limits are of no effect on what is there already.
    pub fn options_mut(&mut self) -> &mut ConnectOptions {
        &mut self.options
    }

    /// The version spoken.
    #[must_use]
    pub fn protocol_version(&self) -> ProtocolVersion {
        self.options.protocol_version
    }

    /// What the server accepted, while connected.
    #[must_use]
    pub fn connected(&self) -> Option<&Connected> {
        match &self.state {
            State::Connected(connected) => Some(connected),
            State::Disconnected | State::AwaitConnack { .. } | State::Closing => None,
        }
    }

    /// Why the connection is to be closed, once the output is written.
    #[must_use]
    pub fn close_reason(&self) -> Option<&CloseReason> {
        self.close_reason.as_ref()
    }

    /// The connection is gone, for whatever reason. Everything unacknowledged stays.
    pub fn closed(&mut self) -> Option<CloseReason> {
        self.state = State::Disconnected;
        self.sender.on_disconnect();
        self.receiver.on_disconnect();
        self.acknowledgements.on_disconnect();
        self.subscriptions.on_disconnect();
        self.ping = PingTimer::OFF;
        self.unconfirmed = Unconfirmed::default();
        self.output.clear();
        self.is_cut_short = false;
        self.is_overrun = false;
        self.close_reason.take()
    }

    /// What happened, oldest first.
    pub fn next_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Whether there is anything to send.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether [`take_output`](Self::take_output) is to be called: there is output, or there was no room for all of it.
    #[must_use]
    pub fn may_have_output(&self) -> bool {
        self.has_output() || self.is_cut_short
    }

    /// Gives what is to be sent next, in exchange for an empty buffer, and prepares more of what waits. To be called when what it gave
    /// before is written.
    pub fn take_output(&mut self, now: Timestamp, buffer: &mut Vec<u8>) {
        debug_assert!(buffer.is_empty(), "what was taken before is written");
        if self.is_cut_short {
            self.pump(now);
        }
        if self.output.take(buffer) {
            self.ping.went_on(now);
        }
    }

    /// When to call [`tick`](Self::tick); [`Timestamp::NEVER`] if there is no need.
    #[must_use]
    pub fn next_deadline(&self) -> Timestamp {
        match &self.state {
            State::AwaitConnack { deadline, .. } => *deadline,
            State::Connected(_) => self.ping.deadline(),
            State::Disconnected | State::Closing => Timestamp::NEVER,
        }
    }

    /// The deadline has come.
    pub fn tick(&mut self, now: Timestamp) {
        match &self.state {
            State::AwaitConnack { deadline, .. } if *deadline <= now => {
                self.close(CloseReason::ConnackTimeout);
            }
            State::Connected(_) => match self.ping.tick(now) {
                PingAction::Nothing => {}
                // [MQTT-3.1.2-20], [MQTT3-3.1.2-23].
                PingAction::SendPingreq => {
                    self.write(now, &Packet::Pingreq);
                    self.unconfirmed.pinged();
                }
                PingAction::Close => self.close(CloseReason::PingTimeout),
            },
            _ => {}
        }
    }

    /// Whether the server keeps the session when the connection ends, as far as is known.
    #[must_use]
    pub fn outlives_connection(&self) -> bool {
        match &self.state {
            State::Connected(connected) => connected.session_expiry_interval > 0,
            _ if self.options.protocol_version.is_v3() => !self.options.clean_start,
            _ => self.options.session_expiry_interval > 0,
        }
    }

    /// The driver stops reading for a while, or goes on.
    pub fn set_paused(&mut self, now: Timestamp, paused: bool) {
        self.ping.set_paused(paused, now);
    }

    /// Whether the client waits for an answer of the server: then it must read on.
    #[must_use]
    pub fn awaits_answer(&self) -> bool {
        !matches!(self.state, State::Connected(_))
            || self.sender.inflight_len() > 0
            || self.subscriptions.awaits_answer()
    }

    /// Messages that wait here, unsent or unacknowledged.
    #[must_use]
    pub fn outgoing_len(&self) -> usize {
        self.sender.queue_len() + self.sender.inflight_len()
    }

    /// QoS 0 messages that were given out on this connection after the last one that the server is known to have: since it has
    /// acknowledged something that was sent later, or has answered a PINGREQ.
    #[must_use]
    pub fn unconfirmed_qos0(&self) -> u64 {
        self.unconfirmed.count()
    }

    /// Bytes of them.
    #[must_use]
    pub fn outgoing_bytes(&self) -> usize {
        self.outgoing_bytes
    }

    /// Appends a packet. The server's Maximum Packet Size is checked by whoever can make it larger.
    pub(super) fn write(&mut self, now: Timestamp, packet: &Packet<'_>) {
        encode(packet, self.options.protocol_version, self.output.end());
        self.ping.sent(now);
    }

    pub(super) fn close(&mut self, reason: CloseReason) {
        self.state = State::Closing;
        self.close_reason.get_or_insert(reason);
    }
}
