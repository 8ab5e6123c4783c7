use crate::KerberosError;

/// The header of a client's first message (RFC 5801, section 4), such as `n,,` or `n,a=ada,`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gs2Header {
    /// What the client thinks of channel binding.
    pub channel_binding: ChannelBinding,
    /// Who the client wants to be, if that is not simply who it proves to be.
    pub authorization_name: Option<String>,
}

/// What a client thinks of tying the authentication to the TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// `n`: it cannot.
    No,
    /// `y`: it could, but thinks that the server cannot.
    Possible,
    /// `p=...`: it insists on it.
    Required,
}

impl Gs2Header {
    /// Reads the header at the beginning of a message, and returns it with its bytes, which channel bindings begin with
    /// (section 5), and the token that follows.
    ///
    /// # Errors
    /// It is none, or says that the token is not that of a usual mechanism, which Kerberos is.
    pub fn parse(message: &[u8]) -> Result<(Self, &[u8], &[u8]), KerberosError> {
        if message.starts_with(b"F,") {
            return Err(KerberosError::Message("the GS2 header says that Kerberos is not a usual mechanism"));
        }
        let wrong =
            || KerberosError::Message("the message does not begin with a GS2 header, such as \"n,,\"");
        let comma = |from: usize| {
            message.iter().skip(from).position(|byte| *byte == b',').map(|at| from + at).ok_or_else(wrong)
        };
        let flag_end = comma(0)?;
        let name_end = comma(flag_end + 1)?;
        let channel_binding = match &message[..flag_end] {
            b"n" => ChannelBinding::No,
            b"y" => ChannelBinding::Possible,
            flag if flag.len() > 2 && flag.starts_with(b"p=") => ChannelBinding::Required,
            _ => return Err(wrong()),
        };
        let authorization_name = match &message[flag_end + 1..name_end] {
            b"" => None,
            name => Some(name.strip_prefix(b"a=").and_then(read_name).ok_or_else(wrong)?),
        };
        let (header, token) = message.split_at(name_end + 1);
        Ok((Self { channel_binding, authorization_name }, header, token))
    }
}

/// The header of a client that wants to be who it is, and cannot bind to a channel.
#[cfg(feature = "gssapi")]
pub(crate) const PLAIN: &[u8] = b"n,,";

/// A `saslname`: UTF-8 in which `=2C` is a comma and `=3D` an equals sign.
fn read_name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !text.contains('\0'))?;
    let mut parts = text.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (character, rest) = match part {
            _ if part.starts_with("2C") => (',', part.get(2..)?),
            _ if part.starts_with("3D") => ('=', part.get(2..)?),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn headers_are_read() {
        for (message, binding, name, header) in [
            ("n,,token", ChannelBinding::No, None, "n,,"),
            ("y,,token", ChannelBinding::Possible, None, "y,,"),
            ("p=tls-exporter,,token", ChannelBinding::Required, None, "p=tls-exporter,,"),
            ("n,a=ada,token", ChannelBinding::No, Some("ada"), "n,a=ada,"),
            ("n,a=a=2Cb=3D=2C,token", ChannelBinding::No, Some("a,b=,"), "n,a=a=2Cb=3D=2C,"),
        ] {
            let read = Gs2Header::parse(message.as_bytes()).expect(message);
            let expected =
                Gs2Header { channel_binding: binding, authorization_name: name.map(str::to_owned) };
            assert_eq!(read, (expected, header.as_bytes(), b"token".as_slice()));
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for message in [
            "",
            "n",
            "n,",
            ",,",
            "N,,",
            "x,,",
            "p=,,",
            "p,,",
            "n,b=ada,",
            "n,a=,",
            "n,ada,",
            "n,a==2c,",
            "n,a=x=2",
            "n,a=x=4F,",
            "nn,,",
            "F,n,,",
            "n,a=a\0,",
        ] {
            assert!(Gs2Header::parse(message.as_bytes()).is_err(), "{message:?}");
        }
        assert!(Gs2Header::parse(b"n,a=\xff,").is_err());
    }

    proptest! {
        #[test]
        fn anything_is_read_and_nothing_is_lost(bytes: Vec<u8>) {
            if let Ok((_, header, token)) = Gs2Header::parse(&bytes) {
                prop_assert_eq!([header, token].concat(), bytes);
            }
        }
    }
}
