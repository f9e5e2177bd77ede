//! Colour, and text as a stream gets it.

use crate::shown;
use anstyle::{AnsiColor, Style};
use std::borrow::Cow;
use std::fmt::Display;

/// Styles of one stream; plain if it takes no colour.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    on: bool,
}

impl Palette {
    /// Without colour.
    pub const PLAIN: Self = Self::new(false);

    /// With or without colour.
    #[must_use]
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether it has colour.
    #[must_use]
    pub const fn is_on(self) -> bool {
        self.on
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        if self.on { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    /// What matters most.
    #[must_use]
    pub fn bold(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What went well.
    #[must_use]
    pub fn good(self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    /// What went wrong.
    #[must_use]
    pub fn bad(self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    /// What can be skipped.
    #[must_use]
    pub fn dim(self, text: impl Display) -> String {
        self.paint(Style::new().dimmed(), text)
    }
}

/// Text as a stream gets it: of what a terminal obeys, line ends and the styles of a [`Palette`] that is on.
#[must_use]
pub fn guarded(text: &str, palette: Palette) -> Cow<'_, str> {
    if !palette.on {
        return shown::text(text);
    }
    let mut out = String::with_capacity(text.len());
    for (at, part) in text.split('\u{1b}').enumerate() {
        let style = if at == 0 { Some(0) } else { style(part) };
        if at > 0 {
            out.push_str(if style.is_some() { "\u{1b}" } else { "\\u{1b}" });
        }
        let (style, rest) = part.split_at_checked(style.unwrap_or(0)).unwrap_or(("", part));
        out.push_str(style);
        out.push_str(&shown::text(rest));
    }
    Cow::Owned(out)
}

/// How long the sequence behind an escape character is, if it sets a style: `[`, digits and semicolons, `m`.
fn style(text: &str) -> Option<usize> {
    let end = text.strip_prefix('[')?.find(|char: char| !char.is_ascii_digit() && char != ';')? + 1;
    text.get(end..)?.starts_with('m').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_pass_a_palette_that_is_on_and_nothing_else_does() {
        let (on, off) = (Palette::new(true), Palette::new(false));
        let bold = on.bold("x");
        assert_eq!(guarded(&bold, on), bold);
        assert_eq!(guarded(&bold, off), "\\u{1b}[1mx\\u{1b}[0m");
        let evil = "a\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[\u{9b}3\u{1b}";
        assert_eq!(guarded(evil, on), "a\\u{1b}]0;title\\u{7}\\u{1b}[2J\\u{1b}[\\u{9b}3\\u{1b}");
        assert_eq!(guarded("\u{1b}[1;31mx\u{1b}[m", on), "\u{1b}[1;31mx\u{1b}[m");
    }
}
