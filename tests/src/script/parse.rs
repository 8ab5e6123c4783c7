//! From the text of a script to its steps.

use std::time::Duration;

use super::attribute::{Shape, attribute};
use super::expansion::expand;
use super::pattern::{FieldPattern, PacketPattern, Pattern};
use super::token::{Token, tokens};
use super::{Action, Header, Script, SendHow, Step};
use crate::wire::{PacketKind, Value};

/// Reads a script.
///
/// # Errors
/// The line that cannot be read, and why.
pub fn parse(name: &str, text: &str) -> Result<Script, String> {
    let mut header = Header::default();
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim_start().starts_with('#') {
            header.read(line).map_err(|error| format!("{name}:{number}: {error}"))?;
        } else if !line.trim().is_empty() {
            lines.push((number, line.trim().to_owned()));
        }
    }
    let lines = expand(&lines).map_err(|error| format!("{name}: {error}"))?;
    let mut steps = Vec::new();
    for (number, text) in lines {
        let (client, action) = step(&text).map_err(|error| format!("{name}:{number}: {error}: {text}"))?;
        steps.push(Step { line: number, text, client, action });
    }
    Ok(Script { name: name.to_owned(), header, steps })
}

fn step(text: &str) -> Result<(String, Action), String> {
    if let Some(time) = text.strip_prefix('+') {
        return Ok((String::new(), Action::Advance(duration(time)?)));
    }
    if let Some(rule) = text.strip_prefix("deny ") {
        return Ok((String::new(), Action::Deny(rule.to_owned())));
    }
    let end =
        text.find(|c: char| !c.is_ascii_alphanumeric()).ok_or("CLIENT> PACKET, CLIENT< PACKET or +TIME")?;
    let (client, rest) = text.split_at(end);
    for (mark, how) in [("~>", SendHow::ByteByByte), (">>", SendHow::WithNext), (">", SendHow::AtOnce)] {
        if let Some(packet) = rest.strip_prefix(mark) {
            return Ok((client.to_owned(), send(packet.trim(), how)?));
        }
    }
    if let Some(expected) = rest.strip_prefix('<') {
        let (expected, any_order) = expected.strip_prefix('*').map_or((expected, false), |text| (text, true));
        let packet = packet(expected.trim())?;
        return Ok((client.to_owned(), Action::Expect { packet, any_order }));
    }
    Ok((client.to_owned(), happening(rest.trim())?))
}

fn happening(text: &str) -> Result<Action, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "silent" => Ok(Action::Silent),
        "drop" => Ok(Action::Drop),
        "open" => Ok(Action::Open),
        "closed" => {
            let codes = rest.split('|').map(str::trim).filter(|code| !code.is_empty());
            let code =
                |text: &str| u8::try_from(number(text)?).map_err(|_| format!("{text} is not a reason code"));
            Ok(Action::Closed(codes.map(code).collect::<Result<_, _>>()?))
        }
        other => Err(format!("a client does not \"{other}\": silent, closed, drop, open")),
    }
}

fn send(text: &str, how: SendHow) -> Result<Action, String> {
    if let Some(digits) = text.strip_prefix("hex ") {
        return Ok(Action::SendBytes(hex(digits)?, how));
    }
    Ok(Action::Send { packet: packet(text)?, how })
}

fn duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| format!("+{text} is not a time"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        other => Err(format!("a time in {other}: ms or s")),
    }
}

/// The names of the words without a name, in order; the last one may come again.
fn positional_names(kind: PacketKind) -> &'static [&'static str] {
    match kind {
        PacketKind::Publish => &["topic", "payload"],
        PacketKind::Puback | PacketKind::Pubrec | PacketKind::Pubrel | PacketKind::Pubcomp => {
            &["id", "reason"]
        }
        PacketKind::Subscribe | PacketKind::Unsubscribe => &["id", "filter"],
        PacketKind::Suback | PacketKind::Unsuback => &["id", "code"],
        PacketKind::Connack | PacketKind::Disconnect | PacketKind::Auth => &["reason"],
        PacketKind::Connect | PacketKind::Pingreq | PacketKind::Pingresp => &[],
    }
}

