//! The lines between the tests and the client programs: see `tests/clients/README.md`.

use std::fmt::{self, Display, Write};

/// A word and pairs: an order to a client program, or a fact that it tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) word: String,
    pairs: Vec<(String, Vec<u8>)>,
}

impl Line {
    pub(crate) fn new(word: &str) -> Self {
        Self { word: word.to_owned(), pairs: Vec::new() }
    }

    /// Takes a written line apart.
    pub(crate) fn parse(text: &str) -> Self {
        let mut parts = text.split(' ');
        let word = parts.next().unwrap_or_default().to_owned();
        let pairs = parts.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or_else(|| panic!("no value: \"{pair}\""));
            (name.to_owned(), decode(value))
        });
        Self { word, pairs: pairs.collect() }
    }

    /// With one more pair.
    pub(crate) fn with(mut self, name: &str, value: impl Display) -> Self {
        self.pairs.push((name.to_owned(), value.to_string().into_bytes()));
        self
    }

    /// With one more pair, whose value is not text.
    pub(crate) fn with_bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.pairs.push((name.to_owned(), value.to_vec()));
        self
    }

    /// With one more pair, if there is a value.
    pub(crate) fn with_some(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Without the pairs of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.pairs.retain(|(other, _)| other != name);
        self
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.pairs.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.bytes(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.text(name).and_then(|text| text.parse().ok())
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.number(name) == Some(1)
    }

    /// The user properties, `NAME=VALUE` each.
    pub(crate) fn user_properties(&self, name: &str) -> Vec<(String, String)> {
        let wanted = self.pairs.iter().filter(|(other, _)| other == name);
        let texts = wanted.filter_map(|(_, value)| std::str::from_utf8(value).ok()?.split_once('='));
        texts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)?;
        for (name, value) in &self.pairs {
            write!(f, " {name}=")?;
            for byte in value {
                if byte.is_ascii_alphanumeric() || b"-._~/+#$:".contains(byte) {
                    f.write_char(char::from(*byte))?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
        }
        Ok(())
    }
}

fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or_else(|| panic!("not %XX: \"{text}\"")));
        rest = &after[2..];
    }
    bytes
}
