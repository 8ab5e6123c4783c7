//! CBOR (RFC 8949) as JSON, in the way of its section 6.1.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{json_number, json_string};

/// Lists within lists.
const DEPTH_MAX: usize = 64;

/// One item of CBOR as JSON on one line. Bytes are in base64url, tags are left out, what JSON does not have is null.
///
/// # Errors
/// It is not one item of CBOR.
pub(super) fn to_json(payload: &[u8]) -> Result<String, String> {
    let mut reader = Reader { rest: payload, length: payload.len(), json: String::new() };
    reader.item(0)?;
    if reader.rest.is_empty() { Ok(reader.json) } else { Err(reader.wrong("something follows")) }
}

struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    json: String,
}

/// The first byte of an item, and the argument that belongs to it.
struct Head {
    major: u8,
    /// Bits that say how long the argument is.
    info: u8,
    argument: u64,
}

/// An item that ends others of indefinite length.
const BREAK: u8 = 0xFF;
const INDEFINITE: u8 = 31;

impl<'a> Reader<'a> {
    fn item(&mut self, depth: usize) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(self.wrong("too many lists within lists"));
        }
        let head = self.head()?;
        match head.major {
            0 => self.json.push_str(&head.argument.to_string()),
            1 => self.json.push_str(&(-1 - i128::from(head.argument)).to_string()),
            2 => {
                let bytes = self.string(&head)?;
                let text = URL_SAFE_NO_PAD.encode(bytes);
                self.json.push_str(&json_string(text.as_bytes()));
            }
            3 => {
                let bytes = self.string(&head)?;
                self.json.push_str(&json_string(&bytes));
            }
            4 => self.list(&head, depth)?,
            5 => self.map(&head, depth)?,
            6 => self.item(depth + 1)?,
            _ => self.simple(&head)?,
        }
        Ok(())
    }

    fn head(&mut self) -> Result<Head, String> {
        let byte = self.bytes(1)?[0];
        let (major, info) = (byte >> 5, byte & 31);
        let argument = match info {
            0..=23 => info.into(),
            24..=27 => {
                let bytes = self.bytes(1 << (info - 24))?;
                bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
            INDEFINITE if matches!(major, 2..=5) => 0,
            _ => return Err(self.wrong("a byte that begins nothing")),
        };
        Ok(Head { major, info, argument })
    }

    /// A string, put together if it comes in parts.
    fn string(&mut self, head: &Head) -> Result<Vec<u8>, String> {
        if head.info != INDEFINITE {
            return Ok(self.bytes(head.argument)?.to_vec());
        }
        let mut all = Vec::new();
        while !self.is_broken() {
            let part = self.head()?;
            if part.major != head.major || part.info == INDEFINITE {
                return Err(self.wrong("a string with parts of another kind"));
            }
            all.extend_from_slice(self.bytes(part.argument)?);
        }
        Ok(all)
    }

    fn list(&mut self, head: &Head, depth: usize) -> Result<(), String> {
        self.json.push('[');
        let mut count = 0;
        while self.has_more(head, count) {
            if count > 0 {
                self.json.push(',');
            }
            self.item(depth + 1)?;
            count += 1;
        }
        self.json.push(']');
        Ok(())
    }

    fn map(&mut self, head: &Head, depth: usize) -> Result<(), String> {
        self.json.push('{');
        let mut count = 0;
        while self.has_more(head, count) {
            if count > 0 {
                self.json.push(',');
            }
            let at = self.json.len();
            self.item(depth + 1)?;
            if !self.json[at..].starts_with('"') {
                // Names in JSON are texts: the key as JSON is one.
                let key = json_string(&self.json.as_bytes()[at..]);
                self.json.truncate(at);
                self.json.push_str(&key);
            }
            self.json.push(':');
            self.item(depth + 1)?;
            count += 1;
        }
        self.json.push('}');
        Ok(())
    }

    fn simple(&mut self, head: &Head) -> Result<(), String> {
        let text = match (head.info, head.argument) {
            (20, _) => "false".to_owned(),
            (21, _) => "true".to_owned(),
            (25, bits) => json_number(half(bits)),
            // The low 32 bits are all there are.
            (26, bits) => json_number(f32::from_bits(bits as u32).into()),
            (27, bits) => json_number(f64::from_bits(bits)),
            _ => "null".to_owned(),
        };
        self.json.push_str(&text);
        Ok(())
    }

    fn has_more(&mut self, head: &Head, count: u64) -> bool {
        if head.info == INDEFINITE { !self.is_broken() } else { count < head.argument }
    }

    /// Whether an item of indefinite length ends here.
    fn is_broken(&mut self) -> bool {
        let is_broken = self.rest.first() == Some(&BREAK);
        if is_broken {
            self.rest = &self.rest[1..];
        }
        is_broken
    }

    fn bytes(&mut self, count: u64) -> Result<&'a [u8], String> {
        let split = usize::try_from(count).ok().and_then(|count| self.rest.split_at_checked(count));
        let Some((bytes, rest)) = split else { return Err(self.wrong("it ends too early")) };
        self.rest = rest;
        Ok(bytes)
    }

    fn wrong(&self, what: &str) -> String {
        format!("{what}, at byte {}", self.length - self.rest.len())
    }
}

