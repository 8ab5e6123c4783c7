//! Which part of a Rust file is tests.

use std::ops::RangeInclusive;

use crate::tidy::lexer::{Token, tokens};

/// Whether the whole file is tests, by its path.
pub(crate) fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.contains("/tests/") || name == "tests.rs" || name.starts_with("test_")
}

/// The lines of items under `#[test]` and `#[cfg(test)]`, with the comments above them.
pub(crate) fn test_parts(source: &str) -> Vec<RangeInclusive<usize>> {
    let lines: Vec<&str> = source.lines().collect();
    let tokens = tokens(source);
    let mut parts = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some(attribute) = attribute(&tokens[at..]) else {
            at += 1;
            continue;
        };
        let first = tokens[at].line;
        at += attribute.len();
        if is_test(attribute) {
            let last = item_end(&tokens[at..]);
            parts.push(with_comments(&lines, first)..=last.unwrap_or(lines.len()));
        }
    }
    parts
}

/// The tokens of an attribute, from `#` to `]`.
fn attribute(tokens: &[Token]) -> Option<&[Token]> {
    let [hash, bracket, ..] = tokens else { return None };
    if hash.text != "#" || bracket.text != "[" {
        return None;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" if depth == 1 => return Some(&tokens[..=at]),
            "]" => depth -= 1,
            _ => {}
        }
    }
    None
}

fn is_test(attribute: &[Token]) -> bool {
    let text: String = attribute.iter().map(|token| token.text.as_str()).collect();
    text == "#[test]" || text == "#[cfg(test)]" || text.contains("::test]") || text.contains("::test(")
}

/// The line on which an item ends: with its closing brace, or a semicolon.
fn item_end(tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_usize;
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(token.line);
                }
            }
            ";" if depth == 0 => return Some(token.line),
            _ => {}
        }
    }
    None
}

/// The first of the lines of comments and attributes that end above `line`.
fn with_comments(lines: &[&str], line: usize) -> usize {
    let above = lines.iter().take(line.saturating_sub(1)).rev();
    let belongs = |text: &&&str| text.trim_start().starts_with("//") || text.trim_start().starts_with("#[");
    line - above.take_while(belongs).count()
}

#[cfg(test)]
mod tests {
    use super::{is_test_file, test_parts};

    #[test]
    fn items_under_attributes_are_tests() {
        let source = "fn a() { \"#[test]\"; }\n// b\n#[cfg(test)]\nmod tests {\n  fn c() {}\n}\nfn d() {}\n";
        assert_eq!(test_parts(source), [2..=6]);
        assert_eq!(test_parts("#[cfg(test)]\nmod tests;\nfn a() {}\n"), [1..=2]);
        assert_eq!(test_parts("#[tokio::test]\nasync fn a(b: [u8; 2]) {\n}\n"), [1..=3]);
        assert_eq!(test_parts("#[derive(Debug)]\nstruct A;\n"), []);
    }

    #[test]
    fn files_of_tests_are_known_by_their_paths() {
        for path in ["crates/a/tests/b.rs", "crates/a/src/tests/c.rs", "crates/a/src/b/tests.rs", "test_d.rs"]
        {
            assert!(is_test_file(path), "{path}");
        }
        assert!(!is_test_file("crates/a/src/latest.rs"));
    }
}
