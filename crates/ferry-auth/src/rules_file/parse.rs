//! The text of a rules file.

use std::collections::HashMap;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::condition::{Conditions, Members, NamePattern, Network, Role};
use super::filter::RuleFilter;
use super::{Actions, Rule, RulesFile};

/// What is wrong with a rules file, or doubtful, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// Number of the line, from 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: Box<str>,
    /// What to do.
    pub remedy: Box<str>,
}

const KEYS: [&str; 14] = [
    "allow",
    "deny",
    "topic",
    "user",
    "role",
    "client_id",
    "address",
    "certificate",
    "certificate_subject",
    "certificate_san",
    "certificate_fingerprint",
    "anonymous",
    "maximum_qos",
    "retain",
];

const FORM: &str = "write [[rule]] with allow or deny, topic, and for whom it is";

const OF_ROLE: &str = "remove it: the rules of a role are for those who have it";

const ACTIONS: [(&str, Actions); 4] = [
    ("publish", Actions::PUBLISH),
    // Who may subscribe may be sent what comes.
    ("subscribe", Actions(Actions::SUBSCRIBE.0 | Actions::RECEIVE.0)),
    ("receive", Actions::RECEIVE),
    ("all", Actions(Actions::PUBLISH.0 | Actions::SUBSCRIBE.0 | Actions::RECEIVE.0)),
];

impl RulesFile {
    /// Reads the text of a file: its rules, and what is wrong with it. With anything wrong it should not be used: what is
    /// missing may be what denies.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<RuleProblem>) {
        Self::parse_for(text, None)
    }

    /// Reads rules that belong to a role: they are for those who have it, so they name no roles.
    pub(crate) fn parse_of_role(text: &str, role: &str) -> (Self, Vec<RuleProblem>) {
        Self::parse_for(text, Some(role))
    }

    fn parse_for(text: &str, owner: Option<&str>) -> (Self, Vec<RuleProblem>) {
        let mut reader = Reader::new(text, owner);
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut file = Self::default();
        if errors.is_empty() {
            reader.document(table.get_ref(), &mut file);
        }
        for error in errors {
            let message = format!("not valid TOML: {}", error.message());
            reader.problem(error.span().unwrap_or_default(), &message, FORM);
        }
        file.index();
        file.roles = std::mem::take(&mut reader.roles);
        reader.problems.sort_by_key(|problem| (problem.line, problem.column));
        // One mistake often makes several errors on its line; the first names it.
        reader.problems.dedup_by_key(|problem| problem.line);
        (file, reader.problems)
    }

    /// What is doubtful in a file.
    #[must_use]
    pub fn warnings(&self) -> Vec<RuleProblem> {
        let unreachable = self.unreachable();
        let hidden = unreachable.into_iter().map(|(later, earlier)| RuleProblem {
            line: later.line,
            column: 1,
            message: format!(
                "this rule never decides: the one in line {} matches whatever it does",
                earlier.line
            )
            .into(),
            remedy: "the first rule that matches decides: put what is narrower first, or remove it".into(),
        });
        hidden.collect()
    }
}

struct Reader {
    /// Where each line begins.
    line_starts: Vec<usize>,
    text: Box<str>,
    roles: HashMap<Box<str>, Members>,
    /// The role that the rules belong to.
    owner: Option<Arc<str>>,
    problems: Vec<RuleProblem>,
}

/// A text of the file and where it stands.
type Text<'a> = (&'a str, Range<usize>);

impl Reader {
    fn new(text: &str, owner: Option<&str>) -> Self {
        let owner = owner.map(Into::into);
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { line_starts, text: text.into(), roles: HashMap::new(), owner, problems: Vec::new() }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.line_starts.partition_point(|start| *start <= span.start)
    }

    fn problem(&mut self, span: Range<usize>, message: &str, remedy: &str) {
        let line = self.line(&span);
        let start = self.line_starts[line - 1];
        let column = self.text.get(start..span.start).map_or(1, |before| before.chars().count() + 1);
        self.problems.push(RuleProblem { line, column, message: message.into(), remedy: remedy.into() });
    }

