//! What the broker has to know, by what it took and sent: the reference that the oracles compare with.

use std::collections::BTreeMap;

use ferry_codec::topic::{matches, parse_shared};
use ferry_codec::{
    Connect, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, SubscriptionOptions,
};
use ferry_core::{CoreConfig, Durability, Record, SessionNumber, Ticket};
use ferry_router::ShardId;
use ferry_session::Timestamp;

use crate::fact::{Copy, Fact, Survival};
use crate::journal::{Journal, MessageId};
use crate::network::LinkId;

/// Facts that follow from what was observed, in order.
pub(crate) type Tell<'t> = &'t mut dyn FnMut(&Model, &Fact<'_>);

/// Sessions, subscriptions and wills as the standard wants them.
pub(crate) struct Model {
    /// The broker's clock.
    pub(crate) now: Timestamp,
    /// Everybody else's clock, which does not jump.
    pub(crate) network_now: Timestamp,
    pub(crate) journal: Journal,
    pub(crate) sessions: Vec<Session>,
    links: BTreeMap<LinkId, LinkState>,
    /// Whose session each is in the records.
    owners: BTreeMap<SessionNumber, usize>,
    /// The store takes whatever comes.
    pub(crate) is_store_writable: bool,
    config: CoreConfig,
}

/// What is known of the session of one client.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) presence: Presence,
    pub(crate) live: Option<LinkId>,
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    expiry_seconds: u32,
    ends_at: Option<Timestamp>,
    pending_will: Option<(MessageId, Timestamp)>,
    /// QoS 2 messages between PUBLISH and PUBREL.
    qos2_taken: BTreeMap<PacketId, Taken>,
    /// When something happened that nobody was told to be durable: the connection closed.
    changed_at: Timestamp,
    /// Of the session before, if nobody was told for sure that it is over: a restart may bring it back.
    former: BTreeMap<String, Subscription>,
}

/// A QoS 2 message that the broker took.
#[derive(Clone, Copy)]
struct Taken {
    /// If not, the broker may have forgotten it.
    is_certain: bool,
    /// PUBREC was sent.
    is_acknowledged: bool,
    /// What that means.
    durability: Durability,
    /// If it is not certain, because the store was full: then nobody has it, or it is not published again.
    is_whole: bool,
}

/// Whether there is a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Presence {
    #[default]
    No,
    Yes,
    /// A CONNECT was taken but never answered: it may have begun, ended or prolonged the session.
    Unknown,
}

/// A subscription as far as it is known from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscription {
    pub(crate) options: SubscriptionOptions,
    /// In force for sure, at least with QoS 1 if `options` say so.
    pub(crate) is_definite: bool,
}

struct LinkState {
    client: usize,
    version: ProtocolVersion,
    clean_start: bool,
    expiry_seconds: u32,
    receive_maximum: u16,
    will: Option<(MessageId, u32)>,
    is_accepted: bool,
    is_gone: bool,
    /// DISCONNECT with 0x00 was taken: no will [MQTT-3.14.4-3].
    is_graceful: bool,
    /// A deadline of the session passed between CONNECT and CONNACK.
    is_presence_uncertain: bool,
    subscribes: BTreeMap<PacketId, Vec<(String, SubscriptionOptions)>>,
    unsubscribes: BTreeMap<PacketId, Vec<String>>,
    publishes: BTreeMap<PacketId, Option<MessageId>>,
}

impl Model {
    pub(crate) fn new(client_count: usize, config: CoreConfig, now: Timestamp) -> Self {
        let sessions = (0..client_count).map(|_| Session::default()).collect();
        Self {
            now,
            network_now: now,
            journal: Journal::default(),
            sessions,
            links: BTreeMap::new(),
            owners: BTreeMap::new(),
            is_store_writable: true,
            config,
        }
    }

    /// The broker's clock moves to `now`: sessions end and wills are due.
    pub(crate) fn advance(&mut self, now: Timestamp, network_now: Timestamp, tell: Tell<'_>) {
        self.now = now;
        self.network_now = network_now;
        for client in 0..self.sessions.len() {
            let session = &self.sessions[client];
            let is_will_due = session.pending_will.is_some_and(|(_, due)| due <= now);
            let is_over = session.ends_at.is_some_and(|end| end <= now);
            if !is_will_due && !is_over {
                continue;
            }
            if let Some(link) =
                self.links.values_mut().find(|link| link.client == client && link.is_connecting())
            {
                link.is_presence_uncertain = true;
                self.forget(client, tell);
                continue;
            }
            if is_will_due {
                self.publish_pending_will(client, tell);
            }
            if is_over {
                self.end_session(client, tell);
            }
        }
    }

