//! What a server sent, read strictly: every departure from the format is an error, whatever the script expects.

use std::fmt::{Display, Formatter};

use super::property::{Property, PropertyType, property_by_identifier};
use super::reason_codes::server_may_send;
use super::{Field, Level, PacketKind, Value};

/// A packet from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodedPacket {
    /// Its kind.
    pub kind: PacketKind,
    /// Its fields in the order of the wire, and the flags of a PUBLISH.
    pub fields: Vec<Field>,
    /// The whole packet, fixed header and all.
    pub length_bytes: usize,
}

impl DecodedPacket {
    /// The first field with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    /// The first field with this name, if it is a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }
}

impl Display for DecodedPacket {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.kind.name())?;
        for field in &self.fields {
            match (field.name, &field.value) {
                ("topic" | "payload", value) => write!(formatter, " {value}")?,
                ("code" | "reason", Value::Number(code)) => write!(formatter, " 0x{code:02X}")?,
                ("dup" | "retain" | "qos", Value::Number(0)) => {}
                (name, value) => write!(formatter, " {name}={value}")?,
            }
        }
        Ok(())
    }
}

/// The length of the packet at the start of `input`, once its fixed header is there. [MQTT-1.5.5-1]
///
/// # Errors
/// When the length is not in its shortest form or has five bytes.
pub fn frame_length(input: &[u8]) -> Result<Option<usize>, String> {
    let mut reader = Reader { rest: input.get(1..).unwrap_or_default() };
    if reader.rest.iter().take(4).all(|byte| byte & 0x80 != 0) && reader.rest.len() < 4 {
        return Ok(None);
    }
    let before = reader.rest.len();
    let length = reader.variable_byte_integer()?;
    let header = 1 + before - reader.rest.len();
    let length = usize::try_from(length).map_err(|error| error.to_string())?;
    Ok(Some(header + length).filter(|total| *total <= input.len()))
}

/// Reads exactly one packet.
///
/// # Errors
/// What is wrong with it: reserved flags [MQTT-2.1.3-1] [MQTT3-2.2.2-1], a property that has no place there or comes
/// twice, ill-formed UTF-8 [MQTT-1.5.4-1], a reason code of another packet, bytes left over.
pub fn decode(packet: &[u8], level: Level) -> Result<DecodedPacket, String> {
    let first = *packet.first().ok_or("an empty packet")?;
    let kind = PacketKind::from_first_byte(first).ok_or("a packet of type 0")?;
    let mut reader = Reader { rest: &packet[1..] };
    reader.variable_byte_integer()?;
    if kind != PacketKind::Publish && first != kind.first_byte() {
        return Err(format!("{} with first byte 0x{first:02X}", kind.name()));
    }
    let mut decoder = Decoder { reader, kind, level, fields: Vec::new() };
    decoder.body(first).map_err(|error| format!("{}: {error}: {packet:02x?}", kind.name()))?;
    Ok(DecodedPacket { kind, fields: decoder.fields, length_bytes: packet.len() })
}

struct Decoder<'a> {
    reader: Reader<'a>,
    kind: PacketKind,
    level: Level,
    fields: Vec<Field>,
}

