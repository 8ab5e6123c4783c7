//! A session with a clock, whose packets and events are lines of text.

use ferry_codec::{
    Ack, Connack, ConnackProperties, DecodeLimits, Direction, Packet, PacketId, ProtocolVersion, Publish,
    QoS, ReasonCode, Suback, Unsuback, UserProperties, decode, encode, frame_length,
};
use ferry_session::Timestamp;

use crate::session::{ClientSession, CloseReason, ConnectOptions, SessionEvent};

pub(super) struct Rig {
    pub(super) session: ClientSession,
    pub(super) now: Timestamp,
    version: ProtocolVersion,
}

impl Rig {
    pub(super) fn new(options: ConnectOptions) -> Self {
        let version = options.protocol_version;
        Self { session: ClientSession::new(options), now: Timestamp(1_000_000), version }
    }

    /// Connected, with a server that says nothing special.
    pub(super) fn connected(options: ConnectOptions) -> Self {
        Self::connected_to(options, ConnackProperties::default())
    }

    pub(super) fn connected_to(options: ConnectOptions, properties: ConnackProperties<'_>) -> Self {
        let mut rig = Self::new(options);
        rig.reconnect(false, properties);
        rig.events();
        rig
    }

    /// A new connection; what the client sends after CONNACK.
    pub(super) fn reconnect(
        &mut self,
        session_present: bool,
        properties: ConnackProperties<'_>,
    ) -> Vec<String> {
        self.session.closed();
        self.session.open(self.now).unwrap();
        self.sent();
        self.says(Packet::Connack(Connack { session_present, properties, ..Connack::default() }))
    }

    /// The server sends a packet.
    pub(super) fn receive(&mut self, packet: Packet<'_>) {
        let mut bytes = Vec::new();
        encode(&packet, self.version, &mut bytes);
        self.session.receive(self.now, &bytes);
    }

    /// The server sends a packet; what the client sends then.
    pub(super) fn says(&mut self, packet: Packet<'_>) -> Vec<String> {
        self.receive(packet);
        self.sent()
    }

    pub(super) fn says_bytes(&mut self, bytes: &[u8]) -> Vec<String> {
        self.session.receive(self.now, bytes);
        self.sent()
    }

    /// What the client has sent since it was asked last, as a server decodes it: what breaks a rule panics.
    pub(super) fn sent(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let mut bytes = Vec::new();
            self.session.take_output(self.now, &mut bytes);
            if bytes.is_empty() {
                return self.decoded(&all);
            }
            all.append(&mut bytes);
        }
    }

    /// Bytes that the client has sent, as a server decodes them: what breaks a rule panics.
    pub(super) fn decoded(&self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(length) = frame_length(bytes, &DecodeLimits::UNLIMITED).expect("a frame") {
            let (frame, behind) = bytes.split_at(length);
            let packet = decode(frame, self.version, Direction::FromClient, &DecodeLimits::UNLIMITED);
            lines.push(text(&packet.expect("a packet that a server accepts")));
            bytes = behind;
        }
        assert!(bytes.is_empty(), "half a packet");
        lines
    }

    /// What its owner was told since it was asked last.
    pub(super) fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.session.next_event()).map(|event| event_text(&event)).collect()
    }

    /// Why the connection is to be closed; its end.
    pub(super) fn close_reason(&mut self) -> String {
        self.session.closed().map_or("-".to_owned(), |reason| match reason {
            CloseReason::Fault(fault) => {
                format!("fault {:02X} {}", fault.reason_code.code(), fault.statement)
            }
            other => other.to_string(),
        })
    }

    pub(super) fn pass_seconds(&mut self, seconds: u32) -> Vec<String> {
        self.now = self.now.plus_seconds(seconds);
        self.session.tick(self.now);
        self.sent()
    }
}

pub(super) fn v5() -> ConnectOptions {
    ConnectOptions { client_id: "me".to_owned(), ..ConnectOptions::default() }
}

pub(super) fn v311() -> ConnectOptions {
    ConnectOptions { protocol_version: ProtocolVersion::V311, ..v5() }
}

pub(super) fn both() -> [ConnectOptions; 2] {
    [v5(), v311()]
}

/// One whose session outlives its connections.
pub(super) fn persistent(options: ConnectOptions) -> ConnectOptions {
    ConnectOptions { session_expiry_interval: 60, clean_start: false, ..options }
}

pub(super) fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

pub(super) fn ack(packet_id: u16) -> Ack<'static> {
    Ack::new(id(packet_id), ReasonCode::SUCCESS)
}

pub(super) fn publish(topic: &str, qos: QoS, packet_id: u16) -> Packet<'_> {
    let packet_id = PacketId::new(packet_id);
    Packet::Publish(Publish { topic, qos, packet_id, payload: b"x", ..Publish::default() })
}

