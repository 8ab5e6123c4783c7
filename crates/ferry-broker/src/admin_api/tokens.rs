use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::config::{Admin, AdminRole, Problems, TokenSecret, read_secret};

/// The tokens in force.
#[derive(Default)]
pub(crate) struct Tokens(Vec<Token>);

struct Token {
    name: String,
    role: AdminRole,
    /// SHA-256 of the secret: secrets are random and long, so nothing slower is needed.
    hash: [u8; 32],
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// For the audit log.
    pub(super) name: String,
    pub(super) role: AdminRole,
}

/// A request has no token that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// There is none.
    NoToken,
    /// It is nobody's.
    WrongToken,
}

impl Tokens {
    /// Reads the secrets.
    ///
    /// # Errors
    /// A file has none.
    pub(crate) fn read(admin: &Admin) -> Result<Self, Problems> {
        let mut tokens = Vec::new();
        let mut problems = Vec::new();
        for token in &admin.token {
            let hash = match &token.secret {
                TokenSecret::Hash(hash) => Ok(*hash),
                // Whoever loaded the configuration has seen the warnings.
                TokenSecret::File(path) => {
                    read_secret(path, &mut Vec::new()).map(|secret| Sha256::digest(secret).into())
                }
            };
            match hash {
                Ok(hash) => tokens.push(Token { name: token.name.clone(), role: token.role, hash }),
                Err(problem) => problems.push(problem),
            }
        }
        if problems.is_empty() { Ok(Self(tokens)) } else { Err(Problems(problems)) }
    }

    /// Whose token the request carries.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Unknown> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Unknown::NoToken) };
        let (scheme, secret) = value.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Unknown::NoToken);
        }
        self.find(secret.trim())
    }

    /// Takes the same time whichever token it is, or none.
    fn find(&self, secret: &str) -> Result<Caller, Unknown> {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let (mut found, mut index) = (Choice::from(0), 0_u32);
        for (at, token) in (0..).zip(&self.0) {
            let is_it = token.hash.ct_eq(&hash);
            index.conditional_assign(&at, is_it);
            found |= is_it;
        }
        match self.0.get(index as usize).filter(|_| bool::from(found)) {
            Some(token) => Ok(Caller { name: token.name.clone(), role: token.role }),
            None => Err(Unknown::WrongToken),
        }
    }
}
