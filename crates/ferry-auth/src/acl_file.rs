use std::collections::HashMap;
use std::fmt;

use ahash::RandomState;

use crate::rule_trie::{Found, RuleTrie, Who};

/// Levels of a filter in a rule.
const LEVELS_MAX: usize = 128;

/// Who may do what, as Mosquitto's `acl_file` says it: lines `user NAME`, `topic [read|write|readwrite|deny] FILTER` and
/// `pattern [...] FILTER` with `%c` and `%u`. What nothing allows is denied.
///
/// `topic` lines before the first `user` are for anonymous clients, those after it for that user; `pattern` lines are for
/// all. Of the lines for a client a `deny` that matches wins, then one that allows; only then the patterns are asked, in
/// the same way. A client whose name or identifier holds `+` or `#` gets nothing from patterns.
#[derive(Clone, Debug, Default)]
pub struct AclFile {
    anonymous: RuleTrie,
    users: HashMap<Box<str>, RuleTrie, RandomState>,
    patterns: RuleTrie,
    rules: usize,
}

/// What a client wants to do with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Be sent messages.
    Read,
    /// Publish.
    Write,
}

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) read: bool,
    pub(crate) write: bool,
}

impl Rights {
    /// Nothing: the rule denies.
    pub(crate) fn deny(self) -> bool {
        !self.read && !self.write
    }

    pub(crate) fn allow(self, access: Access) -> bool {
        match access {
            Access::Read => self.read,
            Access::Write => self.write,
        }
    }
}

/// What a file says of one client and one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclDecision {
    /// Whether it may.
    pub allowed: bool,
    /// Why.
    pub reason: AclReason,
}

/// Why a file allows or denies something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclReason {
    /// Because of the rule in this line, from 1.
    Line(usize),
    /// No rule allows it.
    NoRule,
    /// Only patterns could allow it, and the user name or client identifier holds `+` or `#`.
    DangerousName,
}

impl fmt::Display for AclReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(formatter, "line {line}"),
            Self::NoRule => formatter.write_str("no rule allows it"),
            Self::DangerousName => formatter.write_str(
                "no rule of the user allows it, and patterns are not for names and client identifiers with + or #",
            ),
        }
    }
}

/// What is wrong with a line of an ACL file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclProblem {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: Box<str>,
}

impl AclFile {
    /// Reads the text of a file: its rules, and what is wrong with it. With anything wrong it should not be used: what is
    /// missing may be a `deny`.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<AclProblem>) {
        let mut file = Self::default();
        let mut problems = Vec::new();
        let mut user: Option<&str> = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = rest.trim_start();
            let result = match word {
                "user" if rest.is_empty() => Err("a user name is missing".into()),
                "user" => {
                    user = Some(rest);
                    Ok(())
                }
                "topic" => parse_rule(rest).map(|(rights, filter)| {
                    let trie = match user {
                        None => &mut file.anonymous,
                        Some(user) => file.users.entry(user.into()).or_default(),
                    };
                    trie.insert(filter, rights, index + 1, false);
                    file.rules += 1;
                }),
                "pattern" => parse_rule(rest).map(|(rights, filter)| {
                    file.patterns.insert(filter, rights, index + 1, true);
                    file.rules += 1;
                }),
                _ => Err("a line starts with user, topic, pattern or #".into()),
            };
            problems.extend(result.err().map(|message| AclProblem { line: index + 1, message }));
        }
        (file, problems)
    }

    /// How many rules there are.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.rules
    }

    /// Whether a client may do something with a topic name.
    #[must_use]
    pub fn decide(
        &self,
        user_name: Option<&str>,
        client_id: &str,
        topic: &str,
        access: Access,
    ) -> AclDecision {
        let own = match user_name {
            None => Some(&self.anonymous),
            Some(user_name) => self.users.get(user_name),
        };
        let who = Who { user_name, client_id };
        if let Some(decision) = own.and_then(|rules| decided(rules.find(topic, who, access))) {
            return decision;
        }
        if self.patterns.is_empty() {
            return AclDecision { allowed: false, reason: AclReason::NoRule };
        }
        let is_dangerous = |name: &str| name.contains(['+', '#']);
        if is_dangerous(client_id) || user_name.is_some_and(is_dangerous) {
            return AclDecision { allowed: false, reason: AclReason::DangerousName };
        }
        let by_pattern = decided(self.patterns.find(topic, who, access));
        by_pattern.unwrap_or(AclDecision { allowed: false, reason: AclReason::NoRule })
    }
}

fn decided(found: Found) -> Option<AclDecision> {
    match (found.denied, found.allowed) {
        (Some(line), _) => Some(AclDecision { allowed: false, reason: AclReason::Line(line) }),
        (None, Some(line)) => Some(AclDecision { allowed: true, reason: AclReason::Line(line) }),
        (None, None) => None,
    }
}

/// `[read|write|readwrite|deny] FILTER`; a filter may hold spaces if the word before it is there.
fn parse_rule(text: &str) -> Result<(Rights, &str), Box<str>> {
    let (rights, filter) = match text.split_once(' ') {
        None => (Rights { read: true, write: true }, text),
        Some((word, filter)) => {
            let rights = match word {
                "read" => Rights { read: true, write: false },
                "write" => Rights { read: false, write: true },
                "readwrite" => Rights { read: true, write: true },
                "deny" => Rights { read: false, write: false },
                _ => {
                    let word: String = word.chars().take(64).collect();
                    return Err(format!("{word:?} is not read, write, readwrite or deny").into());
                }
            };
            (rights, filter.trim_start())
        }
    };
    if filter.is_empty() {
        return Err("a topic filter is missing".into());
    }
    let levels: Vec<&str> = filter.split('/').collect();
    let last = levels.len() - 1;
    let is_misplaced = |(index, level): (usize, &&str)| {
        (level.contains('#') && (*level != "#" || index != last)) || (level.contains('+') && *level != "+")
    };
    if levels.iter().enumerate().any(is_misplaced) {
        return Err("+ and # stand for whole levels, and # only for the last ones".into());
    }
    if levels.len() > LEVELS_MAX {
        return Err(format!("a filter has at most {LEVELS_MAX} levels").into());
    }
    Ok((rights, filter))
}
