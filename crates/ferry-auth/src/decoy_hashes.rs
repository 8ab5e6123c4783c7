use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{HashCost, PasswordHash};

/// Kinds and costs of hashes that are remembered.
const HASHES_MAX: usize = 8;

/// What passwords of unknown users are compared with where the hashes of known users are not at hand but asked for one by
/// one: hashes that have been seen, one of each kind and cost.
#[derive(Default)]
pub struct DecoyHashes {
    seen: Mutex<Vec<PasswordHash>>,
    /// Which one an unknown user gets: always the same as long as no new kind is seen.
    secret: RandomState,
}

impl DecoyHashes {
    /// None seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers what a known user's hash costs.
    pub fn learn(&self, hash: &PasswordHash) {
        let mut seen = self.seen();
        if seen.len() < HASHES_MAX && !seen.iter().any(|one| one.costs_as(hash)) {
            seen.push(hash.clone());
        }
    }

    /// Takes as long as the comparison with a known user's hash does.
    pub fn compare(&self, user_name: &str, password: &[u8]) {
        let seen = self.seen();
        // The remainder is below the length, which is an usize.
        let index = self.secret.hash_one(user_name).checked_rem(seen.len() as u64);
        let decoy = index.and_then(|index| seen.get(index as usize)).cloned();
        drop(seen);
        match decoy {
            Some(decoy) => drop(std::hint::black_box(decoy.verify(password))),
            None => drop(std::hint::black_box(PasswordHash::create(password, HashCost::default()))),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Vec<PasswordHash>> {
        // At worst one is missing.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for DecoyHashes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DecoyHashes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_each_kind_and_cost_is_remembered() {
        let decoys = DecoyHashes::new();
        for text in [
            "$2b$04$abcdefghijklmnopqrstuuJJXkUCqGTrhAOHMpuWMFVRcSgyMGvO6",
            "$2b$04$zyxdefghijklmnopqrstuuJJXkUCqGTrhAOHMpuWMFVRcSgyMGvO6",
            "$2b$05$abcdefghijklmnopqrstuuJJXkUCqGTrhAOHMpuWMFVRcSgyMGvO6",
            "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$argon2id$v=19$m=8,t=1,p=1$dGxhc3RsYXM$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$argon2id$v=19$m=8,t=2,p=1$c2FsdHNhbHQ$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$scrypt$ln=4,r=8,p=1$c2FsdA$MTIzNDU2Nzg5MDEyMzQ1Ng",
            "$scrypt$ln=4,r=8,p=1$c2Fsdr$MTIzNDU2Nzg5MDEyMzQ1Ng",
        ] {
            // Base64 whose last bits are not zero is none.
            if let Ok(hash) = PasswordHash::parse(text) {
                decoys.learn(&hash);
            }
        }
        assert_eq!(decoys.seen().len(), 5);
        decoys.compare("nobody", b"x");
        for iterations in 1..20 {
            let cost = HashCost::Pbkdf2Sha512 { iterations };
            decoys.learn(&PasswordHash::create(b"x", cost).expect("a hash"));
            decoys.learn(&PasswordHash::create(b"x", cost).expect("a hash"));
        }
        assert_eq!(decoys.seen().len(), HASHES_MAX);
    }
}
