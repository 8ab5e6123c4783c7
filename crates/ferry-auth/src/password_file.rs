use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::password_hash::is_scram;
use crate::{DecoySecret, HashError, ManagedUser, PasswordHash};

/// Bytes of a user name: what MQTT has room for (section 1.5.4).
const USER_NAME_BYTES_MAX: usize = 65_535;

/// The users of a password file: lines `user:hash`, as of `mosquitto_passwd` and `ferry passwd`. Blank lines and lines
/// that start with `#` are skipped.
#[derive(Clone, Debug, Default)]
pub struct PasswordFile {
    users: HashMap<Box<str>, PasswordHash>,
    /// Users that nobody may be, of those that are managed at run time.
    disabled: HashSet<Box<str>>,
    weak: usize,
    decoy_secret: Option<DecoySecret>,
}

/// What is wrong with a line of a password file. It never repeats what may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordFileProblem {
    /// Number of the line, from 1.
    pub line: usize,
    /// The user, if there is one.
    pub user_name: Option<Box<str>>,
    /// What is wrong.
    pub fault: PasswordFileFault,
}

/// What can be wrong with a line of a password file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFileFault {
    /// There is no colon.
    NoColon,
    /// There is nothing before the colon, or more than a user name may have.
    UserName,
    /// The user has another line before this one.
    Twice,
    /// What follows the colon is not a password hash.
    Hash(HashError),
}

impl fmt::Display for PasswordFileProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user_name) = &self.user_name {
            write!(formatter, "user {user_name:?}: ")?;
        }
        match self.fault {
            PasswordFileFault::NoColon => formatter.write_str("this line is not user:hash"),
            PasswordFileFault::UserName => formatter.write_str("a user name has 1 to 65,535 bytes"),
            PasswordFileFault::Twice => formatter.write_str("the user has a line already"),
            PasswordFileFault::Hash(error) => error.fmt(formatter),
        }
    }
}

impl PasswordFile {
    /// Reads the text of a file: the users of the lines that are right, and what is wrong with the others.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<PasswordFileProblem>) {
        let mut file = Self::default();
        let mut problems = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let Some((user_name, parsed)) = parse_line(line) else {
                file.decoy_secret = file.decoy_secret.or_else(|| DecoySecret::of_line(line));
                continue;
            };
            let fault = match parsed {
                Err(fault) => fault,
                Ok(_) if file.users.contains_key(user_name) => PasswordFileFault::Twice,
                Ok(hash) => {
                    file.weak += usize::from(hash.is_weak());
                    file.users.insert(user_name.into(), hash);
                    continue;
                }
            };
            let user_name = Some(user_name.into()).filter(|_| fault != PasswordFileFault::NoColon);
            problems.push(PasswordFileProblem { line: index + 1, user_name, fault });
        }
        (file, problems)
    }

    /// Users that are managed at run time.
    pub(crate) fn of_users<'a>(
        decoy_secret: DecoySecret,
        users: impl Iterator<Item = (&'a str, &'a ManagedUser)>,
    ) -> Self {
        let mut file = Self { decoy_secret: Some(decoy_secret), ..Self::default() };
        for (name, user) in users {
            if user.is_disabled {
                file.disabled.insert(name.into());
            } else {
                file.weak += usize::from(user.hash.is_weak());
                file.users.insert(name.into(), user.hash.clone());
            }
        }
        file
    }

    /// Whether there is such a user, but nobody may be it.
    pub(crate) fn is_disabled(&self, user_name: &str) -> bool {
        self.disabled.contains(user_name)
    }

    /// The users of `before` that are not here any more, or whose hash is another one.
    #[must_use]
    pub fn ended_since(&self, before: &Self) -> HashSet<Box<str>> {
        let ended = before.users.iter().filter(|(name, hash)| self.users.get(*name) != Some(*hash));
        ended.map(|(name, _)| name.clone()).collect()
    }

    /// The hash of a user's password.
    #[must_use]
    pub fn get(&self, user_name: &str) -> Option<&PasswordHash> {
        self.users.get(user_name)
    }

    /// Number of users.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// How many of the users have a hash that is [weak](PasswordHash::is_weak).
    #[must_use]
    pub fn weak_hashes(&self) -> usize {
        self.weak
    }

    /// The secret for what is made up for other users, if the file has one.
    pub(crate) fn decoy_secret(&self) -> Option<&DecoySecret> {
        self.decoy_secret.as_ref()
    }

    /// All hashes, in no order.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = &PasswordHash> {
        self.users.values()
    }
}

