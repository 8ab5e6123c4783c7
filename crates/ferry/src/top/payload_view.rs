use crate::json_text::on_several_lines;

/// How a payload is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PayloadView {
    /// As what it seems to be.
    #[default]
    Auto,
    Text,
    Json,
    Hex,
}

/// Bytes in a line of hexadecimal digits.
const HEX_WIDTH: usize = 16;

impl PayloadView {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Auto => Self::Text,
            Self::Text => Self::Json,
            Self::Json => Self::Hex,
            Self::Hex => Self::Auto,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "JSON",
            Self::Hex => "hex",
        }
    }

    /// The lines of a payload, without anything that a terminal would obey.
    pub(super) fn lines(self, payload: &[u8]) -> Vec<String> {
        match self {
            Self::Auto => json(payload)
                .or_else(|| std::str::from_utf8(payload).ok().map(text))
                .unwrap_or_else(|| hex(payload)),
            Self::Text => text(&String::from_utf8_lossy(payload)),
            Self::Json => {
                json(payload).unwrap_or_else(|| vec!["this is no JSON; v changes the view".to_owned()])
            }
            Self::Hex => hex(payload),
        }
    }
}

/// Text for one line of the terminal: control characters, and those that change the direction, become signs.
pub(super) fn printable(text: &str) -> String {
    let is_harmless = |character: char| {
        !character.is_control()
            && !matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
    };
    text.chars().map(|character| if is_harmless(character) { character } else { '·' }).collect()
}

fn text(text: &str) -> Vec<String> {
    text.lines().map(|line| printable(&line.replace('\t', "  "))).collect()
}

/// `None` if it is not JSON. A number or a word alone is a text as well.
fn json(payload: &[u8]) -> Option<Vec<String>> {
    let payload = std::str::from_utf8(payload).ok()?;
    serde_json::from_str::<serde::de::IgnoredAny>(payload).ok()?;
    Some(text(&on_several_lines(&crate::json_text::compact(payload))))
}

/// Place, digits, and what is printable of it.
fn hex(payload: &[u8]) -> Vec<String> {
    let line = |(number, bytes): (usize, &[u8])| {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { *byte as char } else { '.' };
        let signs: String = bytes.iter().map(shown).collect();
        format!("{:06x}  {:<47}  {signs}", number * HEX_WIDTH, digits.join(" "))
    };
    payload.chunks(HEX_WIDTH).enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_shown_as_what_they_are() {
        let auto = |payload: &[u8]| PayloadView::Auto.lines(payload);
        assert_eq!(auto(b"a\tb\r\nc"), ["a  b", "c"]);
        assert_eq!(auto(b"{\"a\": [1,2]}"), ["{", "  \"a\":  [1, 2]", "}"]);
        assert_eq!(auto(b"21.5"), ["21.5"]);
        assert_eq!(auto(&[0xFF, b'a']), ["000000  ff 61                                            .a"]);
        assert_eq!(PayloadView::Text.lines(&[0xFF, b'a']), ["\u{FFFD}a"]);
        assert_eq!(PayloadView::Hex.lines(&[0; 17]).len(), 2);
        assert_eq!(PayloadView::Json.lines(b"x"), ["this is no JSON; v changes the view"]);
        assert_eq!(auto(b""), [""; 0]);
    }

    #[test]
    fn the_terminal_obeys_nobody() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}c\u{202E}d\u{7}"), "a·[2Jb·c·d·");
        assert_eq!(PayloadView::Text.lines(b"\x1b]0;x\x07"), ["·]0;x·"]);
    }
}