/// A number of 16 bits (IEEE 754).
fn half(bits: u64) -> f64 {
    let exponent = (bits >> 10 & 31) as i32;
    let mantissa = (bits & 1023) as f64;
    let value = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + mantissa) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { value } else { -value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Examples of RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_standard() {
        for (hex, json) in [
            ("00", "0"),
            ("17", "23"),
            ("1818", "24"),
            ("1b000000e8d4a51000", "1000000000000"),
            ("1bffffffffffffffff", "18446744073709551615"),
            ("3bffffffffffffffff", "-18446744073709551616"),
            ("20", "-1"),
            ("3903e7", "-1000"),
            ("c249010000000000000000", "\"AQAAAAAAAAAA\""),
            ("f93c00", "1.0"),
            ("f98000", "-0.0"),
            ("f90001", "5.960464477539063e-8"),
            ("f97bff", "65504.0"),
            ("fa47c35000", "100000.0"),
            ("fb3ff199999999999a", "1.1"),
            ("f97e00", "null"),
            ("f4", "false"),
            ("f5", "true"),
            ("f6", "null"),
            ("f7", "null"),
            ("f8ff", "null"),
            ("c11a514b67b0", "1363896240"),
            ("d818456449455446", "\"ZElFVEY\""),
            ("4401020304", "\"AQIDBA\""),
            ("62c3bc", "\"ü\""),
            ("80", "[]"),
            ("8301820203820405", "[1,[2,3],[4,5]]"),
            ("a201020304", "{\"1\":2,\"3\":4}"),
            ("a26161016162820203", "{\"a\":1,\"b\":[2,3]}"),
            ("5f42010243030405ff", "\"AQIDBAU\""),
            ("7f657374726561646d696e67ff", "\"streaming\""),
            ("9f018202039f0405ffff", "[1,[2,3],[4,5]]"),
            ("bf61610161629f0203ffff", "{\"a\":1,\"b\":[2,3]}"),
        ] {
            let bytes: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            assert_eq!(to_json(&bytes).as_deref(), Ok(json), "{hex}");
        }
    }

    #[test]
    fn what_is_not_cbor_is_refused() {
        let deep = [0x81; 100];
        for bytes in [
            &[][..],
            &[0x18],
            &[0x61],
            &[0xFF],
            &[0x1F],
            &[0x00, 0x00],
            &[0x9F, 0x01],
            &[0x5F, 0x61, b'a'],
            &deep,
        ] {
            assert!(to_json(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(
            to_json(&[0x9B, 255, 255, 255, 255, 255, 255, 255, 255]),
            Err("it ends too early, at byte 9".to_owned())
        );
    }

    proptest! {
        #[test]
        fn whatever_comes_out_is_json(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(json) = to_json(&bytes) {
                prop_assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok(), "{}", json);
            }
        }
    }
}
