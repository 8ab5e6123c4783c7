//! Words, names and paths that have no place in the repository, and the header that each file has.

use super::Source;
use crate::workspace::{files_under, relative};

/// Work that is left is written down as an issue, not in the source. Split, so that this file does not find itself.
const BANNED_WORDS: &[&str] =
    &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Paths of the machine of whoever wrote the line.
const MACHINE_PATHS: &[&str] =
    &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// What git writes between two versions that somebody has to choose from.
const CONFLICT_MARKERS: &[&str] = &[concat!("<<<<", "<<< "), concat!(">>>>", ">>> ")];

/// Names that say nothing about what is in the module.
const EMPTY_NAMES: &[&str] = &["common", "utils", "util", "helpers", "helper", "types", "misc"];

/// Other files that are read by people.
const TEXT_EXTENSIONS: &[&str] = &["md", "toml", "script", "py", "js", "c", "yml", "yaml", "sh"];

pub(crate) fn check_source(source: &Source) -> Vec<String> {
    let mut problems = check_text(&source.path, &source.text);
    if !says_what_it_is_for(source) {
        problems.push(format!("{}: nothing says what the file is for (`//! ...`)", source.path));
    }
    if empty_name(&source.path) {
        problems.push(format!("{}: a name that says nothing", source.path));
    }
    problems
}

/// The root of a crate or module has a header. Any other file has one, or the documentation of its main type; a file
/// of tests has the names of its tests.
fn says_what_it_is_for(source: &Source) -> bool {
    let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|root| source.path.ends_with(root));
    let is_test = source.path.contains("/tests/") || source.path.ends_with("tests.rs");
    source.text.starts_with("//!") || !is_root && (is_test || source.text.contains("///"))
}

/// Documents, scripts and configuration.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn check_other_files() -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    for path in files_under("") {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if TEXT_EXTENSIONS.contains(&extension) {
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            problems.extend(check_text(&relative(&path), &text));
        }
    }
    Ok(problems)
}

fn check_text(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(word) = BANNED_WORDS.iter().find(|banned| words().any(|word| word == **banned)) {
            problems.push(format!("{path}:{number}: \"{word}\" belongs in an issue"));
        }
        if let Some(machine) = MACHINE_PATHS.iter().find(|machine| line.contains(**machine)) {
            problems.push(format!("{path}:{number}: the path of one machine ({machine})"));
        }
        if CONFLICT_MARKERS.iter().any(|marker| line.starts_with(marker)) {
            problems.push(format!("{path}:{number}: a conflict that nobody has resolved"));
        }
    }
    problems
}

fn empty_name(path: &str) -> bool {
    path.split('/').any(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs")))
}

#[cfg(test)]
mod tests {
    use super::{Source, check_source, check_text, empty_name};

    #[test]
    fn banned_words_are_whole_words() {
        let line = concat!("// TO", "DO: later");
        assert_eq!(check_text("a", line).len(), 1);
        assert!(check_text("a", concat!("TO", "DOS and MAS", "TO", "DON")).is_empty());
    }

    #[test]
    fn machine_paths_are_found() {
        assert_eq!(check_text("a", concat!("let p = \"/ho", "me/me/x\";")).len(), 1);
        assert!(check_text("a", "/etc/ferry.toml").is_empty());
    }

    #[test]
    fn conflicts_are_resolved() {
        let marker =
            |sign: &str, rest: &str| check_text("a", &format!("x\n{}{rest}\n", sign.repeat(7))).len();
        assert_eq!((marker("<", " HEAD"), marker(">", " 1234567 (Words)")), (1, 1));
        assert_eq!((marker("=", ""), marker("<", "<<<"), marker(" ", "<<<<<<< HEAD")), (0, 0, 0));
    }

    #[test]
    fn names_say_something() {
        assert!(empty_name(concat!("crates/a/src/", "utils.rs")));
        assert!(empty_name(concat!("crates/a/src/", "types/mod.rs")));
        assert!(!empty_name("crates/a/src/packet/publish.rs"));
    }

    #[test]
    fn each_file_says_what_it_is_for() {
        let source = |text: &str| Source { path: "crates/a/src/b.rs".to_owned(), text: text.to_owned() };
        assert_eq!(check_source(&source("use std::fmt;")).len(), 1);
        assert!(check_source(&source("//! Numbers.\n")).is_empty());
    }
}
