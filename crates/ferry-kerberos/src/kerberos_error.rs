use std::error::Error;
use std::fmt;

/// Why nobody has proven anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KerberosError {
    /// The other side does not keep to GS2 (RFC 5801).
    Message(&'static str),
    /// What the other side has sent proves nothing, or there is no ticket to prove anything with: the words of the library.
    Refused(String),
    /// The server has no key, or cannot read it: the words of the library.
    NoKey(String),
}

impl fmt::Display for KerberosError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(words) => formatter.write_str(words),
            Self::Refused(words) => formatter.write_str(words),
            Self::NoKey(words) => write!(formatter, "there is no key for this service: {words}"),
        }
    }
}

impl Error for KerberosError {}

/// What the library says, without what it says each time.
#[cfg(feature = "gssapi")]
pub(crate) fn words(error: libgssapi::error::Error) -> String {
    let words = error.to_string();
    let minor = words.strip_prefix("Unspecified GSS failure.  Minor code may provide more information (");
    let minor = minor.and_then(|words| words.strip_suffix(')'));
    minor.or(words.strip_suffix(" (Success)")).unwrap_or(&words).to_owned()
}
