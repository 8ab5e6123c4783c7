use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ferry_scram::{ITERATIONS_MAX, ITERATIONS_MIN, ScramCredentials};
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

use crate::HashCost;

/// Bytes of a fresh salt (RFC 9106, section 3.1).
const SALT_BYTES: usize = 16;

/// Bytes of a fresh salt for PBKDF2: Mosquitto reads no others but 64.
const PBKDF2_SALT_BYTES: usize = 12;

/// Bytes of a fresh Argon2 hash.
const ARGON2_BYTES: usize = 32;

/// Bytes of a SHA-512 hash.
const SHA512_BYTES: usize = 64;

/// Memory that checking one password may take, in KiB: a line that asks for more would stop the broker.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;

/// Passes of Argon2 over its memory.
const ARGON2_ITERATIONS_MAX: u32 = 100;

/// Lanes of Argon2.
const ARGON2_LANES_MAX: u32 = 64;

/// Rounds of PBKDF2.
const PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// Logarithm of the rounds of bcrypt.
const BCRYPT_COST_MAX: u32 = 18;

/// Product of the block size and the parallelism of scrypt.
const SCRYPT_BLOCKS_MAX: u32 = 1024;

/// What is kept in the place of a password: from it a password can be recognised, not found out.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, also `argon2i` and `argon2d`; as Mosquitto from 2.1 on.
    Argon2 { algorithm: Algorithm, version: Version, parameters: Params, salt: Box<[u8]>, hash: Box<[u8]> },
    /// `$7$iterations$salt$hash`: Mosquitto from 1.6 on.
    Pbkdf2Sha512 { iterations: u32, salt: Box<[u8]>, hash: Box<[u8]> },
    /// `$6$salt$hash`: one SHA-512 over password and salt; Mosquitto before 1.6.
    Sha512 { salt: Box<[u8]>, hash: Box<[u8]> },
    /// `$2b$cost$...`, also `2a` and `2y`. Of a password only the first 72 bytes count.
    Bcrypt(Box<str>),
    /// `$scrypt$ln=16,r=8,p=1$salt$hash`.
    Scrypt { log_n: u8, block: u32, parallelism: u32, salt: Box<[u8]>, hash: Box<[u8]> },
    /// `SCRAM-SHA-256$iterations:salt$storedkey:serverkey` (RFC 5803), also `SHA-1` and `SHA-512`.
    Scram(ScramCredentials),
}

/// Why a text is no password hash. It never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashError(&'static str);

impl fmt::Display for HashError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for HashError {}

