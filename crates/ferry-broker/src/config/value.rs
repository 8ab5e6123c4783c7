//! Raw values from the sources, checked against an option's kind.

use std::fmt::Display;
use std::str::FromStr;

use ferry_net::{ListenAddress, OriginRule};

use super::admin::{AdminToken, HostName};
use super::ban::Ban;
use super::listener::parse_file_mode;
use ferry_auth::PeerRule;

use super::kerberos::Realm;
use super::network::Network;
use super::quantity;
use super::storage::DurabilityRule;

/// A value as a source gave it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Text(String),
    Integer(i128),
    Flag(bool),
    List(Vec<Raw>),
    /// A table in a list, by key.
    Table(Vec<(String, Raw)>),
    /// A type that no option has (a float, a date), by its name.
    Other(&'static str),
}

/// A value that has passed its option's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `true` or `false`.
    Flag(bool),
    /// A number in the option's unit.
    Number(u64),
    /// A text, a path, or the name of a choice.
    Text(String),
    /// Several texts.
    List(Vec<String>),
    /// The word that stands for "no value": `none`, `never`, `auto`, or an empty path.
    Absent,
}

/// What values an option takes, and in which unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count {
        /// The least value allowed.
        min: u64,
        /// The greatest value allowed.
        max: u64,
    },
    /// A size in bytes, or a text such as `"1 MiB"`.
    Bytes {
        /// The least value allowed.
        min: u64,
        /// The greatest value allowed.
        max: u64,
    },
    /// Seconds, or a text such as `"30s"`, `"5m"`, `"1h"`, `"7d"`.
    Seconds {
        /// The least value allowed.
        min: u64,
        /// The greatest value allowed.
        max: u64,
    },
    /// Any text.
    Text,
    /// An address to listen on.
    Address,
    /// The access mode of a file: up to four octal digits as a text.
    FileMode,
    /// A path; empty means none.
    Path,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// A list of some of these names, at least one.
    Choices(&'static [&'static str]),
    /// A list of origins of web pages.
    Origins,
    /// A list of tables that each say who may not connect.
    Bans,
    /// A list of addresses and networks.
    Networks,
    /// A list of users of the machine, each with a user of the broker.
    PeerRules,
    /// A list of topic filters with a durability each.
    DurabilityRules,
    /// A list of names of hosts.
    HostNames,
    /// A list of Kerberos realms.
    Realms,
    /// A list of tables, or texts, that name a token each.
    AdminTokens,
    /// A kind, or a word that means "no value".
    Or(&'static str, &'static Kind),
}

/// Why a value does not fit, and what would.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    pub(crate) message: String,
    pub(crate) remedy: String,
}

impl Kind {
    /// Checks a raw value and brings it into the option's unit.
    pub(crate) fn check(&self, raw: &Raw) -> Result<Setting, Misfit> {
        match (self, raw) {
            (Self::Or(word, _), Raw::Text(text)) if text == word => Ok(Setting::Absent),
            (Self::Or(_, kind), _) => {
                kind.check(raw).map_err(|misfit| Misfit { remedy: self.remedy(), ..misfit })
            }
            (Self::Flag, Raw::Flag(flag)) => Ok(Setting::Flag(*flag)),
            (Self::Text, Raw::Text(text)) => Ok(Setting::Text(text.clone())),
            (Self::Address, Raw::Text(text)) => match text.parse::<ListenAddress>() {
                Ok(address) => Ok(Setting::Text(address.to_string())),
                Err(error) => Err(Misfit { message: error.to_string(), remedy: self.remedy() }),
            },
            (Self::FileMode, Raw::Text(text)) => match parse_file_mode(text) {
                Some(mode) => Ok(Setting::Text(format!("{mode:04o}"))),
                None => Err(self.wrong_type(raw)),
            },
            (Self::Path, Raw::Text(text)) if text.is_empty() => Ok(Setting::Absent),
            (Self::Path, Raw::Text(text)) => Ok(Setting::Text(text.clone())),
            (Self::Choice(names), Raw::Text(text)) => self.check_name(names, text).map(Setting::Text),
            (Self::Choice(names), Raw::Flag(flag)) => {
                self.check_name(names, &flag.to_string()).map(Setting::Text)
            }
            (Self::Choices(names), Raw::List(items)) => self.check_list(names, items),
            (Self::Origins, Raw::List(items)) => self.check_texts::<OriginRule>(items),
            (Self::Bans, Raw::List(items)) => self.check_bans(items),
            (Self::Networks, Raw::List(items)) => self.check_texts::<Network>(items),
            (Self::PeerRules, Raw::List(items)) => self.check_texts::<PeerRule>(items),
            (Self::DurabilityRules, Raw::List(items)) => self.check_texts::<DurabilityRule>(items),
            (Self::HostNames, Raw::List(items)) => self.check_texts::<HostName>(items),
            (Self::Realms, Raw::List(items)) => self.check_texts::<Realm>(items),
            (Self::AdminTokens, Raw::List(items)) => {
                let items: Result<Vec<Raw>, Misfit> =
                    items.iter().map(|item| self.token_text(item)).collect();
                self.check_texts::<AdminToken>(&items?)
            }
            (Self::Count { .. } | Self::Bytes { .. } | Self::Seconds { .. }, _) => self.check_number(raw),
            _ => Err(self.wrong_type(raw)),
        }
    }

