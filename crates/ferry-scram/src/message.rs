//! The grammar of RFC 5802, section 7, as far as both sides need it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::{MESSAGE_BYTES_MAX, ScramError};

/// A message as text, if it is no longer than it may be.
pub(crate) fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(ScramError::TooLong);
    }
    std::str::from_utf8(message).map_err(|_| ScramError::Malformed("it is not UTF-8"))
}

/// The value of an attribute, such as `r=...`.
pub(crate) fn attribute<'a>(
    part: Option<&'a str>,
    name: char,
    what: &'static str,
) -> Result<&'a str, ScramError> {
    let part = part.ok_or(ScramError::Malformed(what))?;
    // Whoever does not know the extension must not go on (section 5.1).
    if part.starts_with("m=") {
        return Err(ScramError::Unsupported("mandatory extensions"));
    }
    part.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')).ok_or(ScramError::Malformed(what))
}

/// Everything behind the attributes that are known: extensions, each with the form of one.
pub(crate) fn extensions<'a>(mut parts: impl Iterator<Item = &'a str>) -> Result<(), ScramError> {
    let is_one = |part: &str| {
        let mut characters = part.chars();
        let name = characters.next().is_some_and(|name| name.is_ascii_alphabetic());
        name && characters.next() == Some('=') && !characters.as_str().is_empty() && !part.contains('\0')
    };
    if parts.all(is_one) { Ok(()) } else { Err(ScramError::Malformed("what follows is no extension")) }
}

/// Printable ASCII but the comma, and at least one.
pub(crate) fn is_nonce(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

pub(crate) fn decode(text: &str, what: &'static str) -> Result<Vec<u8>, ScramError> {
    STANDARD.decode(text).map_err(|_| ScramError::Malformed(what))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `saslname`: a name without commas and with no equals sign that is not an escape.
pub(crate) fn escape_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

pub(crate) fn unescape_name(text: &str) -> Result<String, ScramError> {
    const WRONG: ScramError = ScramError::Malformed("the user name");
    let mut parts = text.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = if let Some(rest) = part.strip_prefix("2C") {
            name.push(',');
            rest
        } else {
            name.push('=');
            part.strip_prefix("3D").ok_or(WRONG)?
        };
        name.push_str(rest);
    }
    if name.is_empty() || name.contains('\0') { Err(WRONG) } else { Ok(name) }
}

/// `posit-number`: without leading zeros.
pub(crate) fn number(text: &str) -> Result<u32, ScramError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain).ok_or(ScramError::Malformed("the number of iterations"))
}
