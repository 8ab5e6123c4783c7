use super::escaped::Escaped;

/// Rows of texts under a header; the first column names its row, the others are numbers.
pub(super) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<T: AsRef<str>>(header: &[T]) -> Self {
        Self { header: header.iter().map(|cell| cell.as_ref().to_owned()).collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Nothing if there are no rows.
    pub(super) fn render(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let header: String = self.header.iter().map(|cell| format!("<th>{}</th>", Escaped(cell))).collect();
        let rows: String = self.rows.iter().map(|cells| row(cells)).collect();
        format!(
            "<div class=\"wide\"><table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
        )
    }
}

fn row(cells: &[String]) -> String {
    let mut text = String::new();
    for (index, cell) in cells.iter().enumerate() {
        let name = if index == 0 { "th" } else { "td" };
        text.push_str(&format!("<{name}>{}</{name}>", Escaped(cell)));
    }
    format!("<tr>{text}</tr>\n")
}

/// Names with values, in a grid.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let entry = |(name, value): &(&str, String)| {
        format!("<div><dt>{}</dt><dd>{}</dd></div>\n", Escaped(name), Escaped(value))
    };
    let entries: String = facts.iter().filter(|(_, value)| !value.is_empty()).map(entry).collect();
    format!("<dl class=\"facts\">\n{entries}</dl>\n")
}
