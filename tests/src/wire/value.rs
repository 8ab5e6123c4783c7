//! The value of one field of a packet.

use std::fmt::{Display, Formatter, Write};

/// A number, some bytes (text is bytes too: scripts send text that is not UTF-8), or a name with a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// A number of any width.
    Number(u64),
    /// Text or binary data.
    Bytes(Vec<u8>),
    /// A User Property.
    Pair(Vec<u8>, Vec<u8>),
}

/// A field by its name in scripts; a name may occur more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The name, as in `session_expiry=30`.
    pub name: &'static str,
    /// What it holds.
    pub value: Value,
}

impl Display for Value {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Bytes(bytes) => quoted(bytes, formatter),
            Self::Pair(name, value) => {
                quoted(name, formatter)?;
                formatter.write_char(':')?;
                quoted(value, formatter)
            }
        }
    }
}

/// Long data is cut: a message about a megabyte helps nobody.
const SHOWN_BYTES_MAX: usize = 200;

fn quoted(bytes: &[u8], formatter: &mut Formatter<'_>) -> std::fmt::Result {
    formatter.write_char('"')?;
    for byte in bytes.iter().take(SHOWN_BYTES_MAX) {
        match byte {
            b'"' | b'\\' => write!(formatter, "\\{}", char::from(*byte))?,
            0x20..0x7F => formatter.write_char(char::from(*byte))?,
            _ => write!(formatter, "\\x{byte:02x}")?,
        }
    }
    formatter.write_char('"')?;
    if bytes.len() > SHOWN_BYTES_MAX {
        write!(formatter, "...({} bytes)", bytes.len())?;
    }
    Ok(())
}