    /// A value as it is written in `ferry.toml`.
    pub(crate) fn show(&self, setting: &Setting) -> String {
        match (self, setting) {
            (Self::Or(word, _), Setting::Absent) => quote(word),
            (Self::Or(_, kind), _) => kind.show(setting),
            (_, Setting::Absent) => quote(""),
            (_, Setting::Flag(flag)) => flag.to_string(),
            (Self::Bytes { .. }, Setting::Number(number)) => quantity::show_bytes(*number),
            (Self::Seconds { .. }, Setting::Number(number)) => quantity::show_seconds(*number),
            (_, Setting::Number(number)) => number.to_string(),
            (Self::Choice(_), Setting::Text(text)) if text == "true" || text == "false" => text.clone(),
            (_, Setting::Text(text)) => quote(text),
            (_, Setting::List(items)) => {
                format!("[{}]", items.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// An environment variable's or flag's text as the raw value that the same text would be in a file.
    pub(crate) fn raw_from_text(&self, text: &str) -> Raw {
        match self {
            Self::Or(word, _) if text == *word => Raw::Text(text.to_owned()),
            Self::Or(_, kind) => kind.raw_from_text(text),
            Self::Flag => text.parse().map_or_else(|_| Raw::Text(text.to_owned()), Raw::Flag),
            Self::Count { .. } | Self::Bytes { .. } | Self::Seconds { .. } => {
                text.parse().map_or_else(|_| Raw::Text(text.to_owned()), Raw::Integer)
            }
            Self::Choices(_)
            | Self::Origins
            | Self::DurabilityRules
            | Self::Networks
            | Self::PeerRules
            | Self::Bans
            | Self::HostNames
            | Self::Realms
            | Self::AdminTokens => Raw::List(
                text.split(',')
                    .map(str::trim)
                    .filter(|item| !item.is_empty())
                    .map(|item| Raw::Text(item.to_owned()))
                    .collect(),
            ),
            Self::Text | Self::Address | Self::FileMode | Self::Path | Self::Choice(_) => {
                Raw::Text(text.to_owned())
            }
        }
    }

    /// The values allowed, in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Flag => "true or false".to_owned(),
            Self::Count { min, max } => format!("{min} to {max}"),
            Self::Bytes { min, max } => {
                format!("{} to {}", bare(&quantity::show_bytes(*min)), bare(&quantity::show_bytes(*max)))
            }
            Self::Seconds { min, max } => {
                format!("{} to {}", bare(&quantity::show_seconds(*min)), bare(&quantity::show_seconds(*max)))
            }
            Self::Text => "text".to_owned(),
            Self::Address => "an address such as tcp://127.0.0.1:1883".to_owned(),
            Self::FileMode => "\"0000\" to \"7777\"".to_owned(),
            Self::Path => "path; empty: none".to_owned(),
            Self::Choice(names) => names
                .iter()
                .map(|name| self.show(&Setting::Text((*name).to_owned())))
                .collect::<Vec<_>>()
                .join(", "),
            Self::Choices(names) => {
                format!("list of {}", names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", "))
            }
            Self::Origins => "list of origins such as \"https://example.org\", \"local\", \"*\"".to_owned(),
            Self::DurabilityRules => "list of texts such as \"telemetry/# = memory\"".to_owned(),
            Self::Bans => "blocks [[abuse.ban]] with address, user, client_id, until, reason".to_owned(),
            Self::Networks => "list of networks such as \"10.20.0.0/16\"".to_owned(),
            Self::PeerRules => "list of texts such as \"user=backup backup-service\"".to_owned(),
            Self::HostNames => "list of names such as \"ferry.example\"".to_owned(),
            Self::Realms => "list of realms such as \"EXAMPLE.COM\"".to_owned(),
            Self::AdminTokens => "blocks [[admin.token]] with name, role, and file or hash".to_owned(),
            Self::Or(word, kind) => format!("{}, or {}", kind.describe(), quote(word)),
        }
    }

    /// The unit of the number, or empty.
    pub fn unit(&self) -> &'static str {
        match self {
            Self::Bytes { .. } => "bytes",
            Self::Seconds { .. } => "seconds",
            Self::Or(_, kind) => kind.unit(),
            _ => "",
        }
    }

