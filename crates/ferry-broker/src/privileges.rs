//! Giving up the rights of root: who the process becomes once its ports are bound.

use std::ffi::CString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::unistd::{User, setgid, setuid};
use rustix::fs::{Access, access};

use crate::start_error::StartError;

/// Who is looked for if the configuration names nobody.
const USUAL_USER: &str = "ferry";

/// Where the usual user is looked for; one that the configuration names may be known from elsewhere.
const PASSWD_FILE: &str = "/etc/passwd";

/// What a data directory has in it. One with anything else may be of use to others, and is left to who it belongs to.
const ENTRIES: [&str; 6] = ["FORMAT", "LOADING", "LOCK", "admin.sock", "log", "users"];

/// The files in it with what operators have said at run time, and those that are to take their places.
const EXTENSIONS: [&str; 3] = ["json", "jsonl", "new"];

/// Who the process is and will be.
#[derive(Clone, Debug)]
pub(crate) enum Identity {
    /// Root did not start it: it has nothing to give up.
    Unprivileged,
    /// It stays root: the configuration says so, or (`false`) there is nobody that it could become.
    Root {
        /// Whether it was asked for.
        wanted: bool,
    },
    /// It becomes a user that is not root.
    Account(Account),
}

/// A user that is not root.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    name: String,
    user_id: nix::unistd::Uid,
    group_id: nix::unistd::Gid,
}

impl Identity {
    /// Who this process is to be, by `server.user`.
    ///
    /// # Errors
    /// The user that is named is not known here.
    pub(crate) fn of(user: Option<&str>) -> Result<Self, StartError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Unprivileged);
        }
        if user.is_none() && !is_in_passwd_file(USUAL_USER) {
            return Ok(Self::Root { wanted: false });
        }
        let name = user.unwrap_or(USUAL_USER);
        match Account::known(name)? {
            Some(account) if account.user_id.is_root() => Ok(Self::Root { wanted: true }),
            Some(account) => Ok(Self::Account(account)),
            None if user.is_none() => Ok(Self::Root { wanted: false }),
            None => Err(StartError::Privileges {
                action: format!("cannot become {name}: there is no such user"),
                remedy: new_user(name),
            }),
        }
    }

    /// Says in the log what an operator should know of it.
    pub(crate) fn log(&self, user: Option<&str>) {
        match self {
            Self::Root { wanted: false } => tracing::warn!(
                "runs as root, because there is no user {USUAL_USER}: {}; server.user names another one, and \
                 server.user = \"root\" ends this warning",
                new_user(USUAL_USER)
            ),
            Self::Unprivileged => {
                let ours = User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
                if let Some(user) = user
                    && ours.as_deref() != Some(user)
                {
                    let ours = ours.as_deref().unwrap_or("who started it");
                    tracing::warn!("stays {ours}: only root can become {user}, as server.user says");
                }
            }
            Self::Root { wanted: true } | Self::Account(_) => {}
        }
    }

    /// For the start message; `None` if there is nothing to say.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::Unprivileged => None,
            Self::Root { wanted: true } => Some("user       root, as server.user says".to_owned()),
            Self::Root { wanted: false } => Some(format!("user       root (there is no user {USUAL_USER})")),
            Self::Account(account) => {
                Some(format!("user       {} (root until the ports were bound)", account.name))
            }
        }
    }
}

impl Account {
    /// The user of this name; `None` if there is none.
    ///
    /// # Errors
    /// The system cannot say.
    pub(crate) fn known(name: &str) -> Result<Option<Self>, StartError> {
        let found = User::from_name(name).map_err(io::Error::from)?;
        Ok(found.map(|user| Self { name: user.name, user_id: user.uid, group_id: user.gid }))
    }

