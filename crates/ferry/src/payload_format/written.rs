use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine};
use clap::ValueEnum;

use super::cbor_from_json;

/// How a payload that is to be published is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WrittenFormat {
    /// JSON, published as it is if it is right
    Json,
    /// JSON, published as CBOR
    Cbor,
    /// hexadecimal digits, with blanks between them or not
    Hex,
    /// base64, on one line or several
    Base64,
}

impl WrittenFormat {
    /// The payload.
    ///
    /// # Errors
    /// The text is not of this format: why, and where.
    pub(crate) fn payload(self, text: Vec<u8>) -> Result<Vec<u8>, String> {
        match self {
            Self::Json => {
                check_json(&text)?;
                Ok(text)
            }
            Self::Cbor => {
                check_json(&text)?;
                cbor_from_json::cbor_of(&text).map_err(|error| json_words("CBOR", &text, &error))
            }
            Self::Hex => bytes_of_hex(&text),
            Self::Base64 => bytes_of_base64(&text),
        }
    }
}

fn check_json(text: &[u8]) -> Result<(), String> {
    let checked = std::str::from_utf8(text)
        .map_err(|error| format!("not JSON, which is UTF-8, at {}", place(text, error.valid_up_to())))?;
    let checked = serde_json::from_str::<serde::de::IgnoredAny>(checked);
    checked.map(drop).map_err(|error| json_words("JSON", text, &error))
}

fn json_words(name: &str, text: &[u8], error: &serde_json::Error) -> String {
    let words = error.to_string();
    let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
    let before: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(error.line() - 1).map(<[u8]>::len).sum();
    // Columns are bytes from 1; at the end of the text or of a line it may be the one before.
    let at = (before + error.column().saturating_sub(1)).min(text.len());
    format!("not {name} at {}: {words}", place(text, at))
}

fn bytes_of_hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut first = None;
    for (at, byte) in text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace()) {
        // At most 15: a digit.
        let Some(digit) = char::from(*byte).to_digit(16).map(|digit| digit as u8) else {
            return Err(format!("{} at {} is no hexadecimal digit", character(text, at), place(text, at)));
        };
        match first.take() {
            None => first = Some(digit),
            Some(first) => bytes.push(first << 4 | digit),
        }
    }
    match first {
        None => Ok(bytes),
        Some(_) => Err("an odd number of hexadecimal digits; each byte has two".to_owned()),
    }
}

/// With = at the end or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn bytes_of_base64(text: &[u8]) -> Result<Vec<u8>, String> {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace();
    let letters: Vec<u8> = text.iter().copied().filter(|byte| !is_blank(byte)).collect();
    // Where the letter of this number is in the text.
    let position = |number: usize| {
        let mut positions = (0..text.len()).filter(|at| !is_blank(&text[*at]));
        positions.nth(number).unwrap_or(text.len())
    };
    BASE64.decode(letters).map_err(|error| match error {
        DecodeError::InvalidByte(number, _) => {
            let at = position(number);
            format!("{} at {} is no base64", character(text, at), place(text, at))
        }
        DecodeError::InvalidLastSymbol(number, _) => {
            let at = position(number);
            format!("{} at {} cannot be the last of base64", character(text, at), place(text, at))
        }
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
            "base64 that is not complete: one letter is left at the end".to_owned()
        }
    })
}

/// The character that begins here, or the byte if there is none.
fn character(text: &[u8], at: usize) -> String {
    let rest = text.get(at..text.len().min(at + 4)).unwrap_or_default();
    let character = rest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    character.map_or_else(
        || format!("byte 0x{:02x}", rest.first().copied().unwrap_or_default()),
        |character| format!("{character:?}"),
    )
}

/// Where that is, for people: lines and characters from 1, and no lines if there is only one.
fn place(text: &[u8], at: usize) -> String {
    let before = String::from_utf8_lossy(&text[..at]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let is_one_line = !text.trim_ascii_end().contains(&b'\n');
    if is_one_line { format!("character {column}") } else { format!("line {line}, character {column}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload_format::{PayloadFormat, PayloadReader};
    use proptest::prelude::*;

    fn payload(format: WrittenFormat, text: &str) -> Result<Vec<u8>, String> {
        format.payload(text.as_bytes().to_vec())
    }

    #[test]
    fn texts_become_payloads() {
        for (format, text, expected) in [
            (WrittenFormat::Hex, "00abFF", &[0, 0xAB, 255][..]),
            (WrittenFormat::Hex, " 00 a b\n\tff\n", &[0, 0xAB, 255]),
            (WrittenFormat::Hex, "", &[]),
            (WrittenFormat::Base64, "YWJjZA==", b"abcd"),
            (WrittenFormat::Base64, "YWJj\nZA", b"abcd"),
            (WrittenFormat::Base64, "+/8=", &[0xFB, 0xFF]),
            (WrittenFormat::Json, " { \"a\" : 2.0 }\n", b" { \"a\" : 2.0 }\n"),
            (WrittenFormat::Cbor, " { \"a\" : 1 }\n", &[0xA1, 0x61, b'a', 1]),
        ] {
            assert_eq!(payload(format, text).as_deref(), Ok(expected), "{format:?} {text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place() {
        for (format, text, words) in [
            (WrittenFormat::Hex, "00 0g", "'g' at character 5 is no hexadecimal digit"),
            (WrittenFormat::Hex, "0x00", "'x' at character 2 is no"),
            (WrittenFormat::Hex, "00\nää", "'ä' at line 2, character 1 is no"),
            (WrittenFormat::Hex, "000", "an odd number of hexadecimal digits"),
            (WrittenFormat::Base64, "YWJj\nZA*=", "'*' at line 2, character 3 is no base64"),
            (WrittenFormat::Base64, "YW=j", "'=' at character 3 is no base64"),
            (WrittenFormat::Base64, "YWJjZ", "not complete"),
            (WrittenFormat::Base64, "YWJjZB==", "'B' at character 6 cannot be the last"),
            (WrittenFormat::Json, "{\"a\":}", "not JSON at character 6: expected value"),
            (WrittenFormat::Json, "{\n\"ä\": tru }", "not JSON at line 2, character 9: expected ident"),
            (WrittenFormat::Json, "{\"a\":1", "not JSON at character 6: EOF"),
            (WrittenFormat::Json, "1 2", "not JSON at character 3: trailing characters"),
            (WrittenFormat::Json, "", "not JSON at character 1: EOF"),
            (WrittenFormat::Cbor, "[", "not JSON at character 1: EOF"),
        ] {
            let error = payload(format, text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        let error = WrittenFormat::Json.payload(b"\"\xFF\"".to_vec()).unwrap_err();
        assert_eq!(error, "not JSON, which is UTF-8, at character 2");
        let error = WrittenFormat::Hex.payload(b"\xFF".to_vec()).unwrap_err();
        assert_eq!(error, "byte 0xff at character 1 is no hexadecimal digit");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_payload_or_a_mistake(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for format in WrittenFormat::value_variants() {
                let _either = format.payload(bytes.clone());
            }
        }

        #[test]
        fn what_is_shown_can_be_published(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            for (shown, written) in
                [(PayloadFormat::Hex, WrittenFormat::Hex), (PayloadFormat::Base64, WrittenFormat::Base64)]
            {
                let text = PayloadReader::new(shown, false).readable("t", &bytes).unwrap();
                prop_assert_eq!(written.payload(text.into_bytes()), Ok(bytes.clone()));
            }
        }
    }
}
