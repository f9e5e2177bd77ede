//! Printing: colour, and what happens when nobody reads any more.

use crate::args::Color;
use clap::builder::StyledStr;
use std::io::{self, IsTerminal, Write};
use words::{Palette, guarded};

/// Text that brings its styles.
#[must_use]
pub fn styled(text: &StyledStr, palette: Palette) -> String {
    if palette.is_on() { text.ansi().to_string() } else { text.to_string() }
}

/// Whether a stream gets colour.
#[must_use]
pub fn wants_color(choice: Color, stream: &impl IsTerminal) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Writes a line to standard error.
pub fn say(text: &str, palette: Palette) {
    eprintln!("{}", guarded(text, palette));
}

/// Writes to standard output. A reader that went away (`| head`) is no error.
pub fn print(text: &str, palette: Palette) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(guarded(text, palette).as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