pub(super) fn suback(packet_id: u16, reason_codes: &[u8]) -> Packet<'_> {
    let user_properties = UserProperties::EMPTY;
    Packet::Suback(Suback { packet_id: id(packet_id), reason_codes, reason_string: None, user_properties })
}

pub(super) fn unsuback(packet_id: u16, reason_codes: &[u8]) -> Packet<'_> {
    let user_properties = UserProperties::EMPTY;
    Packet::Unsuback(Unsuback {
        packet_id: id(packet_id),
        reason_codes,
        reason_string: None,
        user_properties,
    })
}

fn text(packet: &Packet<'_>) -> String {
    let name = packet.name();
    match packet {
        Packet::Connect(connect) => format!(
            "{name} v{} id={} clean={} keep_alive={} will={} user={} password={} auth={}",
            connect.protocol_version.level(),
            connect.client_id,
            u8::from(connect.clean_start),
            connect.keep_alive_seconds,
            connect.will.map_or("-".to_owned(), |will| format!(
                "{}/{}{}",
                will.topic,
                will.qos.to_byte(),
                if will.retain { "/retain" } else { "" }
            )),
            connect.user_name.unwrap_or("-"),
            connect.password.map_or("-".into(), String::from_utf8_lossy),
            connect.properties.authentication_method.unwrap_or("-"),
        ),
        Packet::Publish(publish) => {
            let id = publish.packet_id.map_or("-".to_owned(), |id| id.to_string());
            let alias = publish.topic_alias.map_or(String::new(), |alias| format!(" alias={alias}"));
            let dup = if publish.dup { " dup" } else { "" };
            format!("{name} {id} qos={}{dup}{alias} {}", publish.qos.to_byte(), publish.topic)
        }
        Packet::Puback(ack) | Packet::Pubrec(ack) | Packet::Pubrel(ack) | Packet::Pubcomp(ack) => {
            format!("{name} {} {:02X}", ack.packet_id, ack.reason_code.code())
        }
        Packet::Subscribe(subscribe) => {
            let filters = subscribe.filters.iter();
            let filters: Vec<_> =
                filters.map(|filter| format!("{}:{}", filter.filter, filter.options.to_byte())).collect();
            let id = subscribe.subscription_id.map_or(String::new(), |id| format!(" sub={id}"));
            let pairs = pairs(subscribe.user_properties);
            format!("{name} {}{id}{pairs} {}", subscribe.packet_id, filters.join(" "))
        }
        Packet::Unsubscribe(unsubscribe) => {
            let filters: Vec<_> = unsubscribe.filters.iter().collect();
            let pairs = pairs(unsubscribe.user_properties);
            format!("{name} {}{pairs} {}", unsubscribe.packet_id, filters.join(" "))
        }
        Packet::Disconnect(disconnect) => format!("{name} {:02X}", disconnect.reason_code.code()),
        Packet::Auth(auth) => {
            let method = auth.authentication_method.unwrap_or("-");
            let data = String::from_utf8_lossy(auth.authentication_data.unwrap_or_default());
            format!("{name} {:02X} {method} {data}", auth.reason_code.code())
        }
        _ => name.to_owned(),
    }
}

fn pairs(properties: UserProperties<'_>) -> String {
    properties.iter().map(|(name, value)| format!(" {name}={value}")).collect()
}

fn event_text(event: &SessionEvent) -> String {
    let codes = |codes: &[ReasonCode]| {
        codes.iter().map(|code| format!("{:02X}", code.code())).collect::<Vec<_>>().join(" ")
    };
    match event {
        SessionEvent::Connected(connected) => {
            format!("connected {} present={}", connected.client_id, u8::from(connected.session_present))
        }
        SessionEvent::Message { message, acknowledgement } => {
            let number = acknowledgement.map_or("-".to_owned(), |number| number.to_string());
            format!("message {number} {} {}", message.topic, message.text().unwrap_or("?"))
        }
        SessionEvent::Published { number, outcome, .. } => {
            format!("published {number} {:02X}", outcome.reason_code.code())
        }
        SessionEvent::NotPublished { number, reason, .. } => format!("not published {number} {reason:?}"),
        SessionEvent::Subscribed { number, reason_codes, again, .. } => {
            format!("subscribed {number}{} {}", if *again { " again" } else { "" }, codes(reason_codes))
        }
        SessionEvent::Unsubscribed { number, reason_codes } => {
            format!("unsubscribed {number} {}", codes(reason_codes))
        }
        SessionEvent::Overflowed { topic } => format!("overflowed {topic}"),
        SessionEvent::Authenticated => "authenticated".to_owned(),
    }
}
