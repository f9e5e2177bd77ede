//! Where things stand: the file, the `--set` arguments and a board's file as one run of bytes.
//!
//! The parser's spans count bytes of the file. Values from `--set` and of a board's file are put into the same tree, with spans
//! that start behind the file's last byte, so one kind of span points anywhere and no error loses its place.

use std::ops::Range;
use std::path::Path;

/// Bytes between two counts of characters.
const STRIDE: usize = 4096;

/// Where a text is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// A file: the scenario's, or the board's.
    File(&'a Path),
    /// A `--set` argument, which is the text.
    Set(&'a str),
}

/// One text that spans may point into.
#[derive(Debug)]
struct Part<'a> {
    origin: Source<'a>,
    /// Offset of its first byte in the common run.
    start: usize,
    text: &'a str,
    /// Offsets of line starts.
    lines: Vec<usize>,
    /// Characters before every [`STRIDE`]th byte: a column in a line of megabytes must not cost a walk along it.
    chars: Vec<usize>,
}

impl<'a> Part<'a> {
    fn new(start: usize, origin: Source<'a>, text: &'a str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(newlines).collect();
        let mut seen = 0;
        let count = |chunk: &[u8]| {
            let before = seen;
            seen += starts(chunk);
            before
        };
        let mut chars: Vec<usize> = text.as_bytes().chunks(STRIDE).map(count).collect();
        chars.push(seen);
        Self { origin, start, text, lines, chars }
    }

    /// Characters before byte `at`.
    fn chars_before(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        let mark = at / STRIDE;
        let rest = self.text.as_bytes().get(mark * STRIDE..at).unwrap_or_default();
        self.chars.get(mark).copied().unwrap_or_default() + starts(rest)
    }
}

/// Characters that start in `bytes`.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count()
}

/// The file's text, the `--set` arguments, and the text of a board's file.
#[derive(Debug)]
pub struct Sources<'a> {
    path: &'a Path,
    parts: Vec<Part<'a>>,
}

/// A place in one of the texts.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The file or the argument.
    pub(super) origin: Source<'a>,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Its character in the line, from 1.
    pub(super) column: usize,
    /// The line, without its end.
    pub(super) text: &'a str,
    /// The bytes of the line that are meant.
    pub(super) range: Range<usize>,
}

impl<'a> Sources<'a> {
    /// A file's text and the arguments that edit it.
    #[must_use]
    pub fn new(path: &'a Path, text: &'a str, sets: &'a [String]) -> Self {
        Self::with_board(path, text, None, sets)
    }

    /// The same with a board's file: its path and its text.
    pub(super) fn with_board(
        path: &'a Path,
        text: &'a str,
        board: Option<(&'a Path, &'a str)>,
        sets: &'a [String],
    ) -> Self {
        let mut start = 0;
        let file = (Source::File(path), text);
        let sets = sets.iter().map(|set| (Source::Set(set), set.as_str()));
        let texts = std::iter::once(file).chain(sets).chain(board.map(|(path, text)| (Source::File(path), text)));
        let parts = texts
            .map(|(origin, text)| {
                let part = Part::new(start, origin, text);
                // One byte apart, so that the end of one text is not the start of the next.
                start += text.len() + 1;
                part
            })
            .collect();
        Self { path, parts }
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    /// Offset of the first byte of the `--set` argument at that position.
    pub(super) fn set_start(&self, index: usize) -> usize {
        self.parts.get(index + 1).map_or(0, |part| part.start)
    }

    /// Offset of the first byte of the board's file, which is the last text if there is one.
    pub(super) fn board_start(&self) -> usize {
        self.parts.last().map_or(0, |part| part.start)
    }

    fn part(&self, offset: usize) -> Option<&Part<'a>> {
        let index = self.parts.partition_point(|part| part.start <= offset).checked_sub(1)?;
        self.parts.get(index)
    }

