//! Who may connect and do what, as the configuration and operators at run time have said.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferry_auth::{Authenticator, HashQueue, ManagedRoles, ManagedUsers};
use ferry_core::Authorizer;

use crate::authenticators::{Authenticators, Made};
use crate::config::{Config, Problems};
use crate::driver::{Command, Mailbox};
use crate::rights::{Rights, RightsInForce};
use crate::start_error::StartError;
use crate::user_store::UserStore;

/// What a reload and the admin API both change. Whoever changes something tells the shards under the lock, so that they all
/// learn of changes in the same order.
pub(crate) struct Access {
    /// `None`: the program has an authenticator of its own.
    authenticators: Option<Mutex<Authenticators>>,
    /// `None`: the program has an authorizer of its own. Locked after the authenticators, if both are.
    rights: Option<Mutex<RightsInForce>>,
    mailboxes: Arc<[Mailbox]>,
}

/// Judges and rights of a configuration that is not in force yet; `None` where the program has its own.
pub(crate) struct MadeAccess {
    judges: Option<Made>,
    rights: Option<Rights>,
}

/// What shards are told of judges and rights that are in force; `None` where the program has its own.
pub(crate) struct AccessInForce {
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) authorizer: Option<Arc<dyn Authorizer>>,
    /// Users whose connections end.
    pub(crate) ended_users: HashSet<Box<str>>,
}

impl Access {
    /// With the users of the data directory.
    ///
    /// # Errors
    /// Their file cannot be used.
    pub(crate) fn open(
        authenticators: Option<Authenticators>,
        rights: Option<RightsInForce>,
        directory: Option<&Path>,
        mailboxes: Arc<[Mailbox]>,
    ) -> Result<Self, StartError> {
        let with_users = |mut authenticators: Authenticators| {
            authenticators.users = UserStore::open(directory)?;
            Ok::<_, StartError>(Mutex::new(authenticators))
        };
        let rights = rights.map(Mutex::new);
        Ok(Self { authenticators: authenticators.map(with_users).transpose()?, rights, mailboxes })
    }

    fn lock_rights(&self) -> Option<MutexGuard<'_, RightsInForce>> {
        // Nothing under the lock can panic halfway through a change.
        self.rights.as_ref().map(|rights| rights.lock().unwrap_or_else(PoisonError::into_inner))
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

    /// The judges and rights of a configuration that is not in force yet.
    ///
    /// # Errors
    /// A file cannot be read, or something in it is wrong.
    pub(crate) fn make(&self, config: &Config) -> Result<MadeAccess, Problems> {
        let judges = self.lock().map(|authenticators| authenticators.make(config)).transpose()?;
        let rights = self.rights.as_ref().map(|_| Rights::read(config)).transpose()?;
        Ok(MadeAccess { judges, rights })
    }

    /// Begins to ask servers, if anything is configured that needs it.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.lock().map_or(Ok(()), |authenticators| authenticators.begin())
    }

    /// Puts judges and rights in force; `tell` tells the shards of them.
    pub(crate) fn put_in_force(&self, made: MadeAccess, tell: impl FnOnce(AccessInForce)) {
        let mut authenticators = self.lock();
        let mut rights = self.lock_rights();
        let (mut authenticator, mut authorizer, mut ended_users) = (None, None, HashSet::new());
        if let (Some(authenticators), Some(made)) = (&mut authenticators, made.judges) {
            ended_users = authenticators.put_in_force(made);
            authenticator = Some(authenticators.authenticator());
        }
        if let (Some(in_force), Some(made)) = (&mut rights, made.rights) {
            in_force.rights = made;
            authorizer = Some(in_force.authorizer());
        }
        tell(AccessInForce { authenticator, authorizer, ended_users });
        if let Some(Err(error)) = authenticators.map(|authenticators| authenticators.begin()) {
            tracing::error!(%error, "no server can be asked who a client is");
        }
    }

    /// What of the rights in force is wanted; `None` if the program has its own authorizer.
    pub(crate) fn rights<T>(&self, look: impl FnOnce(&RightsInForce) -> T) -> Option<T> {
        self.lock_rights().map(|rights| look(&rights))
    }

    /// Changes roles, which have at most `bytes_max` bytes as a text. What `change` fails with is returned, or what `fail`
    /// makes of it that they would be too large, or could not be kept: then nothing has changed. They hold at once.
    pub(crate) fn change_roles<E>(
        &self,
        bytes_max: usize,
        change: impl FnOnce(&mut ManagedRoles) -> Result<(), E>,
        fail: impl FnOnce(RolesNotChanged) -> E,
    ) -> Result<(), E> {
        let Some(mut in_force) = self.lock_rights() else { return Ok(()) };
        let mut roles = in_force.roles.roles().clone();
        change(&mut roles)?;
        let text = roles.to_string();
        // What takes something away is not refused because of what is there.
        if text.len() > bytes_max && text.len() > in_force.roles.bytes() {
            return Err(fail(RolesNotChanged::TooLarge));
        }
        if let Err(words) = in_force.roles.replace(roles, &text) {
            return Err(fail(RolesNotChanged::NotKept(words)));
        }
        if in_force.rights.has_roles {
            let authorizer = in_force.authorizer();
            for mailbox in &*self.mailboxes {
                mailbox.command(Command::Rights(Arc::clone(&authorizer)));
            }
        }
        Ok(())
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

/// Why roles have not changed.
#[derive(Debug)]
pub(crate) enum RolesNotChanged {
    /// All of them together would have more bytes than they may.
    TooLarge,
    /// They cannot be written, with the words of the reason.
    NotKept(String),
}
