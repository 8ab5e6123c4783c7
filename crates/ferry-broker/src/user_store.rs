use std::path::Path;
use std::sync::Arc;

use ferry_auth::{ManagedUsers, PasswordFile};

use crate::managed_file::ManagedFile;
use crate::start_error::StartError;

/// The file's name in the data directory.
const USERS_FILE: &str = "users";

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
        let wrong = |message: String| StartError::Managed { file: file.path().to_owned(), message };
        let text = file.read().map_err(|error| wrong(error.to_string()))?;
        let users = text.map_or_else(|| Ok(ManagedUsers::default()), |text| ManagedUsers::parse(&text));
        let users = users.map_err(|(line, words)| wrong(format!("line {line}: {words}")))?;
        Ok(Self { file: Some(file), users })
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
