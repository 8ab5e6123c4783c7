//! The words of a line.

/// A word: text in or without quotes, perhaps with a name in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// `name` of `name=value`.
    pub name: Option<String>,
    /// The text; its escapes resolved where it was quoted.
    pub value: Vec<u8>,
    /// Whether it was in quotes, and so means itself.
    pub quoted: bool,
    /// The second text of `"name":"value"`.
    pub second: Option<Vec<u8>>,
}

/// Splits a line at spaces that are not in quotes.
///
/// # Errors
/// When quotes are left open or an escape is unknown.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with("# ") {
        let (token, after) = token(rest)?;
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn token(text: &str) -> Result<(Token, &str), String> {
    let name_length = text.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(text.len());
    let named = name_length > 0 && text[name_length..].starts_with('=');
    let (name, rest) =
        if named { (Some(text[..name_length].to_owned()), &text[name_length + 1..]) } else { (None, text) };
    let is_pair = name.as_deref().is_some_and(|name| name.ends_with("user_property"));
    let (value, quoted, rest) = piece(rest, is_pair)?;
    let Some(after_colon) = rest.strip_prefix(':').filter(|_| is_pair) else {
        return Ok((Token { name, value, quoted, second: None }, rest));
    };
    let (second, _, rest) = piece(after_colon, false)?;
    Ok((Token { name, value, quoted, second: Some(second) }, rest))
}

/// One text and whether it was quoted: `word`, `"text"`, `"x"*1000`.
fn piece(text: &str, ends_at_colon: bool) -> Result<(Vec<u8>, bool, &str), String> {
    let Some(inner) = text.strip_prefix('"') else {
        let ends = |c: char| c.is_whitespace() || (ends_at_colon && c == ':');
        let end = text.find(ends).unwrap_or(text.len());
        return Ok((text.as_bytes()[..end].to_vec(), false, &text[end..]));
    };
    let (mut value, mut rest) = unescape(inner)?;
    if let Some(after) = rest.strip_prefix('*') {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let times = after[..end].parse().map_err(|_| format!("\"{after}\" is not a number of times"))?;
        value = value.repeat(times);
        rest = &after[end..];
    }
    Ok((value, true, rest))
}

fn unescape(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut value = Vec::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => {
                let (_, escape) = characters.next().ok_or("a backslash at the end")?;
                match escape {
                    'x' => {
                        let digits = text.get(at + 2..at + 4).ok_or("\\x needs two digits")?;
                        value.push(u8::from_str_radix(digits, 16).map_err(|_| format!("\\x{digits}"))?);
                        characters.nth(1);
                    }
                    'n' => value.push(b'\n'),
                    '"' | '\\' => value.push(escape as u8),
                    other => return Err(format!("unknown escape \\{other}")),
                }
            }
            other => value.extend(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err("a quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Token, tokens};

    fn word(value: &str) -> Token {
        Token { name: None, value: value.as_bytes().to_vec(), quoted: false, second: None }
    }

    #[test]
    fn words_names_and_quotes() {
        let line = r#"a/b:c qos=1 "x y" payload="\x00\"" # rest"#;
        let found = tokens(line).expect("well formed");
        assert_eq!(found[0], word("a/b:c"));
        assert_eq!(found[1], Token { name: Some("qos".to_owned()), ..word("1") });
        assert_eq!(found[2], Token { quoted: true, ..word("x y") });
        assert_eq!(found[3], Token { name: Some("payload".to_owned()), quoted: true, ..word("\0\"") });
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn repeated_text() {
        assert_eq!(tokens(r#""ab"*3"#).expect("well formed")[0].value, b"ababab");
    }

    #[test]
    fn pairs_are_split_at_the_colon() {
        for line in ["user_property=a:b:c", r#"user_property="a":"b:c""#] {
            let token = &tokens(line).expect("well formed")[0];
            assert_eq!((token.value.as_slice(), token.second.as_deref()), (&b"a"[..], Some(&b"b:c"[..])));
        }
    }

    #[test]
    fn open_quotes_are_errors() {
        assert!(tokens("\"a").is_err());
    }
}