    /// The broker took a packet of a client.
    pub(crate) fn took(&mut self, link: LinkId, client: usize, packet: &Packet<'_>, tell: Tell<'_>) {
        if self.links.get(&link).is_some_and(|state| state.is_gone) {
            // It was taken off the network and thrown away.
            return;
        }
        match packet {
            Packet::Connect(connect) => {
                let state = LinkState::new(client, connect, &self.journal);
                self.links.insert(link, state);
                if connect.clean_start
                    && let Some((message, _)) = self.sessions[client].pending_will.take()
                {
                    // The old session ends, and so the will is due, between now and CONNACK.
                    tell(self, &Fact::WillUncertain { message });
                }
            }
            Packet::Publish(publish) => self.took_publish(link, client, publish, tell),
            Packet::Pubrel(ack) => drop(self.sessions[client].qos2_taken.remove(&ack.packet_id)),
            Packet::Puback(ack) | Packet::Pubcomp(ack) => {
                tell(self, &Fact::Settled { link, packet_id: ack.packet_id });
            }
            Packet::Pubrec(ack) if ack.reason_code.is_error() => {
                tell(self, &Fact::Settled { link, packet_id: ack.packet_id });
            }
            Packet::Subscribe(subscribe) => {
                let filters: Vec<_> =
                    subscribe.filters.iter().map(|asked| (asked.filter.to_owned(), asked.options)).collect();
                filters.iter().for_each(|(filter, options)| self.sessions[client].ask(filter, *options));
                tell(self, &Fact::Subscribing { client });
                if let Some(state) = self.links.get_mut(&link) {
                    state.subscribes.insert(subscribe.packet_id, filters);
                }
            }
            Packet::Unsubscribe(unsubscribe) => {
                let filters: Vec<_> = unsubscribe.filters.iter().map(str::to_owned).collect();
                for filter in &filters {
                    if let Some(subscription) = self.sessions[client].subscriptions.get_mut(filter) {
                        subscription.is_definite = false;
                    }
                    tell(self, &Fact::Unsubscribing { client, filter });
                }
                if let Some(state) = self.links.get_mut(&link) {
                    state.unsubscribes.insert(unsubscribe.packet_id, filters);
                }
            }
            Packet::Disconnect(disconnect) => {
                let state = self.links.get_mut(&link);
                if let Some(state) = state {
                    state.is_graceful = disconnect.reason_code == ReasonCode::SUCCESS;
                }
                if let Some(interval) = disconnect.session_expiry_interval {
                    self.sessions[client].expiry_seconds = interval;
                }
            }
            _ => {}
        }
    }

    /// The broker sent a packet to a client.
    pub(crate) fn sent(&mut self, link: LinkId, client: usize, packet: &Packet<'_>, tell: Tell<'_>) {
        match packet {
            Packet::Connack(connack) if connack.reason_code == ReasonCode::SUCCESS => {
                self.accepted(link, client, connack.session_present, tell);
            }
            Packet::Suback(suback) => self.suback(link, client, suback.packet_id, suback.reason_codes, tell),
            Packet::Unsuback(unsuback) => {
                let are_weak = self.are_sessions_weak();
                let Some(state) = self.links.get_mut(&link) else { return };
                let filters = state.unsubscribes.remove(&unsuback.packet_id).unwrap_or_default();
                // It may have been subscribed to again meanwhile.
                for filter in filters.iter().filter(|filter| !state.is_asked_for(filter)) {
                    let session = &mut self.sessions[client];
                    let old = session.subscriptions.remove_entry(filter);
                    session.former.extend(old.filter(|_| are_weak));
                }
            }
            Packet::Puback(ack) | Packet::Pubrec(ack) => {
                let is_success = !ack.reason_code.is_error();
                let packet_id = ack.packet_id;
                if !is_success {
                    self.sessions[client].qos2_taken.remove(&packet_id);
                } else if let Some(taken) = self.sessions[client].qos2_taken.get_mut(&packet_id) {
                    taken.is_acknowledged = true;
                }
                let message = self.links.get(&link).and_then(|state| *state.publishes.get(&packet_id)?);
                tell(self, &Fact::Acknowledged { client, packet_id, message, is_success });
            }
            Packet::Publish(publish) => {
                let message = self.journal.identify(publish.payload);
                let copy = Copy {
                    message,
                    packet_id: publish.packet_id,
                    qos: publish.qos,
                    dup: publish.dup,
                    retain: publish.retain,
                    expiry_seconds: publish.properties.message_expiry_interval,
                };
                tell(self, &Fact::Sent { client, link, copy });
            }
            _ => {}
        }
    }

