//! Functions of at most 70 lines, files of at most 800.

use super::Source;
use super::lexer::{Token, tokens};
use super::ratchet::Ratchet;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 800;

/// # Errors
/// When the ratchet's file cannot be read.
pub(crate) fn check(sources: &[Source]) -> Result<Vec<String>, String> {
    let mut ratchet = Ratchet::read()?;
    for source in sources {
        ratchet.measure(&source.path, source.text.lines().count(), FILE_LINES_MAX);
        for (name, line, length) in functions(&source.text) {
            let place = format!("{}::{name}", source.path);
            ratchet.measure_at(&place, line, length, FUNCTION_LINES_MAX);
        }
    }
    Ok(ratchet.problems())
}

/// Each function with its name, line and number of lines, from `fn` to the closing brace.
fn functions(source: &str) -> Vec<(String, usize, usize)> {
    let tokens = tokens(source);
    let mut functions = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        if keyword.text != "fn" || !name.text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            continue;
        }
        if let Some(end) = body_end(&tokens[at..]) {
            functions.push((name.text.clone(), keyword.line, end - keyword.line + 1));
        }
    }
    functions
}

/// The line of the brace that closes the body; `None` for a declaration without one.
fn body_end(tokens: &[Token]) -> Option<usize> {
    let mut braces = 0_usize;
    let mut brackets = 0_usize;
    for token in tokens {
        match token.text.as_str() {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets = brackets.saturating_sub(1),
            ";" if braces == 0 && brackets == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(token.line);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::functions;

    #[test]
    fn functions_are_measured_from_name_to_brace() {
        let source =
            "trait T { fn declared(&self) -> [u8; 2]; }\nfn a() {\n  if x { y }\n}\nfn b() { \"}\" }\n";
        assert_eq!(functions(source), [("a".to_owned(), 2, 3), ("b".to_owned(), 5, 1)]);
    }

    #[test]
    fn function_pointers_are_not_functions() {
        assert!(functions("type F = fn(u8) -> u8;").is_empty());
    }
}
