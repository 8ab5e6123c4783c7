use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha512};

/// The hash function of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScramHash {
    /// SHA-1 (RFC 5802): still safe here, for clients that have nothing newer.
    Sha1,
    /// SHA-256 (RFC 7677).
    Sha256,
    /// SHA-512.
    Sha512,
}

impl ScramHash {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The name of the method that uses it, which is the Authentication Method of MQTT 5.0 section 4.12.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The hash function of the method with this name, compared byte by byte.
    #[must_use]
    pub fn of_method(method: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.method() == method)
    }

    /// Bytes of a hash.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// `HMAC(key, parts)`, the parts one after the other.
    #[must_use]
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Box<[u8]> {
        match self {
            Self::Sha1 => hmac::<Hmac<Sha1>>(key, parts),
            Self::Sha256 => hmac::<Hmac<Sha256>>(key, parts),
            Self::Sha512 => hmac::<Hmac<Sha512>>(key, parts),
        }
    }

    /// `H(data)`.
    pub(crate) fn hash(self, data: &[u8]) -> Box<[u8]> {
        match self {
            Self::Sha1 => Sha1::digest(data)[..].into(),
            Self::Sha256 => Sha256::digest(data)[..].into(),
            Self::Sha512 => Sha512::digest(data)[..].into(),
        }
    }

    /// `Hi(password, salt, iterations)`: what takes the time.
    pub(crate) fn salted_password(self, password: &[u8], salt: &[u8], iterations: u32) -> Box<[u8]> {
        let mut salted = vec![0; self.bytes()];
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut salted),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut salted),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut salted),
        }
        salted.into()
    }

    /// `ClientKey` of RFC 5802, section 3.
    pub(crate) fn client_key(self, salted_password: &[u8]) -> Box<[u8]> {
        self.hmac(salted_password, &[b"Client Key"])
    }

    /// `ServerKey` of RFC 5802, section 3.
    pub(crate) fn server_key(self, salted_password: &[u8]) -> Box<[u8]> {
        self.hmac(salted_password, &[b"Server Key"])
    }
}

fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Box<[u8]> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes()[..].into()
}
