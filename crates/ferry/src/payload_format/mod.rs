//! `--format`: what payloads are, how they are made readable, and how what is readable becomes a payload.

mod alias_names;
mod cbor;
mod cbor_from_json;
mod sparkplug;
mod written;

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;

use crate::json_text;
use alias_names::AliasNames;
pub(crate) use written::WrittenFormat;

/// What a payload is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PayloadFormat {
    /// JSON, printed on one line
    Json,
    /// CBOR, printed as JSON
    Cbor,
    /// anything, printed as hexadecimal digits
    Hex,
    /// anything, printed in base64
    Base64,
    /// Sparkplug B, printed as JSON
    Sparkplug,
}

/// Host applications tell in JSON whether they are there; everything else of Sparkplug is in protocol buffers.
const SPARKPLUG_STATE: &str = "spBv1.0/STATE/";

/// Makes payloads of a format readable, one after the other: what one says of another counts.
pub(crate) struct PayloadReader {
    format: PayloadFormat,
    pretty: bool,
    names: AliasNames,
}

impl PayloadReader {
    /// `pretty` spreads JSON over lines.
    pub(crate) fn new(format: PayloadFormat, pretty: bool) -> Self {
        Self { format, pretty, names: AliasNames::default() }
    }

    /// The payload, readable.
    ///
    /// # Errors
    /// Why it is not of this format.
    pub(crate) fn readable(&mut self, topic: &str, payload: &[u8]) -> Result<String, String> {
        let json = match self.format {
            PayloadFormat::Hex => return Ok(hex(payload)),
            PayloadFormat::Base64 => return Ok(STANDARD.encode(payload)),
            PayloadFormat::Cbor => cbor::to_json(payload),
            PayloadFormat::Sparkplug if !topic.starts_with(SPARKPLUG_STATE) => {
                let taken = self.names.take(topic, || sparkplug::named_metrics(payload));
                taken.and_then(|()| sparkplug::to_json(payload, self.names.of(topic)))
            }
            PayloadFormat::Json | PayloadFormat::Sparkplug => one_line(payload),
        };
        let name = self.format.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
        let json = json.map_err(|words| format!("{topic}: the payload is not {name}: {words}"))?;
        Ok(if self.pretty { json_text::on_several_lines(&json) } else { json })
    }
}

/// Two digits for each byte.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    text
}

fn one_line(payload: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(payload).map_err(|error| error.to_string())?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    Ok(json_text::compact(text))
}

/// A text as JSON. Bytes that are not UTF-8 become �.
fn json_string(bytes: &[u8]) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(bytes);
    serde_json::Value::from(text).to_string()
}

/// A number as JSON, which has none that are infinite or none at all.
fn json_number(number: f64) -> String {
    serde_json::Number::from_f64(number).map_or_else(|| "null".to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_become_readable() {
        let readable =
            |format: PayloadFormat, payload: &[u8]| PayloadReader::new(format, false).readable("t", payload);
        assert_eq!(readable(PayloadFormat::Hex, &[0, 0xAB, 255]), Ok("00abff".to_owned()));
        assert_eq!(readable(PayloadFormat::Base64, b"abcd"), Ok("YWJjZA==".to_owned()));
        assert_eq!(readable(PayloadFormat::Json, b" { \"a\" : 2.0 } "), Ok("{\"a\":2.0}".to_owned()));
        assert_eq!(readable(PayloadFormat::Cbor, &[0xA1, 0x61, b'a', 1]), Ok("{\"a\":1}".to_owned()));
        let pretty = PayloadReader::new(PayloadFormat::Cbor, true).readable("t", &[0xA1, 0x61, b'a', 1]);
        assert_eq!(pretty, Ok("{\n\t\"a\":\t1\n}".to_owned()));
        let state = PayloadReader::new(PayloadFormat::Sparkplug, false)
            .readable("spBv1.0/STATE/host", b"{\"online\": true}");
        assert_eq!(state, Ok("{\"online\":true}".to_owned()));
        for (format, payload, words) in [
            (PayloadFormat::Json, b"{".as_slice(), "t: the payload is not json: EOF"),
            (PayloadFormat::Json, &[255], "t: the payload is not json: invalid utf-8"),
            (PayloadFormat::Cbor, &[0xFF], "t: the payload is not cbor: "),
            (PayloadFormat::Sparkplug, b"hello", "t: the payload is not sparkplug: "),
        ] {
            let error = readable(format, payload).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
    }
}
