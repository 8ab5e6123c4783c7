use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{hmac, signature};
use serde_json::{Map, Value};

use crate::JwtAlgorithm;

/// Keys in one file: as many as a provider has while it changes them, several times over.
const KEYS_MAX: usize = 100;

/// What a `PUBLIC KEY` of PEM begins with (RFC 5480, RFC 8410); the rest is the key.
const P256_START: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86,
    0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_START: [u8; 23] = [
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x05, 0x2B, 0x81,
    0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
const ED25519_START: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The identifier `rsaEncryption` with its parameters (RFC 3279, section 2.3.1), in a `PUBLIC KEY`.
const RSA_IDENTIFIER: [u8; 15] =
    [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];

/// What tokens are checked with. A key is for the algorithms of its kind alone, so a public key is never a secret of HMAC.
#[derive(Clone, Default)]
pub struct JwtKeys(Arc<[Key]>);

#[derive(Clone)]
struct Key {
    /// The name that tokens may have for it.
    id: Option<Box<str>>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<JwtAlgorithm>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Secret(Vec<u8>),
    /// `RSAPublicKey` (RFC 8017, appendix A.1.1).
    RsaDer(Vec<u8>),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// Points that are not compressed.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// Why a text holds no keys. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JwtKeysError(&'static str);

impl fmt::Display for JwtKeysError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for JwtKeysError {}

impl JwtKeys {
    /// Reads a file: public keys in PEM, a set of keys in JSON (RFC 7517), or else a secret, without the end of its line.
    ///
    /// # Errors
    /// A key is none, or of a kind that is not known here.
    pub fn parse(file: &[u8]) -> Result<Self, JwtKeysError> {
        let trimmed = file.trim_ascii();
        let keys = if trimmed.starts_with(b"-----BEGIN") {
            of_pem(trimmed)?
        } else if trimmed.starts_with(b"{") {
            of_json(trimmed)?
        } else {
            let secret = file.strip_suffix(b"\n").unwrap_or(file);
            let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
            vec![Key { id: None, algorithm: None, kind: Kind::Secret(secret.to_vec()) }]
        };
        match keys.len() {
            0 => Err(JwtKeysError("there is no key in it that signatures can be checked with")),
            1..=KEYS_MAX => Ok(Self(keys.into())),
            _ => Err(JwtKeysError("there are more than 100 keys in it")),
        }
    }

    /// Whether there is a key for this algorithm; for HMAC one that is long enough (RFC 7518, section 3.2).
    #[must_use]
    pub fn fit(&self, algorithm: JwtAlgorithm) -> bool {
        self.0.iter().any(|key| key.fits(algorithm))
    }

    /// Whether `signature` is that of `message` by the key of this name, or by any key if it has none.
    #[must_use]
    pub fn verify(
        &self,
        algorithm: JwtAlgorithm,
        key_id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        self.meant(algorithm, key_id).any(|key| key.verify(algorithm, message, signature))
    }

    /// Whether there is a key of this name, or one without a name that could be meant.
    #[must_use]
    pub fn have(&self, algorithm: JwtAlgorithm, key_id: Option<&str>) -> bool {
        self.meant(algorithm, key_id).next().is_some()
    }

    fn meant(&self, algorithm: JwtAlgorithm, key_id: Option<&str>) -> impl Iterator<Item = &Key> {
        let is_meant = move |key: &&Key| match (key_id, &key.id) {
            (Some(wanted), Some(id)) => wanted == &**id,
            _ => true,
        };
        self.0.iter().filter(move |key| key.fits(algorithm)).filter(is_meant)
    }
}

impl fmt::Debug for JwtKeys {
    /// How many: some are secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "JwtKeys({})", self.0.len())
    }
}

impl Key {
    fn fits(&self, algorithm: JwtAlgorithm) -> bool {
        use JwtAlgorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512, Rs256, Rs384, Rs512};
        let fits = match (&self.kind, algorithm) {
            (Kind::Secret(secret), Hs256) => secret.len() >= 32,
            (Kind::Secret(secret), Hs384) => secret.len() >= 48,
            (Kind::Secret(secret), Hs512) => secret.len() >= 64,
            (Kind::RsaDer(_) | Kind::Rsa { .. }, Rs256 | Rs384 | Rs512)
            | (Kind::P256(_), Es256)
            | (Kind::P384(_), Es384)
            | (Kind::Ed25519(_), EdDsa) => true,
            _ => false,
        };
        fits && self.algorithm.is_none_or(|only| only == algorithm)
    }

    fn verify(&self, algorithm: JwtAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let public = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
        };
        match &self.kind {
            Kind::Secret(secret) => {
                let hash = match algorithm {
                    JwtAlgorithm::Hs384 => hmac::HMAC_SHA384,
                    JwtAlgorithm::Hs512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                hmac::verify(&hmac::Key::new(hash, secret), message, signature).is_ok()
            }
            Kind::RsaDer(der) => public(rsa(algorithm), der),
            Kind::Rsa { modulus, exponent } => {
                let components = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
                components.verify(rsa(algorithm), message, signature).is_ok()
            }
            Kind::P256(point) => public(&signature::ECDSA_P256_SHA256_FIXED, point),
            Kind::P384(point) => public(&signature::ECDSA_P384_SHA384_FIXED, point),
            Kind::Ed25519(key) => public(&signature::ED25519, key),
        }
    }
}

