//! The examples in the documents: files must be right, command lines must be understood.

use std::path::{Path, PathBuf};

use clap::Parser;
use ferry_broker::config::Config;

use crate::arguments::Arguments;

/// A fenced block of a document.
struct Block {
    /// File and line, for messages.
    place: String,
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(|name| root.join(name)).into();
    paths.extend(std::fs::read_dir(root.join("docs/guide/src")).unwrap().map(|entry| entry.unwrap().path()));
    paths.iter().flat_map(|path| blocks_of(path)).collect()
}

fn blocks_of(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                let name = path.file_name().unwrap().to_string_lossy();
                let place = format!("{name}:{}", index + 1);
                open = Some(Block { place, language: language.to_owned(), text: String::new() });
            }
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks
}

/// The words of a simple command line; single quotes keep a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in line.split('\'').enumerate() {
        let is_quoted = index % 2 == 1;
        for (index, piece) in
            part.split(|character: char| character.is_whitespace() && !is_quoted).enumerate()
        {
            if index > 0 {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.push_str(piece);
            }
        }
    }
    // What goes to a file, or comes from one, is not for the command.
    let end = words.iter().position(|word| matches!(word.as_str(), "<" | ">" | "|"));
    words.truncate(end.unwrap_or(words.len()));
    // What runs in the background is no other command.
    words.retain(|word| !word.is_empty() && word != "&");
    words
}

#[test]
fn configuration_files_are_right() {
    let files: Vec<Block> = blocks().into_iter().filter(|block| block.language == "toml").collect();
    assert!(files.len() > 10);
    for block in files {
        let Err(problems) = Config::parse(&block.place, &block.text) else { continue };
        // The files of the examples are not there.
        for problem in problems.0 {
            assert!(problem.message.contains(" cannot be read: No such file"), "{problem}");
        }
    }
}

#[test]
fn command_lines_are_understood() {
    let mut found = 0;
    for block in blocks().into_iter().filter(|block| matches!(&*block.language, "console" | "sh")) {
        for line in block.text.lines() {
            let all = words(&line.replace("cargo run --release -- ", "ferry "));
            let Some(program) = all.iter().position(|word| !word.contains('=')) else { continue };
            if all[program] == "ferry" {
                found += 1;
                Arguments::try_parse_from(&all[program..])
                    .unwrap_or_else(|error| panic!("{}: {line}\n{error}", block.place));
            }
        }
    }
    assert!(found >= 8, "{found}");
}

/// A threat whose test was renamed or removed is not covered any more.
#[test]
fn tests_that_the_chapter_on_security_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("docs/guide/src/security.md")).unwrap();
    let names: Vec<(&str, &str)> = text.split('`').filter_map(|word| word.split_once(".rs::")).collect();
    assert!(names.len() > 30, "{}", names.len());
    for (path, name) in names {
        let source = std::fs::read_to_string(root.join(format!("{path}.rs"))).unwrap_or_default();
        assert!(source.contains(&format!("fn {name}(")), "{path}.rs::{name} is not there");
    }
}
