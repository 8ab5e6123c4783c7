use std::collections::BTreeMap;
use std::fmt;

use crate::password_file::check_user_name;
use crate::{DecoySecret, PasswordFile, PasswordHash, UserNameError};

/// What the line of a disabled user begins with; for other programs it is a comment.
const DISABLED: &str = "# disabled ";

/// Users that operators add, change and remove while the broker runs. As text they are a password file, in which disabled
/// users are comments.
#[derive(Clone, Debug)]
pub struct ManagedUsers {
    decoy_secret: DecoySecret,
    users: BTreeMap<Box<str>, ManagedUser>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedUser {
    /// What the password is recognised by.
    pub hash: PasswordHash,
    /// Whether nobody may come in by this name.
    pub is_disabled: bool,
}

impl Default for ManagedUsers {
    /// Nobody, with a secret for names that are not there.
    fn default() -> Self {
        Self { decoy_secret: DecoySecret::random(), users: BTreeMap::new() }
    }
}

impl ManagedUsers {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// The number of the first line that is wrong, from 1, and what is wrong with it, which never repeats a hash.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut all = Self::default();
        for (line, number) in text.lines().map(str::trim).zip(1..) {
            if let Some(secret) = DecoySecret::of_line(line) {
                all.decoy_secret = secret;
                continue;
            }
            let disabled = line.strip_prefix(DISABLED);
            let line = disabled.unwrap_or(line);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |words: String| (number, words);
            let (name, hash) =
                line.split_once(':').ok_or_else(|| wrong("this is not user:hash".to_owned()))?;
            let hash = PasswordHash::parse(hash).map_err(|error| wrong(format!("user {name:?}: {error}")))?;
            check_user_name(name).map_err(|error| wrong(error.to_string()))?;
            let user = ManagedUser { hash, is_disabled: disabled.is_some() };
            if all.users.insert(name.into(), user).is_some() {
                return Err(wrong(format!("user {name:?} has a line already")));
            }
        }
        Ok(all)
    }

    /// The user of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ManagedUser> {
        self.users.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ManagedUser)> {
        self.users.iter().map(|(name, user)| (&**name, user))
    }

    /// Number of users.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// Adds a user, or changes one.
    ///
    /// # Errors
    /// A password file cannot name the user so.
    pub fn set(&mut self, name: &str, user: ManagedUser) -> Result<(), UserNameError> {
        check_user_name(name)?;
        self.users.insert(name.into(), user);
        Ok(())
    }

    /// Takes a user out; whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.users.remove(name).is_some()
    }

    /// What answers about names that are not there are made of.
    #[must_use]
    pub fn decoy_secret(&self) -> &DecoySecret {
        &self.decoy_secret
    }

    /// From now on they are made of this.
    pub fn set_decoy_secret(&mut self, decoy_secret: DecoySecret) {
        self.decoy_secret = decoy_secret;
    }

    /// The users as those who judge them want them.
    #[must_use]
    pub fn password_file(&self) -> PasswordFile {
        PasswordFile::of_users(self.decoy_secret.clone(), self.iter())
    }
}

impl fmt::Display for ManagedUsers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.decoy_secret)?;
        self.iter().try_for_each(|(name, ManagedUser { hash, is_disabled })| {
            writeln!(formatter, "{}{name}:{hash}", if *is_disabled { DISABLED } else { "" })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_come_back_from_their_text() {
        let hash = |text: &str| PasswordHash::parse(text).expect("a hash");
        let scram = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$\
                     AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let mut users = ManagedUsers::default();
        users.set("ada", ManagedUser { hash: hash(scram), is_disabled: false }).expect("a name");
        users.set("b n", ManagedUser { hash: hash(scram), is_disabled: true }).expect("a name");
        for wrong in ["", "a:b", " a", "#a", "a\nb"] {
            assert!(
                users.set(wrong, ManagedUser { hash: hash(scram), is_disabled: false }).is_err(),
                "{wrong}"
            );
        }
        let again = ManagedUsers::parse(&users.to_string()).expect("users");
        assert_eq!(again.to_string(), users.to_string());
        let file = again.password_file();
        assert!(file.get("ada").is_some() && file.get("b n").is_none() && file.is_disabled("b n"));
        // Other programs read it too.
        let (file, problems) = PasswordFile::parse(&users.to_string());
        assert!(problems.is_empty() && file.len() == 1);
        for (wrong, line) in
            [("ada", 1), ("\nada:secret\n", 2), (&format!("a:{scram}\n# disabled a:{scram}\n"), 2)]
        {
            let (number, words) = ManagedUsers::parse(wrong).expect_err("wrong");
            assert!(number == line && !words.contains("secret"), "{words}");
        }
    }
}
