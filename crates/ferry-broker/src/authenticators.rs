//! The authenticators that a configuration asks for.

use std::sync::Arc;
use std::thread;

use ferry_auth::{Authenticator, CertificateLink, Chain, DecoySecret, HashQueue, JwtLink, PasswordLink};

use crate::config::{AuthenticatorKind, Config, Problems, read_jwt_rules, read_password_file};

/// Makes the judges of a configuration, and makes them anew when it is reloaded; all of them share one queue.
pub(crate) struct Authenticators {
    queue: Arc<HashQueue>,
    /// For password files without one.
    decoy_secret: DecoySecret,
}

impl Authenticators {
    pub(crate) fn new(config: &Config) -> Self {
        let cores = || thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = config.authentication.hash_threads.map_or_else(|| cores() / 2, usize::from);
        let queue = HashQueue::new(threads, config.limits.password_checks_waiting_max as usize);
        Self { queue: Arc::new(queue), decoy_secret: DecoySecret::random() }
    }

    /// Reads what the configuration names.
    ///
    /// # Errors
    /// A file cannot be read, or something in it is wrong.
    pub(crate) fn make(&self, config: &Config) -> Result<Arc<dyn Authenticator>, Problems> {
        let mut chain = Chain::new().with(AuthenticatorKind::Certificate.name(), Arc::new(CertificateLink));
        if let Some(path) = &config.authentication.password_file {
            // Whoever loaded the configuration has seen the warnings.
            let file = read_password_file(path, &mut Vec::new()).map_err(Problems)?;
            let link = PasswordLink::new(file, Arc::clone(&self.queue), &self.decoy_secret);
            chain = chain.with(AuthenticatorKind::PasswordFile.name(), Arc::new(link));
        }
        if let Some(rules) = read_jwt_rules(&config.authentication, &mut Vec::new()).map_err(Problems)? {
            let link = JwtLink::new(rules, Arc::clone(&self.queue));
            chain = chain.with(AuthenticatorKind::Jwt.name(), Arc::new(link));
        }
        self.queue.set_jobs_max(config.limits.password_checks_waiting_max as usize);
        Ok(Arc::new(chain))
    }
}