fn rsa(algorithm: JwtAlgorithm) -> &'static signature::RsaParameters {
    match algorithm {
        JwtAlgorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        JwtAlgorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => &signature::RSA_PKCS1_2048_8192_SHA256,
    }
}

fn of_pem(file: &[u8]) -> Result<Vec<Key>, JwtKeysError> {
    const WRONG: JwtKeysError = JwtKeysError("this is not PEM");
    let mut text = std::str::from_utf8(file).map_err(|_| WRONG)?;
    let mut keys = Vec::new();
    while let Some((_, rest)) = text.split_once("-----BEGIN ") {
        let (label, rest) = rest.split_once("-----").ok_or(WRONG)?;
        let (body, rest) = rest.split_once("-----END ").ok_or(WRONG)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| WRONG)?;
        let kind = match label {
            "PUBLIC KEY" => of_public_key(&der)?,
            "RSA PUBLIC KEY" => Kind::RsaDer(der),
            _ if label.contains("PRIVATE") => {
                return Err(JwtKeysError(
                    "this is a private key: whoever has it makes tokens; only the public one belongs here",
                ));
            }
            _ => return Err(JwtKeysError("a PEM file of keys has blocks PUBLIC KEY or RSA PUBLIC KEY")),
        };
        keys.push(Key { id: None, algorithm: None, kind });
        text = rest;
    }
    Ok(keys)
}

/// `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
fn of_public_key(der: &[u8]) -> Result<Kind, JwtKeysError> {
    if let Some(point) = der.strip_prefix(&P256_START).filter(|point| point.len() == 65) {
        return Ok(Kind::P256(point.to_vec()));
    }
    if let Some(point) = der.strip_prefix(&P384_START).filter(|point| point.len() == 97) {
        return Ok(Kind::P384(point.to_vec()));
    }
    if let Some(key) = der.strip_prefix(&ED25519_START).filter(|key| key.len() == 32) {
        return Ok(Kind::Ed25519(key.to_vec()));
    }
    let rsa = contents(der, 0x30).and_then(|rest| contents(rest.strip_prefix(&RSA_IDENTIFIER)?, 0x03));
    // A bit string begins with the number of bits that do not count.
    let rsa = rsa.and_then(|bits| bits.strip_prefix(&[0]));
    rsa.map(|key| Kind::RsaDer(key.to_vec()))
        .ok_or(JwtKeysError("a key is not of RSA, P-256, P-384 or Ed25519"))
}

/// What is in the one value of DER with this tag that `der` is.
fn contents(der: &[u8], tag: u8) -> Option<&[u8]> {
    let rest = der.strip_prefix(&[tag])?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?)), rest.get(2..)?),
        _ => return None,
    };
    Some(rest).filter(|rest| rest.len() == length)
}

/// A set of keys, or one key. Keys for other purposes or of other kinds are left out.
fn of_json(file: &[u8]) -> Result<Vec<Key>, JwtKeysError> {
    const WRONG: JwtKeysError = JwtKeysError("this is no set of keys (JWKS)");
    let value: Map<String, Value> = serde_json::from_slice(file).map_err(|_| WRONG)?;
    match value.get("keys") {
        Some(Value::Array(keys)) => {
            let keys = keys.iter().map(|key| of_jwk(key.as_object().ok_or(WRONG)?));
            keys.filter_map(Result::transpose).collect()
        }
        Some(_) => Err(WRONG),
        None => Ok(of_jwk(&value)?.into_iter().collect()),
    }
}

fn of_jwk(jwk: &Map<String, Value>) -> Result<Option<Key>, JwtKeysError> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| {
        let decoded = URL_SAFE_NO_PAD.decode(text(name).unwrap_or_default().trim_end_matches('='));
        decoded.ok().filter(|bytes| !bytes.is_empty()).ok_or(JwtKeysError("a key lacks one of its numbers"))
    };
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return Ok(None);
    }
    let algorithm = match text("alg") {
        None => None,
        // Of another algorithm, which is not for tokens here.
        Some(name) => match JwtAlgorithm::of_name(name) {
            Some(algorithm) => Some(algorithm),
            None => return Ok(None),
        },
    };
    let is_private = text("kty") != Some("oct") && jwk.contains_key("d");
    if is_private {
        return Err(JwtKeysError(
            "a key is private: whoever has it makes tokens; only public ones belong here",
        ));
    }
    let point = |bytes_of_each: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        if x.len() == bytes_of_each && y.len() == bytes_of_each {
            return Ok([&[4][..], &x, &y].concat());
        }
        Err(JwtKeysError("a point is not on its curve"))
    };
    let kind = match (text("kty"), text("crv")) {
        (Some("oct"), _) => Kind::Secret(bytes("k")?),
        (Some("RSA"), _) => Kind::Rsa { modulus: bytes("n")?, exponent: bytes("e")? },
        (Some("EC"), Some("P-256")) => Kind::P256(point(32)?),
        (Some("EC"), Some("P-384")) => Kind::P384(point(48)?),
        (Some("OKP"), Some("Ed25519")) => Kind::Ed25519(bytes("x")?),
        _ => return Ok(None),
    };
    Ok(Some(Key { id: text("kid").map(Into::into), algorithm, kind }))
}
