use ferry_scram::ScramHash;

/// How a new password is hashed, and what checking it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashCost {
    /// Argon2id (RFC 9106).
    Argon2id {
        /// Memory in KiB: at least 8 for each lane.
        memory_kib: u32,
        /// Passes over it.
        iterations: u32,
        /// Lanes. They are computed one after the other, so they cost the broker no threads.
        parallelism: u32,
    },
    /// PBKDF2 with HMAC-SHA512, which Mosquitto 1.6 to 2.0 read too.
    Pbkdf2Sha512 {
        /// Rounds.
        iterations: u32,
    },
    /// What SCRAM needs (RFC 5802), which recognises passwords in a CONNECT too.
    Scram {
        /// The hash function of the method.
        hash: ScramHash,
        /// Rounds, at least 4,096. The client computes them with each connection, the broker when a CONNECT has the password.
        iterations: u32,
    },
}

impl HashCost {
    /// Argon2id with 19 MiB and two passes, the least that OWASP recommends: who has the file needs as much for each
    /// password he tries, and thousands of devices can still log in at once.
    pub const ARGON2ID: Self = Self::Argon2id { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 };

    /// PBKDF2 with the 210,000 rounds that OWASP recommends for SHA-512.
    pub const PBKDF2_SHA512: Self = Self::Pbkdf2Sha512 { iterations: 210_000 };

    /// SCRAM with 100,000 rounds: less than a tenth of a second for a computer, seconds for a small device.
    #[must_use]
    pub const fn scram(hash: ScramHash) -> Self {
        Self::Scram { hash, iterations: 100_000 }
    }
}

impl Default for HashCost {
    fn default() -> Self {
        Self::ARGON2ID
    }
}
