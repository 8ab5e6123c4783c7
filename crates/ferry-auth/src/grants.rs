use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::RulesFile;

/// Roles of one client.
const ROLES_MAX: usize = 64;

/// Bytes of the name of a role.
const ROLE_BYTES_MAX: usize = 256;

/// What an authenticator grants to one client, whatever is said of its user name elsewhere: roles, and rules of its own.
#[derive(Debug)]
pub struct Grants {
    roles: Vec<Box<str>>,
    rules: Option<RulesFile>,
}

/// Why grants cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantsFault {
    /// The roles are no list of texts, or there are too many or too long ones.
    Roles,
    /// The rules are no list of rules, or there are too many or too long ones.
    Rules,
}

impl fmt::Display for GrantsFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Roles => "its roles are no list of at most 64 names",
            Self::Rules => "its rules (acl) are no list of at most 64 rules, or one is none",
        })
    }
}

impl std::error::Error for GrantsFault {}

impl Grants {
    /// Roles, a list of texts or one text with spaces between them, and rules, as objects with `permission`, `action` and
    /// `topic`. `None` if there is neither.
    ///
    /// # Errors
    /// One of them is not of this form.
    pub fn parse(roles: Option<&Value>, rules: Option<&Value>) -> Result<Option<Arc<Self>>, GrantsFault> {
        let roles = roles.map(parse_roles).transpose()?.unwrap_or_default();
        let rules = rules.map(|rules| RulesFile::of_json(rules).ok_or(GrantsFault::Rules)).transpose()?;
        if roles.is_empty() && rules.is_none() {
            return Ok(None);
        }
        Ok(Some(Arc::new(Self { roles, rules })))
    }

    /// Roles alone.
    #[must_use]
    pub fn of_roles<'a>(roles: impl IntoIterator<Item = &'a str>) -> Self {
        Self { roles: roles.into_iter().map(Into::into).collect(), rules: None }
    }

    /// Whether the client has a role.
    pub(crate) fn has_role(&self, name: &str) -> bool {
        self.roles.iter().any(|role| **role == *name)
    }

    /// Its own rules.
    #[must_use]
    pub fn rules(&self) -> Option<&RulesFile> {
        self.rules.as_ref()
    }
}

impl PartialEq for Grants {
    fn eq(&self, other: &Self) -> bool {
        let words = |grants: &Self| {
            let rules = grants.rules.as_ref();
            rules.map(|rules| (0..rules.rules()).map(|rule| rules.words(rule)).collect::<Vec<_>>())
        };
        self.roles == other.roles && words(self) == words(other)
    }
}

impl Eq for Grants {}

fn parse_roles(value: &Value) -> Result<Vec<Box<str>>, GrantsFault> {
    let names: Vec<&str> = match value {
        Value::String(names) => names.split_ascii_whitespace().collect(),
        Value::Array(names) => {
            let names = names.iter().map(|name| name.as_str().ok_or(GrantsFault::Roles));
            names.collect::<Result<_, _>>()?
        }
        _ => return Err(GrantsFault::Roles),
    };
    if names.len() > ROLES_MAX || names.iter().any(|name| name.len() > ROLE_BYTES_MAX) {
        return Err(GrantsFault::Roles);
    }
    Ok(names.into_iter().map(Into::into).collect())
}

/// A claim by its name, or else by a path with dots, such as `realm_access.roles`; one that is `null` is none.
pub(crate) fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = claims.get(name).or_else(|| {
        let mut parts = name.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_object()?.get(part))
    });
    found.filter(|value| !value.is_null())
}
