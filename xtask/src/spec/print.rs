//! The tables as text, Markdown or TOML; one statement with all its places.

use std::str::FromStr;

use super::citations::Citation;
use super::statement::Statement;
use super::table::Table;
use super::verdict::statements;
use crate::Outcome;

/// How the table is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Markdown,
    Toml,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "text" => Ok(Self::Text),
            "markdown" => Ok(Self::Markdown),
            "toml" => Ok(Self::Toml),
            other => Err(format!("there is no format \"{other}\" (text, markdown, toml)")),
        }
    }
}

/// All statements.
pub(crate) fn all(tables: &[Table], format: Format) {
    match format {
        Format::Text => statements(tables).for_each(|statement| println!("{}", line(statement))),
        Format::Markdown => {
            println!("| id | binds | status | summary | code | test |\n|---|---|---|---|---|---|");
            statements(tables).for_each(|statement| println!("{}", markdown(statement)));
        }
        Format::Toml => tables.iter().for_each(|table| print!("{}", table.to_toml())),
    }
}

/// The statements that bind the server and have no code place or no test.
pub(crate) fn missing(tables: &[Table]) {
    let missing = |statement: &&Statement| statement.code.is_empty() || statement.tests.is_empty();
    let server = statements(tables).filter(|statement| statement.binds_server());
    server.filter(missing).for_each(|statement| println!("{}", line(statement)));
}

/// One statement, with the lines that cite it.
///
/// # Errors
/// When there is none of this id.
pub(crate) fn one(tables: &[Table], citations: &[Citation], id: &str) -> Outcome {
    let found = statements(tables).find(|statement| statement.id == id);
    let statement = found.ok_or_else(|| format!("there is no {id}"))?;
    println!("{} ({})", statement.id, statement.section);
    println!("binds {}; {}", statement.binds, statement.status);
    println!("{}", statement.summary);
    if let Some(reason) = &statement.reason {
        println!("{reason}");
    }
    for citation in citations.iter().filter(|citation| citation.id == id) {
        println!("{:<5} {}:{}", format!("{:?}", citation.place).to_lowercase(), citation.path, citation.line);
    }
    println!();
    Ok(())
}

fn line(statement: &Statement) -> String {
    let Statement { id, binds, status, summary, .. } = statement;
    let count = |files: &[String]| if files.is_empty() { "-".to_owned() } else { files.len().to_string() };
    let (code, tests) = (count(&statement.code), count(&statement.tests));
    format!("{id:<16} {binds:<6} {status:<15} code {code:>2}  test {tests:>3}  {summary}")
}

fn markdown(statement: &Statement) -> String {
    let Statement { id, binds, status, summary, .. } = statement;
    let files = |files: &[String]| match files {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
    };
    let (code, tests) = (files(&statement.code), files(&statement.tests));
    let summary = summary.replace('|', "\\|");
    let reason = statement.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("| {id} | {binds} | {status}{reason} | {summary} | {code} | {tests} |")
}
