//! One row of a table: a statement of a standard and what is known about it.

use std::fmt;

use toml::Value;

/// A numbered statement, or a rule that the standard leaves without a number.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    /// `MQTT-x.y.z-n` for 5.0, `MQTT3-x.y.z-n` for 3.1.1, `U5-nnn` for a rule of 5.0 without a number.
    pub(crate) id: String,
    /// Number and heading.
    pub(crate) section: String,
    pub(crate) binds: Binds,
    /// In our words; what counts is the standard.
    pub(crate) summary: String,
    pub(crate) status: Status,
    /// Why there is no test, for every status but `tested`.
    pub(crate) reason: Option<String>,
    /// Files that implement it, sorted.
    pub(crate) code: Vec<String>,
    /// Files that test it, sorted.
    pub(crate) tests: Vec<String>,
}

/// Who has to keep a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binds {
    Server,
    Client,
    Both,
    /// The bytes: a sender must not make them otherwise, a receiver must not take them otherwise.
    Format,
}

/// How we know that it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Tested,
    /// The code could not break it if it wanted to.
    ByConstruction,
    /// Binds only clients, and a broker cannot see whether they keep it.
    Client,
    NotApplicable,
    Gap,
}

const BINDS: &[(&str, Binds)] =
    &[("server", Binds::Server), ("client", Binds::Client), ("both", Binds::Both), ("format", Binds::Format)];

const STATUS: &[(&str, Status)] = &[
    ("tested", Status::Tested),
    ("by construction", Status::ByConstruction),
    ("client", Status::Client),
    ("not applicable", Status::NotApplicable),
    ("gap", Status::Gap),
];

const SUMMARY_CHARACTERS_MAX: usize = 110;

impl Statement {
    /// Reads a row; the places of code and tests are not read, as they come from the sources.
    ///
    /// # Errors
    /// What is missing, too much or of no meaning.
    pub(crate) fn read(row: &toml::Table) -> Result<Self, String> {
        let id = text(row, "id")?;
        let known = ["id", "section", "binds", "summary", "status", "reason", "code", "test"];
        if let Some(key) = row.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("{id}: there is no key \"{key}\""));
        }
        let summary = text(row, "summary")?;
        if summary.is_empty() || summary.chars().count() > SUMMARY_CHARACTERS_MAX {
            return Err(format!("{id}: a summary has 1 to {SUMMARY_CHARACTERS_MAX} characters"));
        }
        let status = named(STATUS, &text(row, "status")?).map_err(|error| format!("{id}: {error}"))?;
        let reason = row.get("reason").and_then(Value::as_str).map(str::to_owned);
        if (status == Status::Tested) != reason.is_none() {
            return Err(format!("{id}: a reason is needed unless the status is \"tested\", and only then"));
        }
        let binds = named(BINDS, &text(row, "binds")?).map_err(|error| format!("{id}: {error}"))?;
        let section = text(row, "section")?;
        Ok(Self { id, section, binds, summary, status, reason, code: Vec::new(), tests: Vec::new() })
    }

    /// Whether a broker can break it.
    pub(crate) fn binds_server(&self) -> bool {
        self.binds != Binds::Client
    }

    /// The row as it stands in the table's file.
    pub(crate) fn to_toml(&self) -> String {
        let mut row = String::from("[[statement]]\n");
        let mut line = |key: &str, value: &str| row.push_str(&format!("{key} = {}\n", quoted(value)));
        line("id", &self.id);
        line("section", &self.section);
        line("binds", &self.binds.to_string());
        line("summary", &self.summary);
        line("status", &self.status.to_string());
        if let Some(reason) = &self.reason {
            line("reason", reason);
        }
        row.push_str(&format!("code = {}\n", list(&self.code)));
        row.push_str(&format!("test = {}\n", list(&self.tests)));
        row
    }
}

impl fmt::Display for Binds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(name_of(BINDS, *self))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(name_of(STATUS, *self))
    }
}

fn text(row: &toml::Table, key: &str) -> Result<String, String> {
    let value = row.get(key).and_then(Value::as_str);
    value.map(str::to_owned).ok_or_else(|| format!("a statement without {key}: {row:?}"))
}

fn named<T: Copy>(names: &[(&str, T)], name: &str) -> Result<T, String> {
    let found = names.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or_else(|| format!("\"{name}\" means nothing"))
}

fn name_of<T: Copy + PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| name)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// One line for each file, so that changes of different people do not meet in one line.
fn list(files: &[String]) -> String {
    if files.is_empty() {
        return "[]".to_owned();
    }
    let lines: String = files.iter().map(|file| format!("    {},\n", quoted(file))).collect();
    format!("[\n{lines}]")
}

#[cfg(test)]
mod tests {
    use super::{Statement, Status};

    fn read(row: &str) -> Result<Statement, String> {
        Statement::read(&row.parse().expect("TOML"))
    }

    const ROW: &str = "id = \"A-1\"\nsection = \"1 One\"\nbinds = \"both\"\nsummary = \"Say \\\"a\\\"\"\n";

    #[test]
    fn what_is_written_is_read_again() {
        let mut statement = read(&format!("{ROW}status = \"gap\"\nreason = \"no\"")).expect("a statement");
        statement.code = vec!["a.rs".to_owned()];
        let written = statement.to_toml();
        let again = read(written.strip_prefix("[[statement]]\n").expect("a row")).expect("a statement");
        assert_eq!(again.summary, "Say \"a\"");
        assert_eq!(again.status, Status::Gap);
        assert!(written.ends_with("code = [\n    \"a.rs\",\n]\ntest = []\n"));
    }

    #[test]
    fn a_status_without_test_needs_a_reason() {
        assert!(read(&format!("{ROW}status = \"tested\"")).is_ok());
        assert!(read(&format!("{ROW}status = \"by construction\"")).is_err());
        assert!(read(&format!("{ROW}status = \"tested\"\nreason = \"because\"")).is_err());
    }

    #[test]
    fn unknown_keys_and_values_are_refused() {
        assert!(read(&format!("{ROW}status = \"fine\"")).is_err());
        assert!(read(&format!("{ROW}status = \"tested\"\nnote = \"x\"")).is_err());
    }
}