impl PasswordHash {
    /// Hashes `password` with a fresh salt.
    ///
    /// # Errors
    /// When the cost is outside what is allowed, or the system gives no random bytes.
    pub fn create(password: &[u8], cost: HashCost) -> Result<Self, HashError> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|_| HashError("the system gives no random bytes"))?;
        let mut kind = match cost {
            HashCost::Argon2id { memory_kib, iterations, parallelism } => Kind::Argon2 {
                algorithm: Algorithm::Argon2id,
                version: Version::V0x13,
                parameters: argon2_parameters(memory_kib, iterations, parallelism)?,
                salt: salt.into(),
                hash: vec![0; ARGON2_BYTES].into(),
            },
            HashCost::Pbkdf2Sha512 { iterations } => Kind::Pbkdf2Sha512 {
                iterations: pbkdf2_iterations(iterations)?,
                salt: salt[..PBKDF2_SALT_BYTES].into(),
                hash: vec![0; SHA512_BYTES].into(),
            },
            HashCost::Scram { hash, iterations } => {
                if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
                    return Err(HashError("SCRAM may have 4,096 to 1,000,000 iterations"));
                }
                return Ok(Self(Kind::Scram(ScramCredentials::new(hash, password, &salt, iterations))));
            }
        };
        let hash = kind.compute(password);
        match &mut kind {
            Kind::Argon2 { hash: place, .. } | Kind::Pbkdf2Sha512 { hash: place, .. } => *place = hash,
            Kind::Sha512 { .. } | Kind::Bcrypt(_) | Kind::Scrypt { .. } | Kind::Scram(_) => {}
        }
        Ok(Self(kind))
    }

    /// Reads the text that a password file has after the user name.
    ///
    /// # Errors
    /// When it is of no kind that is known, or asks for more memory or time than is sensible.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        if is_scram(text) {
            let credentials = ScramCredentials::parse(text)
                .map_err(|_| HashError("this is not METHOD$ITERATIONS:SALT$STOREDKEY:SERVERKEY of SCRAM"))?;
            pbkdf2_iterations(credentials.iterations)?;
            return Ok(Self(Kind::Scram(credentials)));
        }
        let Some(rest) = text.strip_prefix('$') else {
            return Err(HashError("the password is in plain text"));
        };
        let parts: Vec<&str> = rest.split('$').collect();
        let kind = match parts[..] {
            [name @ ("argon2id" | "argon2i" | "argon2d"), version, parameters, salt, hash] => {
                parse_argon2(name, version, parameters, salt, hash)?
            }
            // The first version of Argon2 did not name itself.
            [name @ ("argon2id" | "argon2i" | "argon2d"), parameters, salt, hash] => {
                parse_argon2(name, "v=16", parameters, salt, hash)?
            }
            ["7", iterations, salt, hash] => Kind::Pbkdf2Sha512 {
                iterations: pbkdf2_iterations(number(iterations)?)?,
                salt: padded(salt)?,
                hash: sha512(padded(hash)?)?,
            },
            ["6", salt, hash] => Kind::Sha512 { salt: padded(salt)?, hash: sha512(padded(hash)?)? },
            ["2a" | "2b" | "2y", cost, _] => parse_bcrypt(text, cost)?,
            ["scrypt", parameters, salt, hash] => parse_scrypt(parameters, salt, hash)?,
            _ => return Err(HashError("the kind of the password hash is not known")),
        };
        Ok(Self(kind))
    }

    /// Whether this is the hash of `password`. The time does not tell how much of it is right.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kind::Bcrypt(text) => bcrypt::verify(password, text).unwrap_or(false),
            Kind::Scram(credentials) => credentials.verify_password(password),
            Kind::Argon2 { hash, .. }
            | Kind::Pbkdf2Sha512 { hash, .. }
            | Kind::Sha512 { hash, .. }
            | Kind::Scrypt { hash, .. } => self.0.compute(password).ct_eq(hash).into(),
        }
    }

    /// Whether its passwords can be found out by trying many: one fast hash, or few rounds of it.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        match &self.0 {
            Kind::Sha512 { .. } => true,
            Kind::Pbkdf2Sha512 { iterations, .. } | Kind::Scram(ScramCredentials { iterations, .. }) => {
                *iterations < 10_000
            }
            Kind::Argon2 { .. } | Kind::Bcrypt(_) | Kind::Scrypt { .. } => false,
        }
    }
}

impl PasswordHash {
    /// Whether comparing a password with the other takes as long.
    pub(crate) fn costs_as(&self, other: &Self) -> bool {
        self.cost() == other.cost()
    }

    /// The text before what is random in it.
    fn cost(&self) -> String {
        let text = self.to_string();
        let start = match self.0 {
            Kind::Scram(_) => text.split(':').next(),
            Kind::Bcrypt(_) => text.rsplitn(2, '$').last(),
            _ => text.rsplitn(3, '$').last(),
        };
        start.unwrap_or_default().to_owned()
    }

    /// What SCRAM needs, if the password is kept so.
    pub(crate) fn scram(&self) -> Option<&ScramCredentials> {
        match &self.0 {
            Kind::Scram(credentials) => Some(credentials),
            _ => None,
        }
    }
}

/// Whether a text begins as the credentials of SCRAM do: then it is not meant as a password.
pub(crate) fn is_scram(text: &str) -> bool {
    text.starts_with("SCRAM-SHA-") && text.contains('$')
}

