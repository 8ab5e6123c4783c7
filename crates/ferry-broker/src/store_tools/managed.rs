//! What operators manage at run time, which lies beside the log: users, bans, roles and groups. As lines of a dump, and back.

use std::collections::HashSet;
use std::path::Path;
use std::{fmt, io};

use ferry_auth::{DecoySecret, ManagedRoles, ManagedUser, ManagedUsers, PasswordHash};
use serde_json::{Map, Value as Json, json};

use super::message_json::{Fields, Wrong};
use crate::accept::{BANS_FILE, BANS_MAX, BanListFull, BanOrigin, ban_json, ban_of, bans_text, read_bans};
use crate::config::{Ban, Network};
use crate::driver::Clock;
use crate::managed_file::ManagedFile;
use crate::role_store::{ROLES_FILE, read_roles};
use crate::user_store::{USERS_FILE, read_users};

/// How many there are of what operators manage at run time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedReport {
    /// Users.
    pub users: usize,
    /// Bans, also those that have ended.
    pub bans: usize,
    /// Roles.
    pub roles: usize,
    /// Groups of users.
    pub groups: usize,
    /// Files that cannot be used, and why: a broker does not start with them.
    pub problems: Vec<String>,
}

impl fmt::Display for ManagedReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { users, bans, roles, groups, .. } = self;
        write!(formatter, "{users} users, {bans} bans, {roles} roles, {groups} groups")
    }
}

/// What is in a data directory of it, or is to be. `None`: there is no file.
#[derive(Default)]
pub(super) struct Managed {
    users: Option<ManagedUsers>,
    bans: Option<Vec<(Ban, BanOrigin)>>,
    roles: Option<ManagedRoles>,
    problems: Vec<String>,
}

impl Managed {
    /// All that can be read in a data directory, perhaps without the users.
    pub(super) fn read(directory: &Path, with_users: bool) -> Self {
        let [users, bans, roles] = files(directory);
        let mut problems = Vec::new();
        let mut problem = |file: &ManagedFile, words: &str| {
            problems.push(format!("{}: {words}", file.path().display()));
        };
        let read = if with_users { read_users(&users) } else { Ok(None) };
        let read_users = read.unwrap_or_else(|words| {
            problem(&users, &words);
            None
        });
        let read_bans = read_bans(&bans).unwrap_or_else(|words| {
            problem(&bans, &words);
            None
        });
        let read_roles = read_roles(&roles).unwrap_or_else(|words| {
            problem(&roles, &words);
            None
        });
        Self { users: read_users, bans: read_bans, roles: read_roles.map(|(roles, _)| roles), problems }
    }

    pub(super) fn report(&self) -> ManagedReport {
        let roles = self.roles.as_ref();
        ManagedReport {
            users: self.users.as_ref().map_or(0, ManagedUsers::len),
            bans: self.bans.as_ref().map_or(0, Vec::len),
            roles: roles.map_or(0, |roles| roles.iter().count()),
            groups: roles.map_or(0, |roles| roles.groups().count()),
            problems: self.problems.clone(),
        }
    }

    /// A line of a dump for each of them.
    pub(super) fn lines(&self) -> Vec<Json> {
        let mut lines = Vec::new();
        let mut put = |kind: &str, mut line: Json| {
            line["kind"] = kind.into();
            if let Json::Object(members) = &mut line {
                members.retain(|_, member| !member.is_null());
            }
            lines.push(line);
        };
        if let Some(users) = &self.users {
            put("decoy_secret", json!({ "secret_base64": users.decoy_secret().to_base64() }));
            for (name, ManagedUser { hash, is_disabled }) in users.iter() {
                let hash = hash.to_string();
                put("user", json!({ "name": name, "hash": hash, "is_disabled": is_disabled }));
            }
        }
        for (ban, origin) in self.bans.iter().flatten() {
            put("ban", ban_json(ban, *origin));
        }
        if let Some(roles) = &self.roles {
            roles.groups_json().for_each(|group| put("group", group));
            roles.roles_json().for_each(|role| put("role", role));
        }
        lines
    }
}

