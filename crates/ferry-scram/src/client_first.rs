use crate::message::{attribute, encode, extensions, is_nonce, text, unescape_name};
use crate::{ScramCredentials, ScramError, ServerExchange};

/// What a client says first: who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    user_name: String,
    nonce: String,
    /// What says whether there is channel binding; repeated in the client's last message.
    gs2_header: String,
    /// The message without this header.
    bare: String,
}

impl ClientFirst {
    /// Reads `client-first-message` (RFC 5802, section 7).
    ///
    /// # Errors
    /// It is malformed, asks for channel binding or an extension, or to be somebody else than who authenticates.
    pub fn parse(message: &[u8]) -> Result<Self, ScramError> {
        const HEADER: &str = "the header";
        let message = text(message)?;
        let mut parts = message.splitn(3, ',');
        match parts.next() {
            // The second: a client that could do channel binding has seen that this server does not offer it.
            Some("n" | "y") => {}
            Some(flag) if flag.starts_with("p=") => return Err(ScramError::Unsupported("channel binding")),
            _ => return Err(ScramError::Malformed(HEADER)),
        }
        let identity = parts.next().ok_or(ScramError::Malformed(HEADER))?;
        let bare = parts.next().ok_or(ScramError::Malformed(HEADER))?;
        let mut parts = bare.split(',');
        let user_name = unescape_name(attribute(parts.next(), 'n', "the user name")?)?;
        let nonce = attribute(parts.next(), 'r', "the nonce")?;
        if !is_nonce(nonce) {
            return Err(ScramError::Malformed("the nonce"));
        }
        extensions(parts)?;
        if !identity.is_empty() && unescape_name(attribute(Some(identity), 'a', HEADER)?)? != user_name {
            return Err(ScramError::Unsupported("acting for others"));
        }
        let gs2_header = message.strip_suffix(bare).unwrap_or_default().to_owned();
        Ok(Self { user_name, nonce: nonce.to_owned(), gs2_header, bare: bare.to_owned() })
    }

    /// Who the client says it is.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.user_name
    }

    /// `server-first-message`, and what follows it. `nonce` must be of printable ASCII without commas, and nobody may be able to
    /// guess it.
    ///
    /// For a user that is not there, `credentials` are made up: then the client fails as it would with a wrong password.
    #[must_use]
    pub fn answer(self, credentials: ScramCredentials, nonce: &str) -> (ServerExchange, String) {
        let nonce = self.nonce + nonce;
        let answer = format!("r={nonce},s={},i={}", encode(&credentials.salt), credentials.iterations);
        let auth_message = format!("{},{answer},", self.bare);
        (ServerExchange { credentials, nonce, gs2_header: self.gs2_header, auth_message }, answer)
    }
}