    /// Where the first line of `span` is.
    pub(super) fn place(&self, span: &Range<usize>) -> Option<Place<'a>> {
        let part = self.part(span.start)?;
        let start = (span.start - part.start).min(part.text.len());
        let line = part.lines.partition_point(|line| *line <= start);
        let line_start = line.checked_sub(1).and_then(|at| part.lines.get(at)).copied()?;
        let line_end = part.lines.get(line).map_or(part.text.len(), |next| next - 1);
        let text = part.text.get(line_start..line_end)?;
        let text = text.strip_suffix('\r').unwrap_or(text);
        // The line's end may be what is meant, and is not in the text.
        let from = (start - line_start).min(text.len());
        let to = span.end.saturating_sub(part.start + line_start).clamp(from, text.len());
        Some(Place {
            origin: part.origin,
            line,
            column: part.chars_before(line_start + from) - part.chars_before(line_start) + 1,
            text,
            range: from..to,
        })
    }

    /// The text of `span` on one line, cut where it gets long.
    pub(super) fn excerpt(&self, span: &Range<usize>) -> String {
        /// Characters shown.
        const SHOWN: usize = 100;
        let Some(part) = self.part(span.start) else {
            return String::new();
        };
        let (start, end) = (span.start - part.start, span.end.saturating_sub(part.start));
        let Some(text) = part.text.get(start..end.min(part.text.len())) else {
            return String::new();
        };
        let mut shown = String::new();
        let mut blank = false;
        for (count, char) in text.trim().chars().enumerate() {
            if count >= SHOWN {
                shown.push_str(" ...");
                break;
            }
            if char.is_whitespace() {
                blank = true;
                continue;
            }
            if std::mem::take(&mut blank) {
                shown.push(' ');
            }
            shown.push(char);
        }
        shown
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let text = "a = 1\r\nöö = 2\n";
        let sources = Sources::new(Path::new("x"), text, &[]);
        let place = sources.place(&(12..13)).unwrap();
        assert_eq!((place.line, place.column, place.text), (2, 4, "öö = 2"));
        assert_eq!(place.text.get(place.range), Some("="));
        let end = sources.place(&(text.len()..text.len())).unwrap();
        assert_eq!((end.line, end.column, end.text), (3, 1, ""));
    }

    #[test]
    fn what_is_wrong_may_be_the_end_of_the_line() {
        for (text, at) in [("a = \r\n", 4), ("a = \r\n", 5), ("a = \r", 5), ("a = \n", 4), ("a = ", 4)] {
            let sources = Sources::new(Path::new("x"), text, &[]);
            let place = sources.place(&(at..text.len())).unwrap();
            assert_eq!((place.line, place.column, place.text, place.range), (1, 5, "a = ", 4..4), "{text:?}");
        }
    }

    #[test]
    fn spans_behind_the_file_are_in_the_arguments() {
        let sets = ["a=1".to_owned(), "b=22".to_owned()];
        let sources = Sources::new(Path::new("x"), "t", &sets);
        let start = sources.set_start(1);
        let place = sources.place(&(start + 2..start + 4)).unwrap();
        assert_eq!((place.origin, place.column, place.range), (Source::Set("b=22"), 3, 2..4));
        let end = sources.place(&(1..1)).unwrap();
        assert_eq!(end.origin, Source::File(Path::new("x")), "the file's end is still the file");
    }

    #[test]
    fn a_boards_file_has_lines_of_its_own() {
        let sets = ["a=1".to_owned()];
        let board = (Path::new("b"), "name = 1\npes = 2\n");
        let sources = Sources::with_board(Path::new("x"), "t", Some(board), &sets);
        let start = sources.board_start();
        let place = sources.place(&(start + 9..start + 12)).unwrap();
        assert_eq!((place.origin, place.line, place.column), (Source::File(board.0), 2, 1));
        assert_eq!(sources.place(&(start - 1..start)).unwrap().origin, Source::Set("a=1"));
    }

    #[test]
    fn columns_far_into_a_long_line_are_right() {
        let text = "ö".repeat(10_000);
        let sources = Sources::new(Path::new("x"), &text, &[]);
        assert_eq!(sources.place(&(18_000..18_002)).unwrap().column, 9001);
    }

    #[test]
    fn excerpts_are_one_short_line() {
        let text = "{ repeat =\n  [ 1 ] }";
        let sources = Sources::new(Path::new("x"), text, &[]);
        assert_eq!(sources.excerpt(&(0..text.len())), "{ repeat = [ 1 ] }");
        let long = "x".repeat(500);
        let sources = Sources::new(Path::new("x"), &long, &[]);
        assert_eq!(sources.excerpt(&(0..500)).len(), 104);
    }
}
