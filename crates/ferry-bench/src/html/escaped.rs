use std::fmt::{self, Display, Write};

/// Text that cannot be anything but text, between tags and in quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                // HTML forbids them even as references, and a terminal's colours have no place in a page.
                control if control.is_control() && control != '\n' => formatter.write_char('\u{FFFD}')?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn nothing_gets_out_of_a_text() {
        let text = Escaped("<a href=\"x\" title='y'>&amp;\u{1b}[31m\n").to_string();
        assert_eq!(text, "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp;\u{FFFD}[31m\n");
    }
}
