//! The authenticators that a configuration asks for.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;

use ferry_auth::{
    Authenticator, CertificateLink, Chain, DecoySecret, HashQueue, JwtLink, PasswordFile, PasswordLink,
};

use crate::config::{AuthenticatorKind, Config, Problems, read_jwt_rules, read_password_file};

/// Makes the judges of a configuration, and makes them anew when it is reloaded; all of them share one queue.
pub(crate) struct Authenticators {
    queue: Arc<HashQueue>,
    /// For password files without one.
    decoy_secret: DecoySecret,
    /// The users in force.
    password_file: Option<Arc<PasswordFile>>,
}

/// Judges that are not in force yet.
pub(crate) struct Made {
    pub(crate) authenticator: Arc<dyn Authenticator>,
    password_file: Option<Arc<PasswordFile>>,
}

impl Authenticators {
    pub(crate) fn new(config: &Config) -> Self {
        let cores = || thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = config.authentication.hash_threads.map_or_else(|| cores() / 2, usize::from);
        let queue = HashQueue::new(threads, config.limits.password_checks_waiting_max as usize);
        Self { queue: Arc::new(queue), decoy_secret: DecoySecret::random(), password_file: None }
    }

    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file cannot be read, or something in it is wrong.
    pub(crate) fn make(&self, config: &Config) -> Result<Made, Problems> {
        let mut password_file = None;
        let mut chain = Chain::new().with(AuthenticatorKind::Certificate.name(), Arc::new(CertificateLink));
        if let Some(path) = &config.authentication.password_file {
            // Whoever loaded the configuration has seen the warnings.
            let file = Arc::new(read_password_file(path, &mut Vec::new()).map_err(Problems)?);
            password_file = Some(Arc::clone(&file));
            let link = PasswordLink::new(file, Arc::clone(&self.queue), &self.decoy_secret);
            chain = chain.with(AuthenticatorKind::PasswordFile.name(), Arc::new(link));
        }
        if let Some(rules) = read_jwt_rules(&config.authentication, &mut Vec::new()).map_err(Problems)? {
            let link = JwtLink::new(rules, Arc::clone(&self.queue));
            chain = chain.with(AuthenticatorKind::Jwt.name(), Arc::new(link));
        }
        self.queue.set_jobs_max(config.limits.password_checks_waiting_max as usize);
        Ok(Made { authenticator: Arc::new(chain), password_file })
    }

    /// These judges are in force from now on. Returns them, and the users that the password file had and has not any more, or
    /// with another hash. Without a file there is nobody that it has taken back.
    pub(crate) fn in_force(&mut self, made: Made) -> (Arc<dyn Authenticator>, HashSet<Box<str>>) {
        let before = std::mem::replace(&mut self.password_file, made.password_file);
        let ended = match (before, &self.password_file) {
            (Some(before), Some(now)) => now.ended_since(&before),
            _ => HashSet::new(),
        };
        (made.authenticator, ended)
    }
}