fn packet(text: &str) -> Result<PacketPattern, String> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    let kind = PacketKind::from_name(kind).ok_or(format!("there is no packet {kind}"))?;
    let names = positional_names(kind);
    let mut position = 0;
    let mut pattern = PacketPattern { kind, fields: Vec::new(), absent: Vec::new() };
    for token in tokens(rest)? {
        if let Some(name) = token.value.strip_prefix(b"!").filter(|_| token.name.is_none() && !token.quoted) {
            let name = String::from_utf8_lossy(name);
            pattern.absent.push(attribute(&name).ok_or(format!("there is no field {name}"))?.0);
            continue;
        }
        let name = if let Some(name) = &token.name {
            name.as_str()
        } else {
            let name =
                names.get(position).or(names.last()).ok_or(format!("{} takes no words", kind.name()))?;
            position += 1;
            name
        };
        let (name, shape) = attribute(name).ok_or(format!("there is no field {name}"))?;
        pattern.fields.push(FieldPattern { name, pattern: field_pattern(shape, &token)? });
    }
    Ok(pattern)
}

fn field_pattern(shape: Shape, token: &Token) -> Result<Pattern, String> {
    let text = String::from_utf8_lossy(&token.value);
    if !token.quoted && token.second.is_none() {
        if text == "*" {
            return Ok(Pattern::Any);
        }
        if let Some(variable) = text.strip_prefix('$').filter(|name| is_variable(name)) {
            return Ok(Pattern::Variable(variable.to_owned()));
        }
    }
    match shape {
        Shape::Bytes => Ok(Pattern::Exactly(Value::Bytes(token.value.clone()))),
        Shape::Hex => Ok(Pattern::Exactly(Value::Bytes(hex(&text)?))),
        Shape::Pair => {
            let second = token.second.clone().ok_or("a user property is name:value")?;
            Ok(Pattern::Exactly(Value::Pair(token.value.clone(), second)))
        }
        Shape::Number => number_pattern(&text),
    }
}

/// `a`, and `a7`, which loops make of `a{i}`.
fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn number_pattern(text: &str) -> Result<Pattern, String> {
    if let Some((low, high)) = text.split_once("..") {
        return Ok(Pattern::Range(number(low)?, number(high)?));
    }
    if text.contains('|') {
        return Ok(Pattern::OneOf(text.split('|').map(number).collect::<Result<_, _>>()?));
    }
    Ok(Pattern::Exactly(Value::Number(number(text)?)))
}

fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("\"{text}\" is not a number"))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: String = text.split("# ").next().unwrap_or_default().split_whitespace().collect();
    let pairs = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
    pairs
        .map(|pair| match u8::from_str_radix(pair, 16) {
            Ok(byte) if pair.len() == 2 => Ok(byte),
            _ => Err(format!("\"{pair}\" is not a byte")),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Action, Pattern, Value, parse};

    #[test]
    fn the_example_of_the_design() {
        let text = "# proves: MQTT-4.3.2-4 U5-010\n# versions: 3.1.1 5\nc1> CONNECT clean_start=1\nc1< CONNACK 0\n\
                    c2> PUBLISH t qos=1 id=7 \"x\"\nc2< PUBACK 7\n+30s\nc1 closed 0x8D\n";
        let script = parse("example", text).expect("well formed");
        assert_eq!(script.header.proves, ["MQTT-4.3.2-4", "U5-010"]);
        assert_eq!(script.header.versions, [4, 5]);
        assert_eq!(script.duration(), Duration::from_secs(30));
        assert!(matches!(&script.steps[5].action, Action::Closed(codes) if codes == &[0x8D]));
        let Action::Send { packet, .. } = &script.steps[2].action else { panic!("a packet is sent") };
        let names: Vec<&str> = packet.fields.iter().map(|field| field.name).collect();
        assert_eq!(names, ["topic", "qos", "id", "payload"]);
    }

    #[test]
    fn patterns_of_numbers() {
        let text = "c1< PUBLISH t \"$x\" message_expiry=56..57 id=$a subscription_id=*\nc1< PUBACK $a 0|0x10";
        let script = parse("patterns", text).expect("well formed");
        let Action::Expect { packet, .. } = &script.steps[0].action else { panic!("a packet is expected") };
        let patterns: Vec<&Pattern> = packet.fields.iter().map(|field| &field.pattern).collect();
        assert_eq!(patterns[1], &Pattern::Exactly(Value::Bytes(b"$x".to_vec())));
        assert_eq!(patterns[2], &Pattern::Range(56, 57));
        assert_eq!(patterns[3], &Pattern::Variable("a".to_owned()));
        assert_eq!(patterns[4], &Pattern::Any);
    }

    #[test]
    fn slips_are_found() {
        for line in ["c1> CONECT", "c1> CONNECT clean=1", "c1 vanishes", "+3h", "c1> hex 1", "c1> PINGREQ 3"]
        {
            assert!(parse("slip", line).is_err(), "{line}");
        }
    }
}
