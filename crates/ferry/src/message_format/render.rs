use std::io::Write;

use ferry_client::{Message, Properties};

use super::pattern::{Field, Pattern, Piece, Width};
use super::{Received, json};

/// The letters of strftime that have the same meaning everywhere.
const STRFTIME_LETTERS: &str = "aAbBCdDeFgGhHIjklmMnpPRsStTuUVwWyYzZ%";

/// Appends a message in the form of a pattern.
///
/// # Errors
/// A payload that was to be JSON is not; the rest is appended.
pub(super) fn append(
    pattern: &Pattern,
    message: &Message,
    received: &Received,
    pretty: bool,
    output: &mut Vec<u8>,
) -> Result<(), String> {
    let mut result = Ok(());
    for piece in &pattern.0 {
        match piece {
            Piece::Text(text) => output.extend_from_slice(text.as_bytes()),
            Piece::Time(letter) => {
                output.extend_from_slice(received.letter(*letter).as_bytes());
            }
            Piece::Nanoseconds => {
                output.extend_from_slice(format!("{:09}", received.time.subsec_nanosecond()).as_bytes());
            }
            Piece::Field(field, width) => {
                result = result.and(append_field(*field, *width, message, received, pretty, output));
            }
        }
    }
    result
}

fn append_field(
    field: Field,
    width: Width,
    message: &Message,
    received: &Received,
    pretty: bool,
    output: &mut Vec<u8>,
) -> Result<(), String> {
    let none = Properties::default();
    let properties = message.properties.as_deref().unwrap_or(&none);
    match field {
        // Aliases are resolved as the packet is read.
        Field::TopicAlias => width.number(None, output),
        Field::MessageExpiryInterval => {
            width.number(properties.message_expiry_interval.map(u64::from), output);
        }
        Field::PayloadFormatIndicator => {
            width.number(properties.payload_format_indicator.map(u64::from), output);
        }
        Field::SubscriptionId => {
            width.number(properties.subscription_identifiers.first().copied().map(u64::from), output);
        }
        Field::PayloadLength => width.number(Some(message.payload.len() as u64), output),
        Field::PacketId => width.number(Some(message.packet_id.unwrap_or(0).into()), output),
        Field::ContentType => width.text(properties.content_type.as_deref(), output),
        // Without one there is nothing, however wide it is to be.
        Field::ResponseTopic if properties.response_topic.is_none() => {}
        Field::ResponseTopic => width.text(properties.response_topic.as_deref(), output),
        Field::Topic => width.text(Some(&message.topic), output),
        Field::IsoTime => width.text(Some(&received.formatted("%FT%T%z")), output),
        Field::UnixTime => {
            let time = received.time.timestamp();
            output.extend_from_slice(
                format!("{}.{:09}", time.as_second(), time.subsec_nanosecond()).as_bytes(),
            );
        }
        Field::CorrelationData => {
            output.extend_from_slice(properties.correlation_data.as_deref().unwrap_or_default());
        }
        Field::UserProperties => {
            let pairs = properties.user_properties.iter().map(|(name, value)| format!("{name}:{value}"));
            output.extend_from_slice(pairs.collect::<Vec<_>>().join(" ").as_bytes());
        }
        Field::Qos => output.push(b'0' + message.qos as u8),
        Field::Retain => output.push(if message.retain { b'1' } else { b'0' }),
        Field::Payload => width.payload(&message.payload, output),
        Field::HexLower => width.hex(&message.payload, |byte, output| write!(output, "{byte:02x}"), output),
        Field::HexUpper => width.hex(&message.payload, |byte, output| write!(output, "{byte:02X}"), output),
        Field::Json => json::append(message, received, pretty, output),
        Field::JsonPayload => return json::append_with_json_payload(message, received, pretty, output),
    }
    Ok(())
}

impl Received {
    /// As strftime of the C library does.
    pub(super) fn formatted(&self, format: &str) -> String {
        jiff::fmt::strtime::format(format, &self.time).unwrap_or_default()
    }

    /// As strftime does in the locale C, which is that of Mosquitto's clients, for `%` and this letter. What it does not know it
    /// leaves as it is.
    pub(super) fn letter(&self, letter: char) -> String {
        match letter {
            'c' => self.formatted("%a %b %e %H:%M:%S %Y"),
            'x' => self.formatted("%m/%d/%y"),
            'X' => self.formatted("%H:%M:%S"),
            'r' => self.formatted("%I:%M:%S %p"),
            _ if STRFTIME_LETTERS.contains(letter) => self.formatted(&format!("%{letter}")),
            _ => {
                // A width is kept, with nothing to fill it.
                let width = letter.to_digit(10).unwrap_or_default() as usize;
                format!("{:>width$}", format!("%{letter}"))
            }
        }
    }
}

impl Width {
    fn number(self, number: Option<u64>, output: &mut Vec<u8>) {
        let text = number.map_or(String::new(), |number| number.to_string());
        // What is absent is blank on both sides alike.
        let left = self.left && number.is_some();
        let pad = if self.zeros && !left { b'0' } else { b' ' };
        padded(text.as_bytes(), text.len(), self.minimum, left, pad, output);
    }

    fn text(self, text: Option<&str>, output: &mut Vec<u8>) {
        let bytes = text.unwrap_or_default().as_bytes();
        let bytes = &bytes[..self.maximum.unwrap_or(usize::MAX).min(bytes.len())];
        padded(bytes, bytes.len(), self.minimum, self.left, b' ', output);
    }

    /// A payload is cut to the width too.
    fn payload(self, payload: &[u8], output: &mut Vec<u8>) {
        let length = if self.minimum > 0 { payload.len().min(self.minimum) } else { payload.len() };
        let pad = if self.zeros && !self.left { b'0' } else { b' ' };
        padded(&payload[..length], length, self.minimum, self.left, pad, output);
    }

    /// Half as many bytes as the width has digits; fewer where the payload has fewer bytes than that.
    fn hex(
        self,
        payload: &[u8],
        digits: impl Fn(u8, &mut Vec<u8>) -> std::io::Result<()>,
        output: &mut Vec<u8>,
    ) {
        let length = if self.minimum > 0 { payload.len().min(self.minimum) / 2 } else { payload.len() };
        let mut text = Vec::with_capacity(length * 2);
        for byte in &payload[..length] {
            // Writing to memory cannot fail.
            let _written = digits(*byte, &mut text);
        }
        let pad = if self.zeros && !self.left { b'0' } else { b' ' };
        padded(&text, text.len(), self.minimum, self.left, pad, output);
    }
}

fn padded(text: &[u8], length: usize, minimum: usize, left: bool, pad: u8, output: &mut Vec<u8>) {
    let missing = minimum.saturating_sub(length);
    if left {
        output.extend_from_slice(text);
    }
    output.resize(output.len() + missing, pad);
    if !left {
        output.extend_from_slice(text);
    }
}