    /// Makes the data directory if there is none, for this user alone; and gives one that root has made and only root
    /// can write in, with what is in it. Where others may write nothing is given: they could have put anything there.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn prepare(&self, directory: &Path) -> Result<(), StartError> {
        let refused = |action: &str, error: io::Error| StartError::Privileges {
            action: format!("cannot {action} {}: {error}", directory.display()),
            remedy: "name another directory with --data DIR".to_owned(),
        };
        let metadata = match std::fs::metadata(directory) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new()
                    .recursive(true)
                    .create(directory.parent().unwrap_or(directory))
                    .and_then(|()| DirBuilder::new().mode(0o700).create(directory))
                    .map_err(|error| refused("create", error))?;
                return self.own(directory).map_err(|error| refused("give away", error));
            }
            Err(error) => return Err(refused("look at", error)),
        };
        if metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
            return Ok(());
        }
        let Some(paths) = entries(directory).map_err(|error| refused("look at", error))? else {
            return Ok(());
        };
        paths.iter().try_for_each(|path| self.own(path)).map_err(|error| refused("give away", error))?;
        // The last, so that everything is given or the next start goes on with it.
        self.own(directory).map_err(|error| refused("give away", error))?;
        tracing::info!("{} belonged to root and is {}'s now", directory.display(), self.name);
        Ok(())
    }

    /// Gives the file of a Unix socket that root has bound, so that it is as if this user had.
    ///
    /// # Errors
    /// It is not root's any more, or the system refuses it.
    pub(crate) fn give_socket(&self, path: &Path) -> io::Result<()> {
        give_socket(path, self.user_id.as_raw(), self.group_id.as_raw())
    }

    /// Becomes this user, with the groups that it is in and without any right of root, for good. All threads do.
    ///
    /// # Errors
    /// The system refuses it.
    pub(crate) fn become_it(&self) -> Result<(), StartError> {
        let refused = |error: io::Error| StartError::Privileges {
            action: format!("cannot become {}: {error}", self.name),
            remedy:
                "the process needs CAP_SETUID and CAP_SETGID for that; start it as that user instead, or \
                     let it stay root with server.user = \"root\""
                    .to_owned(),
        };
        self.take_groups().and_then(|()| Ok(setuid(self.user_id)?)).map_err(refused)?;
        // Whoever could take it back would have given up nothing.
        if setuid(nix::unistd::ROOT).is_ok() {
            return Err(refused(io::Error::other("the rights of root could be taken back")));
        }
        #[cfg(target_os = "linux")]
        rustix::thread::set_no_new_privs(true).map_err(|error| refused(error.into()))?;
        Ok(())
    }

    /// Checks, as this user, that the data directory can be used.
    ///
    /// # Errors
    /// It cannot; says whose it is.
    pub(crate) fn check_directory(&self, directory: &Path) -> Result<(), StartError> {
        if access(directory, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_ok() {
            return Ok(());
        }
        let Self { name, .. } = self;
        let shown = directory.display();
        Err(StartError::Privileges {
            action: format!(
                "{name}, who root has become, may not read and write in {shown}{}",
                owner(directory)
            ),
            remedy: format!(
                "if it is the broker's alone, `chown -R {name}: {shown}`, and let {name} reach it; or name another \
                 directory with --data DIR, or another user in server.user"
            ),
        })
    }

    /// Warns, as this user, of each file that it cannot read: what was read as root cannot be read again.
    pub(crate) fn warn_of_unreadable(&self, files: &[PathBuf]) {
        let Self { name, group_id, .. } = self;
        for file in files.iter().filter(|file| access(*file, Access::READ_OK).is_err()) {
            let file = file.display();
            tracing::warn!(
                "{file} was read as root, and {name} may not read it: a reload will fail; \
                 `chgrp {group_id} {file} && chmod 640 {file}`, and let {name} reach its directory"
            );
        }
    }

    fn own(&self, path: &Path) -> io::Result<()> {
        std::os::unix::fs::lchown(path, Some(self.user_id.as_raw()), Some(self.group_id.as_raw())).or_else(
            |error| match error.kind() {
                // A socket or segment that has just gone.
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            },
        )
    }

    /// The user's own group and all others that it is in; none of root's stays.
    fn take_groups(&self) -> io::Result<()> {
        #[cfg(not(target_vendor = "apple"))]
        {
            let name = CString::new(self.name.as_str())?;
            nix::unistd::initgroups(&name, self.group_id)?;
        }
        Ok(setgid(self.group_id)?)
    }
}

/// Whether a user is in the file of this machine's own. To ask the system for one that is not there costs two thirds of a
/// mebibyte for the libraries of its other sources.
fn is_in_passwd_file(name: &str) -> bool {
    let file = std::fs::read(PASSWD_FILE).unwrap_or_default();
    file.split(|byte| *byte == b'\n')
        .any(|line| line.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b':')))
}

/// How to make a user for the broker.
pub(crate) fn new_user(name: &str) -> String {
    format!("make it with `useradd --system --user-group --no-create-home --shell /usr/sbin/nologin {name}`")
}

/// Everything in a data directory; `None` if there is something that a broker does not put there.
fn entries(directory: &Path) -> io::Result<Option<Vec<PathBuf>>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        let is_managed = name.extension().is_some_and(|found| EXTENSIONS.iter().any(|known| found == *known));
        if !is_managed && !ENTRIES.iter().any(|known| name == Path::new(known)) {
            return Ok(None);
        }
        if entry.file_type()?.is_dir() {
            for inner in std::fs::read_dir(entry.path())? {
                paths.push(inner?.path());
            }
        }
        paths.push(entry.path());
    }
    Ok(Some(paths))
}

/// Whose a directory is, in brackets.
fn owner(directory: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(directory) else { return String::new() };
    let user = User::from_uid(metadata.uid().into()).ok().flatten();
    let name = user.map_or_else(|| metadata.uid().to_string(), |user| user.name);
    format!(" (it belongs to {name}, mode {:04o})", metadata.mode() & 0o7777)
}

/// The file may lie where others can exchange it: what is given is what was looked at, and never another file.
#[cfg(target_os = "linux")]
fn give_socket(path: &Path, user_id: u32, group_id: u32) -> io::Result<()> {
    use rustix::fs::{AtFlags, FileType, Mode, OFlags, chownat, fstat, open};
    use rustix::process::{Gid, Uid};

    let file = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let found = fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket || found.st_uid != 0 || found.st_nlink != 1
    {
        return Err(io::Error::other("somebody has exchanged it"));
    }
    let (user, group) = (Uid::from_raw(user_id), Gid::from_raw(group_id));
    Ok(chownat(&file, "", Some(user), Some(group), AtFlags::EMPTY_PATH)?)
}

#[cfg(not(target_os = "linux"))]
fn give_socket(path: &Path, user_id: u32, group_id: u32) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(user_id), Some(group_id))
}
