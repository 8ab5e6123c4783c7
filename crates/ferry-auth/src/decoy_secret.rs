use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ferry_scram::ScramHash;

/// How a password file begins the line with a secret; for other programs it is a comment.
const LINE_START: &str = "# decoy-secret ";

/// What is made up for users that are not there is made with this: always the same for the same name, as with those that
/// are there, and nobody who does not have the secret can tell them apart.
#[derive(Clone, PartialEq, Eq)]
pub struct DecoySecret([u8; 32]);

impl DecoySecret {
    /// A new one, by the random numbers of the system.
    #[must_use]
    pub fn random() -> Self {
        let mut secret = [0; 32];
        if getrandom::fill(&mut secret).is_err() {
            // As good as the keys of the standard library's hash maps, which it has got before.
            let state = RandomState::new();
            for (index, place) in secret.chunks_exact_mut(8).enumerate() {
                place.copy_from_slice(&state.hash_one(index).to_ne_bytes());
            }
        }
        Self(secret)
    }

    /// The secret of a line of a password file.
    pub(crate) fn of_line(line: &str) -> Option<Self> {
        Self::from_base64(line.trim().strip_prefix(LINE_START)?.trim())
    }

    /// The secret of a text that [`to_base64`](Self::to_base64) has made; `None` if it is none.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        Some(Self(STANDARD.decode(text).ok()?.try_into().ok()?))
    }

    /// The secret as text.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// So many bytes, always the same for the same parts and length.
    pub(crate) fn bytes(&self, purpose: &str, parts: &[&[u8]], length: usize) -> Box<[u8]> {
        let mut bytes = Vec::with_capacity(length);
        let mut block = 0_u32;
        while bytes.len() < length {
            let (purpose_length, number) = ([purpose.len() as u8], block.to_be_bytes());
            let start: [&[u8]; 3] = [&purpose_length, purpose.as_bytes(), &number];
            bytes.extend(ScramHash::Sha256.hmac(&self.0, &[&start, parts].concat()));
            block += 1;
        }
        bytes.truncate(length);
        bytes.into()
    }
}

impl fmt::Display for DecoySecret {
    /// The line of a password file.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{LINE_START}{}", self.to_base64())
    }
}

impl fmt::Debug for DecoySecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DecoySecret")
    }
}
