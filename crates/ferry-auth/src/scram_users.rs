use std::collections::BTreeSet;
use std::sync::Arc;

use ferry_scram::{ScramCredentials, ScramHash};

use crate::{DecoySecret, PasswordFile};

/// Those users of a password file that can authenticate by SCRAM, and made-up ones for all other names.
pub(crate) struct ScramUsers {
    file: Arc<PasswordFile>,
    secret: DecoySecret,
    /// What the users have in common, and what is made up must have too.
    shapes: BTreeSet<Shape>,
}

/// What a challenge shows of how a password is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    hash: ScramHash,
    iterations: u32,
    salt_bytes: usize,
}

impl ScramUsers {
    /// `secret` is for a file that has none.
    pub(crate) fn new(file: Arc<PasswordFile>, secret: &DecoySecret) -> Self {
        let shapes = file.hashes().filter_map(|hash| hash.scram()).map(Shape::of).collect();
        let secret = file.decoy_secret().unwrap_or(secret).clone();
        Self { file, secret, shapes }
    }

    pub(crate) fn file(&self) -> &PasswordFile {
        &self.file
    }

    /// Whether there is anybody with this hash function: else the method is not offered.
    pub(crate) fn have(&self, hash: ScramHash) -> bool {
        self.shapes.iter().any(|shape| shape.hash == hash)
    }

    /// What a user of this name is challenged with, and whether there is one. For both it takes the same work.
    pub(crate) fn credentials(&self, hash: ScramHash, user_name: &str) -> (ScramCredentials, bool) {
        let made_up = self.made_up(hash, user_name);
        let known = self.file.get(user_name).and_then(|entry| entry.scram());
        match known.filter(|credentials| credentials.hash == hash) {
            Some(credentials) => (credentials.clone(), true),
            None => (made_up, false),
        }
    }

    fn made_up(&self, hash: ScramHash, user_name: &str) -> ScramCredentials {
        let name = user_name.as_bytes();
        let bytes =
            |purpose, length| self.secret.bytes(purpose, &[hash.method().as_bytes(), b"\0", name], length);
        // Each name prefers the shapes in an order of its own, so that it keeps its shape while others come and go.
        let preference = |shape: &&Shape| {
            let [iterations, salt_bytes] =
                [shape.iterations.to_be_bytes(), (shape.salt_bytes as u32).to_be_bytes()];
            self.secret.bytes("shape", &[&iterations, &salt_bytes, name], 16)
        };
        let shape = self.shapes.iter().filter(|shape| shape.hash == hash).max_by_key(preference);
        let (iterations, salt_bytes) =
            shape.map_or((ferry_scram::ITERATIONS_MIN, 16), |shape| (shape.iterations, shape.salt_bytes));
        ScramCredentials {
            hash,
            iterations,
            salt: bytes("salt", salt_bytes),
            stored_key: bytes("stored key", hash.bytes()),
            server_key: bytes("server key", hash.bytes()),
        }
    }
}

impl Shape {
    fn of(credentials: &ScramCredentials) -> Self {
        Self {
            hash: credentials.hash,
            iterations: credentials.iterations,
            salt_bytes: credentials.salt.len(),
        }
    }
}
