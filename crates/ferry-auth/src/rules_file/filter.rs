use std::fmt;

use super::RuleClient;

/// Levels of a filter in a rule.
const LEVELS_MAX: usize = 128;

/// A topic filter with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RuleFilter {
    text: Box<str>,
    pub(super) levels: Vec<Level>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Literal(Box<str>),
    Plus,
    /// This and all levels below; the last.
    Hash,
    Template(Template),
}

/// A level with placeholders. What they stand for has no `/`, so it is one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    ClientId,
    UserName,
}

/// What placeholders stand for; `None` for what would make another filter of it.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    client_id: Option<&'a str>,
    user_name: Option<&'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn new(client: &RuleClient<'a>) -> Self {
        // Clients choose their identifiers, and some their names: one such as `+` must not widen what a rule allows.
        let is_level = |name: &&str| !name.is_empty() && !name.contains(['+', '#', '/']);
        Self {
            client_id: Some(client.client_id).filter(is_level),
            user_name: client.user_name.filter(is_level),
        }
    }
}

const PLACEHOLDERS: [(&str, Part); 4] = [
    ("%c", Part::ClientId),
    ("%u", Part::UserName),
    ("${client_id}", Part::ClientId),
    ("${user}", Part::UserName),
];

impl RuleFilter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("a topic filter is empty".to_owned());
        }
        if text.starts_with("$share/") {
            return Err("a rule names the filter of a shared subscription without $share/GROUP/".to_owned());
        }
        if text.contains('\0') {
            return Err("a topic filter holds a null character".to_owned());
        }
        let texts: Vec<&str> = text.split('/').collect();
        if texts.len() > LEVELS_MAX {
            return Err(format!("a filter has at most {LEVELS_MAX} levels"));
        }
        let last = texts.len() - 1;
        let levels = texts.into_iter().enumerate().map(|(index, level)| match level {
            "+" => Ok(Level::Plus),
            "#" if index == last => Ok(Level::Hash),
            _ if level.contains(['+', '#']) => {
                Err("+ and # stand for whole levels, and # only for the last ones".to_owned())
            }
            _ => Template::parse(level),
        });
        Ok(Self { levels: levels.collect::<Result<_, _>>()?, text: text.into() })
    }

    /// Whether every topic of `other`, for every client, is one of this too.
    pub(super) fn includes(&self, other: &Self) -> bool {
        let mut others = other.levels.iter();
        for (index, level) in self.levels.iter().enumerate() {
            // Wildcards do not reach topics of the server.
            let is_of_server = index == 0 && other.text.starts_with('$');
            match (level, others.next()) {
                (Level::Hash, _) => return !is_of_server,
                (_, None) => return false,
                (Level::Plus, Some(Level::Literal(_) | Level::Plus | Level::Template(_)))
                    if !is_of_server => {}
                (own, Some(other)) if own == other => {}
                _ => return false,
            }
        }
        others.next().is_none()
    }
}

impl fmt::Display for RuleFilter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Template {
    /// A level that is no wildcard.
    fn parse(level: &str) -> Result<Level, String> {
        let mut parts = Vec::new();
        let mut text = level;
        let first = |text: &str| {
            let places = PLACEHOLDERS.iter().filter_map(|(name, part)| Some((text.find(name)?, *name, part)));
            places.min_by_key(|(at, ..)| *at).map(|(at, name, part)| (at, name.len(), part.clone()))
        };
        while let Some((at, length, part)) = first(text) {
            if at > 0 {
                parts.push(Part::Text(text[..at].into()));
            }
            parts.push(part);
            text = &text[at + length..];
        }
        if !text.is_empty() {
            parts.push(Part::Text(text.into()));
        }
        let unknown = parts.iter().find_map(|part| match part {
            Part::Text(text) => text.find("${").map(|at| &text[at..]),
            _ => None,
        });
        if let Some(unknown) = unknown {
            let end = unknown.find('}').map_or(unknown.len(), |at| at + 1);
            return Err(format!("unknown placeholder {}", &unknown[..end]));
        }
        Ok(match parts.iter().all(|part| matches!(part, Part::Text(_))) {
            true => Level::Literal(level.into()),
            false => Level::Template(Self(parts)),
        })
    }

    /// Whether it stands for `level`, which is the first one of a topic if `is_first`.
    pub(super) fn matches(&self, mut level: &str, names: Names<'_>, is_first: bool) -> bool {
        if is_first && level.starts_with('$') && !matches!(self.0.first(), Some(Part::Text(_))) {
            // Nobody's name reaches the topics of the server.
            return false;
        }
        for part in &self.0 {
            let Some(rest) = part.text(names).and_then(|text| level.strip_prefix(text)) else { return false };
            level = rest;
        }
        level.is_empty()
    }

    /// The level that it stands for, if there is one.
    pub(super) fn expand(&self, names: Names<'_>) -> Option<String> {
        self.0.iter().map(|part| part.text(names)).collect()
    }
}

impl Part {
    fn text<'a>(&'a self, names: Names<'a>) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::ClientId => names.client_id,
            Self::UserName => names.user_name,
        }
    }
}
