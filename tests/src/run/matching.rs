//! Whether a packet is what a script expects.

use std::collections::HashMap;

use crate::script::{FieldPattern, PacketPattern, Pattern};
use crate::wire::{DecodedPacket, Level, PacketKind, Value, property_by_name};

/// Values that names like `$a` have got.
pub(super) type Variables = HashMap<String, Value>;

/// Values that names get while a packet is compared; they count only when all of it fits.
struct Binding<'a> {
    before: &'a Variables,
    new: Variables,
}

impl Binding<'_> {
    fn fits(&mut self, name: &str, value: &Value) -> bool {
        match self.before.get(name) {
            Some(known) => known == value,
            None => self.new.entry(name.to_owned()).or_insert_with(|| value.clone()) == value,
        }
    }
}

/// Compares; when all fits, the variables of the pattern get their values.
///
/// A PUBLISH must be exactly as written: no property more, flags not written are 0. In other packets what is not
/// written is not looked at, for a broker may add reason strings and tell limits.
pub(super) fn matches(
    pattern: &PacketPattern,
    packet: &DecodedPacket,
    level: Level,
    variables: &mut Variables,
) -> Result<(), String> {
    if pattern.kind != packet.kind {
        return Err("another packet".to_owned());
    }
    let mut binding = Binding { before: variables, new: Variables::new() };
    for name in names(pattern) {
        if is_compared(pattern.kind, name, level) {
            compare(pattern, packet, name, level, &mut binding)?;
        }
    }
    if let Some(name) = pattern.absent.iter().find(|name| packet.get(name).is_some()) {
        return Err(format!("{name} should not be there"));
    }
    if pattern.kind == PacketKind::Publish {
        exactly(pattern, packet)?;
    }
    let new = binding.new;
    variables.extend(new);
    Ok(())
}

fn names(pattern: &PacketPattern) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = pattern.fields.iter().map(|field| field.name).collect();
    names.dedup();
    names.sort_unstable();
    names.dedup();
    names
}

/// Before MQTT 5.0 acknowledgements have no reason and UNSUBACK no codes; in 3.1 CONNACK has no Session Present.
fn is_compared(kind: PacketKind, name: &str, level: Level) -> bool {
    match (kind, name) {
        (PacketKind::Connack, "session_present") => level > 3,
        (PacketKind::Connack, "reason") => true,
        (PacketKind::Unsuback, "code") | (_, "reason") => level == 5,
        _ => true,
    }
}

fn compare(
    pattern: &PacketPattern,
    packet: &DecodedPacket,
    name: &str,
    level: Level,
    binding: &mut Binding<'_>,
) -> Result<(), String> {
    let expected: Vec<&FieldPattern> = pattern.fields.iter().filter(|field| field.name == name).collect();
    let mut found: Vec<Value> =
        packet.fields.iter().filter(|field| field.name == name).map(|field| field.value.clone()).collect();
    if name == "subscription_id" {
        found.sort_unstable();
    }
    if expected.len() != found.len() {
        return Err(format!("{name} is there {} times, not {}", found.len(), expected.len()));
    }
    for (field, value) in expected.iter().zip(&found) {
        let expected =
            if name == "code" { failure_of_level(&field.pattern, level) } else { field.pattern.clone() };
        if !fits(&expected, value, binding) {
            return Err(format!("{name} is {value}"));
        }
    }
    Ok(())
}

/// MQTT 3.1.1 knows one failure in SUBACK, the only packet before MQTT 5.0 that has codes.
fn failure_of_level(pattern: &Pattern, level: Level) -> Pattern {
    match pattern {
        Pattern::Exactly(Value::Number(code)) if level == 4 && *code >= 0x80 => {
            Pattern::Exactly(Value::Number(0x80))
        }
        other => other.clone(),
    }
}

fn fits(pattern: &Pattern, value: &Value, binding: &mut Binding<'_>) -> bool {
    match (pattern, value) {
        (Pattern::Any, _) => true,
        (Pattern::Exactly(expected), value) => expected == value,
        (Pattern::Range(low, high), Value::Number(number)) => (low..=high).contains(&number),
        (Pattern::OneOf(numbers), Value::Number(number)) => numbers.contains(number),
        (Pattern::Variable(name), value) => binding.fits(name, value),
        _ => false,
    }
}

/// Flags that are not written are 0, properties that are not written are absent; the packet id is free, and an alias
/// has been replaced by its topic.
fn exactly(pattern: &PacketPattern, packet: &DecodedPacket) -> Result<(), String> {
    let written = |name: &str| pattern.fields.iter().any(|field| field.name == name);
    for field in &packet.fields {
        let flag = matches!(field.name, "qos" | "dup" | "retain");
        let property = property_by_name(field.name).is_some() && field.name != "topic_alias";
        let surprising = if flag { field.value != Value::Number(0) } else { property };
        if surprising && !written(field.name) {
            return Err(format!("{} is {}", field.name, field.value));
        }
    }
    let payload = packet.get("payload");
    if !written("payload") && payload != Some(&Value::Bytes(Vec::new())) {
        return Err("there is a payload".to_owned());
    }
    Ok(())
}
