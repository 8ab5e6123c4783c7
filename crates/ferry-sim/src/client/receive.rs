//! What a client does with the packets that it gets.

use std::collections::btree_map::Entry;

use ferry_codec::{Ack, Connack, Packet, PacketId, ProtocolVersion, Publish, QoS, ReasonCode};
use ferry_session::Timestamp;

use super::profile::Acknowledges;
use super::session::Stage;
use super::{Client, ClientEffects, Ending, Owed, Phase};
use crate::fact::Copy;
use crate::journal::Journal;
use crate::wire::from_server;

/// A 3.x client has not been told how much it may send.
const INFLIGHT_MAX_OF_V3: usize = 8;

/// More than a client would send anyhow; packet identifiers are drawn from 60.
const INFLIGHT_MAX: usize = 40;

impl Client {
    /// Bytes came from the broker.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        bytes: &[u8],
        journal: &mut Journal,
        effects: &mut ClientEffects,
    ) {
        self.connection.framer.push(bytes);
        while effects.ending.is_none() {
            match self.connection.framer.next_frame() {
                Ok(Some(frame)) => self.receive_frame(now, &frame, journal, effects),
                Ok(None) => return,
                Err(error) => {
                    self.misbehaved(effects, format!("bytes that are no packet: {error}"));
                    return;
                }
            }
        }
    }

    fn receive_frame(
        &mut self,
        now: Timestamp,
        frame: &[u8],
        journal: &mut Journal,
        effects: &mut ClientEffects,
    ) {
        let maximum = self.profile.maximum_packet_size.map_or(usize::MAX, |maximum| maximum.get() as usize);
        if frame.len() > maximum {
            self.misbehaved(effects, format!("{} bytes, but at most {maximum} are taken", frame.len()));
        }
        match from_server(frame, self.profile.version) {
            Ok(packet) => self.receive_packet(now, &packet, journal, effects),
            Err(error) => self.misbehaved(effects, format!("a packet that cannot be decoded: {error}")),
        }
    }

    fn receive_packet(
        &mut self,
        now: Timestamp,
        packet: &Packet<'_>,
        journal: &mut Journal,
        effects: &mut ClientEffects,
    ) {
        match (self.phase, packet) {
            (Phase::Connecting, Packet::Connack(connack)) => self.connack(now, connack, journal, effects),
            (Phase::Online, Packet::Publish(publish)) => self.publish_came(now, publish, journal, effects),
            (Phase::Online, Packet::Puback(ack)) => self.settle(Stage::AwaitPuback(ack.packet_id), effects),
            (Phase::Online, Packet::Pubrec(ack)) => self.pubrec(now, ack, effects),
            (Phase::Online, Packet::Pubcomp(ack)) => self.settle(Stage::AwaitPubcomp(ack.packet_id), effects),
            (Phase::Online, Packet::Pubrel(ack)) => {
                self.session.incoming.remove(&ack.packet_id);
                self.owe(now, Owed::Pubcomp(ack.packet_id));
            }
            (Phase::Online, Packet::Suback(suback)) => {
                let asked = self.connection.subscribes.remove(&suback.packet_id);
                if asked != Some(suback.reason_codes.len()) {
                    self.misbehaved(effects, format!("{suback:?} for {asked:?} filters"));
                }
            }
            (Phase::Online, Packet::Unsuback(unsuback)) => {
                let asked = self.connection.unsubscribes.remove(&unsuback.packet_id);
                let is_v5 = self.profile.version == ProtocolVersion::V5;
                if asked.is_none() || (is_v5 && asked != Some(unsuback.reason_codes.len())) {
                    self.misbehaved(effects, format!("{unsuback:?} for {asked:?} filters"));
                }
            }
            (Phase::Online, Packet::Pingresp) => {}
            (_, Packet::Disconnect(disconnect)) => self.disconnected(disconnect.reason_code, effects),
            (phase, packet) => self.misbehaved(effects, format!("{packet:?} while {phase:?}")),
        }
        self.publish_waiting(now, journal, effects);
    }

    fn connack(
        &mut self,
        now: Timestamp,
        connack: &Connack<'_>,
        journal: &Journal,
        effects: &mut ClientEffects,
    ) {
        if connack.reason_code != ReasonCode::SUCCESS {
            let is_expected = self.may_be_refused && connack.reason_code == ReasonCode::SERVER_UNAVAILABLE;
            if !is_expected {
                self.misbehaved(effects, format!("refused with {}", connack.reason_code.name()));
            }
            effects.ending = Some(Ending::Close);
            return;
        }
        self.phase = Phase::Online;
        self.must_start_clean = false;
        if !connack.session_present {
            self.session.outgoing.clear();
            self.session.incoming.clear();
            self.filters.clear();
        }
        let properties = &connack.properties;
        self.connection.receive_maximum_of_broker = match self.profile.version {
            ProtocolVersion::V5 => {
                properties.receive_maximum.map_or(INFLIGHT_MAX, |maximum| maximum.get().into())
            }
            ProtocolVersion::V31 | ProtocolVersion::V311 => INFLIGHT_MAX_OF_V3,
        }
        .min(INFLIGHT_MAX);
        self.connection.topic_alias_maximum_of_broker = properties.topic_alias_maximum.unwrap_or(0).into();
        if let Some(seconds) = properties.server_keep_alive {
            self.connection.keep_alive_seconds = seconds;
        }
        self.resume(now, journal, effects);
    }

    /// Sends again what is not acknowledged, in the old order [MQTT-4.4.0-1].
    fn resume(&mut self, now: Timestamp, journal: &Journal, effects: &mut ClientEffects) {
        for index in 0..self.session.outgoing.len() {
            match self.session.outgoing[index].stage {
                Stage::Waiting => {}
                Stage::AwaitPuback(_) | Stage::AwaitPubrec(_) => {
                    self.send_publish(now, index, true, journal, effects);
                }
                Stage::AwaitPubcomp(id) => {
                    self.send(now, &Packet::Pubrel(Ack::new(id, ReasonCode::SUCCESS)), effects);
                }
            }
        }
    }

    fn publish_came(
        &mut self,
        now: Timestamp,
        publish: &Publish<'_>,
        journal: &Journal,
        effects: &mut ClientEffects,
    ) {
        let topic = match publish.topic_alias {
            Some(alias) if alias > self.profile.topic_alias_maximum => {
                self.misbehaved(effects, format!("topic alias {alias}"));
                return;
            }
            Some(alias) if publish.topic.is_empty() => self.connection.aliases_in.get(&alias).cloned(),
            Some(alias) => {
                self.connection.aliases_in.insert(alias, publish.topic.to_owned());
                Some(publish.topic.to_owned())
            }
            None => Some(publish.topic.to_owned()),
        };
        let message = journal.identify(publish.payload);
        if topic.is_none()
            || message.is_some_and(|message| Some(&journal.get(message).topic) != topic.as_ref())
        {
            self.misbehaved(effects, format!("{message:?} on topic {topic:?}"));
        }
        let is_new = match (publish.qos, publish.packet_id) {
            (QoS::AtMostOnce, _) | (_, None) => true,
            (QoS::AtLeastOnce, Some(id)) => {
                self.owe(now, Owed::Puback(id));
                true
            }
            (QoS::ExactlyOnce, Some(id)) => {
                self.owe(now, Owed::Pubrec(id));
                self.session.incoming.insert(id)
            }
        };
        let copy = Copy {
            message,
            packet_id: publish.packet_id,
            qos: publish.qos,
            dup: publish.dup,
            retain: publish.retain,
            expiry_seconds: publish.properties.message_expiry_interval,
        };
        effects.delivered.push((copy, is_new));
    }

    fn pubrec(&mut self, now: Timestamp, ack: &Ack<'_>, effects: &mut ClientEffects) {
        let Some(index) = self.session.find(Stage::AwaitPubrec(ack.packet_id)) else {
            self.misbehaved(effects, format!("PUBREC for {:?}", ack.packet_id));
            return;
        };
        if ack.reason_code.is_error() {
            self.session.outgoing.remove(index);
            return;
        }
        self.session.outgoing[index].stage = Stage::AwaitPubcomp(ack.packet_id);
        self.send(now, &Packet::Pubrel(Ack::new(ack.packet_id, ReasonCode::SUCCESS)), effects);
    }

    fn settle(&mut self, stage: Stage, effects: &mut ClientEffects) {
        match self.session.find(stage) {
            Some(index) => drop(self.session.outgoing.remove(index)),
            None => self.misbehaved(effects, format!("an acknowledgement for {stage:?}")),
        }
    }

    fn disconnected(&mut self, reason_code: ReasonCode, effects: &mut ClientEffects) {
        // The last one only where limits are low.
        let is_expected =
            [ReasonCode::SESSION_TAKEN_OVER, ReasonCode::KEEP_ALIVE_TIMEOUT, ReasonCode::QUOTA_EXCEEDED];
        if !is_expected.contains(&reason_code) {
            self.misbehaved(effects, format!("disconnected with {}", reason_code.name()));
        }
        effects.ending = Some(Ending::Close);
    }

    fn owe(&mut self, now: Timestamp, owed: Owed) {
        let delay = match self.profile.acknowledges {
            _ if self.is_calm => 0,
            Acknowledges::AtOnce => 0,
            Acknowledges::Late => self.random.between(0, 2_000),
            Acknowledges::SometimesNever if self.random.chance(10) => 3_600_000,
            Acknowledges::SometimesNever => self.random.between(0, 50),
        };
        // In the order in which the messages came [MQTT-4.6.0-2] [MQTT-4.6.0-3].
        let last = self.connection.owed.back().map_or(now, |(due, _)| *due);
        self.connection.owed.push_back((last.max(Timestamp(now.0 + delay)), owed));
    }

    /// Sends the acknowledgements whose time has come.
    pub(super) fn send_owed(&mut self, now: Timestamp, effects: &mut ClientEffects) {
        while let Some((_, owed)) = self.connection.owed.front().copied().filter(|(due, _)| *due <= now) {
            self.connection.owed.pop_front();
            let ack = |id: PacketId| Ack::new(id, ReasonCode::SUCCESS);
            let packet = match owed {
                Owed::Puback(id) => Packet::Puback(ack(id)),
                Owed::Pubrec(id) => Packet::Pubrec(ack(id)),
                Owed::Pubcomp(id) => Packet::Pubcomp(ack(id)),
            };
            self.send(now, &packet, effects);
        }
    }

    fn misbehaved(&self, effects: &mut ClientEffects, what: String) {
        effects.misbehaved.push(what);
    }

    pub(super) fn subscribe_ids_in_use(&self) -> impl Fn(PacketId) -> bool + use<> {
        let subscribes = self.connection.subscribes.keys();
        let used: Vec<_> = subscribes.chain(self.connection.unsubscribes.keys()).copied().collect();
        move |id| used.contains(&id)
    }

    pub(super) fn define_alias(&mut self, topic: &str) -> (Option<u16>, bool) {
        let aliases = &mut self.connection.aliases_out;
        if let Some(known) = aliases.iter().position(|other| other == topic) {
            return (Some(known as u16 + 1), true);
        }
        if aliases.len() >= self.connection.topic_alias_maximum_of_broker || !self.random.chance(50) {
            return (None, false);
        }
        aliases.push(topic.to_owned());
        (Some(aliases.len() as u16), false)
    }

    pub(super) fn filter_counts(&mut self, packet_id: PacketId, count: usize, is_subscribe: bool) {
        let connection = &mut self.connection;
        let table = if is_subscribe { &mut connection.subscribes } else { &mut connection.unsubscribes };
        match table.entry(packet_id) {
            Entry::Vacant(vacant) => drop(vacant.insert(count)),
            Entry::Occupied(_) => unreachable!("packet identifiers in use are not drawn"),
        }
    }
}
