use std::num::{NonZeroU16, NonZeroU32};

use ferry_codec::{
    Ack, Auth, Connack, ConnackProperties, Connect, ConnectProperties, Direction, Disconnect,
    MessageProperties, PacketId, ProtocolVersion, Publish, QoS, ReasonCode, Suback, Subscribe,
    SubscribeFiltersBuf, SubscriptionIds, SubscriptionOptions, Unsuback, Unsubscribe, UnsubscribeFiltersBuf,
    UserPropertiesBuf, Will,
};
use proptest::option::of;
use proptest::prelude::*;

use super::{binary, qos, subscription_options, text, topic_filter, topic_name, version};

/// The numbers, strings and flags that a packet of some kind is filled from.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) version: ProtocolVersion,
    pub(crate) direction: Direction,
    kind: Kind,
    packet_id: PacketId,
    code: u8,
    flags: [bool; 8],
    optional_flags: [Option<bool>; 6],
    numbers: [Option<u32>; 4],
    texts: [Option<String>; 6],
    data: [Option<Vec<u8>>; 2],
    topic: String,
    qos: QoS,
    payload: Vec<u8>,
    user_properties: UserPropertiesBuf,
    will_user_properties: UserPropertiesBuf,
    subscription_ids: Vec<u32>,
    filters: Vec<(String, SubscriptionOptions)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Connect,
    Connack,
    Publish,
    Puback,
    Pubrec,
    Pubrel,
    Pubcomp,
    Subscribe,
    Suback,
    Unsubscribe,
    Unsuback,
    Pingreq,
    Pingresp,
    Disconnect,
    Auth,
}

fn kind() -> impl Strategy<Value = Kind> {
    proptest::sample::select(vec![
        Kind::Connect,
        Kind::Connack,
        Kind::Publish,
        Kind::Puback,
        Kind::Pubrec,
        Kind::Pubrel,
        Kind::Pubcomp,
        Kind::Subscribe,
        Kind::Suback,
        Kind::Unsubscribe,
        Kind::Unsuback,
        Kind::Pingreq,
        Kind::Pingresp,
        Kind::Disconnect,
        Kind::Auth,
    ])
}

