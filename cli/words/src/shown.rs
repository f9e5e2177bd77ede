//! Text of others, made fit to be shown: names, consoles, files and arguments say whatever somebody put into them, and a
//! terminal or a page obeys some of that. Such characters are written out instead, as `\u{1b}`.
//!
//! [`line()`] and [`text`] are for text that comes into a report; [`guarded`](crate::guarded) passes all that is printed through
//! [`text`] once more, and everything that is written as JSON goes through [`json`].

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

/// Whether a terminal or a page would obey the character instead of showing it: control characters (C0, DEL, C1),
/// line and paragraph separators, and what changes the direction of text (Unicode Standard Annex 9, section 2).
#[must_use]
pub const fn is_hidden(char: char) -> bool {
    matches!(
        char,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// The text on one line: all hidden characters written out, line ends too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    written_out(text, is_hidden)
}

/// The text with its line ends, and all other hidden characters written out.
#[must_use]
pub fn text(text: &str) -> Cow<'_, str> {
    written_out(text, |char| char != '\n' && is_hidden(char))
}

/// A path as it is shown.
#[must_use]
pub fn path(path: &Path) -> String {
    line(&path.display().to_string()).into_owned()
}

/// A character as [`line()`] has it.
pub fn put(out: &mut String, char: char) {
    if is_hidden(char) {
        // A string takes every character.
        let _ = write!(out, "{}", char.escape_unicode());
    } else {
        out.push(char);
    }
}

/// JSON with the hidden characters of its strings escaped: `serde_json` escapes C0 alone.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    // Outside of strings there is no other than these.
    let hidden = |char: char| !matches!(char, '\n' | '\r' | '\t') && is_hidden(char);
    if is_plain(text) || !text.contains(hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if hidden(char) {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    Cow::Owned(out)
}

/// A cell of a table in Markdown: neither a bar nor a line end ends it.
#[must_use]
pub fn markdown(text: &str) -> String {
    line(&text.replace('\n', " ")).replace('|', "\\|")
}

/// Whether all of it is ASCII that is printed: most text is, and it is found out fast.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n'))
}

fn written_out(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if hidden(char) { put(&mut out, char) } else { out.push(char) }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        assert_eq!(line("a\u{1b}[31mb"), "a\\u{1b}[31mb");
        assert_eq!(line("a\nb\tc\u{7f}"), "a\\u{a}b\\u{9}c\\u{7f}");
        assert_eq!(text("a\nb\r\u{9b}c"), "a\nb\\u{d}\\u{9b}c");
        assert_eq!(line("\u{202e}\u{2066}\u{2028}\u{200f}"), "\\u{202e}\\u{2066}\\u{2028}\\u{200f}");
        assert!(matches!(line("grüße, 漢字 👍"), Cow::Borrowed(_)));
    }

    #[test]
    fn every_character_that_rust_calls_control_is_hidden() {
        for char in (0..=0x2_ffff).filter_map(char::from_u32).filter(|char| char.is_control()) {
            assert!(is_hidden(char), "{char:?}");
        }
    }

    #[test]
    #[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({ "a": "x\u{9b}31m\u{7f}\u{202e}\u{1b}\n" });
        let plain = serde_json::to_string_pretty(&value).unwrap();
        let shown = json(&plain);
        assert!(!shown.contains(|char| char != '\n' && is_hidden(char)));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn cells_of_markdown() {
        assert_eq!(markdown("a|b\nc\u{1b}"), "a\\|b c\\u{1b}");
    }
}
