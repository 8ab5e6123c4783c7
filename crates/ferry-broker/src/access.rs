//! Who may connect, as the configuration and operators at run time have said.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferry_auth::{Authenticator, HashQueue, ManagedUsers};

use crate::authenticators::{Authenticators, Made};
use crate::config::{Config, Problems};
use crate::driver::{Command, Mailbox};
use crate::start_error::StartError;
use crate::user_store::UserStore;

/// What a reload and the admin API both change. Whoever changes something tells the shards under the lock, so that they all
/// learn of changes in the same order.
pub(crate) struct Access {
    /// `None`: the program has an authenticator of its own.
    authenticators: Option<Mutex<Authenticators>>,
    mailboxes: Arc<[Mailbox]>,
}

impl Access {
    /// With the users of the data directory.
    ///
    /// # Errors
    /// Their file cannot be used.
    pub(crate) fn open(
        authenticators: Option<Authenticators>,
        directory: Option<&Path>,
        mailboxes: Arc<[Mailbox]>,
    ) -> Result<Self, StartError> {
        let with_users = |mut authenticators: Authenticators| {
            authenticators.users = UserStore::open(directory)?;
            Ok::<_, StartError>(Mutex::new(authenticators))
        };
        Ok(Self { authenticators: authenticators.map(with_users).transpose()?, mailboxes })
    }

    fn lock(&self) -> Option<MutexGuard<'_, Authenticators>> {
        // Nothing under the lock can panic halfway through a change.
        self.authenticators.as_ref().map(|all| all.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the program has an authenticator of its own.
    pub(crate) fn is_of_program(&self) -> bool {
        self.authenticators.is_none()
    }

    /// The judges in force; `None` if the program has its own.
    pub(crate) fn authenticator(&self) -> Option<Arc<dyn Authenticator>> {
        self.lock().map(|authenticators| authenticators.authenticator())
    }

    /// The judges of a configuration that is not in force yet; `None` if the program has its own.
    ///
    /// # Errors
    /// A file cannot be read, or something in it is wrong.
    pub(crate) fn make(&self, config: &Config) -> Result<Option<Made>, Problems> {
        self.lock().map(|authenticators| authenticators.make(config)).transpose()
    }

    /// Begins to ask servers, if anything is configured that needs it.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.lock().map_or(Ok(()), |authenticators| authenticators.begin())
    }

    /// Puts judges in force; `tell` tells the shards of them, and of the users whose connections end.
    pub(crate) fn put_in_force(
        &self,
        made: Option<Made>,
        tell: impl FnOnce(Option<Arc<dyn Authenticator>>, HashSet<Box<str>>),
    ) {
        match (self.lock(), made) {
            (Some(mut authenticators), Some(made)) => {
                let ended = authenticators.put_in_force(made);
                tell(Some(authenticators.authenticator()), ended);
                if let Err(error) = authenticators.begin() {
                    tracing::error!(%error, "no server can be asked who a client is");
                }
            }
            _ => tell(None, HashSet::new()),
        }
    }

    /// What of the users that are managed at run time is wanted, and whether clients are judged by them; `None` if the
    /// program has its own authenticator.
    pub(crate) fn users<T>(&self, look: impl FnOnce(&ManagedUsers, bool) -> T) -> Option<T> {
        self.lock().map(|authenticators| look(authenticators.users.users(), authenticators.has_users()))
    }

    /// Where hashes are computed.
    pub(crate) fn hash_queue(&self) -> Option<Arc<HashQueue>> {
        self.lock().map(|authenticators| authenticators.queue())
    }

    /// Changes users; what `change` fails with is returned, and words if the users could not be kept: then nothing has
    /// changed. Who has another hash, is disabled or gone is disconnected.
    pub(crate) fn change_users<E>(
        &self,
        change: impl FnOnce(&mut ManagedUsers) -> Result<(), E>,
        not_kept: impl FnOnce(String) -> E,
    ) -> Result<(), E> {
        let Some(mut authenticators) = self.lock() else { return Ok(()) };
        let before = authenticators.users.password_file();
        let mut users = authenticators.users.users().clone();
        change(&mut users)?;
        authenticators.users.replace(users).map_err(not_kept)?;
        if authenticators.has_users() {
            let ended = Arc::new(authenticators.users.password_file().ended_since(&before));
            let authenticator = authenticators.authenticator();
            for mailbox in &*self.mailboxes {
                mailbox.command(Command::Users {
                    authenticator: Arc::clone(&authenticator),
                    ended: Arc::clone(&ended),
                });
            }
        }
        Ok(())
    }
}