    fn check_number(&self, raw: &Raw) -> Result<Setting, Misfit> {
        let (min, max) = match *self {
            Self::Count { min, max } | Self::Bytes { min, max } | Self::Seconds { min, max } => (min, max),
            _ => return Err(self.wrong_type(raw)),
        };
        let number = match (self, raw) {
            (_, Raw::Integer(number)) => *number,
            (Self::Bytes { .. }, Raw::Text(text)) => {
                i128::from(quantity::parse_bytes(text).ok_or_else(|| self.wrong_type(raw))?)
            }
            (Self::Seconds { .. }, Raw::Text(text)) => {
                i128::from(quantity::parse_seconds(text).ok_or_else(|| self.wrong_type(raw))?)
            }
            _ => return Err(self.wrong_type(raw)),
        };
        match u64::try_from(number) {
            Ok(number) if (min..=max).contains(&number) => Ok(Setting::Number(number)),
            _ => Err(Misfit { message: format!("{number} is out of range"), remedy: self.remedy() }),
        }
    }

    fn check_name(&self, names: &[&str], text: &str) -> Result<String, Misfit> {
        if names.contains(&text) {
            return Ok(text.to_owned());
        }
        let hint = nearest(text, names.iter().copied())
            .map(|name| format!("; did you mean {}?", quote(name)))
            .unwrap_or_default();
        Err(Misfit {
            message: format!("{} is not a value of this option{hint}", quote(text)),
            remedy: self.remedy(),
        })
    }

    fn check_list(&self, names: &[&str], items: &[Raw]) -> Result<Setting, Misfit> {
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let Raw::Text(text) = item else { return Err(self.wrong_type(item)) };
            texts.push(self.check_name(names, text)?);
        }
        if texts.is_empty() {
            return Err(Misfit { message: "the list is empty".to_owned(), remedy: self.remedy() });
        }
        Ok(Setting::List(texts))
    }

    /// Checks a list of texts that each must be a `T`, and brings them into the way in which `T` is shown.
    fn check_texts<T>(&self, items: &[Raw]) -> Result<Setting, Misfit>
    where
        T: FromStr<Err: Display> + Display,
    {
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let Raw::Text(text) = item else { return Err(self.wrong_type(item)) };
            match text.parse::<T>() {
                Ok(item) => texts.push(item.to_string()),
                Err(error) => {
                    let message = format!("{}: {error}", quote(self.without_secrets(text)));
                    return Err(Misfit { message, remedy: self.remedy() });
                }
            }
        }
        Ok(Setting::List(texts))
    }

    /// What a message may show of a text: of a token its name, for where its hash should be somebody may have put the secret.
    fn without_secrets<'a>(&self, text: &'a str) -> &'a str {
        match self {
            Self::AdminTokens => text.split_once(' ').map_or("...", |(name, _)| name),
            _ => text,
        }
    }

    fn check_bans(&self, items: &[Raw]) -> Result<Setting, Misfit> {
        let text = |item: &Raw| match item {
            Raw::Table(entries) => Ban::text_of_table(entries),
            item => Ok(item.clone()),
        };
        let items: Result<Vec<Raw>, String> = items.iter().map(text).collect();
        let misfit = |message| Misfit { message, remedy: self.remedy() };
        self.check_texts::<Ban>(&items.map_err(misfit)?)
    }

    /// The text that says the same as the table of a token.
    fn token_text(&self, item: &Raw) -> Result<Raw, Misfit> {
        let Raw::Table(entries) = item else { return Ok(item.clone()) };
        let misfit = |message: String| Misfit { message, remedy: self.remedy() };
        let keys = ["name", "role", "file", "hash"];
        if let Some((key, _)) = entries.iter().find(|(key, _)| !keys.contains(&&**key)) {
            return Err(misfit(format!("unknown key {}", quote(key))));
        }
        let text = |key: &str| match entries.iter().find(|(known, _)| known == key) {
            Some((_, Raw::Text(text))) if !text.is_empty() => Ok(Some(text.as_str())),
            Some(_) => Err(misfit(format!("{} is not a text", quote(key)))),
            None => Ok(None),
        };
        let (Some(name), Some(role)) = (text("name")?, text("role")?) else {
            return Err(misfit("a token has no name or no role".to_owned()));
        };
        if name.contains(char::is_whitespace) {
            return Err(misfit(format!("there is a space in the name {}", quote(name))));
        }
        match (text("file")?, text("hash")?) {
            (Some(secret), None) => Ok(Raw::Text(format!("{name} {role} {secret}"))),
            (None, Some(secret)) if secret.starts_with("sha256:") => {
                Ok(Raw::Text(format!("{name} {role} {secret}")))
            }
            (None, Some(_)) => Err(misfit("a hash is sha256: and 64 hexadecimal digits".to_owned())),
            _ => Err(misfit(format!("the token {} needs either file or hash", quote(name)))),
        }
    }

    fn wrong_type(&self, raw: &Raw) -> Misfit {
        let expected = match self {
            Self::Flag => "true or false",
            Self::Count { .. } => "a whole number",
            Self::Bytes { .. } => "a size such as 1048576 or \"1 MiB\"",
            Self::Seconds { .. } => "a duration such as 30 or \"30s\"",
            Self::Text | Self::Address | Self::Path => "a text in quotes",
            Self::FileMode => "an octal access mode in quotes such as \"0660\"",
            Self::Choice(_) => "a name in quotes",
            Self::Choices(_)
            | Self::Origins
            | Self::DurabilityRules
            | Self::Networks
            | Self::PeerRules
            | Self::HostNames
            | Self::Realms => "a list of texts",
            Self::AdminTokens => "blocks [[admin.token]]",
            Self::Bans => "blocks [[abuse.ban]]",
            Self::Or(_, kind) => return kind.wrong_type(raw),
        };
        let found = match raw {
            Raw::Text(text) => format!("the text {}", quote(self.without_secrets(text))),
            Raw::Integer(number) => format!("the number {number}"),
            Raw::Flag(flag) => flag.to_string(),
            Raw::List(_) => "a list".to_owned(),
            Raw::Table(_) => "a table".to_owned(),
            Raw::Other(name) => format!("a {name}"),
        };
        Misfit { message: format!("expected {expected}, found {found}"), remedy: self.remedy() }
    }

    fn remedy(&self) -> String {
        let units = match self.unit() {
            "bytes" => "; units: B, KiB, MiB, GiB, TiB, kB, MB, GB",
            "seconds" => "; units: s, m, h, d",
            _ => "",
        };
        format!("allowed: {}{units}", self.describe())
    }
}

