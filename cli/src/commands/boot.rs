//! `mpusim boot`.

use super::{CommandError, Done, Io, json, wants_json};
use crate::args::Boot as Args;
use crate::output;
use boot::{Boot, Report, Streams};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::AtomicBool;
use words::{Palette, shown};

/// Set by Ctrl-C and by signals that ask the process to end.
static STOP: AtomicBool = AtomicBool::new(false);

/// Runs an image, and reports what happened.
pub fn boot(args: &Args, io: Io) -> Result<Done, CommandError> {
    let boot = Boot::new(&args.options()?)?;
    super::stop_on_signals(&STOP)?;
    let as_json = wants_json(args.format);
    let (out, err) = (io::stdout(), io::stderr());
    // Standard output has the JSON and nothing else.
    let mut console: Console =
        if as_json { Console::new(err.is_terminal(), err) } else { Console::new(out.is_terminal(), out) };
    let err = io::stderr();
    let mut errors = Console::new(err.is_terminal(), err);
    let report = boot.run(Streams { out: &mut console, err: &mut errors }, &STOP);
    console.end_line();
    if as_json {
        output::print(&json(&boot::json(&report))?, io.out)?;
        output::say(&format!("{}; exit status {}", report.reason(), report.status()), Palette::new(false));
    } else {
        let palette = Palette::new(io.err_color);
        output::say(boot::text(&report, palette).trim_end(), palette);
    }
    Ok(done(&report))
}

fn done(report: &Report) -> Done {
    Done::Status(report.status())
}

/// The guest's console. A terminal gets nothing that it would obey beside line ends, carriage returns, tabs and backspaces; whatever
/// else reads gets every byte.
struct Console {
    to: Box<dyn Write>,
    terminal: bool,
    /// The last byte, if there was one.
    last: Option<u8>,
}

impl Console {
    fn new(terminal: bool, to: impl Write + 'static) -> Self {
        Self { to: Box::new(to), terminal, last: None }
    }

    /// What is said next begins a line of its own.
    fn end_line(&mut self) {
        if self.last.is_some_and(|last| last != b'\n') {
            // Nobody reads any more, which the run has told already.
            let _ = self.to.write_all(b"\n").and_then(|()| self.to.flush());
        }
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.last = bytes.last().copied().or(self.last);
        if self.terminal {
            let mut text = String::new();
            for char in String::from_utf8_lossy(bytes).chars() {
                if matches!(char, '\n' | '\r' | '\t' | '\u{8}') { text.push(char) } else { shown::put(&mut text, char) }
            }
            self.to.write_all(text.as_bytes())?;
        } else {
            self.to.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