fn user_properties() -> impl Strategy<Value = UserPropertiesBuf> {
    proptest::collection::vec((text(), text()), 0..4)
        .prop_map(|pairs| pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

/// Any packet in any version that has it, sent by a side that may send it.
pub(crate) fn packet() -> impl Strategy<Value = Packet> {
    packet_of(kind())
}

/// Any PUBLISH.
pub(crate) fn publish() -> impl Strategy<Value = Packet> {
    packet_of(Just(Kind::Publish))
}

fn packet_of(kind: impl Strategy<Value = Kind>) -> impl Strategy<Value = Packet> {
    let header = (version(), kind, any::<bool>(), (1..=u16::MAX), any::<u8>(), any::<[bool; 8]>());
    let optional = (
        proptest::array::uniform6(of(any::<bool>())),
        proptest::array::uniform4(of(prop_oneof![any::<u32>(), 0..3_u32])),
        proptest::array::uniform6(of(text())),
        proptest::array::uniform2(of(binary())),
    );
    let message = (topic_name(), qos(), binary(), user_properties(), user_properties());
    let subscription_ids = proptest::collection::vec(1..=268_435_455_u32, 0..4);
    let filters = proptest::collection::vec((topic_filter(), subscription_options()), 1..4);
    (header, optional, message, subscription_ids, filters).prop_map(
        |(header, optional, message, subscription_ids, filters)| {
            let (version, kind, from_client, packet_id, code, flags) = header;
            let (optional_flags, numbers, texts, data) = optional;
            let (topic, qos, payload, user_properties, will_user_properties) = message;
            let mut packet = Packet {
                version,
                direction: if from_client { Direction::FromClient } else { Direction::FromServer },
                kind,
                packet_id: PacketId::new(packet_id).unwrap(),
                code,
                flags,
                optional_flags,
                numbers,
                texts,
                data,
                topic,
                qos,
                payload,
                user_properties,
                will_user_properties,
                subscription_ids,
                filters,
            };
            packet.keep_to_the_standard();
            packet
        },
    )
}

impl Packet {
    fn keep_to_the_standard(&mut self) {
        if self.kind == Kind::Auth {
            self.version = ProtocolVersion::V5;
        }
        match self.kind {
            Kind::Connect | Kind::Subscribe | Kind::Unsubscribe | Kind::Pingreq => {
                self.direction = Direction::FromClient;
            }
            Kind::Connack | Kind::Suback | Kind::Unsuback | Kind::Pingresp => {
                self.direction = Direction::FromServer;
            }
            Kind::Disconnect if self.version.is_v3() => self.direction = Direction::FromClient,
            _ => {}
        }
        for (filter, options) in &mut self.filters {
            // [MQTT-3.8.3-4].
            options.no_local &= !filter.starts_with("$share/");
            if self.version.is_v3() {
                *options = SubscriptionOptions::with_qos(options.maximum_qos);
            }
        }
        if self.version.is_v3() {
            self.user_properties = UserPropertiesBuf::new();
            self.will_user_properties = UserPropertiesBuf::new();
        }
    }

    /// Calls `check` with the packet as the codec knows it.
    pub(crate) fn with<R>(&self, check: impl FnOnce(&ferry_codec::Packet<'_>) -> R) -> R {
        let mut filters = SubscribeFiltersBuf::new();
        let mut unsubscribe_filters = UnsubscribeFiltersBuf::new();
        for (filter, options) in &self.filters {
            filters.push(filter, *options);
            unsubscribe_filters.push(filter);
        }
        let code = [self.reason_code().code()];
        let packet = match self.kind {
            Kind::Connect => ferry_codec::Packet::Connect(self.connect()),
            Kind::Connack => ferry_codec::Packet::Connack(self.connack()),
            Kind::Publish => ferry_codec::Packet::Publish(self.publish()),
            Kind::Puback => ferry_codec::Packet::Puback(self.ack()),
            Kind::Pubrec => ferry_codec::Packet::Pubrec(self.ack()),
            Kind::Pubrel => ferry_codec::Packet::Pubrel(self.ack()),
            Kind::Pubcomp => ferry_codec::Packet::Pubcomp(self.ack()),
            Kind::Subscribe => ferry_codec::Packet::Subscribe(Subscribe {
                packet_id: self.packet_id,
                subscription_id: self.v5(self.subscription_ids.first().copied()),
                user_properties: self.user_properties.as_user_properties(),
                filters: filters.as_filters(),
            }),
            Kind::Suback => ferry_codec::Packet::Suback(Suback {
                packet_id: self.packet_id,
                reason_codes: &code,
                reason_string: self.text(0),
                user_properties: self.user_properties.as_user_properties(),
            }),
            Kind::Unsubscribe => ferry_codec::Packet::Unsubscribe(Unsubscribe {
                packet_id: self.packet_id,
                user_properties: self.user_properties.as_user_properties(),
                filters: unsubscribe_filters.as_filters(),
            }),
            Kind::Unsuback => ferry_codec::Packet::Unsuback(Unsuback {
                packet_id: self.packet_id,
                reason_codes: if self.version.is_v3() { &[] } else { &code },
                reason_string: self.text(0),
                user_properties: self.user_properties.as_user_properties(),
            }),
            Kind::Pingreq => ferry_codec::Packet::Pingreq,
            Kind::Pingresp => ferry_codec::Packet::Pingresp,
            Kind::Disconnect => ferry_codec::Packet::Disconnect(self.disconnect()),
            Kind::Auth => ferry_codec::Packet::Auth(self.auth()),
        };
        check(&packet)
    }

    /// What 5.0 alone has.
    fn v5<T>(&self, value: Option<T>) -> Option<T> {
        value.filter(|_| self.version == ProtocolVersion::V5)
    }

    fn text(&self, index: usize) -> Option<&str> {
        self.v5(self.texts[index].as_deref())
    }

    fn data(&self, index: usize) -> Option<&[u8]> {
        self.v5(self.data[index].as_deref())
    }

    fn number(&self, index: usize) -> Option<u32> {
        self.v5(self.numbers[index])
    }

    fn short(&self, index: usize) -> Option<u16> {
        self.number(index).map(|number| number as u16)
    }

    fn optional_flag(&self, index: usize) -> Option<bool> {
        self.v5(self.optional_flags[index])
    }

    /// One of those that the packet may have.
    fn reason_code(&self) -> ReasonCode {
        let codes: &[u8] = match (self.kind, self.version, self.direction) {
            (Kind::Connack, ProtocolVersion::V5, _) => &[0x00, 0x80, 0x87, 0x8C, 0x9F],
            (Kind::Connack, _, _) => &[0x00, 0x84, 0x85, 0x88, 0x86, 0x87],
            (Kind::Suback, ProtocolVersion::V5, _) => &[0x00, 0x01, 0x02, 0x80, 0x8F, 0xA2],
            (Kind::Suback, ProtocolVersion::V311, _) => &[0x00, 0x01, 0x02, 0x80],
            (Kind::Suback, ProtocolVersion::V31, _) => &[0x00, 0x01, 0x02],
            (Kind::Auth, _, Direction::FromClient) => &[0x18, 0x19],
            (Kind::Auth, _, Direction::FromServer) => &[0x18, 0x00],
            (_, ProtocolVersion::V31 | ProtocolVersion::V311, _) => &[0x00],
            (Kind::Puback | Kind::Pubrec, _, _) => &[0x00, 0x10, 0x80, 0x99],
            (Kind::Pubrel | Kind::Pubcomp, _, _) => &[0x00, 0x92],
            (Kind::Unsuback, _, _) => &[0x00, 0x11, 0x91],
            (Kind::Disconnect, _, Direction::FromClient) => &[0x00, 0x04, 0x80, 0x99],
            (Kind::Disconnect, _, Direction::FromServer) => &[0x00, 0x8B, 0x9C, 0xA2],
            _ => &[0x00],
        };
        ReasonCode::new(codes[usize::from(self.code) % codes.len()])
    }

    fn message_properties<'a>(&'a self, user_properties: &'a UserPropertiesBuf) -> MessageProperties<'a> {
        MessageProperties {
            payload_format_indicator: self.optional_flag(0),
            message_expiry_interval: self.number(0),
            content_type: self.text(0),
            response_topic: self.v5(self.texts[1].as_ref().map(|_| self.topic.as_str())),
            correlation_data: self.data(0),
            user_properties: user_properties.as_user_properties(),
        }
    }

    fn publish(&self) -> Publish<'_> {
        let topic_alias = self.short(1).filter(|alias| *alias > 0);
        Publish {
            dup: self.flags[0] && self.qos != QoS::AtMostOnce,
            qos: self.qos,
            retain: self.flags[1],
            packet_id: Some(self.packet_id).filter(|_| self.qos != QoS::AtMostOnce),
            topic: if topic_alias.is_some() && self.flags[2] { "" } else { &self.topic },
            topic_alias,
            properties: self.message_properties(&self.user_properties),
            subscription_ids: match (self.version, self.direction) {
                (ProtocolVersion::V5, Direction::FromServer) => {
                    SubscriptionIds::from_slice(&self.subscription_ids)
                }
                _ => SubscriptionIds::EMPTY,
            },
            payload: &self.payload,
        }
    }

    fn connect(&self) -> Connect<'_> {
        let user_name = self.texts[2].as_deref();
        let password = self.data[1].as_deref();
        Connect {
            protocol_version: self.version,
            bridge: self.flags[0] && self.version.is_v3(),
            clean_start: self.flags[1],
            keep_alive_seconds: self.packet_id.get(),
            client_id: match (self.version, &self.texts[3]) {
                (ProtocolVersion::V5, Some(client_id)) => client_id,
                _ => "client-é",
            },
            will: self.flags[2].then(|| Will {
                topic: &self.topic,
                payload: &self.payload,
                qos: self.qos,
                retain: self.flags[3],
                delay_interval_seconds: self.number(1).unwrap_or_default(),
                properties: self.message_properties(&self.will_user_properties),
            }),
            user_name,
            password: password.filter(|_| self.version == ProtocolVersion::V5 || user_name.is_some()),
            properties: ConnectProperties {
                session_expiry_interval: self.number(2),
                receive_maximum: self.short(3).and_then(NonZeroU16::new),
                maximum_packet_size: self.number(3).and_then(NonZeroU32::new),
                topic_alias_maximum: self.short(0),
                request_response_information: self.optional_flag(1),
                request_problem_information: self.optional_flag(2),
                authentication_method: self.text(4),
                authentication_data: self.text(4).and_then(|_| self.data(0)),
                user_properties: self.user_properties.as_user_properties(),
            },
        }
    }

    fn connack(&self) -> Connack<'_> {
        let reason_code = self.reason_code();
        let may_be_present = self.version != ProtocolVersion::V31 && reason_code == ReasonCode::SUCCESS;
        let maximum_qos = |at_least_once| if at_least_once { QoS::AtLeastOnce } else { QoS::AtMostOnce };
        Connack {
            session_present: self.flags[0] && may_be_present,
            reason_code,
            properties: ConnackProperties {
                session_expiry_interval: self.number(0),
                receive_maximum: self.short(1).and_then(NonZeroU16::new),
                maximum_qos: self.optional_flag(0).map(maximum_qos),
                retain_available: self.optional_flag(1),
                maximum_packet_size: self.number(2).and_then(NonZeroU32::new),
                assigned_client_identifier: self.text(0),
                topic_alias_maximum: self.short(3),
                reason_string: self.text(1),
                user_properties: self.user_properties.as_user_properties(),
                wildcard_subscription_available: self.optional_flag(2),
                subscription_identifiers_available: self.optional_flag(3),
                shared_subscription_available: self.optional_flag(4),
                server_keep_alive: self.short(0),
                response_information: self.text(2),
                server_reference: self.text(3),
                authentication_method: self.text(4),
                authentication_data: self.data(0),
            },
        }
    }

    fn ack(&self) -> Ack<'_> {
        Ack {
            packet_id: self.packet_id,
            reason_code: self.reason_code(),
            reason_string: self.text(0),
            user_properties: self.user_properties.as_user_properties(),
        }
    }

    fn disconnect(&self) -> Disconnect<'_> {
        Disconnect {
            reason_code: self.reason_code(),
            session_expiry_interval: self.number(0).filter(|_| self.direction == Direction::FromClient),
            reason_string: self.text(0),
            user_properties: self.user_properties.as_user_properties(),
            server_reference: self.text(1),
        }
    }

    fn auth(&self) -> Auth<'_> {
        Auth {
            reason_code: self.reason_code(),
            authentication_method: Some(self.text(0).unwrap_or("SCRAM-SHA-256")),
            authentication_data: self.data(0),
            reason_string: self.text(1),
            user_properties: self.user_properties.as_user_properties(),
        }
    }
}
