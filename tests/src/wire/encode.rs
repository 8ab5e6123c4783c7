//! From fields to bytes, right or wrong: whatever a script writes is sent.

use super::property::{PropertyType, property_by_name};
use super::{Field, Level, PacketKind, Value};

/// The bytes of a packet.
///
/// # Errors
/// When a field has no place in this kind of packet in this version, or a value does not fit its type.
pub fn encode(kind: PacketKind, fields: &[Field], level: Level) -> Result<Vec<u8>, String> {
    let fields = Fields { fields, level };
    let mut body = match kind {
        PacketKind::Connect => connect(&fields)?,
        PacketKind::Publish => publish(&fields)?,
        PacketKind::Puback | PacketKind::Pubrec | PacketKind::Pubrel | PacketKind::Pubcomp => {
            acknowledgement(&fields)?
        }
        PacketKind::Subscribe => subscribe(&fields)?,
        PacketKind::Unsubscribe => unsubscribe(&fields)?,
        PacketKind::Disconnect | PacketKind::Auth => reason_and_properties(&fields)?,
        PacketKind::Pingreq | PacketKind::Pingresp => Vec::new(),
        PacketKind::Connack | PacketKind::Suback | PacketKind::Unsuback => {
            return Err(format!("a client does not send {}; write it as hex", kind.name()));
        }
    };
    body.extend(fields.bytes("extra").unwrap_or_default());
    let mut packet = vec![first_byte(kind, &fields)];
    match fields.bytes("remaining_length") {
        Some(length) => packet.extend(length),
        None => variable_byte_integer(body.len() as u64, &mut packet)?,
    }
    packet.extend(body);
    Ok(packet)
}

struct Fields<'a> {
    fields: &'a [Field],
    level: Level,
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|field| field.name == name).map(|field| &field.value)
    }

    fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.number(name).is_some_and(|number| number != 0)
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self.get(name) {
            Some(Value::Bytes(bytes)) => Some(bytes.clone()),
            Some(Value::Number(number)) => Some(number.to_string().into_bytes()),
            _ => None,
        }
    }

    /// The property section with its length; nothing before MQTT 5.0.
    fn properties(&self, prefix: &str) -> Result<Vec<u8>, String> {
        if self.level < 5 {
            return Ok(Vec::new());
        }
        let section = self.property_section(prefix)?;
        let mut out = Vec::new();
        variable_byte_integer(section.len() as u64, &mut out)?;
        out.extend(section);
        Ok(out)
    }

    fn property_section(&self, prefix: &str) -> Result<Vec<u8>, String> {
        let mut section = Vec::new();
        for field in self.fields {
            let raw = format!("{prefix}properties");
            if field.name == raw {
                section.extend(self.bytes(&raw).unwrap_or_default());
            } else if let Some(name) = property_name(field.name, prefix) {
                property(name, &field.value, &mut section)?;
            }
        }
        Ok(section)
    }
}

/// The property that a field writes into the section with this prefix. `will_delay` has the prefix in its own name.
fn property_name<'a>(field: &'a str, prefix: &str) -> Option<&'a str> {
    let in_will = field.starts_with("will_");
    let name = match (prefix, in_will) {
        ("will_", true) if field == "will_delay" => field,
        ("will_", true) => field.strip_prefix("will_")?,
        ("", false) => field,
        _ => return None,
    };
    property_by_name(name).map(|property| property.name)
}

fn property(name: &str, value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    let property = property_by_name(name).ok_or(format!("there is no property {name}"))?;
    out.push(property.identifier);
    let number = match value {
        Value::Number(number) => *number,
        _ => 0,
    };
    match (property.kind, value) {
        (PropertyType::Byte, Value::Number(_)) => out.push(fit::<u8>(number, name)?),
        (PropertyType::TwoByteInteger, Value::Number(_)) => {
            out.extend(fit::<u16>(number, name)?.to_be_bytes());
        }
        (PropertyType::FourByteInteger, Value::Number(_)) => {
            out.extend(fit::<u32>(number, name)?.to_be_bytes());
        }
        (PropertyType::VariableByteInteger, Value::Number(_)) => variable_byte_integer(number, out)?,
        (PropertyType::Text | PropertyType::Binary, Value::Bytes(bytes)) => with_length(bytes, out)?,
        (PropertyType::Text | PropertyType::Binary, Value::Number(number)) => {
            with_length(number.to_string().as_bytes(), out)?;
        }
        (PropertyType::Pair, Value::Pair(name, value)) => {
            with_length(name, out)?;
            with_length(value, out)?;
        }
        _ => return Err(format!("{name}: {value} is not of its type")),
    }
    Ok(())
}

fn fit<T: TryFrom<u64>>(number: u64, name: &str) -> Result<T, String> {
    T::try_from(number).map_err(|_| format!("{name}: {number} is too large"))
}

fn first_byte(kind: PacketKind, fields: &Fields<'_>) -> u8 {
    if let Some(header) = fields.number("header") {
        return header.to_le_bytes()[0];
    }
    let mut byte = kind.first_byte();
    if kind == PacketKind::Publish {
        let qos = fields.number("qos").unwrap_or(0).to_le_bytes()[0] & 3;
        byte |= u8::from(fields.flag("dup")) << 3 | qos << 1 | u8::from(fields.flag("retain"));
    }
    byte
}