impl Decoder<'_> {
    fn body(&mut self, first: u8) -> Result<(), String> {
        match self.kind {
            PacketKind::Connack => self.connack()?,
            PacketKind::Publish => self.publish(first)?,
            PacketKind::Puback | PacketKind::Pubrec | PacketKind::Pubrel | PacketKind::Pubcomp => {
                self.packet_id()?;
                self.reason_and_properties(4)?;
            }
            PacketKind::Suback | PacketKind::Unsuback => self.codes()?,
            PacketKind::Pingresp => {}
            PacketKind::Disconnect | PacketKind::Auth if self.level == 5 => self.reason_and_properties(0)?,
            _ => return Err("a server does not send this".to_owned()),
        }
        if self.reader.rest.is_empty() { Ok(()) } else { Err("bytes are left over".to_owned()) }
    }

    fn push(&mut self, name: &'static str, value: impl Into<u64>) {
        self.fields.push(Field { name, value: Value::Number(value.into()) });
    }

    /// [MQTT-3.2.2-1] [MQTT-3.2.2-6] [MQTT3-3.2.2-4]
    fn connack(&mut self) -> Result<(), String> {
        let flags = self.reader.byte()?;
        if flags & 0xFE != 0 || (self.level == 3 && flags != 0) {
            return Err(format!("acknowledge flags are 0x{flags:02X}"));
        }
        let reason = self.reader.byte()?;
        if reason != 0 && flags != 0 {
            return Err("session present in a refusal".to_owned());
        }
        self.code("reason", reason)?;
        self.push("session_present", flags);
        if self.level == 5 { self.properties() } else { Ok(()) }
    }

    /// [MQTT-2.2.1-2] [MQTT-3.3.1-2] [MQTT-3.3.1-4] [MQTT3-2.3.1-5]
    fn publish(&mut self, first: u8) -> Result<(), String> {
        let qos = first >> 1 & 3;
        let dup = first >> 3 & 1;
        if qos == 3 || (qos == 0 && dup == 1) {
            return Err(format!("first byte 0x{first:02X}"));
        }
        let topic = self.reader.text()?;
        if topic.contains(&b'+') || topic.contains(&b'#') {
            return Err("a wildcard in the topic name".to_owned());
        }
        self.fields.push(Field { name: "topic", value: Value::Bytes(topic) });
        self.push("qos", qos);
        self.push("dup", dup);
        self.push("retain", first & 1);
        if qos > 0 {
            self.packet_id()?;
        }
        if self.level == 5 {
            self.properties()?;
        }
        let payload = std::mem::take(&mut self.reader.rest).to_vec();
        self.fields.push(Field { name: "payload", value: Value::Bytes(payload) });
        Ok(())
    }

    /// [MQTT-2.2.1-4] [MQTT3-2.3.1-1]
    fn packet_id(&mut self) -> Result<(), String> {
        let id = self.reader.two_bytes()?;
        if id == 0 {
            return Err("packet id 0".to_owned());
        }
        self.push("id", id);
        Ok(())
    }

    fn code(&mut self, name: &'static str, code: u8) -> Result<(), String> {
        if !server_may_send(self.kind, code, self.level) {
            return Err(format!("a server may not send 0x{code:02X} in {}", self.kind.name()));
        }
        self.push(name, code);
        Ok(())
    }

    /// Up to `short` bytes of Remaining Length the property length may be missing. [MQTT-2.2.2-1]
    fn reason_and_properties(&mut self, short: usize) -> Result<(), String> {
        if self.level < 5 || self.reader.rest.is_empty() {
            self.push("reason", 0_u8);
            return Ok(());
        }
        let reason = self.reader.byte()?;
        self.code("reason", reason)?;
        let may_end = short > 0 || self.kind == PacketKind::Disconnect;
        if self.reader.rest.is_empty() && may_end { Ok(()) } else { self.properties() }
    }

    fn codes(&mut self) -> Result<(), String> {
        self.packet_id()?;
        if self.level == 5 {
            self.properties()?;
        } else if self.kind == PacketKind::Unsuback {
            return Ok(());
        }
        while !self.reader.rest.is_empty() {
            let code = self.reader.byte()?;
            self.code("code", code)?;
        }
        Ok(())
    }

    fn properties(&mut self) -> Result<(), String> {
        let length =
            usize::try_from(self.reader.variable_byte_integer()?).map_err(|error| error.to_string())?;
        let rest = self.reader.rest;
        let (section, after) = rest.split_at_checked(length).ok_or("the properties go past the end")?;
        self.reader.rest = section;
        while !self.reader.rest.is_empty() {
            let identifier = self.reader.byte()?;
            let property =
                property_by_identifier(identifier).ok_or(format!("property 0x{identifier:02X}"))?;
            self.property(property)?;
        }
        self.reader.rest = after;
        Ok(())
    }

    fn property(&mut self, property: &Property) -> Result<(), String> {
        let name = property.name;
        if !property.packets.contains(&self.kind) {
            return Err(format!("{name} has no place here"));
        }
        // [MQTT-3.14.2-2]
        if self.kind == PacketKind::Disconnect && name == "session_expiry" {
            return Err("a server does not send session_expiry".to_owned());
        }
        // In CONNACK U5-028 U5-029 U5-030 U5-032 U5-034 U5-036 U5-037 U5-038 U5-039 U5-041 U5-043 U5-045 U5-046 U5-047
        // U5-048 U5-049, in others U5-054 U5-055 U5-056 U5-058 U5-062 U5-063 U5-064 U5-065 U5-071 U5-073 U5-077 U5-078
        // U5-080 U5-081 U5-082.
        let many = matches!(name, "user_property" | "subscription_id");
        if !many && self.fields.iter().any(|field| field.name == name) {
            return Err(format!("{name} comes twice"));
        }
        let reader = &mut self.reader;
        let value = match property.kind {
            PropertyType::Byte => Value::Number(reader.byte()?.into()),
            PropertyType::TwoByteInteger => Value::Number(reader.two_bytes()?.into()),
            PropertyType::FourByteInteger => {
                Value::Number(u64::from(reader.two_bytes()?) << 16 | u64::from(reader.two_bytes()?))
            }
            PropertyType::VariableByteInteger => Value::Number(reader.variable_byte_integer()?),
            PropertyType::Text => Value::Bytes(reader.text()?),
            PropertyType::Binary => Value::Bytes(reader.binary()?),
            PropertyType::Pair => Value::Pair(reader.text()?, reader.text()?),
        };
        check_value(property, &value)?;
        self.fields.push(Field { name, value });
        Ok(())
    }
}

/// Values that properties of a server may not have. U5-029 U5-030 U5-032 U5-034 U5-039 U5-041 U5-043 U5-057
/// [MQTT-3.3.2-8]
fn check_value(property: &Property, value: &Value) -> Result<(), String> {
    let Value::Number(number) = value else { return Ok(()) };
    let wrong = match property.name {
        "receive_maximum" | "maximum_packet_size" | "topic_alias" | "subscription_id" => *number == 0,
        _ => property.kind == PropertyType::Byte && *number > 1,
    };
    if wrong { Err(format!("{} is {number}", property.name)) } else { Ok(()) }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, String> {
        let (byte, rest) = self.rest.split_first().ok_or("too short")?;
        self.rest = rest;
        Ok(*byte)
    }

    fn two_bytes(&mut self) -> Result<u16, String> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    fn binary(&mut self) -> Result<Vec<u8>, String> {
        let length = usize::from(self.two_bytes()?);
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or("too short")?;
        self.rest = rest;
        Ok(bytes.to_vec())
    }

    /// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT3-1.5.3-1] [MQTT3-1.5.3-2]
    fn text(&mut self) -> Result<Vec<u8>, String> {
        let bytes = self.binary()?;
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => Ok(bytes),
            _ => Err("ill-formed text".to_owned()),
        }
    }

    fn variable_byte_integer(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for position in 0..4 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << (7 * position);
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || position == 0;
                return if shortest {
                    Ok(value)
                } else {
                    Err("a length that is not in its shortest form".to_owned())
                };
            }
        }
        Err("a variable byte integer of five bytes".to_owned())
    }
}