    /// The broker let go of the connection, or was told that it is gone.
    pub(crate) fn gone(&mut self, link: LinkId, client: usize, tell: Tell<'_>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if std::mem::replace(&mut state.is_gone, true) {
            return;
        }
        let mut will = state.will.filter(|_| !state.is_graceful);
        let (was_accepted, is_graceful) = (state.is_accepted, state.is_graceful);
        tell(self, &Fact::Gone { client, link });
        if let (false, Some((message, _))) = (was_accepted, will) {
            tell(self, &Fact::WillUncertain { message });
        }
        if !was_accepted && self.sessions[client].live.is_none() {
            self.forget(client, tell);
        }
        if self.sessions[client].live != Some(link) {
            return;
        }
        let now = self.now;
        let session = &mut self.sessions[client];
        session.live = None;
        session.changed_at = self.network_now;
        session.ends_at = after(now, session.expiry_seconds);
        let (delay, expiry) = (will.map_or(0, |(_, delay)| delay), session.expiry_seconds);
        let starts_clean =
            |other: &LinkState| other.client == client && other.is_connecting() && other.clean_start;
        if let Some((message, _)) = will
            && delay > 0
            && self.links.values().any(starts_clean)
        {
            tell(self, &Fact::WillUncertain { message });
            will = None;
        }
        let session = &mut self.sessions[client];
        session.pending_will =
            will.map(|(message, _)| (message, after(now, delay.min(expiry)).unwrap_or(Timestamp(u64::MAX))));
        if let (true, Some((message, _))) = (is_graceful, self.links[&link].will) {
            tell(self, &Fact::WillCancelled { message });
        }
        // Without delay it does not matter that the client may be on its way back [MQTT-3.1.2-8].
        if delay == 0 {
            self.publish_pending_will(client, tell);
        }
        if expiry == 0 {
            self.end_session(client, tell);
        }
    }

    /// A shard recorded a change.
    pub(crate) fn recorded(&mut self, shard: ShardId, ticket: Ticket, record: &Record, tell: Tell<'_>) {
        if let Record::Session { session, client_id, .. } = record {
            let owner = (0..self.sessions.len()).find(|client| crate::client_id(*client) == **client_id);
            self.owners.extend(owner.map(|owner| (*session, owner)));
        }
        tell(self, &Fact::Recorded { shard, ticket, record });
    }

    /// The client whose session has this number in the records.
    pub(crate) fn owner(&self, session: SessionNumber) -> Option<usize> {
        self.owners.get(&session).copied()
    }

    /// The store takes no more than it must, or is well again.
    pub(crate) fn store_health(&mut self, writable: bool, tell: Tell<'_>) {
        self.is_store_writable = writable;
        // Who cannot be told that a message was refused publishes it again, and then it is a new one.
        for taken in self.sessions.iter_mut().flat_map(|session| session.qos2_taken.values_mut()) {
            taken.is_whole |= taken.is_certain && taken.durability.is_stored();
            taken.is_certain &= taken.is_acknowledged;
        }
        tell(self, &Fact::StoreHealth { writable });
    }

    /// What an acknowledgement of a message means.
    pub(crate) fn durability_of(&self, message: MessageId) -> Durability {
        self.config.durability_of(&self.journal.get(message).topic)
    }

    /// What that a session or a subscription was acknowledged means.
    pub(crate) fn durability_of_sessions(&self) -> Durability {
        self.config.durability
    }

    /// What is promised of sessions is less than what is promised of some messages: so a loss of power may bring back
    /// any of their subscriptions, though clients were told otherwise.
    fn are_sessions_weak(&self) -> bool {
        self.config.durability < self.config.durability_max()
    }

    /// The broker's process has ended, and another one starts when its clock shows `clock`.
    pub(crate) fn crashed(&mut self, survival: Survival, clock: Timestamp, tell: Tell<'_>) {
        let durable_through = survival.of(self.config.durability);
        let is_stored = self.config.durability_max().is_stored();
        self.is_store_writable = true;
        let links = std::mem::take(&mut self.links);
        for (link, state) in links.iter().filter(|(_, state)| !state.is_gone) {
            tell(self, &Fact::Gone { client: state.client, link: *link });
        }
        tell(self, &Fact::Crashed { survival });
        let are_weak = self.are_sessions_weak();
        for client in 0..self.sessions.len() {
            let live = self.sessions[client].live.take().and_then(|live| links.get(&live));
            let connecting = |state: &&LinkState| state.client == client && state.is_connecting();
            let wills = links.values().filter(connecting).filter_map(|state| state.will);
            wills.for_each(|(message, _)| tell(self, &Fact::WillUncertain { message }));
            let is_unknown = links.values().any(|state| connecting(&state))
                || live.is_some_and(|state| state.is_graceful)
                || self.sessions[client].presence == Presence::Unknown
                || durable_through.is_none_or(|durable| self.sessions[client].changed_at >= durable);
            let is_over = !is_stored || (live.is_some() && self.sessions[client].expiry_seconds == 0);
            if (is_unknown || is_over)
                && let Some((message, _)) = live.and_then(|state| state.will)
            {
                tell(self, &Fact::WillUncertain { message });
            }
            if is_over && (!is_unknown || !is_stored) {
                self.lose_session(client, tell);
            } else if is_unknown {
                let session = &mut self.sessions[client];
                for (filter, old) in std::mem::take(&mut session.former) {
                    session.subscriptions.entry(filter).or_insert(old);
                }
                // What comes back may be older than what was granted last.
                for subscription in session.subscriptions.values_mut() {
                    subscription.options.no_local &= !are_weak && durable_through.is_some();
                }
                self.forget(client, tell);
            } else {
                self.sessions[client].survive(live, survival, clock, self.network_now);
            }
        }
    }

    /// The session of a client is gone without a trace.
    fn lose_session(&mut self, client: usize, tell: Tell<'_>) {
        let old = std::mem::take(&mut self.sessions[client]);
        if let Some((message, _)) = old.pending_will {
            tell(self, &Fact::WillUncertain { message });
        }
        tell(self, &Fact::SessionLost { client });
    }

    /// Subscriptions of `client` that match `topic`, shared ones not.
    pub(crate) fn matching(&self, client: usize, topic: &str) -> impl Iterator<Item = &Subscription> {
        self.sessions[client]
            .subscriptions
            .iter()
            .filter(move |(filter, _)| is_plain(filter) && matches(filter, topic))
            .map(|(_, subscription)| subscription)
    }

    /// The version that the client of this connection speaks, once its CONNECT was taken.
    pub(crate) fn version(&self, link: LinkId) -> Option<ProtocolVersion> {
        self.links.get(&link).map(|state| state.version)
    }

    /// The client of this connection, once its CONNECT was taken.
    pub(crate) fn client_of(&self, link: LinkId) -> Option<usize> {
        self.links.get(&link).map(|state| state.client)
    }

    /// No later connection of the client is known.
    pub(crate) fn is_latest(&self, client: usize, link: LinkId) -> bool {
        !self.links.iter().any(|(other, state)| state.client == client && *other > link)
    }

    fn accepted(&mut self, link: LinkId, client: usize, told: bool, tell: Tell<'_>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.is_accepted = true;
        let clean_start = state.clean_start;
        let has_flag = state.version != ProtocolVersion::V31;
        let is_uncertain = state.is_presence_uncertain;
        let (expiry_seconds, receive_maximum) = (state.expiry_seconds, state.receive_maximum);
        let previous = self.sessions[client].live.filter(|&live| live != link);
        tell(self, &Fact::Connected { client, link, receive_maximum });
        if let Some(previous) = previous {
            self.gone(previous, client, tell);
        }
        let presence = if is_uncertain { Presence::Unknown } else { self.sessions[client].presence };
        let is_resumed = match presence {
            Presence::Unknown => told || (!has_flag && !clean_start),
            Presence::Yes => !clean_start,
            Presence::No => false,
        };
        if (has_flag && told != is_resumed) || (clean_start && told) {
            tell(self, &Fact::WrongSessionPresent { client, told });
        }
        if is_resumed {
            if let Some((message, _)) = self.sessions[client].pending_will.take() {
                tell(self, &Fact::WillCancelled { message });
            }
        } else {
            self.publish_pending_will(client, tell);
            self.end_session(client, tell);
        }
        let are_weak = self.are_sessions_weak();
        let session = &mut self.sessions[client];
        session.presence = Presence::Yes;
        session.live = Some(link);
        if !are_weak {
            session.former.clear();
        }
        session.changed_at = Timestamp::default();
        session.expiry_seconds = expiry_seconds;
        session.ends_at = None;
    }

    fn took_publish(&mut self, link: LinkId, client: usize, publish: &Publish<'_>, tell: Tell<'_>) {
        let message = self.journal.identify(publish.payload);
        let (mut is_repeated, mut is_certain, mut is_whole) = (false, true, false);
        if let Some(packet_id) = publish.packet_id {
            if let Some(state) = self.links.get_mut(&link) {
                state.publishes.insert(packet_id, message);
            }
            if publish.qos == QoS::ExactlyOnce {
                let taken = self.sessions[client].qos2_taken.get(&packet_id).copied();
                is_certain = taken.is_none_or(|taken| taken.is_certain);
                is_repeated = taken.is_some_and(|taken| taken.is_certain);
                is_whole = taken.is_some_and(|taken| taken.is_whole);
                let is_acknowledged = taken.is_some_and(|taken| taken.is_acknowledged);
                let durability =
                    message.map_or(self.config.durability_of(publish.topic), |id| self.durability_of(id));
                let is_certain_now = is_acknowledged || self.is_store_writable;
                let is_whole = durability.is_stored() && (is_whole || (taken.is_none() && !is_certain_now));
                let taken = Taken { is_certain: is_certain_now, is_acknowledged, durability, is_whole };
                self.sessions[client].qos2_taken.insert(packet_id, taken);
            }
        }
        // With a topic alias the packet may have no topic.
        let topic = message.map_or(publish.topic, |message| &self.journal.get(message).topic).to_owned();
        let (topic, retain) = (&*topic, publish.retain);
        tell(self, &Fact::Published { topic, message, retain, is_repeated, is_certain, is_whole });
    }

    fn suback(&mut self, link: LinkId, client: usize, packet_id: PacketId, codes: &[u8], tell: Tell<'_>) {
        let filters = self.links.get_mut(&link).and_then(|state| state.subscribes.remove(&packet_id));
        for ((filter, mut options), &code) in filters.into_iter().flatten().zip(codes) {
            let Some(granted) = QoS::from_byte(code) else { continue };
            options.maximum_qos = granted;
            let session = &mut self.sessions[client];
            // A later UNSUBSCRIBE or SUBSCRIBE for the same filter may be under way already.
            let is_definite = self.links.get(&link).is_some_and(|state| !state.mentions(&filter));
            options.no_local &= is_definite;
            // What was queued under the old options keeps its RETAIN flag.
            let old = session.subscriptions.get(&filter);
            options.retain_as_published |= old.is_some_and(|old| old.options.retain_as_published);
            session.subscriptions.insert(filter.clone(), Subscription { options, is_definite });
            tell(self, &Fact::Granted { client, filter: &filter });
        }
    }

    fn publish_pending_will(&mut self, client: usize, tell: Tell<'_>) {
        if let Some((message, _)) = self.sessions[client].pending_will.take() {
            tell(self, &Fact::WillDue { message });
        }
    }

    fn end_session(&mut self, client: usize, tell: Tell<'_>) {
        // A will is published at the latest when its session ends [MQTT-3.1.2-8].
        self.publish_pending_will(client, tell);
        let old = std::mem::take(&mut self.sessions[client]);
        self.sessions[client].changed_at = old.changed_at;
        let are_weak = self.are_sessions_weak();
        let former = &mut self.sessions[client].former;
        if old.subscriptions.is_empty() || are_weak {
            *former = old.former;
        }
        former.extend(old.subscriptions);
        if old.presence != Presence::No {
            tell(self, &Fact::SessionLost { client });
        }
    }

    /// The session may be anything between untouched and gone.
    fn forget(&mut self, client: usize, tell: Tell<'_>) {
        let session = &mut self.sessions[client];
        let live = session.live;
        session.presence = if live.is_some() { session.presence } else { Presence::Unknown };
        session.ends_at = None;
        for taken in session.qos2_taken.values_mut() {
            (taken.is_certain, taken.is_whole) = (false, false);
        }
        session.subscriptions.values_mut().for_each(|subscription| subscription.is_definite = false);
        if let Some((message, _)) = session.pending_will.take() {
            tell(self, &Fact::WillUncertain { message });
        }
        tell(self, &Fact::SessionLost { client });
    }
}