    fn document(&mut self, table: &DeTable<'_>, file: &mut RulesFile) {
        for (name, value) in table {
            match (&**name.get_ref(), value.get_ref()) {
                ("roles", _) if self.owner.is_some() => {
                    self.problem(name.span(), "a role says nothing of other roles", OF_ROLE);
                }
                ("roles", DeValue::Table(roles)) => self.roles(roles),
                ("roles", _) => self.problem(name.span(), "expected a section", "write [roles]"),
                ("rule", DeValue::Array(_)) => {}
                ("rule", _) => {
                    self.problem(
                        name.span(),
                        "a rule is a block of a list",
                        "write [[rule]], with two brackets",
                    );
                }
                (other, _) => {
                    let remedy = match nearest(other, ["rule", "roles"].into_iter()) {
                        _ if KEYS.contains(&other) => "write it under [[rule]]".to_owned(),
                        Some("roles") => "did you mean [roles]?".to_owned(),
                        Some(_) => "did you mean [[rule]]?".to_owned(),
                        None => "a rules file has [roles] and [[rule]]".to_owned(),
                    };
                    self.problem(name.span(), &format!("unknown key {other:?}"), &remedy);
                }
            }
        }
        // Rules name roles, wherever these stand.
        if let Some(DeValue::Array(blocks)) = table.get("rule").map(Spanned::get_ref) {
            for block in blocks {
                match block.get_ref() {
                    DeValue::Table(keys) => file.rules.extend(self.rule(block.span(), keys)),
                    _ => self.problem(block.span(), "expected a block of keys", FORM),
                }
            }
        }
    }

    fn roles(&mut self, roles: &DeTable<'_>) {
        for (name, users) in roles {
            // One without users is for those who have it by their token or from the hook.
            let is_empty = matches!(users.get_ref(), DeValue::Array(users) if users.is_empty());
            let users = if is_empty { Vec::new() } else { self.texts(users) };
            let users = users.into_iter().map(|(user, _)| user.into()).collect();
            self.roles.insert(name.get_ref().as_ref().into(), Arc::new(users));
        }
    }

    /// A rule, unless there is something wrong with it.
    fn rule(&mut self, span: Range<usize>, keys: &DeTable<'_>) -> Option<Rule> {
        let problems_before = self.problems.len();
        let mut rule = Rule {
            line: self.line(&span),
            role: self.owner.clone(),
            allows: keys.contains_key("allow"),
            actions: Actions::default(),
            filters: Vec::new(),
            conditions: Conditions::default(),
            maximum_qos: 2,
            retain: true,
        };
        if keys.contains_key("allow") == keys.contains_key("deny") {
            let remedy = "write allow = \"publish\", or deny, or \"subscribe\", \"receive\", \"all\"";
            self.problem(span.clone(), "a rule has either allow or deny", remedy);
        }
        if !keys.contains_key("topic") {
            self.problem(span, "a rule needs a topic", "write topic = \"#\" for all of them");
        }
        for (key, value) in keys {
            self.key(&mut rule, key, value);
        }
        let owner = self.owner.as_deref().map(|name| Role { name: name.into(), users: Members::default() });
        rule.conditions.roles.extend(owner);
        (self.problems.len() == problems_before).then_some(rule)
    }

    fn key(
        &mut self,
        rule: &mut Rule,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let conditions = &mut rule.conditions;
        match &**key.get_ref() {
            "allow" | "deny" => rule.actions = self.actions(value),
            "topic" => {
                let remedy = "placeholders are ${client_id} or %c, and ${user} or %u";
                rule.filters = self.each(value, remedy, RuleFilter::parse);
            }
            "user" => conditions.users = self.each(value, "", pattern),
            "client_id" => conditions.client_ids = self.each(value, "", pattern),
            "certificate" => conditions.certificates = self.each(value, "", pattern),
            "certificate_subject" => conditions.subjects = self.each(value, "", pattern),
            "certificate_san" => {
                let remedy =
                    "write such as \"DNS:pump-7.example\", \"URI:urn:pump:*\" or \"email:ada@example.com\"";
                conditions.alternative_names = self.each(value, remedy, alternative_name);
            }
            "certificate_fingerprint" => {
                let remedy = "write the 64 hexadecimal digits of its SHA-256, with or without colons";
                conditions.fingerprints = self.each(value, remedy, fingerprint);
            }
            "address" => {
                let remedy = "write such as \"192.0.2.7\", \"10.0.0.0/8\", \"2001:db8::/32\" or \"unix\"";
                conditions.addresses = self.each(value, remedy, |text| {
                    Network::from_str(text).map_err(|error| format!("{text:?}: {error}"))
                });
            }
            "role" if self.owner.is_some() => {
                self.problem(key.span(), "a rule of a role names no role", OF_ROLE);
            }
            "role" => conditions.roles = self.role(value),
            "anonymous" => conditions.anonymous = self.flag(value),
            "retain" | "maximum_qos" if !rule.allows => {
                self.problem(key.span(), "this limits what a rule allows, and this rule denies", "remove it");
            }
            "retain" => rule.retain = self.flag(value).unwrap_or(true),
            "maximum_qos" => match value.get_ref() {
                DeValue::Integer(number) if matches!(number.as_str(), "0" | "1" | "2") => {
                    rule.maximum_qos = number.as_str().as_bytes()[0] - b'0';
                }
                _ => self.problem(value.span(), "not a QoS", "write 0, 1 or 2"),
            },
            unknown => {
                let remedy = match nearest(unknown, KEYS.into_iter()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("the keys of a rule are {}", KEYS.join(", ")),
                };
                self.problem(key.span(), &format!("unknown key {unknown:?}"), &remedy);
            }
        }
    }

