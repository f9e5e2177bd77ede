//! What of a file is whole: a sweep may have been stopped in the middle of a line.

use super::SweepError;
use super::about::About;
use super::form::Form;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// No line of a sweep is longer; what is, must not fill the memory.
pub(super) const LONGEST: u64 = 1 << 20;

/// The part of a file that stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its bytes; 0: not even the lines in front of the rows are whole.
    pub(super) bytes: u64,
    /// Its rows.
    pub(super) rows: u64,
}

/// Reads a file of the sweep that `about` tells of, which begins with `head` and has a row for each of `cells`, in order.
pub(super) fn kept(
    path: &Path,
    file: impl Read,
    form: Form,
    about: &About,
    head: &[u8],
    mut cells: impl Iterator<Item = u64>,
) -> Result<Kept, SweepError> {
    let mut reader = BufReader::new(file);
    let failed = |error| SweepError::Read { path: path.into(), error };
    let mut found = Vec::with_capacity(head.len());
    for _ in 0..form.head_lines() {
        reader.by_ref().take(LONGEST).read_until(b'\n', &mut found).map_err(failed)?;
    }
    if found != head {
        // Stopped while its first lines were written: nothing is lost by starting again.
        if head.starts_with(&found) {
            return Ok(Kept::default());
        }
        return Err(SweepError::NotThis { path: path.into(), why: stranger(form, about, &found) });
    }
    let mut kept = Kept { bytes: head.len() as u64, rows: 0 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(LONGEST).read_until(b'\n', &mut line).map_err(failed)? as u64;
        if line.last() != Some(&b'\n') && read < LONGEST {
            return Ok(kept);
        }
        let number = kept.rows + form.head_lines() as u64 + 1;
        let foreign = |why: String| SweepError::Foreign { path: path.into(), line: number, why };
        let cell = std::str::from_utf8(&line).ok().and_then(|line| form.cell(line));
        match (cells.next(), cell) {
            (Some(expected), Some(cell)) if expected == cell => {}
            (Some(expected), _) => return Err(foreign(format!("expected the row of cell {expected}"))),
            (None, _) => return Err(foreign("expected the end, as every cell has its row above".into())),
        }
        kept.bytes += read;
        kept.rows += 1;
    }
}

/// In what the first lines differ from those expected.
fn stranger(form: Form, about: &About, found: &[u8]) -> String {
    let first = std::str::from_utf8(found).ok().and_then(|text| text.lines().next());
    match first.and_then(|line| form.about(line)) {
        Some(other) => {
            let difference = about.difference(&other).unwrap_or_else(|| "with other columns".into());
            format!("was made {difference}, so it cannot be gone on with")
        }
        None => "does not begin as a file of `mpusim sweep` does".into(),
    }
}