impl Session {
    /// A restart finds it; `live` if its client was connected, which loses its connection when the clock shows `clock`.
    fn survive(
        &mut self,
        live: Option<&LinkState>,
        survival: Survival,
        clock: Timestamp,
        network_now: Timestamp,
    ) {
        for taken in self.qos2_taken.values_mut() {
            taken.is_certain &= taken.is_acknowledged && survival.of(taken.durability).is_some();
            taken.is_whole = false;
        }
        let Some(live) = live else { return };
        self.changed_at = network_now;
        self.ends_at = after(clock, self.expiry_seconds);
        self.pending_will = live.will.map(|(message, delay)| {
            let due = after(clock, delay.min(self.expiry_seconds));
            (message, due.unwrap_or(Timestamp(u64::MAX)))
        });
    }

    /// A SUBSCRIBE was taken: old and new options are both possible until SUBACK.
    fn ask(&mut self, filter: &str, options: SubscriptionOptions) {
        let asked = self
            .subscriptions
            .entry(filter.to_owned())
            .or_insert(Subscription { options, is_definite: false });
        let is_weaker = options.maximum_qos < asked.options.maximum_qos || options.no_local;
        asked.is_definite &= !is_weaker;
        asked.options.no_local &= options.no_local;
        asked.options.retain_as_published |= options.retain_as_published;
    }
}

