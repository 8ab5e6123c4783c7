use std::path::Path;
use std::sync::Arc;

use ferry_auth::{ManagedUsers, PasswordFile};

use crate::managed_file::ManagedFile;
use crate::start_error::StartError;

/// The file's name in the data directory.
pub(crate) const USERS_FILE: &str = "users";

/// The users that are managed at run time, and the file where they are kept, if there is a data directory.
#[derive(Default)]
pub(crate) struct UserStore {
    file: Option<ManagedFile>,
    users: ManagedUsers,
}

impl UserStore {
    /// The users of a data directory.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong.
    pub(crate) fn open(directory: Option<&Path>) -> Result<Self, StartError> {
        let Some(directory) = directory else { return Ok(Self::default()) };
        let file = ManagedFile::new(directory, USERS_FILE);
        let users = read_users(&file);
        let users = users.map_err(|message| StartError::Managed { file: file.path().to_owned(), message })?;
        Ok(Self { file: Some(file), users: users.unwrap_or_default() })
    }

    pub(crate) fn users(&self) -> &ManagedUsers {
        &self.users
    }

    pub(crate) fn password_file(&self) -> Arc<PasswordFile> {
        Arc::new(self.users.password_file())
    }

    /// These are the users from now on; when this returns they are on the disk, if they are kept.
    ///
    /// # Errors
    /// They cannot be written: nothing has changed.
    pub(crate) fn replace(&mut self, users: ManagedUsers) -> Result<(), String> {
        if let Some(file) = &self.file {
            let written = file.replace(&users.to_string());
            written.map_err(|error| format!("{}: {error}", file.path().display()))?;
        }
        self.users = users;
        Ok(())
    }
}

/// The users of a file; `None` if there is no file.
///
/// # Errors
/// Words for why it cannot be read, or what is wrong with it.
pub(crate) fn read_users(file: &ManagedFile) -> Result<Option<ManagedUsers>, String> {
    let text = file.read().map_err(|error| error.to_string())?;
    let users = text.as_deref().map(ManagedUsers::parse).transpose();
    users.map_err(|(line, words)| format!("line {line}: {words}"))
}
