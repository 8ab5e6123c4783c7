use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use crate::{RuleProblem, RulesFile};

/// Version of the form of the text.
const VERSION: u64 = 1;

/// Characters of the name of a role or group.
const NAME_CHARACTERS_MAX: usize = 128;

/// Roles that operators make, change and give away while the broker runs, and groups of users that have roles together.
#[derive(Clone, Debug, Default)]
pub struct ManagedRoles {
    roles: BTreeMap<Box<str>, ManagedRole>,
    groups: BTreeMap<Box<str>, ManagedGroup>,
}

/// What those may do who have something in common.
#[derive(Clone, Debug, Default)]
pub struct ManagedRole {
    /// Words for people.
    pub description: String,
    /// The users who have it.
    pub users: BTreeSet<Box<str>>,
    /// The groups whose users have it.
    pub groups: BTreeSet<Box<str>>,
    text: String,
    rules: RulesFile,
}

/// Users that have roles together.
#[derive(Clone, Debug, Default)]
pub struct ManagedGroup {
    /// Words for people.
    pub description: String,
    /// Who they are.
    pub users: BTreeSet<Box<str>>,
}

/// What is wrong with a change of roles, or with their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagedRolesError {
    /// A role or group cannot have this name.
    Name(Box<str>),
    /// A user cannot have this name.
    User(Box<str>),
    /// There is no group of this name.
    NoGroup(Box<str>),
    /// Rules of a role are wrong.
    Rules {
        /// The role.
        role: Box<str>,
        /// In the order of their lines; not empty.
        problems: Vec<RuleProblem>,
    },
    /// The text is none of roles; with the words of what is wrong.
    Text(String),
}

impl fmt::Display for ManagedRolesError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                formatter,
                "{name:?} is no name of a role or group: these have letters, digits and .:@_- only, begin with a letter or \
                 digit, and have {NAME_CHARACTERS_MAX} characters at most"
            ),
            Self::User(name) => write!(formatter, "{name:?} is no name of a user"),
            Self::NoGroup(name) => write!(formatter, "there is no group {name:?}"),
            Self::Rules { role, problems } => {
                for (index, RuleProblem { line, column, message, .. }) in problems.iter().enumerate() {
                    let between = if index == 0 { "" } else { "; " };
                    write!(formatter, "{between}rules of role {role:?}, line {line}:{column}: {message}")?;
                }
                Ok(())
            }
            Self::Text(words) => formatter.write_str(words),
        }
    }
}

impl std::error::Error for ManagedRolesError {}

impl ManagedRole {
    /// The text of its rules, as it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> &RulesFile {
        &self.rules
    }
}

impl ManagedRoles {
    /// Reads what [`fmt::Display`] has written.
    ///
    /// # Errors
    /// What is wrong: without one role somebody might do what must not be done.
    pub fn parse(text: &str) -> Result<Self, ManagedRolesError> {
        let document: Value =
            serde_json::from_str(text).map_err(|error| ManagedRolesError::Text(error.to_string()))?;
        if document["ferry_roles"].as_u64() != Some(VERSION) {
            return Err(ManagedRolesError::Text(format!("not roles of version {VERSION}")));
        }
        check_keys(&document, &["ferry_roles", "groups", "roles"])?;
        let mut all = Self::default();
        list(&document, "groups")?.iter().try_for_each(|group| all.add_group(group))?;
        list(&document, "roles")?.iter().try_for_each(|role| all.add_role(role))?;
        Ok(all)
    }

    /// Adds the group of a document that [`groups_json`](Self::groups_json) has made.
    ///
    /// # Errors
    /// It is not one, or there is a group of this name: nothing has changed.
    pub fn add_group(&mut self, group: &Value) -> Result<(), ManagedRolesError> {
        check_keys(group, &["name", "description", "users"])?;
        let name = name_of(group, "group")?;
        if self.groups.contains_key(name) {
            return Err(ManagedRolesError::Text(format!("the group {name:?} is there twice")));
        }
        let (description, users) = (description(group)?, names(group, "users")?);
        self.set_group(name, ManagedGroup { description, users })
    }

    /// Adds the role of a document that [`roles_json`](Self::roles_json) has made, after the groups that have it.
    ///
    /// # Errors
    /// It is not one, or there is a role of this name: nothing has changed.
    pub fn add_role(&mut self, role: &Value) -> Result<(), ManagedRolesError> {
        check_keys(role, &["name", "description", "rules", "users", "groups"])?;
        let name = name_of(role, "role")?;
        if self.roles.contains_key(name) {
            return Err(ManagedRolesError::Text(format!("the role {name:?} is there twice")));
        }
        let lines: Option<Vec<&str>> = list(role, "rules")?.iter().map(Value::as_str).collect();
        let lines = lines.ok_or_else(|| ManagedRolesError::Text("rules is no list of texts".to_owned()))?;
        let mut made = ManagedRole { description: description(role)?, ..ManagedRole::default() };
        (made.users, made.groups) = (names(role, "users")?, names(role, "groups")?);
        self.set_role(name, made, Some(lines.join("\n")))
    }

    /// A document for each group, by name.
    pub fn groups_json(&self) -> impl Iterator<Item = Value> {
        self.groups().map(
            |(name, group)| json!({ "name": name, "description": group.description, "users": group.users }),
        )
    }

    /// A document for each role, by name.
    pub fn roles_json(&self) -> impl Iterator<Item = Value> {
        self.iter().map(|(name, role)| {
            json!({
                "name": name,
                "description": role.description,
                "rules": role.text.split('\n').collect::<Vec<_>>(),
                "users": role.users,
                "groups": role.groups,
            })
        })
    }

