//! Known exceptions to the size rules. The list only shrinks: what got smaller must be lowered, what fits removed.

use std::collections::{BTreeMap, BTreeSet};

use crate::workspace::root;

const FILE: &str = "xtask/tidy-ratchet.toml";

/// The exceptions, and what was found to be wrong so far.
pub(crate) struct Ratchet {
    allowed: BTreeMap<String, usize>,
    seen: BTreeSet<String>,
    problems: Vec<String>,
}

impl Ratchet {
    /// # Errors
    /// When the file is not a table of numbers.
    pub(crate) fn read() -> Result<Self, String> {
        let text = std::fs::read_to_string(root().join(FILE)).map_err(|error| format!("{FILE}: {error}"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error| format!("{FILE}: {error}"))?;
        let mut allowed = BTreeMap::new();
        for (place, lines) in table {
            let lines = lines.as_integer().and_then(|lines| usize::try_from(lines).ok());
            allowed.insert(place.clone(), lines.ok_or(format!("{FILE}: {place} is not a number of lines"))?);
        }
        Ok(Self { allowed, seen: BTreeSet::new(), problems: Vec::new() })
    }

    pub(crate) fn measure(&mut self, place: &str, lines: usize, limit: usize) {
        self.measure_at(place, 1, lines, limit);
    }

    /// Compares one file or function with the limit, or with its exception.
    pub(crate) fn measure_at(&mut self, place: &str, line: usize, lines: usize, limit: usize) {
        let Some(allowed) = self.allowed.get(place).copied() else {
            if lines > limit {
                self.problems.push(format!("{place} (line {line}): {lines} lines, at most {limit}"));
            }
            return;
        };
        self.seen.insert(place.to_owned());
        if lines > allowed {
            self.problems.push(format!("{place} (line {line}): grew from {allowed} to {lines} lines"));
        } else if lines <= limit {
            self.problems.push(format!("{place}: fits now, remove it from {FILE}"));
        } else if lines < allowed {
            self.problems.push(format!("{place}: has {lines} lines, lower its {allowed} in {FILE}"));
        }
    }

    pub(crate) fn problems(self) -> Vec<String> {
        let gone = self.allowed.keys().filter(|place| !self.seen.contains(*place));
        let gone: Vec<String> =
            gone.map(|place| format!("{place}: is gone, remove it from {FILE}")).collect();
        self.problems.into_iter().chain(gone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Ratchet;

    fn problems(list: &str, lines: usize) -> Vec<String> {
        let mut ratchet = Ratchet::parse(list).expect("a table");
        ratchet.measure("a.rs", lines, 10);
        ratchet.problems()
    }

    #[test]
    fn without_an_exception_the_limit_counts() {
        assert!(problems("", 10).is_empty());
        assert_eq!(problems("", 11).len(), 1);
    }

    #[test]
    fn an_exception_may_only_shrink() {
        let list = "\"a.rs\" = 12";
        assert!(problems(list, 12).is_empty());
        for lines in [13, 11, 10] {
            assert_eq!(problems(list, lines).len(), 1, "{lines}");
        }
    }

    #[test]
    fn an_exception_for_nothing_is_a_problem() {
        assert_eq!(problems("\"b.rs\" = 12", 3).len(), 1);
    }
}
