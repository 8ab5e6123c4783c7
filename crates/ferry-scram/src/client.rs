use subtle::ConstantTimeEq;

use crate::message::{attribute, decode, encode, escape_name, extensions, is_nonce, number, text};
use crate::{ITERATIONS_MAX, ITERATIONS_MIN, ScramError, ScramHash, preparation};

/// The header of a client that does no channel binding.
const GS2_HEADER: &str = "n,,";

/// A client that proves that it knows a password, as often as it is asked to.
#[derive(Clone)]
pub struct ScramClient {
    hash: ScramHash,
    user_name: String,
    password: Vec<u8>,
    /// What was computed last, and of what: the next connection need not do it again (RFC 5802, section 5.1).
    salted: Option<Salted>,
    state: State,
}

#[derive(Clone)]
struct Salted {
    salt: Vec<u8>,
    iterations: u32,
    password: Box<[u8]>,
}

/// ```text
///          start                server_first                  server_final
///   Idle --------> AwaitFirst ---------------> AwaitFinal ------------------> Idle
/// ```
#[derive(Clone)]
enum State {
    Idle,
    AwaitFirst { nonce: String, bare: String },
    AwaitFinal { server_signature: Box<[u8]> },
}

impl ScramClient {
    /// For this user and password.
    #[must_use]
    pub fn new(hash: ScramHash, user_name: &str, password: &[u8]) -> Self {
        Self {
            hash,
            user_name: preparation::user_name(user_name).into_owned(),
            password: preparation::password(password).into_owned(),
            salted: None,
            state: State::Idle,
        }
    }

    /// The hash function.
    #[must_use]
    pub fn hash(&self) -> ScramHash {
        self.hash
    }

    /// Begins anew: `client-first-message`. `nonce` must be of printable ASCII without commas, and nobody may be able to
    /// guess it.
    pub fn start(&mut self, nonce: &str) -> String {
        let bare = format!("n={},r={nonce}", escape_name(&self.user_name));
        let message = format!("{GS2_HEADER}{bare}");
        self.state = State::AwaitFirst { nonce: nonce.to_owned(), bare };
        message
    }

    /// Reads `server-first-message`, and gives `client-final-message`. Takes the time of as many iterations as the server
    /// wants, unless they are those of last time.
    ///
    /// # Errors
    /// It is malformed, its nonce does not go on with the client's, or it asks for fewer iterations than
    /// [`ITERATIONS_MIN`], or more than [`ITERATIONS_MAX`].
    pub fn server_first(&mut self, message: &[u8]) -> Result<String, ScramError> {
        let State::AwaitFirst { nonce: own_nonce, bare } = std::mem::replace(&mut self.state, State::Idle)
        else {
            return Err(ScramError::OutOfPlace);
        };
        let message = text(message)?;
        let mut parts = message.split(',');
        let nonce = attribute(parts.next(), 'r', "the nonce")?;
        let salt = decode(attribute(parts.next(), 's', "the salt")?, "the salt")?;
        let iterations = number(attribute(parts.next(), 'i', "the number of iterations")?)?;
        extensions(parts)?;
        // What the server adds makes this exchange different from all others.
        if !nonce.strip_prefix(&own_nonce).is_some_and(is_nonce) {
            return Err(ScramError::Nonce);
        }
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(ScramError::Iterations(iterations));
        }
        if salt.is_empty() {
            return Err(ScramError::Malformed("the salt"));
        }
        let without_proof = format!("c={},r={nonce}", encode(GS2_HEADER.as_bytes()));
        let auth_message = format!("{bare},{message},{without_proof}");
        let hash = self.hash;
        let salted = self.salted_password(salt, iterations);
        let client_key = hash.client_key(salted);
        let signature = hash.hmac(&hash.hash(&client_key), &[auth_message.as_bytes()]);
        let server_signature = hash.hmac(&hash.server_key(salted), &[auth_message.as_bytes()]);
        let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(key, byte)| key ^ byte).collect();
        self.state = State::AwaitFinal { server_signature };
        Ok(format!("{without_proof},p={}", encode(&proof)))
    }

    /// Reads `server-final-message`: whether the server knows the user.
    ///
    /// # Errors
    /// It does not, or the exchange has not come so far.
    pub fn server_final(&mut self, message: &[u8]) -> Result<(), ScramError> {
        let State::AwaitFinal { server_signature } = std::mem::replace(&mut self.state, State::Idle) else {
            return Err(ScramError::OutOfPlace);
        };
        let message = text(message)?;
        if message.starts_with("e=") {
            return Err(ScramError::Server);
        }
        let mut parts = message.split(',');
        let signature = decode(attribute(parts.next(), 'v', "the signature")?, "the signature")?;
        extensions(parts)?;
        if bool::from(signature.ct_eq(&*server_signature)) { Ok(()) } else { Err(ScramError::Signature) }
    }

    fn salted_password(&mut self, salt: Vec<u8>, iterations: u32) -> &[u8] {
        let salted =
            self.salted.take().filter(|salted| salted.salt == salt && salted.iterations == iterations);
        let salted = salted.unwrap_or_else(|| {
            let password = self.hash.salted_password(&self.password, &salt, iterations);
            Salted { salt, iterations, password }
        });
        &self.salted.insert(salted).password
    }
}

impl std::fmt::Debug for ScramClient {
    /// Without the password.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ScramClient")
            .field("hash", &self.hash)
            .field("user_name", &self.user_name)
            .finish_non_exhaustive()
    }
}
