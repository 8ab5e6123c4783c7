use crate::message::{attribute, decode, encode, extensions, text};
use crate::{ScramCredentials, ScramError};

/// A server that has asked a client to prove that it knows the password.
pub struct ServerExchange {
    pub(crate) credentials: ScramCredentials,
    /// Both parts.
    pub(crate) nonce: String,
    pub(crate) gs2_header: String,
    /// `AuthMessage` as far as it is known.
    pub(crate) auth_message: String,
}

impl ServerExchange {
    /// Reads `client-final-message`, and gives `server-final-message`, by which the server proves itself.
    ///
    /// # Errors
    /// It is malformed, or the client does not know the password.
    pub fn client_final(self, message: &[u8]) -> Result<String, ScramError> {
        let message = text(message)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed("the proof"))?;
        let mut parts = without_proof.split(',');
        let binding = attribute(parts.next(), 'c', "the channel binding")?;
        if decode(binding, "the channel binding")? != self.gs2_header.as_bytes() {
            return Err(ScramError::Malformed("the channel binding is another one than before"));
        }
        if attribute(parts.next(), 'r', "the nonce")? != self.nonce {
            return Err(ScramError::Nonce);
        }
        extensions(parts)?;
        let proof = decode(proof, "the proof")?;
        let auth_message = [self.auth_message.as_bytes(), without_proof.as_bytes()];
        if !self.credentials.proves(&auth_message, &proof) {
            return Err(ScramError::Proof);
        }
        Ok(format!("v={}", encode(&self.credentials.server_signature(&auth_message))))
    }
}
