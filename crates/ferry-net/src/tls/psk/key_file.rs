use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use super::super::{TlsError, pem_file};

/// Bytes of a key. Those of devices have 16 or 32.
const KEY_BYTES_MAX: usize = 256;

/// Bytes of an identity that every server must take (RFC 4279, section 5.3).
const IDENTITY_BYTES_MAX: usize = 128;

/// Identities and their keys.
#[derive(PartialEq)]
pub(super) struct Keys(HashMap<Box<[u8]>, Box<[u8]>>);

impl Keys {
    /// Reads a file of lines `identity:key`, the key in hexadecimal digits; a line that begins with `#` is a comment.
    pub(super) fn read(file: &Path) -> Result<Self, TlsError> {
        let bytes = pem_file::read(file)?;
        Self::parse(&bytes).map_err(|(line, fault)| TlsError::Line { file: file.to_owned(), line, fault })
    }

    pub(super) fn key(&self, identity: &[u8]) -> Option<&[u8]> {
        self.0.get(identity).map(|key| &**key)
    }

    fn parse(text: &[u8]) -> Result<Self, (usize, &'static str)> {
        let mut keys = HashMap::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            let number = index + 1;
            let (identity, key) = entry(line).map_err(|fault| (number, fault))?;
            if keys.insert(identity.into(), key).is_some() {
                return Err((number, "this identity has a key already; remove one of the lines"));
            }
        }
        Ok(Self(keys))
    }
}

impl fmt::Debug for Keys {
    /// Without the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

fn entry(line: &[u8]) -> Result<(&[u8], Box<[u8]>), &'static str> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else {
        return Err("there is no colon; write identity:key, the key in hexadecimal digits");
    };
    let (identity, digits) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
    if identity.is_empty() || identity.len() > IDENTITY_BYTES_MAX {
        return Err("an identity has 1 to 128 bytes");
    }
    if std::str::from_utf8(identity).is_err() {
        return Err("the identity is not UTF-8");
    }
    let key =
        key(digits).ok_or("the key is not hexadecimal; write digits 0 to 9 and a to f behind the colon")?;
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(
            "a key has 1 to 256 bytes, two hexadecimal digits for each; `openssl rand -hex 32` makes one",
        );
    }
    Ok((identity, key))
}

/// An odd number of digits lacks the first one, a zero, as with Mosquitto.
fn key(digits: &[u8]) -> Option<Box<[u8]>> {
    let first = digits.len() % 2;
    let values: Option<Vec<u8>> =
        digits.iter().map(|digit| char::from(*digit).to_digit(16).map(|value| value as u8)).collect();
    let values = [&[0][..first], &values?].concat();
    Some(values.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_identities_and_keys() {
        let text = b"# sensors\n\npump 7:00ff\n  valve : 1AB \r\nm\xc3\xbcller:00\n";
        let keys = Keys::parse(text).expect("right");
        assert_eq!(keys.key(b"pump 7"), Some(&[0, 0xff][..]));
        assert_eq!(keys.key(b"valve"), Some(&[0x01, 0xab][..]));
        assert_eq!(keys.key("müller".as_bytes()), Some(&[0][..]));
        assert_eq!(keys.key(b"pump"), None);
        assert_eq!(format!("{keys:?}"), "3 keys");
    }

    #[test]
    fn faults_name_the_line_and_not_the_key() {
        let long = format!("a:{}", "ab".repeat(257));
        let long_identity = format!("{}:ab", "a".repeat(129));
        for (text, line, word) in [
            ("a:1b\nb 1c", 2, "colon"),
            ("a:1g", 1, "hexadecimal"),
            ("a:0x1b", 1, "hexadecimal"),
            ("a:", 1, "256"),
            (&long, 1, "256"),
            (&long_identity, 1, "128"),
            (":1b", 1, "128"),
            ("a:1b\n#\na:1c", 3, "already"),
        ] {
            let (number, fault) = Keys::parse(text.as_bytes()).expect_err(text);
            assert_eq!(number, line, "{text}");
            assert!(fault.contains(word), "{text}: {fault}");
        }
        assert!(Keys::parse(b"\xff:1b").is_err());
    }
}