impl LinkState {
    fn new(client: usize, connect: &Connect<'_>, journal: &Journal) -> Self {
        let is_v5 = connect.protocol_version == ProtocolVersion::V5;
        let expiry_seconds = match (is_v5, connect.clean_start) {
            (true, _) => connect.properties.session_expiry_interval.unwrap_or(0),
            (false, true) => 0,
            (false, false) => u32::MAX,
        };
        let will = connect.will.and_then(|will| {
            journal.identify(will.payload).map(|message| (message, will.delay_interval_seconds))
        });
        Self {
            client,
            version: connect.protocol_version,
            clean_start: connect.clean_start,
            expiry_seconds,
            receive_maximum: connect.properties.receive_maximum.map_or(u16::MAX, std::num::NonZeroU16::get),
            will,
            is_accepted: false,
            is_gone: false,
            is_graceful: false,
            is_presence_uncertain: false,
            subscribes: BTreeMap::new(),
            unsubscribes: BTreeMap::new(),
            publishes: BTreeMap::new(),
        }
    }

    fn is_connecting(&self) -> bool {
        !self.is_accepted && !self.is_gone
    }

    /// Whether an unanswered SUBSCRIBE names the filter.
    fn is_asked_for(&self, filter: &str) -> bool {
        self.subscribes.values().flatten().any(|(other, _)| other == filter)
    }

    /// Whether an unanswered SUBSCRIBE or UNSUBSCRIBE names the filter.
    fn mentions(&self, filter: &str) -> bool {
        self.is_asked_for(filter) || self.unsubscribes.values().flatten().any(|other| other == filter)
    }
}

fn is_plain(filter: &str) -> bool {
    !matches!(parse_shared(filter), Ok(Some(_)))
}

fn after(now: Timestamp, seconds: u32) -> Option<Timestamp> {
    (seconds != u32::MAX).then(|| Timestamp(now.0 + u64::from(seconds) * 1000))
}