/// What a dump says of it, line by line, with the checks of a broker that reads it.
pub(super) struct ManagedLoad {
    managed: Managed,
    /// Whom bans are about that have not ended: address, user, client identifier.
    banned: HashSet<(Option<Network>, Option<String>, Option<String>)>,
    clock: Clock,
}

impl ManagedLoad {
    pub(super) fn new() -> Self {
        Self { managed: Managed::default(), banned: HashSet::new(), clock: Clock::start() }
    }

    /// Takes a line; `false` if it is of another kind.
    ///
    /// # Errors
    /// What is wrong with it, which never repeats a secret.
    pub(super) fn take(&mut self, line: &Map<String, Json>) -> Result<bool, Wrong> {
        let fields = Fields(line);
        match fields.text("kind")? {
            "decoy_secret" => self.take_decoy_secret(&fields),
            "user" => self.take_user(&fields),
            "ban" => self.take_ban(line),
            kind @ ("group" | "role") => self.take_role(kind, line),
            _ => return Ok(false),
        }?;
        Ok(true)
    }

    /// Writes the files of all that was taken. When this returns they are on the disk.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(super) fn write(&self, directory: &Path) -> io::Result<()> {
        let [users, bans, roles] = files(directory);
        if let Some(taken) = &self.managed.users {
            users.replace(&taken.to_string())?;
        }
        if let Some(taken) = &self.managed.bans {
            bans.replace(&bans_text(taken))?;
        }
        if let Some(taken) = &self.managed.roles {
            roles.replace(&taken.to_string())?;
        }
        Ok(())
    }

    fn take_decoy_secret(&mut self, fields: &Fields<'_>) -> Result<(), Wrong> {
        fields.only(&["secret_base64"])?;
        let secret = DecoySecret::from_base64(fields.text("secret_base64")?);
        let secret = secret.ok_or("secret_base64 is not 32 bytes in base64")?;
        self.managed.users.get_or_insert_default().set_decoy_secret(secret);
        Ok(())
    }

    fn take_user(&mut self, fields: &Fields<'_>) -> Result<(), Wrong> {
        fields.only(&["name", "hash", "is_disabled"])?;
        let name = fields.text("name")?;
        let users = self.managed.users.get_or_insert_default();
        if users.get(name).is_some() {
            return Err(format!("name: the user {name:?} is there twice"));
        }
        let hash = PasswordHash::parse(fields.text("hash")?);
        let hash = hash.map_err(|error| format!("hash of user {name:?}: {error}"))?;
        let user = ManagedUser { hash, is_disabled: fields.flag("is_disabled")? };
        users.set(name, user).map_err(|error| format!("name: {error}"))
    }

    fn take_ban(&mut self, line: &Map<String, Json>) -> Result<(), Wrong> {
        Fields(line).only(&["address", "user", "client_id", "until_milliseconds", "reason", "automatic"])?;
        let (ban, origin) = ban_of(&Json::Object(line.clone()))?;
        if !ban.has_ended(self.clock.now()) {
            self.banned.insert((ban.network, ban.user_name.clone(), ban.client_id.clone()));
            if self.banned.len() > BANS_MAX {
                return Err(BanListFull.to_string());
            }
        }
        self.managed.bans.get_or_insert_default().push((ban, origin));
        Ok(())
    }

    fn take_role(&mut self, kind: &str, line: &Map<String, Json>) -> Result<(), Wrong> {
        let mut document = line.clone();
        document.remove("kind");
        let roles = self.managed.roles.get_or_insert_default();
        let document = Json::Object(document);
        let taken = if kind == "group" { roles.add_group(&document) } else { roles.add_role(&document) };
        taken.map_err(|error| error.to_string())
    }
}

/// Whether there is any of it in a data directory.
pub(super) fn is_any(directory: &Path) -> bool {
    files(directory).iter().any(|file| file.path().symlink_metadata().is_ok())
}

/// Takes all of it out of a data directory.
///
/// # Errors
/// The directory cannot be written to.
pub(super) fn remove(directory: &Path) -> io::Result<()> {
    files(directory).iter().try_for_each(ManagedFile::remove)
}

fn files(directory: &Path) -> [ManagedFile; 3] {
    [USERS_FILE, BANS_FILE, ROLES_FILE].map(|name| ManagedFile::new(directory, name))
}
