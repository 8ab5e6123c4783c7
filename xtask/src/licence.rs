//! Licence expressions of dependencies, and which of them we accept.

/// Permissive licences: we may ship the code in a binary under our own licence.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be satisfied with permissive licences only. `/` is the old way to write `OR`.
pub(crate) fn is_permissive(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    let permissive = alternatives(&words, &mut position);
    permissive && position == words.len()
}

fn alternatives(words: &[&str], position: &mut usize) -> bool {
    let mut permissive = conjunction(words, position);
    while words.get(*position) == Some(&"OR") {
        *position += 1;
        let other = conjunction(words, position);
        permissive = permissive || other;
    }
    permissive
}

fn conjunction(words: &[&str], position: &mut usize) -> bool {
    let mut permissive = term(words, position);
    while words.get(*position) == Some(&"AND") {
        *position += 1;
        let other = term(words, position);
        permissive = permissive && other;
    }
    permissive
}

fn term(words: &[&str], position: &mut usize) -> bool {
    // Past the end too, so that a missing term leaves the position where no expression ends.
    let word = words.get(*position);
    *position += 1;
    let Some(word) = word else { return false };
    if *word == "(" {
        let permissive = alternatives(words, position);
        let closed = words.get(*position) == Some(&")");
        *position += 1;
        return permissive && closed;
    }
    if words.get(*position) == Some(&"WITH") {
        let exception = words.get(*position + 1).copied().unwrap_or_default();
        *position += 2;
        return ALLOWED.contains(&format!("{word} WITH {exception}").as_str());
    }
    ALLOWED.contains(word)
}

#[cfg(test)]
mod tests {
    use super::is_permissive;

    #[test]
    fn one_permissive_alternative_is_enough() {
        for expression in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "Apache-2.0 WITH LLVM-exception OR MIT"]
        {
            assert!(is_permissive(expression), "{expression}");
        }
    }

    #[test]
    fn all_parts_of_a_conjunction_count() {
        assert!(is_permissive("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!is_permissive("MIT AND GPL-2.0"));
        assert!(!is_permissive("MPL-2.0"));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for expression in ["", "MIT OR", "(MIT", "MIT MIT", "custom"] {
            assert!(!is_permissive(expression), "{expression}");
        }
    }
}
