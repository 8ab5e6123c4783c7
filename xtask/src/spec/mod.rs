//! `cargo xtask spec`: the statements of the MQTT standards, where they are implemented and what tests them.

mod citations;
mod print;
mod statement;
mod table;
mod test_parts;
mod verdict;

use crate::Outcome;
use citations::{Citation, citations};
use print::Format;
use table::Table;
use verdict::{Summary, problems};

/// What is asked for on the command line.
struct Options {
    format: Format,
    id: Option<String>,
    missing: bool,
    /// No table, only what is wrong and the figures.
    check: bool,
    update: bool,
}

/// Prints the table, or one statement, or what is missing, and a summary; with `--update`, first writes the places of
/// code and tests into the tables.
///
/// # Errors
/// The statements that are not kept or not tested, and whatever makes the tables untrue.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let options = options(arguments)?;
    let citations = citations()?;
    let tables = Table::read_all(&citations)?;
    if options.update {
        for table in &tables {
            table.write()?;
        }
    }
    match &options.id {
        Some(id) => print::one(&tables, &citations, id)?,
        None if options.check => {}
        None if options.missing => print::missing(&tables),
        None => print::all(&tables, options.format),
    }
    conclude(&tables, &citations, options.update)
}

fn conclude(tables: &[Table], citations: &[Citation], updated: bool) -> Outcome {
    let mut problems = problems(tables, citations);
    if !updated {
        problems.extend(tables.iter().filter_map(Table::not_current));
    }
    // To stderr, so that the table can be written to a file.
    eprintln!("{}", Summary::of(tables));
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options { format: Format::Text, id: None, missing: false, check: false, update: false };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--format" => options.format = value()?.parse()?,
            "--id" => options.id = Some(value()?.clone()),
            "--missing" => options.missing = true,
            "--check" => options.check = true,
            "--update" => options.update = true,
            other => return Err(format!("spec knows no argument \"{other}\"")),
        }
    }
    Ok(options)
}