impl Kind {
    /// The hash of `password`; empty if it cannot be computed.
    fn compute(&self, password: &[u8]) -> Box<[u8]> {
        match self {
            Self::Argon2 { algorithm, version, parameters, salt, hash } => {
                let mut computed = vec![0; hash.len()];
                let mut blocks = argon2_memory(parameters.block_count());
                let argon2 = Argon2::new(*algorithm, *version, parameters.clone());
                match argon2.hash_password_into_with_memory(password, salt, &mut computed, &mut blocks[..]) {
                    Ok(()) => computed.into(),
                    Err(_) => Box::default(),
                }
            }
            Self::Pbkdf2Sha512 { iterations, salt, hash } => {
                let mut computed = vec![0; hash.len()];
                pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, *iterations, &mut computed);
                computed.into()
            }
            Self::Sha512 { salt, .. } => {
                Sha512::new().chain_update(password).chain_update(salt).finalize()[..].into()
            }
            Self::Scrypt { log_n, block, parallelism, salt, hash } => {
                let mut computed = vec![0; hash.len()];
                let done = scrypt::Params::new(*log_n, *block, *parallelism).is_ok_and(|parameters| {
                    scrypt::scrypt(password, salt, &parameters, &mut computed).is_ok()
                });
                if done { computed.into() } else { Box::default() }
            }
            Self::Bcrypt(_) | Self::Scram(_) => Box::default(),
        }
    }
}

impl fmt::Display for PasswordHash {
    /// As a password file has it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Argon2 { algorithm, version, parameters, salt, hash } => {
                let (name, version) = (algorithm.as_str(), u32::from(*version));
                let (memory, passes) = (parameters.m_cost(), parameters.t_cost());
                let (lanes, salt, hash) =
                    (parameters.p_cost(), STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
                write!(formatter, "${name}$v={version}$m={memory},t={passes},p={lanes}${salt}${hash}")
            }
            Kind::Pbkdf2Sha512 { iterations, salt, hash } => {
                write!(formatter, "$7${iterations}${}${}", STANDARD.encode(salt), STANDARD.encode(hash))
            }
            Kind::Sha512 { salt, hash } => {
                write!(formatter, "$6${}${}", STANDARD.encode(salt), STANDARD.encode(hash))
            }
            Kind::Bcrypt(text) => formatter.write_str(text),
            Kind::Scrypt { log_n, block, parallelism, salt, hash } => {
                let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
                write!(formatter, "$scrypt$ln={log_n},r={block},p={parallelism}${salt}${hash}")
            }
            Kind::Scram(credentials) => credentials.fmt(formatter),
        }
    }
}

impl fmt::Debug for PasswordHash {
    /// The kind only: a log is read by more people than a password file.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match &self.0 {
            Kind::Argon2 { .. } => "Argon2",
            Kind::Pbkdf2Sha512 { .. } => "Pbkdf2Sha512",
            Kind::Sha512 { .. } => "Sha512",
            Kind::Bcrypt(_) => "Bcrypt",
            Kind::Scrypt { .. } => "Scrypt",
            Kind::Scram(_) => "Scram",
        })
    }
}

fn parse_argon2(
    name: &str,
    version: &str,
    parameters: &str,
    salt: &str,
    hash: &str,
) -> Result<Kind, HashError> {
    let algorithm = match name {
        "argon2i" => Algorithm::Argon2i,
        "argon2d" => Algorithm::Argon2d,
        _ => Algorithm::Argon2id,
    };
    let version = match version {
        "v=19" => Version::V0x13,
        "v=16" => Version::V0x10,
        _ => return Err(HashError("the version of Argon2 is not known")),
    };
    let [memory, passes, lanes] = named_numbers(parameters, ["m", "t", "p"])?;
    let (salt, hash) = (unpadded(salt)?, unpadded(hash)?);
    if salt.len() < argon2::MIN_SALT_LEN || !(16..=128).contains(&hash.len()) {
        return Err(HashError("the salt or the hash is too short or too long"));
    }
    Ok(Kind::Argon2 { algorithm, version, parameters: argon2_parameters(memory, passes, lanes)?, salt, hash })
}

fn parse_bcrypt(text: &str, cost: &str) -> Result<Kind, HashError> {
    let well_formed = text.parse::<bcrypt::HashParts>().is_ok();
    if !well_formed {
        return Err(HashError("this is not a bcrypt hash"));
    }
    if !(4..=BCRYPT_COST_MAX).contains(&number(cost)?) {
        return Err(HashError("the cost of bcrypt may be 4 to 18"));
    }
    Ok(Kind::Bcrypt(text.into()))
}

