/// Columns of text, as wide as what is in them.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()] }
    }

    /// Adds a row; what a terminal would act on is shown as text.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| visible(&cell)).collect());
    }

    pub(super) fn to_text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let lines = self.rows.iter().map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The text without what a terminal would act on: clients choose their names.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let is_plain = !character.is_control() && !('\u{200B}'..='\u{202E}').contains(&character);
            let escaped = (!is_plain).then(|| character.escape_unicode());
            escaped.into_iter().flatten().chain(is_plain.then_some(character))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_reaches_the_terminal() {
        let mut table = Table::new(&["CLIENT", "N"]);
        table.row(["a\u{1b}[2Jb".to_owned(), "10".to_owned()]);
        table.row(["é".to_owned(), String::new()]);
        assert_eq!(table.to_text(), "CLIENT       N\na\\u{1b}[2Jb  10\né");
    }
}