/// The text of a password file, to be changed without touching the lines of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PasswordFileText(Vec<String>);

impl PasswordFileText {
    /// The lines of a file, right or wrong.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.lines().map(str::to_owned).collect())
    }

    /// Gives a user another hash, in the place of all that were there, or at the end of the file; whether the user is new.
    ///
    /// # Errors
    /// When a file cannot name the user so.
    pub fn set(&mut self, user_name: &str, hash: &PasswordHash) -> Result<bool, UserNameError> {
        check_user_name(user_name)?;
        let line = format!("{user_name}:{hash}");
        match self.0.iter().position(|line| is_of(line, user_name)) {
            Some(first) => {
                self.0[first] = line;
                let mut index = 0;
                self.0.retain(|line| {
                    index += 1;
                    index <= first + 1 || !is_of(line, user_name)
                });
                Ok(false)
            }
            None => {
                self.0.push(line);
                Ok(true)
            }
        }
    }

    /// Takes a user out; whether there was one.
    pub fn remove(&mut self, user_name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|line| !is_of(line, user_name));
        self.0.len() < before
    }

    /// The users whose passwords are in plain text, with these passwords.
    #[must_use]
    pub fn plain(&self) -> Vec<(String, String)> {
        let plain = self.0.iter().filter_map(|line| match parse_line(line)? {
            (user_name, Err(PasswordFileFault::Hash(_))) => {
                let (_, password) = line.split_once(':')?;
                let password = password.trim();
                (!password.starts_with('$') && !is_scram(password))
                    .then(|| (user_name.to_owned(), password.to_owned()))
            }
            _ => None,
        });
        plain.collect()
    }

    /// Gives the file a secret at its start, for users with SCRAM, unless it has one.
    pub fn ensure_decoy_secret(&mut self) {
        if !self.0.iter().any(|line| DecoySecret::of_line(line).is_some()) {
            self.0.insert(0, DecoySecret::random().to_string());
        }
    }

    /// Number of users, right or wrong.
    #[must_use]
    pub fn users(&self) -> usize {
        self.0.iter().filter(|line| parse_line(line).is_some()).count()
    }
}

impl fmt::Display for PasswordFileText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

/// Why a file cannot have a user of some name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserNameError;

impl fmt::Display for UserNameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(
            "a user name in a password file has 1 to 65,535 bytes, no colon or control character, no space at its ends, \
             and no # at its start",
        )
    }
}

impl std::error::Error for UserNameError {}

pub(crate) fn check_user_name(user_name: &str) -> Result<(), UserNameError> {
    let wrong = user_name.is_empty()
        || user_name.len() > USER_NAME_BYTES_MAX
        || user_name.starts_with('#')
        || user_name.trim() != user_name
        || user_name.chars().any(|character| character == ':' || character.is_control());
    if wrong { Err(UserNameError) } else { Ok(()) }
}

fn is_of(line: &str, user_name: &str) -> bool {
    parse_line(line).is_some_and(|(name, _)| name == user_name)
}

/// The user of a line, and the hash or what is wrong; `None` if nothing is in it.
fn parse_line(line: &str) -> Option<(&str, Result<PasswordHash, PasswordFileFault>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let Some((user_name, hash)) = line.split_once(':') else {
        return Some(("", Err(PasswordFileFault::NoColon)));
    };
    let user_name = user_name.trim();
    if user_name.is_empty() || user_name.len() > USER_NAME_BYTES_MAX {
        return Some((user_name, Err(PasswordFileFault::UserName)));
    }
    Some((user_name, PasswordHash::parse(hash.trim()).map_err(PasswordFileFault::Hash)))
}