    fn actions(&mut self, value: &Spanned<DeValue<'_>>) -> Actions {
        let names = ACTIONS.map(|(name, _)| name);
        let mut actions = Actions::default();
        for (text, span) in self.texts(value) {
            match ACTIONS.iter().find(|(name, _)| *name == text) {
                Some((_, action)) => actions.0 |= action.0,
                None => {
                    let remedy = match nearest(text, names.into_iter()) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("write one or more of {}", names.join(", ")),
                    };
                    self.problem(span, &format!("{text:?} is nothing that a client does"), &remedy);
                }
            }
        }
        actions
    }

    fn role(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<Role> {
        let mut roles = Vec::new();
        for (text, span) in self.texts(value) {
            if let Some(users) = self.roles.get(text) {
                roles.push(Role { name: text.into(), users: Arc::clone(users) });
                continue;
            }
            let remedy = match nearest(text, self.roles.keys().map(|name| &**name)) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("write {text} = [\"USER\"] under [roles]"),
            };
            self.problem(span, &format!("there is no role {text:?}"), &remedy);
        }
        roles
    }

    fn each<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        remedy: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut parsed = Vec::new();
        for (text, span) in self.texts(value) {
            match parse(text) {
                Ok(value) => parsed.push(value),
                Err(message) => self.problem(span, &message, remedy),
            }
        }
        parsed
    }

    /// A text, or a list of at least one.
    fn texts<'a>(&mut self, value: &'a Spanned<DeValue<'_>>) -> Vec<Text<'a>> {
        let remedy = "write a text in quotes, or several as [\"a\", \"b\"]";
        let mut texts = Vec::new();
        match value.get_ref() {
            DeValue::String(text) => texts.push((&**text, value.span())),
            DeValue::Array(items) => {
                for item in items {
                    match item.get_ref() {
                        DeValue::String(text) => texts.push((&**text, item.span())),
                        _ => self.problem(item.span(), "expected a text", remedy),
                    }
                }
                // A condition without values would be for nobody, and look as if it were for all.
                if items.is_empty() {
                    self.problem(value.span(), "the list is empty", remedy);
                }
            }
            _ => self.problem(value.span(), "expected a text or a list of texts", remedy),
        }
        texts
    }

    fn flag(&mut self, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.problem(value.span(), "expected true or false", "write it without quotes");
        None
    }
}

// One of the parsers of `Reader::each`, of which others fail.
#[expect(clippy::unnecessary_wraps, reason = "as the other parsers of values")]
fn pattern(text: &str) -> Result<NamePattern, String> {
    Ok(NamePattern(text.into()))
}

fn alternative_name(text: &str) -> Result<NamePattern, String> {
    match ["DNS:", "URI:", "email:", "*"].iter().any(|kind| text.starts_with(kind)) {
        true => Ok(NamePattern(text.into())),
        false => Err(format!("{text:?} has no kind of name")),
    }
}

/// As it is known: lower-case digits alone.
fn fingerprint(text: &str) -> Result<NamePattern, String> {
    let digits = text.replace(':', "").to_ascii_lowercase();
    match digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(NamePattern(digits.into())),
        false => Err(format!("{text:?} is no SHA-256 fingerprint")),
    }
}

/// The candidate that `text` was most likely meant to be, if any is near.
fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate| (strsim::jaro_winkler(text, candidate), candidate);
    let near = candidates.map(likeness).filter(|(likeness, _)| *likeness >= 0.75);
    near.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, candidate)| candidate)
}
