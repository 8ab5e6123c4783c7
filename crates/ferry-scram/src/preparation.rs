use std::borrow::Cow;

/// A password as it is hashed (RFC 5802, section 2.2: SASLprep). One that cannot be prepared, such as one that is no text
/// or has letters younger than Unicode 3.2, is taken as it is: so do others, and it harms nobody.
pub(crate) fn password(password: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(password).map(stringprep::saslprep) {
        Ok(Ok(prepared)) if !prepared.is_empty() => match prepared {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        },
        _ => Cow::Borrowed(password),
    }
}

/// A user name as a client sends it (RFC 5802, section 5.1).
pub(crate) fn user_name(user_name: &str) -> Cow<'_, str> {
    match stringprep::saslprep(user_name) {
        Ok(prepared) if !prepared.is_empty() => prepared,
        _ => Cow::Borrowed(user_name),
    }
}