/// MQTT 3.1 and 3.1.1 call it `MQIsdp` and `MQTT`; a script may name and number it as it likes.
fn connect(fields: &Fields<'_>) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let default_name: &[u8] = if fields.level == 3 { b"MQIsdp" } else { b"MQTT" };
    with_length(&fields.bytes("protocol_name").unwrap_or_else(|| default_name.to_vec()), &mut body)?;
    body.push(fit(fields.number("level").unwrap_or(u64::from(fields.level)), "level")?);
    body.push(fit(
        fields.number("connect_flags").unwrap_or_else(|| u64::from(connect_flags(fields))),
        "connect_flags",
    )?);
    body.extend(fit::<u16>(fields.number("keep_alive").unwrap_or(0), "keep_alive")?.to_be_bytes());
    body.extend(fields.properties("")?);
    with_length(&fields.bytes("client_id").unwrap_or_default(), &mut body)?;
    if let Some(topic) = fields.bytes("will_topic") {
        body.extend(fields.properties("will_")?);
        with_length(&topic, &mut body)?;
        with_length(&fields.bytes("will_payload").unwrap_or_default(), &mut body)?;
    }
    for name in ["user_name", "password"] {
        if let Some(bytes) = fields.bytes(name) {
            with_length(&bytes, &mut body)?;
        }
    }
    Ok(body)
}

fn connect_flags(fields: &Fields<'_>) -> u8 {
    let bit = |set: bool, position: u8| u8::from(set) << position;
    let will_qos = fields.number("will_qos").unwrap_or(0).to_le_bytes()[0] & 3;
    bit(fields.number("clean_start") != Some(0), 1)
        | bit(fields.get("will_topic").is_some(), 2)
        | will_qos << 3
        | bit(fields.flag("will_retain"), 5)
        | bit(fields.get("password").is_some(), 6)
        | bit(fields.get("user_name").is_some(), 7)
}

fn publish(fields: &Fields<'_>) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    with_length(&fields.bytes("topic").unwrap_or_default(), &mut body)?;
    if let Some(id) = fields.number("id") {
        body.extend(fit::<u16>(id, "id")?.to_be_bytes());
    } else if fields.number("qos").unwrap_or(0) > 0 {
        return Err("a PUBLISH with QoS 1 or 2 needs id=".to_owned());
    }
    body.extend(fields.properties("")?);
    body.extend(fields.bytes("payload").unwrap_or_default());
    Ok(body)
}

fn packet_id(fields: &Fields<'_>) -> Result<[u8; 2], String> {
    Ok(fit::<u16>(fields.number("id").ok_or("needs a packet id")?, "id")?.to_be_bytes())
}

fn acknowledgement(fields: &Fields<'_>) -> Result<Vec<u8>, String> {
    let mut body = packet_id(fields)?.to_vec();
    body.extend(reason_and_properties(fields)?);
    Ok(body)
}

/// The reason code and the properties may both be left out, and are, unless the script names them.
fn reason_and_properties(fields: &Fields<'_>) -> Result<Vec<u8>, String> {
    if fields.level < 5 {
        return Ok(Vec::new());
    }
    let section = fields.property_section("")?;
    let with_properties = !section.is_empty() || fields.flag("property_length");
    let mut body = Vec::new();
    if let Some(reason) = fields.number("reason") {
        body.push(fit(reason, "reason")?);
    } else if with_properties {
        body.push(0);
    }
    if with_properties {
        body.extend(fields.properties("")?);
    }
    Ok(body)
}

fn subscribe(fields: &Fields<'_>) -> Result<Vec<u8>, String> {
    let mut body = packet_id(fields)?.to_vec();
    body.extend(fields.properties("")?);
    let mut rest = fields.fields;
    while let Some(at) = rest.iter().position(|field| field.name == "filter") {
        let after = &rest[at + 1..];
        let end = after.iter().position(|field| field.name == "filter").unwrap_or(after.len());
        let own = Fields { fields: &rest[at..=at + end], level: fields.level };
        with_length(&own.bytes("filter").unwrap_or_default(), &mut body)?;
        let options = own.number("qos").unwrap_or(0)
            | own.number("no_local").unwrap_or(0) << 2
            | own.number("retain_as_published").unwrap_or(0) << 3
            | own.number("retain_handling").unwrap_or(0) << 4;
        body.push(fit(own.number("options").unwrap_or(options), "options")?);
        rest = after;
    }
    Ok(body)
}

fn unsubscribe(fields: &Fields<'_>) -> Result<Vec<u8>, String> {
    let mut body = packet_id(fields)?.to_vec();
    body.extend(fields.properties("")?);
    for field in fields.fields.iter().filter(|field| field.name == "filter") {
        match &field.value {
            Value::Bytes(filter) => with_length(filter, &mut body)?,
            other => with_length(other.to_string().as_bytes(), &mut body)?,
        }
    }
    Ok(body)
}

fn with_length(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let length =
        u16::try_from(bytes.len()).map_err(|_| format!("{} bytes do not fit a string", bytes.len()))?;
    out.extend(length.to_be_bytes());
    out.extend(bytes);
    Ok(())
}

fn variable_byte_integer(mut value: u64, out: &mut Vec<u8>) -> Result<(), String> {
    if value > 268_435_455 {
        return Err(format!("{value} does not fit a variable byte integer; write it as hex"));
    }
    loop {
        let low = value.to_le_bytes()[0] & 0x7F;
        value >>= 7;
        if value == 0 {
            out.push(low);
            return Ok(());
        }
        out.push(low | 0x80);
    }
}
