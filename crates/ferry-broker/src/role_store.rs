use std::path::Path;

use ferry_auth::ManagedRoles;

use crate::managed_file::ManagedFile;
use crate::start_error::StartError;

/// The file's name in the data directory.
pub(crate) const ROLES_FILE: &str = "roles.json";

/// The roles that are managed at run time, and the file where they are kept, if there is a data directory.
#[derive(Default)]
pub(crate) struct RoleStore {
    file: Option<ManagedFile>,
    roles: ManagedRoles,
    bytes: usize,
}

impl RoleStore {
    /// The roles of a data directory.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is wrong.
    pub(crate) fn open(directory: Option<&Path>) -> Result<Self, StartError> {
        let Some(directory) = directory else { return Ok(Self::default()) };
        let file = ManagedFile::new(directory, ROLES_FILE);
        let read = read_roles(&file);
        let read = read.map_err(|message| StartError::Managed { file: file.path().to_owned(), message })?;
        let (roles, bytes) = read.unwrap_or_default();
        Ok(Self { file: Some(file), roles, bytes })
    }

    pub(crate) fn roles(&self) -> &ManagedRoles {
        &self.roles
    }

    /// Bytes of the file, or what it would have.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// These are the roles from now on, as this text; when this returns they are on the disk, if they are kept.
    ///
    /// # Errors
    /// They cannot be written: nothing has changed.
    pub(crate) fn replace(&mut self, roles: ManagedRoles, text: &str) -> Result<(), String> {
        if let Some(file) = &self.file {
            file.replace(text).map_err(|error| format!("{}: {error}", file.path().display()))?;
        }
        (self.roles, self.bytes) = (roles, text.len());
        Ok(())
    }
}

/// The roles of a file, and how many bytes it has; `None` if there is no file.
///
/// # Errors
/// Words for why it cannot be read, or what is wrong with it.
pub(crate) fn read_roles(file: &ManagedFile) -> Result<Option<(ManagedRoles, usize)>, String> {
    let Some(text) = file.read().map_err(|error| error.to_string())? else { return Ok(None) };
    let roles = ManagedRoles::parse(&text).map_err(|error| error.to_string())?;
    Ok(Some((roles, text.len())))
}
