//! A summary for people: each transcript's numbers, whatever has no reason in full, then the totals.

use super::{FileResult, Summary, Totals};
use std::fmt::{self, Write};
use words::{Palette, shown};

/// What people read.
#[must_use]
pub fn render(summary: &Summary, palette: Palette) -> String {
    let mut text = String::new();
    for file in &summary.files {
        // Writing to a string does not fail.
        let _ = write_file(&mut text, file, palette);
    }
    let files = summary.files.len();
    let noun = if files == 1 { "transcript" } else { "transcripts" };
    let _ = writeln!(text, "{files} {noun}: {}", line(&summary.totals));
    text
}

fn line(totals: &Totals) -> String {
    let Totals { records, compared, equal, explained, different, machine, unsupported, unreached } = totals;
    let mut line = format!(
        "{records} records, {compared} compared: {equal} equal, {explained} explained, {different} different; \
         {machine} machine-dependent, {unsupported} unsupported"
    );
    if *unreached > 0 {
        let _ = write!(line, ", {unreached} not reached");
    }
    line
}

fn write_file(text: &mut String, file: &FileResult, palette: Palette) -> fmt::Result {
    let path = shown::path(&file.path);
    writeln!(text, "{path}: Xen {}, policy {}: {}", file.xen, file.policy, line(&file.totals))?;
    for (reason, count) in &file.explained {
        writeln!(text, "  explained {count:>4}  {reason}")?;
    }
    for (kind, counts) in [("machine", &file.machine), ("unsupported", &file.unsupported)] {
        if !counts.is_empty() {
            let all: Vec<String> = counts.iter().map(|(op, count)| format!("{op} {count}")).collect();
            writeln!(text, "  {kind}: {}", all.join(", "))?;
        }
    }
    for found in &file.differences {
        writeln!(text, "{path}:{}: {}", found.line, palette.bad("different"))?;
        writeln!(text, "  {}", shown::line(&found.record))?;
        for difference in &found.differences {
            let (expected, got) =
                (palette.good(shown::line(&difference.expected)), palette.bad(shown::line(&difference.got)));
            writeln!(text, "  {}: expected {expected}, got {got}", difference.field)?;
        }
    }
    Ok(())
}
