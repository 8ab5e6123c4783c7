//! `cargo xtask tidy`: the rules of the source tree that no compiler checks.

mod crate_rules;
pub(crate) mod lexer;
mod purity;
mod ratchet;
mod sizes;
mod words;

use crate::Outcome;
use crate::workspace::{files_under, relative, root};

/// A Rust file of the repository.
struct Source {
    /// Relative to the root.
    path: String,
    text: String,
}

/// # Errors
/// One line per broken rule.
pub(crate) fn run() -> Outcome {
    let sources = rust_sources()?;
    let mut problems = crate_rules::check();
    for source in &sources {
        problems.extend(purity::check(source));
        problems.extend(words::check_source(source));
    }
    problems.extend(words::check_other_files()?);
    problems.extend(sizes::check(&sources)?);
    if problems.is_empty() {
        println!("{} Rust files are tidy", sources.len());
        return Ok(());
    }
    Err(problems.join("\n"))
}

fn rust_sources() -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for directory in ["crates", "tests", "xtask", "fuzz"] {
        for path in files_under(directory) {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text =
                    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                sources.push(Source { path: relative(&path), text });
            }
        }
    }
    if sources.is_empty() {
        return Err(format!("no Rust file under {}", root().display()));
    }
    Ok(sources)
}
