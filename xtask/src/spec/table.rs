//! The file of one standard under `docs/spec`.

use std::path::PathBuf;

use toml::Value;

use super::citations::{Citation, Place};
use super::statement::Statement;
use crate::Outcome;
use crate::workspace::root;

/// All statements of one standard, in its order.
pub(crate) struct Table {
    /// Relative to the root.
    pub(crate) path: &'static str,
    pub(crate) statements: Vec<Statement>,
    /// How many statements the standard has.
    pub(crate) expected: usize,
    header: &'static str,
    /// As it is on the disk.
    text: String,
}

struct Standard {
    path: &'static str,
    /// Nothing else tells that a row is missing.
    statements: usize,
    header: &'static str,
}

const STANDARDS: &[Standard] = &[
    Standard {
        path: "docs/spec/mqtt5.toml",
        statements: 251 + 86,
        header: "\
# MQTT 5.0: each numbered statement, and the rules without a number (U5-nnn), with how we know that Ferry keeps it.
# The summaries are our words. `code` and `test` are written by `cargo xtask spec --update`; see README.md.
",
    },
    Standard {
        path: "docs/spec/mqtt3.toml",
        statements: 141,
        header: "\
# MQTT 3.1.1: each numbered statement, with how we know that Ferry keeps it.
# The summaries are our words. `code` and `test` are written by `cargo xtask spec --update`; see README.md.
",
    },
];

impl Table {
    /// The tables, with the places of code and tests that the citations tell.
    ///
    /// # Errors
    /// When a file cannot be read or a row is not as it should be.
    pub(crate) fn read_all(citations: &[Citation]) -> Result<Vec<Self>, String> {
        STANDARDS.iter().map(|standard| Self::read(standard, citations)).collect()
    }

    fn read(standard: &Standard, citations: &[Citation]) -> Result<Self, String> {
        let path = root().join(standard.path);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", standard.path))?;
        let mut statements = parse(&text).map_err(|error| format!("{}: {error}", standard.path))?;
        for statement in &mut statements {
            let files = |place: Place| {
                let cited = citations.iter().filter(|c| c.place == place && c.id == statement.id);
                let mut files: Vec<String> = cited.map(|citation| citation.path.clone()).collect();
                files.sort();
                files.dedup();
                files
            };
            (statement.code, statement.tests) = (files(Place::Code), files(Place::Test));
        }
        let (path, expected, header) = (standard.path, standard.statements, standard.header);
        Ok(Self { path, statements, expected, header, text })
    }

    /// The file as it should be.
    pub(crate) fn to_toml(&self) -> String {
        let rows: Vec<String> = self.statements.iter().map(Statement::to_toml).collect();
        format!("{}\n{}", self.header, rows.join("\n"))
    }

    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self) -> Outcome {
        let path: PathBuf = root().join(self.path);
        std::fs::write(&path, self.to_toml()).map_err(|error| format!("{}: {error}", self.path))
    }

    /// What is wrong when the file is not as it should be.
    pub(crate) fn not_current(&self) -> Option<String> {
        let same = self.text == self.to_toml();
        (!same).then(|| format!("{}: not current; `cargo xtask spec --update` writes it", self.path))
    }
}

fn parse(text: &str) -> Result<Vec<Statement>, String> {
    let document: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
    let rows = document.get("statement").and_then(Value::as_array).ok_or("no [[statement]]")?;
    let read = |row: &Value| Statement::read(row.as_table().ok_or("a statement is a table")?);
    rows.iter().map(read).collect()
}
