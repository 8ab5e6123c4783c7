use std::fmt;

use subtle::ConstantTimeEq;

use crate::message::{decode, encode, number};
use crate::{ScramError, ScramHash, preparation};

/// What a server keeps in the place of a password. Whoever gets it can try passwords, but cannot pass for the client;
/// with `server_key` he can pass for the server.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredentials {
    /// The hash function.
    pub hash: ScramHash,
    /// Rounds of it that make a password expensive to try, at least 1.
    pub iterations: u32,
    /// What makes the same password different for each user.
    pub salt: Box<[u8]>,
    /// Recognises the client. As long as a hash.
    pub stored_key: Box<[u8]>,
    /// Proves the server. As long as a hash.
    pub server_key: Box<[u8]>,
}

impl ScramCredentials {
    /// Of a password; takes the time of so many iterations.
    #[must_use]
    pub fn new(hash: ScramHash, password: &[u8], salt: &[u8], iterations: u32) -> Self {
        let salted = hash.salted_password(&preparation::password(password), salt, iterations);
        let stored_key = hash.hash(&hash.client_key(&salted));
        Self { hash, iterations, salt: salt.into(), stored_key, server_key: hash.server_key(&salted) }
    }

    /// Reads `SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY` (RFC 5803, section 3), which PostgreSQL writes too.
    ///
    /// # Errors
    /// It is not of this form.
    pub fn parse(text: &str) -> Result<Self, ScramError> {
        const FORM: ScramError = ScramError::Malformed("METHOD$ITERATIONS:SALT$STOREDKEY:SERVERKEY");
        let mut parts = text.split('$');
        let hash = parts.next().and_then(ScramHash::of_method).ok_or(FORM)?;
        let (iterations, salt) = parts.next().and_then(|part| part.split_once(':')).ok_or(FORM)?;
        let (stored_key, server_key) = parts.next().and_then(|part| part.split_once(':')).ok_or(FORM)?;
        if parts.next().is_some() {
            return Err(FORM);
        }
        let credentials = Self {
            hash,
            iterations: number(iterations)?,
            salt: decode(salt, "the salt")?.into(),
            stored_key: decode(stored_key, "the stored key")?.into(),
            server_key: decode(server_key, "the server key")?.into(),
        };
        let keys = [&credentials.stored_key, &credentials.server_key];
        if credentials.salt.is_empty() || keys.iter().any(|key| key.len() != hash.bytes()) {
            return Err(ScramError::Malformed("the salt or a key has not the right length"));
        }
        Ok(credentials)
    }

    /// Whether they are those of this password; takes the time of so many iterations, whatever the answer.
    #[must_use]
    pub fn verify_password(&self, password: &[u8]) -> bool {
        let other = Self::new(self.hash, password, &self.salt, self.iterations);
        self.stored_key.ct_eq(&other.stored_key).into()
    }

    /// Whether `ClientProof` is right.
    pub(crate) fn proves(&self, auth_message: &[&[u8]], proof: &[u8]) -> bool {
        let signature = self.hash.hmac(&self.stored_key, auth_message);
        let client_key: Vec<u8> = proof.iter().zip(&signature).map(|(proof, byte)| proof ^ byte).collect();
        let is_right = self.hash.hash(&client_key).ct_eq(&self.stored_key);
        bool::from(is_right) && proof.len() == signature.len()
    }

    pub(crate) fn server_signature(&self, auth_message: &[&[u8]]) -> Box<[u8]> {
        self.hash.hmac(&self.server_key, auth_message)
    }
}

impl fmt::Display for ScramCredentials {
    /// As [`parse`](Self::parse) reads it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, iterations, salt) = (self.hash.method(), self.iterations, encode(&self.salt));
        let (stored_key, server_key) = (encode(&self.stored_key), encode(&self.server_key));
        write!(formatter, "{method}${iterations}:{salt}${stored_key}:{server_key}")
    }
}

impl fmt::Debug for ScramCredentials {
    /// Without the keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ScramCredentials")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}
