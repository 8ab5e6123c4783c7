use crate::encode::{Body, Properties, Sink, first_byte};
use crate::fault::{self, Decoded, Fault};
use crate::primitive::Reader;
use crate::property::{self, Property, PropertyReader, PropertySection};
use crate::{DecodeLimits, Packet, PacketId, ProtocolVersion, ReasonCode, UserProperties, frame};

/// PUBACK, PUBREC, PUBREL or PUBCOMP (sections 3.4 to 3.7): they have the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// The identifier of the PUBLISH that started the exchange `[MQTT-2.2.1-5]`.
    pub packet_id: PacketId,
    /// Always 0x00 in 3.x, where none is sent.
    pub reason_code: ReasonCode,
    /// Words for people, never for programs.
    pub reason_string: Option<&'a str>,
    /// More about the reason.
    pub user_properties: UserProperties<'a>,
}

/// Which of the four packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckKind {
    /// Answers a PUBLISH of QoS 1.
    Puback,
    /// Answers a PUBLISH of QoS 2.
    Pubrec,
    /// Answers PUBREC.
    Pubrel,
    /// Answers PUBREL.
    Pubcomp,
}

impl Ack<'_> {
    /// An acknowledgement that carries a reason code and nothing else.
    #[must_use]
    pub const fn new(packet_id: PacketId, reason_code: ReasonCode) -> Self {
        Self { packet_id, reason_code, reason_string: None, user_properties: UserProperties::EMPTY }
    }
}

impl<'a> Ack<'a> {
    pub(crate) fn decode(
        kind: AckKind,
        mut body: Reader<'a>,
        version: ProtocolVersion,
        limits: &DecodeLimits,
    ) -> Decoded<Self> {
        let mut ack = Ack::new(body.packet_id()?, ReasonCode::SUCCESS);
        // Without a reason code it is 0x00, without a property length there are no properties.
        if body.is_empty() {
            return Ok(ack);
        }
        if version.is_v3() {
            return Err(&fault::BYTES_AFTER_END);
        }
        ack.reason_code = kind.reason_code(body.byte()?)?;
        if body.is_empty() {
            return Ok(ack);
        }
        let mut properties = PropertyReader::open(&mut body, kind.section(), limits)?;
        while let Some(property) = properties.next()? {
            if let Property::ReasonString(value) = property {
                ack.reason_string = Some(value);
            }
        }
        ack.user_properties = properties.user_properties();
        body.end()?;
        Ok(ack)
    }
}

impl AckKind {
    /// The whole packet when it says no more than the packet identifier: success, or anything in 3.x.
    #[must_use]
    pub const fn short(self, packet_id: PacketId) -> [u8; 4] {
        let [high, low] = packet_id.get().to_be_bytes();
        [first_byte(self.packet_type()), 2, high, low]
    }

    /// A packet of this kind.
    #[must_use]
    pub const fn packet(self, ack: Ack<'_>) -> Packet<'_> {
        match self {
            Self::Puback => Packet::Puback(ack),
            Self::Pubrec => Packet::Pubrec(ack),
            Self::Pubrel => Packet::Pubrel(ack),
            Self::Pubcomp => Packet::Pubcomp(ack),
        }
    }

    /// Its number (Table 2-1).
    #[must_use]
    pub const fn packet_type(self) -> u8 {
        match self {
            Self::Puback => frame::PUBACK,
            Self::Pubrec => frame::PUBREC,
            Self::Pubrel => frame::PUBREL,
            Self::Pubcomp => frame::PUBCOMP,
        }
    }

    const fn section(self) -> PropertySection {
        match self {
            Self::Puback => PropertySection::Puback,
            Self::Pubrec => PropertySection::Pubrec,
            Self::Pubrel => PropertySection::Pubrel,
            Self::Pubcomp => PropertySection::Pubcomp,
        }
    }

    /// `[MQTT-3.4.2-1]`, `[MQTT-3.5.2-1]`, `[MQTT-3.6.2-1]`, `[MQTT-3.7.2-1]`.
    fn reason_code(self, code: u8) -> Decoded<ReasonCode> {
        let known = match self {
            Self::Puback | Self::Pubrec => {
                matches!(code, 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
            }
            Self::Pubrel | Self::Pubcomp => matches!(code, 0x00 | 0x92),
        };
        if known { Ok(ReasonCode::new(code)) } else { Err(self.reason_code_fault()) }
    }

    const fn reason_code_fault(self) -> &'static Fault {
        match self {
            Self::Puback => &fault::PUBACK_REASON_CODE,
            Self::Pubrec => &fault::PUBREC_REASON_CODE,
            Self::Pubrel => &fault::PUBREL_REASON_CODE,
            Self::Pubcomp => &fault::PUBCOMP_REASON_CODE,
        }
    }
}

impl Body for (AckKind, &Ack<'_>) {
    fn first_byte(&self) -> u8 {
        first_byte(self.0.packet_type())
    }

    fn write(&self, version: ProtocolVersion, sink: &mut impl Sink) {
        let ack = self.1;
        sink.put_two_byte_integer(ack.packet_id.get());
        let has_properties = ack.reason_string.is_some() || !ack.user_properties.is_empty();
        if version.is_v3() || (ack.reason_code == ReasonCode::SUCCESS && !has_properties) {
            return;
        }
        sink.put_byte(ack.reason_code.code());
        if has_properties {
            sink.put_properties(ack);
        }
    }
}

impl Properties for Ack<'_> {
    fn write_properties(&self, sink: &mut impl Sink) {
        sink.put_string_property(property::REASON_STRING, self.reason_string);
        sink.put_user_properties(self.user_properties);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_packet_is_what_encode_makes_of_success() {
        for kind in [AckKind::Puback, AckKind::Pubrec, AckKind::Pubrel, AckKind::Pubcomp] {
            let packet_id = PacketId::new(0x1234).unwrap();
            for (version, reason_code) in [
                (ProtocolVersion::V5, ReasonCode::SUCCESS),
                (ProtocolVersion::V311, ReasonCode::QUOTA_EXCEEDED),
            ] {
                let mut encoded = Vec::new();
                crate::encode(&kind.packet(Ack::new(packet_id, reason_code)), version, &mut encoded);
                assert_eq!(encoded, kind.short(packet_id));
            }
        }
    }
}
