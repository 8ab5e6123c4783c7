use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::grants::claim;
use crate::{Grants, GrantsFault, JwtAlgorithm, JwtKeys};

/// Bytes of a token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Bytes of a user name: what MQTT has room for (section 1.5.4).
const USER_NAME_BYTES_MAX: usize = 65_535;

/// Which tokens are taken, and whose they are.
#[derive(Clone, Debug)]
pub struct JwtRules {
    /// What tokens are checked with.
    pub keys: JwtKeys,
    /// The only algorithms that are taken, whatever a token asks for.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The claim that is the user name.
    pub user_claim: String,
    /// What `iss` must be.
    pub issuer: Option<String>,
    /// What `aud` must be, or have. Without it a token that is for somebody is for somebody else (RFC 7519, section 4.1.3).
    pub audience: Option<String>,
    /// How far the clocks of whoever makes tokens and of this machine may be apart.
    pub clock_skew_seconds: u32,
    /// The claim that has the roles.
    pub roles_claim: Option<String>,
    /// The claim that has rules of the client's own. A token without it has none, and may do nothing by them.
    pub acl_claim: Option<String>,
}

/// What a token that is right says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtIdentity {
    /// Whose it is.
    pub user_name: Box<str>,
    /// When it expires, the skew of clocks included.
    pub until_unix_seconds: u64,
    /// What it may do beyond what is said of its name.
    pub grants: Option<Arc<Grants>>,
}

/// Why a token is not taken. It never repeats the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtFault {
    /// It is too long, or not three parts of Base64 with JSON in them.
    Malformed,
    /// Its algorithm is not one that is taken.
    Algorithm,
    /// It has an extension that must be understood (RFC 7515, section 4.1.11).
    Extension,
    /// There is no key of the name that it gives.
    NoKey,
    /// No key has signed it.
    Signature,
    /// A claim is missing, or not of its type.
    Claim(&'static str),
    /// It has expired.
    Expired,
    /// Its time has not come.
    NotYet,
    /// What it grants cannot be read.
    Grants(GrantsFault),
    /// It is of another issuer.
    Issuer,
    /// It is for somebody else.
    Audience,
}

impl fmt::Display for JwtFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "it is malformed, or longer than 16 KiB",
            Self::Algorithm => "its algorithm is not one of authentication.jwt_algorithms",
            Self::Extension => "it has an extension that is not known",
            Self::NoKey => "there is no key of its name (kid) and algorithm",
            Self::Signature => "no key has signed it",
            Self::Claim(name) => return write!(formatter, "it has no {name}, or not of its type"),
            Self::Grants(fault) => return fault.fmt(formatter),
            Self::Expired => "it has expired",
            Self::NotYet => "its time has not come",
            Self::Issuer => "its issuer is not authentication.jwt_issuer",
            Self::Audience => "it is not for authentication.jwt_audience",
        })
    }
}

impl std::error::Error for JwtFault {}

impl JwtRules {
    /// Checks a token in the compact form (RFC 7515, section 7.1) at this time.
    ///
    /// # Errors
    /// It is not to be taken.
    pub fn check(&self, token: &[u8], now_unix_seconds: u64) -> Result<JwtIdentity, JwtFault> {
        let claims = self.verified(token)?;
        let skew = u64::from(self.clock_skew_seconds);
        let time = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(value) => whole_seconds(value).map(Some).ok_or(JwtFault::Claim(name)),
        };
        // Without an end nobody could ever be turned away but by other keys.
        let until_unix_seconds = time("exp")?.ok_or(JwtFault::Claim("exp"))?.saturating_add(skew);
        if until_unix_seconds <= now_unix_seconds {
            return Err(JwtFault::Expired);
        }
        if time("nbf")?.is_some_and(|not_before| not_before > now_unix_seconds.saturating_add(skew)) {
            return Err(JwtFault::NotYet);
        }
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if self.issuer.as_deref().is_some_and(|issuer| text("iss") != Some(issuer)) {
            return Err(JwtFault::Issuer);
        }
        if !self.is_for_us(claims.get("aud")) {
            return Err(JwtFault::Audience);
        }
        let is_name =
            |name: &&str| !name.is_empty() && name.len() <= USER_NAME_BYTES_MAX && !name.contains('\0');
        let user_name = text(&self.user_claim).filter(is_name).ok_or(JwtFault::Claim("user name"))?;
        let grants = self.grants(&claims).map_err(JwtFault::Grants)?;
        Ok(JwtIdentity { user_name: user_name.into(), until_unix_seconds, grants })
    }

    fn grants(&self, claims: &Map<String, Value>) -> Result<Option<Arc<Grants>>, GrantsFault> {
        let roles = self.roles_claim.as_deref().and_then(|name| claim(claims, name));
        let none = Value::Array(Vec::new());
        let rules = self.acl_claim.as_deref().map(|name| claim(claims, name).unwrap_or(&none));
        Grants::parse(roles, rules)
    }

    /// The claims of a token that one of our keys has signed.
    fn verified(&self, token: &[u8]) -> Result<Map<String, Value>, JwtFault> {
        let token = parts(token).ok_or(JwtFault::Malformed)?;
        let header = object(token.header).ok_or(JwtFault::Malformed)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = text("alg").and_then(JwtAlgorithm::of_name);
        let algorithm = algorithm.filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(JwtFault::Algorithm)?;
        if header.contains_key("crit") {
            return Err(JwtFault::Extension);
        }
        let signature = URL_SAFE_NO_PAD.decode(token.signature).map_err(|_| JwtFault::Malformed)?;
        if !self.keys.have(algorithm, text("kid")) {
            return Err(JwtFault::NoKey);
        }
        if !self.keys.verify(algorithm, text("kid"), token.signed.as_bytes(), &signature) {
            return Err(JwtFault::Signature);
        }
        object(token.claims).ok_or(JwtFault::Malformed)
    }

    fn is_for_us(&self, audience: Option<&Value>) -> bool {
        match (audience, &self.audience) {
            (None, None) => true,
            (Some(Value::String(one)), Some(wanted)) => one == wanted,
            (Some(Value::Array(all)), Some(wanted)) => all.iter().any(|one| one.as_str() == Some(wanted)),
            _ => false,
        }
    }
}

/// Whether a password looks like a token: then it is meant as one.
pub(crate) fn is_token(password: &[u8]) -> bool {
    // What every header begins with: `{"` in Base64.
    password.starts_with(b"eyJ") && password.iter().filter(|byte| **byte == b'.').count() == 2
}

struct Token<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// What the signature is of.
    signed: &'a str,
}

fn parts(token: &[u8]) -> Option<Token<'_>> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = std::str::from_utf8(token).ok()?.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    Some(Token { header, claims, signature, signed })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// `NumericDate` (RFC 7519, section 2), which may have a fraction.
fn whole_seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        let seconds = value.as_f64()?;
        // Saturates.
        (seconds.is_finite() && seconds >= 0.0).then_some(seconds as u64)
    })
}
