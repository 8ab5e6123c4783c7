//! A configuration file as a list of assignments, each with its place.

use std::ops::Range;

use toml::de::{DeArray, DeTable, DeValue};

use super::SECTIONS;
use super::load::{Assignment, Target};
use super::option::SectionSpec;
use super::problem::{Place, Problem};
use super::value::{Raw, nearest, quote};

/// What a file says, and what in it could not be understood.
pub(super) struct FileContents {
    pub(super) assignments: Vec<Assignment>,
    /// Where each `[[listener]]` block starts.
    pub(super) listeners: Vec<Place>,
    pub(super) problems: Vec<Problem>,
}

/// Reads the text of the file `name`.
pub(super) fn parse(name: &str, text: &str) -> FileContents {
    let mut reader =
        Reader { name, text, assignments: Vec::new(), listeners: Vec::new(), problems: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        reader.document(table.get_ref());
    } else {
        reader.syntax_errors(&errors);
    }
    // The parser's tables are sorted by key; people expect the order of the file.
    reader.assignments.sort_by_key(|assignment| line_and_column(&assignment.place));
    reader.problems.sort_by_key(|problem| line_and_column(&problem.place));
    FileContents { assignments: reader.assignments, listeners: reader.listeners, problems: reader.problems }
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    assignments: Vec<Assignment>,
    listeners: Vec<Place>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn syntax_errors(&mut self, errors: &[toml::de::Error]) {
        let mut last_line = 0;
        for error in errors {
            let place = self.place(error.span().unwrap_or_default());
            let (line, _) = line_and_column(&place);
            // One mistake often makes several errors on its line; the first names it.
            if line == last_line {
                continue;
            }
            last_line = line;
            self.problems.push(Problem {
                place,
                option: String::new(),
                message: format!("not valid TOML: {}", error.message()),
                remedy: "write `key = value`, with texts in \"quotes\", under a [section]".to_owned(),
            });
        }
    }

    fn document(&mut self, table: &DeTable<'_>) {
        for (name, value) in table {
            let place = self.place(name.span());
            let Some(section) = SECTIONS.iter().find(|section| section.name == name.get_ref()) else {
                self.unknown_section(name.get_ref(), place);
                continue;
            };
            match (section.name, value.get_ref()) {
                ("listener", DeValue::Array(blocks)) => self.listener_blocks(section, blocks),
                ("listener", _) => self.problem(
                    place,
                    "listener",
                    "a listener is a block of a list",
                    "write [[listener]], with two brackets",
                ),
                (_, DeValue::Table(options)) => {
                    self.options(section, &Target::Section(section.name), options);
                }
                (name, _) => {
                    self.problem(
                        place,
                        name,
                        "expected a section",
                        &format!("write [{name}] and its options on the lines below"),
                    );
                }
            }
        }
    }

    fn listener_blocks(&mut self, section: &SectionSpec, blocks: &DeArray<'_>) {
        for block in blocks {
            let place = self.place(block.span());
            if let DeValue::Table(options) = block.get_ref() {
                let target = Target::Listener(self.listeners.len());
                self.listeners.push(place);
                self.options(section, &target, options);
            } else {
                self.problem(
                    place,
                    "listener",
                    "expected a block of options",
                    "write [[listener]] and its options on the lines below",
                );
            }
        }
    }

    fn options(&mut self, section: &SectionSpec, target: &Target, options: &DeTable<'_>) {
        for (key, value) in options {
            let key_place = self.place(key.span());
            if section.option(key.get_ref()).is_none() {
                self.problems.push(unknown_key(section, key.get_ref(), key_place));
                continue;
            }
            self.assignments.push(Assignment {
                target: target.clone(),
                key: key.get_ref().to_string(),
                raw: raw(value.get_ref()),
                place: key_place,
            });
        }
    }

    fn unknown_section(&mut self, name: &str, place: Place) {
        let owners = SECTIONS.iter().filter(|section| section.option(name).is_some());
        let owners: Vec<String> = owners.map(|section| header(section.name)).collect();
        let near = nearest(name, SECTIONS.iter().map(|section| section.name));
        let (message, remedy) = match (owners.is_empty(), near) {
            (false, _) => (
                format!("the key {} stands outside its section", quote(name)),
                format!("write it under {}", owners.join(" or ")),
            ),
            (true, Some(near)) => {
                (format!("unknown section {}", quote(name)), format!("did you mean {}?", header(near)))
            }
            (true, None) => {
                let names: Vec<String> = SECTIONS.iter().map(|section| header(section.name)).collect();
                (format!("unknown section {}", quote(name)), format!("the sections are {}", names.join(", ")))
            }
        };
        self.problems.push(Problem { place, option: String::new(), message, remedy });
    }

    fn problem(&mut self, place: Place, option: &str, message: &str, remedy: &str) {
        self.problems.push(Problem {
            place,
            option: option.to_owned(),
            message: message.to_owned(),
            remedy: remedy.to_owned(),
        });
    }

    fn place(&self, span: Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::File {
            name: self.name.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// The problem of a key that its section does not have, with the nearest key that exists.
pub(super) fn unknown_key(section: &SectionSpec, key: &str, place: Place) -> Problem {
    let elsewhere = SECTIONS.iter().find(|other| other.option(key).is_some());
    let near = nearest(key, section.options.iter().map(|option| option.key));
    let remedy = match (elsewhere, near) {
        (Some(other), _) => format!("this key belongs to {}", header(other.name)),
        (None, Some(near)) => format!("did you mean {}?", quote(near)),
        (None, None) => {
            let keys: Vec<&str> = section.options.iter().map(|option| option.key).collect();
            format!("the keys of {} are {}", header(section.name), keys.join(", "))
        }
    };
    Problem { place, option: format!("{}.{key}", section.name), message: "unknown key".to_owned(), remedy }
}

fn header(section: &str) -> String {
    if section == "listener" { "[[listener]]".to_owned() } else { format!("[{section}]") }
}

pub(super) fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(integer) => {
            // What does not fit is out of every option's range as well.
            Raw::Integer(i128::from_str_radix(integer.as_str(), integer.radix()).unwrap_or(i128::MAX))
        }
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Array(items) => Raw::List(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Table(entries) => {
            let entries =
                entries.iter().map(|(key, value)| (key.get_ref().to_string(), raw(value.get_ref())));
            Raw::Table(entries.collect())
        }
        other => Raw::Other(other.type_str()),
    }
}

fn line_and_column(place: &Place) -> (usize, usize) {
    match place {
        Place::File { line, column, .. } => (*line, *column),
        _ => (0, 0),
    }
}
