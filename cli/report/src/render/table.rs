//! Columns that line up, with a style per cell that does not count as width.

use words::Palette;

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
    left_too: Vec<usize>,
    lines: Vec<Line>,
}

/// What stands between two line ends.
#[derive(Debug)]
enum Line {
    /// Cells under each other.
    Row(Vec<Cell>),
    /// Text that is no part of any column; it brings its own line ends.
    Note(String),
}

impl Table {
    /// A table with this header.
    #[must_use]
    pub fn new(left: usize, header: &[&str]) -> Self {
        let mut table = Self { left, left_too: Vec::new(), lines: Vec::new() };
        table.heading(header);
        table
    }

    /// Adds a line to the header.
    pub fn heading(&mut self, titles: &[&str]) {
        self.row(titles.iter().map(|title| Cell::new(*title, Look::Dim)).collect());
    }

    /// With that column aligned left as well.
    #[must_use]
    pub fn left_too(mut self, column: usize) -> Self {
        self.left_too.push(column);
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.lines.push(Line::Row(cells));
    }

    /// Adds whole lines below the last row.
    pub fn note(&mut self, text: String) {
        self.lines.push(Line::Note(text));
    }

    fn rows(&self) -> impl Iterator<Item = &Vec<Cell>> {
        self.lines.iter().filter_map(|line| match line {
            Line::Row(cells) => Some(cells),
            Line::Note(_) => None,
        })
    }

    /// The characters that each column takes.
    fn widths(&self) -> Vec<usize> {
        let columns = self.rows().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows().filter_map(|row| row.get(column));
            cells.map(|cell| cell.text.chars().count()).max().unwrap_or(0)
        };
        (0..columns).map(width).collect()
    }

    /// The table as lines, each indented by `indent` spaces.
    #[must_use]
    pub fn render(&self, indent: usize, palette: Palette) -> String {
        self.spaced(indent, 2, palette)
    }

    /// The table as lines that take at most `width` characters if columns one space apart, and not two, achieve that.
    #[must_use]
    pub fn render_within(&self, width: usize, palette: Palette) -> String {
        let widths = self.widths();
        let wide = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        self.spaced(0, if wide <= width { 2 } else { 1 }, palette)
    }

    fn spaced(&self, indent: usize, gap: usize, palette: Palette) -> String {
        let widths = self.widths();
        let mut out = String::new();
        for line in &self.lines {
            match line {
                Line::Row(cells) => {
                    out.push_str(&self.line(cells, &widths, indent, gap, palette));
                    out.push('\n');
                }
                Line::Note(text) => out.push_str(text),
            }
        }
        out
    }

    fn line(&self, cells: &[Cell], widths: &[usize], indent: usize, gap: usize, palette: Palette) -> String {
        let mut line = " ".repeat(indent);
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if column > 0 {
                line.push_str(&" ".repeat(gap));
            }
            let pad = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let left = column < self.left || self.left_too.contains(&column);
            let (before, after) = if left { ("", pad.as_str()) } else { (pad.as_str(), "") };
            line.push_str(before);
            line.push_str(&cell.paint(palette, &cell.text));
            line.push_str(after);
        }
        line.truncate(line.trim_end().len());
        line
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

    #[test]
    fn columns_move_together_where_it_gets_narrow_and_notes_have_no_columns() {
        let mut table = Table::new(1, &["a", "b"]);
        table.row(vec!["x".into(), "1".into()]);
        table.note("a long note\n".into());
        let plain = Palette::new(false);
        assert_eq!(table.render_within(4, plain), "a  b\nx  1\na long note\n");
        assert_eq!(table.render_within(3, plain), "a b\nx 1\na long note\n");
    }
}