/// The candidate that `text` was most likely meant to be, if any is near.
pub(crate) fn nearest<'a>(text: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = text.to_lowercase();
    candidates
        .map(|candidate| (strsim::jaro_winkler(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// A text as TOML writes it.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn bare(shown: &str) -> &str {
    shown.trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Kind = Kind::Bytes { min: 16, max: 4096 };
    const NEVER: Kind = Kind::Or("never", &Kind::Seconds { min: 0, max: 100_000 });

    #[test]
    fn numbers_in_their_unit() {
        assert_eq!(SIZE.check(&Raw::Text("1 KiB".to_owned())), Ok(Setting::Number(1024)));
        assert_eq!(SIZE.check(&Raw::Integer(17)), Ok(Setting::Number(17)));
        assert_eq!(NEVER.check(&Raw::Text("1h".to_owned())), Ok(Setting::Number(3600)));
        assert_eq!(NEVER.check(&Raw::Text("never".to_owned())), Ok(Setting::Absent));
    }

    #[test]
    fn misfits_say_what_is_wrong_and_what_is_allowed() {
        let misfit = SIZE.check(&Raw::Integer(-3)).unwrap_err();
        assert_eq!(misfit.message, "-3 is out of range");
        assert_eq!(misfit.remedy, "allowed: 16 to 4 KiB; units: B, KiB, MiB, GiB, TiB, kB, MB, GB");
        let misfit = NEVER.check(&Raw::Text("nevr".to_owned())).unwrap_err();
        assert_eq!(misfit.message, "expected a duration such as 30 or \"30s\", found the text \"nevr\"");
        assert_eq!(misfit.remedy, "allowed: 0 to 100000, or \"never\"; units: s, m, h, d");
        let misfit = Kind::Choice(&["drop-oldest"]).check(&Raw::Text("drop_oldest".to_owned())).unwrap_err();
        assert!(misfit.message.ends_with("did you mean \"drop-oldest\"?"), "{}", misfit.message);
        let misfit = Kind::Flag.check(&Raw::Other("float")).unwrap_err();
        assert_eq!(misfit.message, "expected true or false, found a float");
    }

    #[test]
    fn texts_of_the_environment() {
        assert_eq!(
            Kind::Choices(&["a", "b"]).raw_from_text("a, b,"),
            Raw::List(vec![Raw::Text("a".to_owned()), Raw::Text("b".to_owned())])
        );
        assert_eq!(SIZE.raw_from_text("17"), Raw::Integer(17));
        assert_eq!(NEVER.raw_from_text("never"), Raw::Text("never".to_owned()));
        assert_eq!(Kind::Flag.raw_from_text("true"), Raw::Flag(true));
    }
}
