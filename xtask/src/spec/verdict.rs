//! What is wrong with the tables, and the figures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::citations::{Citation, Place};
use super::statement::{Statement, Status};
use super::table::Table;

/// One line for everything that is not as it should be.
pub(crate) fn problems(tables: &[Table], citations: &[Citation]) -> Vec<String> {
    let mut problems = Vec::new();
    for table in tables {
        let found = table.statements.len();
        if found != table.expected {
            problems.push(format!("{}: {found} statements, the standard has {}", table.path, table.expected));
        }
    }
    let mut rows: BTreeMap<&str, usize> = BTreeMap::new();
    for statement in statements(tables) {
        *rows.entry(&statement.id).or_default() += 1;
        problems.extend(problem(statement));
    }
    let twice = rows.iter().filter(|(_, count)| **count > 1);
    problems.extend(twice.map(|(id, count)| format!("{id}: has {count} rows")));
    for citation in citations.iter().filter(|citation| !rows.contains_key(citation.id.as_str())) {
        problems.push(format!("{}:{}: there is no {}", citation.path, citation.line, citation.id));
    }
    for Citation { id, path, line, .. } in citations.iter().filter(|c| c.place == Place::OtherVersion) {
        problems.push(format!("{path}:{line}: does not run in the version of {id}"));
    }
    problems
}

fn problem(statement: &Statement) -> Option<String> {
    let Statement { id, tests, status, .. } = statement;
    let problem = match status {
        Status::Tested if tests.is_empty() => "no test cites it",
        Status::Gap => statement.reason.as_deref().unwrap_or("a gap"),
        Status::Client if statement.binds_server() => "binds the server, so its status cannot be \"client\"",
        Status::Client if !tests.is_empty() => "has a test, so its status is \"tested\"",
        _ => return None,
    };
    Some(format!("{id}: {problem} ({})", statement.summary))
}

/// The statements of all tables.
pub(crate) fn statements(tables: &[Table]) -> impl Iterator<Item = &Statement> {
    tables.iter().flat_map(|table| &table.statements)
}

/// How many statements are of which kind.
pub(crate) struct Summary {
    all: usize,
    server: Figures,
    client: Figures,
    /// Of those that bind the server.
    without_code: usize,
    test_files: usize,
}

#[derive(Default)]
struct Figures {
    all: usize,
    tested: usize,
    by_construction: usize,
    not_observable: usize,
    not_applicable: usize,
    gaps: usize,
}

impl Summary {
    pub(crate) fn of(tables: &[Table]) -> Self {
        let (server, client): (Vec<_>, Vec<_>) =
            statements(tables).partition(|statement| statement.binds_server());
        let test_files: BTreeSet<&String> = statements(tables).flat_map(|s| &s.tests).collect();
        Self {
            all: server.len() + client.len(),
            without_code: server.iter().filter(|statement| statement.code.is_empty()).count(),
            server: Figures::of(&server),
            client: Figures::of(&client),
            test_files: test_files.len(),
        }
    }
}

impl Figures {
    fn of(statements: &[&Statement]) -> Self {
        let count = |status: Status| statements.iter().filter(|statement| statement.status == status).count();
        let untested =
            |statement: &&&Statement| statement.status == Status::Tested && statement.tests.is_empty();
        let untested = statements.iter().filter(untested).count();
        Self {
            all: statements.len(),
            tested: count(Status::Tested) - untested,
            by_construction: count(Status::ByConstruction),
            not_observable: count(Status::Client),
            not_applicable: count(Status::NotApplicable),
            gaps: count(Status::Gap) + untested,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { all, server, client, without_code, test_files } = self;
        writeln!(
            formatter,
            "{} server statements, {} tested, {} by construction, {} not applicable, {} gaps; {without_code} without code place",
            server.all, server.tested, server.by_construction, server.not_applicable, server.gaps,
        )?;
        writeln!(
            formatter,
            "{} client statements, {} tested (the broker must notice), {} not observable, {} other",
            client.all,
            client.tested,
            client.not_observable,
            client.by_construction + client.not_applicable + client.gaps,
        )?;
        write!(formatter, "{all} statements in all, cited by {test_files} files of tests")
    }
}