fn parse_scrypt(parameters: &str, salt: &str, hash: &str) -> Result<Kind, HashError> {
    let [log_n, block, parallelism] = named_numbers(parameters, ["ln", "r", "p"])?;
    let (salt, hash) = (unpadded(salt)?, unpadded(hash)?);
    if !(16..=128).contains(&hash.len()) {
        return Err(HashError("the hash is too short or too long"));
    }
    let blocks = block.saturating_mul(parallelism);
    if !(1..=24).contains(&log_n) || !(1..=SCRYPT_BLOCKS_MAX).contains(&blocks) {
        return Err(HashError("the cost of scrypt is out of range"));
    }
    // Each of 2^ln blocks has 128 r bytes.
    if (u64::from(block) << log_n) / 8 > u64::from(MEMORY_KIB_MAX) {
        return Err(HashError("checking this password would take more than 1 GiB of memory"));
    }
    // At most 24: checked above.
    Ok(Kind::Scrypt { log_n: log_n as u8, block, parallelism, salt, hash })
}

/// So many blocks that the system is asked for them, and gets them back at once: glibc keeps smaller ones, on 64 bits those of
/// up to 32 MiB (`DEFAULT_MMAP_THRESHOLD_MAX`), and does not find them again, since they are aligned. A dozen logins
/// would leave 220 MiB. What is not used is only reserved, not resident.
fn argon2_memory(count: usize) -> Vec<Block> {
    const KEPT_BYTES_MAX: usize = 32 << 20;
    let mut blocks = Vec::with_capacity(count.max(KEPT_BYTES_MAX / Block::SIZE + 1));
    blocks.resize(count, Block::default());
    blocks
}

fn argon2_parameters(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Params, HashError> {
    if memory_kib > MEMORY_KIB_MAX {
        return Err(HashError("checking this password would take more than 1 GiB of memory"));
    }
    if iterations > ARGON2_ITERATIONS_MAX || parallelism > ARGON2_LANES_MAX {
        return Err(HashError("Argon2 may have at most 100 iterations and 64 lanes"));
    }
    Params::new(memory_kib, iterations, parallelism, None)
        .map_err(|_| HashError("Argon2 needs 8 KiB of memory for each lane, and an iteration"))
}

fn pbkdf2_iterations(iterations: u32) -> Result<u32, HashError> {
    if (1..=PBKDF2_ITERATIONS_MAX).contains(&iterations) {
        return Ok(iterations);
    }
    Err(HashError("PBKDF2 may have 1 to 10,000,000 iterations"))
}

/// The numbers of `m=19456,t=2,p=1`, in this order.
fn named_numbers<const N: usize>(text: &str, names: [&str; N]) -> Result<[u32; N], HashError> {
    let mut numbers = [0; N];
    let mut parts = text.split(',');
    for (place, name) in numbers.iter_mut().zip(names) {
        let value =
            parts.next().and_then(|part| part.strip_prefix(name)).and_then(|part| part.strip_prefix('='));
        *place = number(value.ok_or(HashError("the parameters of the hash are not those of its kind"))?)?;
    }
    if parts.next().is_some() {
        return Err(HashError("the hash has more parameters than its kind"));
    }
    Ok(numbers)
}

fn number(text: &str) -> Result<u32, HashError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain).ok_or(HashError("a parameter of the hash is not a number"))
}

fn padded(text: &str) -> Result<Box<[u8]>, HashError> {
    STANDARD.decode(text).map(Into::into).map_err(|_| HashError("the salt or the hash is not Base64"))
}

fn unpadded(text: &str) -> Result<Box<[u8]>, HashError> {
    let text = text.trim_end_matches('=');
    STANDARD_NO_PAD.decode(text).map(Into::into).map_err(|_| HashError("the salt or the hash is not Base64"))
}

fn sha512(hash: Box<[u8]>) -> Result<Box<[u8]>, HashError> {
    if hash.len() == SHA512_BYTES {
        Ok(hash)
    } else {
        Err(HashError("the hash has not the 64 bytes of SHA-512"))
    }
}