    /// All roles, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ManagedRole)> {
        self.roles.iter().map(|(name, role)| (&**name, role))
    }

    /// All groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &ManagedGroup)> {
        self.groups.iter().map(|(name, group)| (&**name, group))
    }

    /// The role of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&ManagedRole> {
        self.roles.get(name)
    }

    /// The group of a name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&ManagedGroup> {
        self.groups.get(name)
    }

    /// Number of roles and groups together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.roles.len() + self.groups.len()
    }

    /// Whether there are neither roles nor groups.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The users who have a role, by themselves or by a group; some may come twice.
    pub fn members(&self, role: &str) -> impl Iterator<Item = &str> {
        let role = self.roles.get(role).into_iter();
        let of_groups = role.clone().flat_map(|role| &role.groups);
        let of_groups = of_groups.filter_map(|group| self.groups.get(group)).flat_map(|group| &group.users);
        role.flat_map(|role| &role.users).chain(of_groups).map(|user| &**user)
    }

    /// The roles that a user has, by name.
    pub fn roles_of(&self, user: &str) -> impl Iterator<Item = &str> {
        self.roles.keys().map(|name| &**name).filter(move |role| self.members(role).any(|name| name == user))
    }

    /// Adds a role, or changes one; its rules are those of this text, or stay as they are.
    ///
    /// # Errors
    /// A name or a rule is wrong, or a group is not there: nothing has changed.
    pub fn set_role(
        &mut self,
        name: &str,
        mut role: ManagedRole,
        rules: Option<String>,
    ) -> Result<(), ManagedRolesError> {
        check_name(name)?;
        role.users.iter().try_for_each(|user| check_user(user))?;
        if let Some(group) = role.groups.iter().find(|group| !self.groups.contains_key(*group)) {
            return Err(ManagedRolesError::NoGroup(group.clone()));
        }
        if let Some(text) = rules {
            let (rules, problems) = RulesFile::parse_of_role(&text, name);
            if !problems.is_empty() {
                return Err(ManagedRolesError::Rules { role: name.into(), problems });
            }
            (role.text, role.rules) = (text, rules);
        }
        self.roles.insert(name.into(), role);
        Ok(())
    }

    /// Takes a role out; whether there was one.
    pub fn remove_role(&mut self, name: &str) -> bool {
        self.roles.remove(name).is_some()
    }

    /// Adds a group, or changes one.
    ///
    /// # Errors
    /// A name is wrong: nothing has changed.
    pub fn set_group(&mut self, name: &str, group: ManagedGroup) -> Result<(), ManagedRolesError> {
        check_name(name)?;
        group.users.iter().try_for_each(|user| check_user(user))?;
        self.groups.insert(name.into(), group);
        Ok(())
    }

    /// Takes a group out, also of all roles; whether there was one.
    pub fn remove_group(&mut self, name: &str) -> bool {
        self.roles.values_mut().for_each(|role| {
            role.groups.remove(name);
        });
        self.groups.remove(name).is_some()
    }
}

impl fmt::Display for ManagedRoles {
    /// As JSON, in lines that people can read and correct.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (groups, roles): (Vec<Value>, Vec<Value>) =
            (self.groups_json().collect(), self.roles_json().collect());
        let document = json!({ "ferry_roles": VERSION, "groups": groups, "roles": roles });
        writeln!(formatter, "{document:#}")
    }
}

/// # Errors
/// It is no name of a role or group. Tokens and command lines name roles too, so it is a plain one.
fn check_name(name: &str) -> Result<(), ManagedRolesError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:@_-".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins && name.len() <= NAME_CHARACTERS_MAX && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(ManagedRolesError::Name(name.into()))
}

/// # Errors
/// It is no name of a user.
fn check_user(name: &str) -> Result<(), ManagedRolesError> {
    let is_one = !name.is_empty() && !name.chars().any(char::is_control);
    if is_one { Ok(()) } else { Err(ManagedRolesError::User(name.into())) }
}

/// # Errors
/// It is no text.
fn description(of: &Value) -> Result<String, ManagedRolesError> {
    match &of["description"] {
        Value::Null => Ok(String::new()),
        Value::String(words) => Ok(words.clone()),
        _ => Err(ManagedRolesError::Text("description is no text".to_owned())),
    }
}

fn name_of<'a>(of: &'a Value, what: &str) -> Result<&'a str, ManagedRolesError> {
    of["name"].as_str().ok_or_else(|| ManagedRolesError::Text(format!("a {what} has no name")))
}

/// # Errors
/// It is no object, or has other members than these: they might be what limits it.
fn check_keys(of: &Value, keys: &[&str]) -> Result<(), ManagedRolesError> {
    let Some(members) = of.as_object() else {
        return Err(ManagedRolesError::Text(format!("expected an object with {}", keys.join(", "))));
    };
    match members.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(ManagedRolesError::Text(format!("unknown member {key:?}"))),
        None => Ok(()),
    }
}

/// The list under a name; nothing if there is none.
fn list<'a>(of: &'a Value, name: &str) -> Result<&'a [Value], ManagedRolesError> {
    match of.get(name) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        _ => Err(ManagedRolesError::Text(format!("{name} is no list"))),
    }
}

/// The texts of the list under a name.
fn names(of: &Value, name: &str) -> Result<BTreeSet<Box<str>>, ManagedRolesError> {
    let names = list(of, name)?.iter().map(|item| item.as_str().map(Into::into));
    let names: Option<BTreeSet<Box<str>>> = names.collect();
    names.ok_or_else(|| ManagedRolesError::Text(format!("{name} is no list of texts")))
}
