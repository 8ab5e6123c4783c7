//! JSON as CBOR (RFC 8949), in the way of its section 6.2: the shortest form of each number, and lengths before what they are of.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Major types of CBOR.
const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// One value of JSON as CBOR. Numbers without point and exponent become integers, all others numbers of floating point.
///
/// # Errors
/// It is not JSON, or has lists within lists in a depth of 128.
pub(super) fn cbor_of(json: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
    let mut cbor = Vec::with_capacity(json.len());
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Item(&mut cbor).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(cbor)
}

/// The next value, and where its CBOR goes.
struct Item<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.0.push(if value { 0xF5 } else { 0xF4 });
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.0.push(0xF6);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        append_head(UNSIGNED, value, self.0);
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        if value < 0 {
            // The argument of -1 is 0.
            append_head(NEGATIVE, (!value).unsigned_abs(), self.0);
        } else {
            append_head(UNSIGNED, value.unsigned_abs(), self.0);
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        append_float(value, self.0);
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        append_text(value, self.0);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        let mut count = 0;
        while list.next_element_seed(Item(&mut items))?.is_some() {
            count += 1;
        }
        append_head(ARRAY, count, self.0);
        self.0.append(&mut items);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut items = Vec::new();
        let mut count = 0;
        // Names are texts, as values can be.
        while object.next_key_seed(Item(&mut items))?.is_some() {
            object.next_value_seed(Item(&mut items))?;
            count += 1;
        }
        append_head(MAP, count, self.0);
        self.0.append(&mut items);
        Ok(())
    }
}

fn append_text(text: &str, cbor: &mut Vec<u8>) {
    append_head(TEXT, text.len() as u64, cbor);
    cbor.extend_from_slice(text.as_bytes());
}

/// The first byte of an item and its argument, in as few bytes as it takes.
fn append_head(major: u8, argument: u64, cbor: &mut Vec<u8>) {
    let first = major << 5;
    let bytes = argument.to_be_bytes();
    match argument {
        // Each fits into what it is cast to.
        0..=23 => cbor.push(first | argument as u8),
        24..=0xFF => cbor.extend_from_slice(&[first | 24, argument as u8]),
        0x100..=0xFFFF => {
            cbor.push(first | 25);
            cbor.extend_from_slice(&bytes[6..]);
        }
        0x1_0000..=0xFFFF_FFFF => {
            cbor.push(first | 26);
            cbor.extend_from_slice(&bytes[4..]);
        }
        _ => {
            cbor.push(first | 27);
            cbor.extend_from_slice(&bytes);
        }
    }
}

/// With 16, 32 or 64 bits, the fewest that lose nothing.
fn append_float(value: f64, cbor: &mut Vec<u8>) {
    let single = value as f32;
    if f64::from(single) != value {
        cbor.push(0xFB);
        cbor.extend_from_slice(&value.to_be_bytes());
    } else if let Some(half) = half(single) {
        cbor.push(0xF9);
        cbor.extend_from_slice(&half.to_be_bytes());
    } else {
        cbor.push(0xFA);
        cbor.extend_from_slice(&single.to_be_bytes());
    }
}

/// A number of 16 bits (IEEE 754) that is the same, if there is one; those below 2 to the power of -14 are left to 32 bits.
fn half(single: f32) -> Option<u16> {
    let bits = single.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let exponent = (bits >> 23 & 255) as i32 - 127;
    let mantissa = bits & 0x7F_FFFF;
    if single == 0.0 {
        return Some(sign);
    }
    let is_exact = mantissa & 0x1FFF == 0 && (-14..=15).contains(&exponent);
    is_exact.then(|| sign | ((exponent + 15) as u16) << 10 | (mantissa >> 13) as u16)
}

#[cfg(test)]
mod tests {
    use super::super::cbor;
    use super::*;
    use crate::json_text;
    use proptest::prelude::*;

    /// Examples of RFC 8949, appendix A.
    #[test]
    fn the_examples_of_the_standard() {
        for (json, expected) in [
            ("0", "00"),
            ("23", "17"),
            ("24", "1818"),
            ("255", "18ff"),
            ("1000", "1903e8"),
            ("1000000", "1a000f4240"),
            ("1000000000000", "1b000000e8d4a51000"),
            ("18446744073709551615", "1bffffffffffffffff"),
            ("-1", "20"),
            ("-100", "3863"),
            ("-1000", "3903e7"),
            ("-9223372036854775808", "3b7fffffffffffffff"),
            ("0.0", "f90000"),
            ("-0.0", "f98000"),
            ("1.0", "f93c00"),
            ("1.5", "f93e00"),
            ("65504.0", "f97bff"),
            ("-4.0", "f9c400"),
            ("100000.0", "fa47c35000"),
            ("1.1", "fb3ff199999999999a"),
            ("1.0e+300", "fb7e37e43c8800759c"),
            ("false", "f4"),
            ("true", "f5"),
            ("null", "f6"),
            ("\"\"", "60"),
            ("\"IETF\"", "6449455446"),
            ("\"\\\"\\\\\"", "62225c"),
            ("\"ü\"", "62c3bc"),
            ("[]", "80"),
            ("[1,[2,3],[4,5]]", "8301820203820405"),
            ("{}", "a0"),
            ("{\"a\":1,\"b\":[2,3]}", "a26161016162820203"),
            ("[\"a\",{\"b\":\"c\"}]", "826161a161626163"),
        ] {
            let cbor = cbor_of(json.as_bytes()).unwrap();
            let hex: String = cbor.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{json}");
        }
        let many = format!("[{}]", ["1"; 25].join(","));
        assert_eq!(cbor_of(many.as_bytes()).unwrap()[..2], [0x98, 25]);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = "[".repeat(200);
        for json in ["", "[", "{\"a\"}", "nul", "1 1", "{1:2}", &deep] {
            assert!(cbor_of(json.as_bytes()).is_err(), "{json}");
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<f32>().prop_map(Into::into),
            (-100i8..100).prop_map(|number| f64::from(number).into()),
            ".{0,5}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..30).prop_map(Into::into),
                proptest::collection::btree_map(".{0,3}", inner, 0..5)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was(value in any_json()) {
            let json = value.to_string();
            let cbor = cbor_of(json.as_bytes()).unwrap();
            prop_assert_eq!(cbor::to_json(&cbor).unwrap(), json_text::compact(&json));
        }
    }
}
