//! Columns that line up, with a style per cell that does not count as width.

use crate::output::Palette;

/// How a cell looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// As it is.
    #[default]
    Plain,
    /// What matters most.
    Bold,
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
    /// What can be skipped.
    Dim,
}

/// One cell.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    text: String,
    look: Look,
}

impl Cell {
    /// A cell of some look.
    #[must_use]
    pub fn new(text: impl Into<String>, look: Look) -> Self {
        Self { text: text.into(), look }
    }

    fn paint(&self, palette: Palette, text: &str) -> String {
        match self.look {
            Look::Plain => text.into(),
            Look::Bold => palette.bold(text),
            Look::Good => palette.good(text),
            Look::Bad => palette.bad(text),
            Look::Dim => palette.dim(text),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text, Look::Plain)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text, Look::Plain)
    }
}

/// A table; the first `left` columns are aligned left, the others right.
#[derive(Debug)]
pub struct Table {
    left: usize,
    left_too: Option<usize>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with this header.
    #[must_use]
    pub fn new(left: usize, header: &[&str]) -> Self {
        Self { left, left_too: None, rows: vec![header.iter().map(|title| Cell::new(*title, Look::Dim)).collect()] }
    }

    /// With that column aligned left as well.
    #[must_use]
    pub fn left_too(self, column: usize) -> Self {
        Self { left_too: Some(column), ..self }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The table as lines, each indented by `indent` spaces.
    #[must_use]
    pub fn render(&self, indent: usize, palette: Palette) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(indent);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column > 0 {
                    line.push_str("  ");
                }
                let pad = " ".repeat(width.saturating_sub(cell.text.chars().count()));
                let left = column < self.left || self.left_too == Some(column);
                let (before, after) = if left { ("", pad.as_str()) } else { (pad.as_str(), "") };
                line.push_str(before);
                line.push_str(&cell.paint(palette, &cell.text));
                line.push_str(after);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn style_is_no_width() {
        let mut table = Table::new(1, &["name", "n"]);
        table.row(vec![Cell::new("a", Look::Bad), "1".into()]);
        table.row(vec!["longer".into(), "100".into()]);
        assert_eq!(table.render(1, Palette::new(false)), " name      n\n a         1\n longer  100\n");
        let colored = table.render(0, Palette::new(true));
        let line = colored.lines().nth(1).map(str::to_owned).unwrap_or_default();
        assert!(line.contains('\u{1b}') && line.ends_with("         1"), "{line:?}");
    }
}
