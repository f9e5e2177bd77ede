//! The files of all shards of a sweep, put together into the file that one process would have written.

use super::SweepError;
use super::about::About;
use super::form::Form;
use super::resume::LONGEST;
use super::shard::Shard;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// What was put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// Rows.
    pub rows: u64,
    /// Shards.
    pub shards: u64,
}

/// One shard's file, read row by row.
struct Part {
    path: PathBuf,
    form: Form,
    about: About,
    /// The lines in front of the rows, but for the first.
    head: Vec<u8>,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

/// Merges the files at `paths` into `to`, which is replaced only if `force`, and only once all is well.
pub fn merge(paths: &[PathBuf], to: &Path, force: bool) -> Result<Merged, SweepError> {
    let form = Form::of(to)?;
    let mut parts = paths.iter().map(|path| Part::open(path)).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by_key(|part| part.about.shard());
    together(form, &parts)?;
    if to.exists() && !force {
        return Err(SweepError::Exists { path: to.into() });
    }
    let failed = |error| SweepError::Write { path: to.into(), resumes: false, error };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().permissions(ordinary()).tempfile_in(folder).map_err(failed)?;
    let mut writer = BufWriter::new(file);
    let merged = write(form, &mut parts, &mut writer, &failed)?;
    let file = writer.into_inner().map_err(|error| failed(error.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    let done = if force { file.persist(to) } else { file.persist_noclobber(to) };
    done.map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => SweepError::Exists { path: to.into() },
        _ => failed(error.error),
    })?;
    Ok(merged)
}

/// A merged file can be read by whom any new file can be.
#[cfg(unix)]
fn ordinary() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o666)
}

/// Checks that the parts are those of one sweep, each once, and all of them.
fn together(form: Form, parts: &[Part]) -> Result<(), SweepError> {
    let wrong = |text: String| Err(SweepError::Merge(text));
    let Some(first) = parts.first() else {
        return wrong("there are no files".into());
    };
    let count = first.about.shard().count();
    for part in parts {
        let (this, that) = (first.path.display(), part.path.display());
        if part.form != form {
            return wrong(format!("{that} is not of the form that the merged file's ending says"));
        }
        if let Some(difference) = first.about.whole().difference(&part.about.whole()) {
            return wrong(format!("{that} was made {difference} as {this} was"));
        }
        if part.head != first.head {
            return wrong(format!("{that} has other columns than {this}"));
        }
        if part.about.shard().count() != count {
            let (one, other) = (first.about.shard(), part.about.shard());
            return wrong(format!("{this} is shard {one} and {that} is shard {other}: they overlap"));
        }
    }
    for pair in parts.windows(2) {
        if let [a, b] = pair
            && a.about.shard() == b.about.shard()
        {
            let shard = a.about.shard();
            return wrong(format!(
                "{} and {} are both shard {shard}: they overlap",
                a.path.display(),
                b.path.display()
            ));
        }
    }
    let missing: Vec<String> = (1..=count)
        .filter_map(|index| Shard::new(index, count))
        .filter(|shard| parts.iter().all(|part| part.about.shard() != *shard))
        .take(16)
        .map(|shard| shard.to_string())
        .collect();
    if missing.is_empty() { Ok(()) } else { wrong(format!("no file of shard {}", missing.join(", "))) }
}

fn write(
    form: Form,
    parts: &mut [Part],
    out: &mut impl Write,
    failed: &impl Fn(std::io::Error) -> SweepError,
) -> Result<Merged, SweepError> {
    let Some(first) = parts.first() else {
        return Ok(Merged { rows: 0, shards: 0 });
    };
    let (whole, cells) = (first.about.whole(), first.about.cells());
    let mut head = form.head(&whole, &[]).map_err(failed)?;
    // The names of the columns are as the parts have them.
    head.truncate(head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |at| at + 1));
    head.extend_from_slice(&first.head);
    out.write_all(&head).map_err(failed)?;
    for cell in 0..cells {
        let part = parts.iter_mut().find(|part| part.about.shard().has(cell));
        let part = part.ok_or_else(|| SweepError::Merge(format!("no file has cell {cell}")))?;
        part.row(cell)?;
        out.write_all(&part.line).map_err(failed)?;
    }
    parts.iter_mut().try_for_each(Part::end)?;
    Ok(Merged { rows: cells, shards: parts.len() as u64 })
}

impl Part {
    fn open(path: &Path) -> Result<Self, SweepError> {
        let failed = |error| SweepError::Read { path: path.into(), error };
        let form = Form::of(path)?;
        let mut reader = BufReader::new(File::open(path).map_err(failed)?);
        let (mut first, mut head) = (Vec::new(), Vec::new());
        reader.by_ref().take(LONGEST).read_until(b'\n', &mut first).map_err(failed)?;
        for _ in 1..form.head_lines() {
            reader.by_ref().take(LONGEST).read_until(b'\n', &mut head).map_err(failed)?;
        }
        let about = std::str::from_utf8(&first).ok().and_then(|line| form.about(line));
        let about = about.ok_or_else(|| SweepError::Foreign {
            path: path.into(),
            line: 1,
            why: "expected the first line of a file of `mpusim sweep`".into(),
        })?;
        let number = form.head_lines() as u64;
        Ok(Self { path: path.into(), form, about, head, reader, line: Vec::new(), number })
    }

    /// Reads the next row, which must be that of `cell`.
    fn row(&mut self, cell: u64) -> Result<(), SweepError> {
        self.next()?;
        if self.line.last() != Some(&b'\n') {
            let (path, shard) = (self.path.display(), self.about.shard());
            let text = format!("{path} (shard {shard}) ends before the row of cell {cell}; finish it with --resume");
            return Err(SweepError::Merge(text));
        }
        let found = std::str::from_utf8(&self.line).ok().and_then(|line| self.form.cell(line));
        if found == Some(cell) { Ok(()) } else { Err(self.foreign(format!("expected the row of cell {cell}"))) }
    }

    /// Checks that there is nothing more.
    fn end(&mut self) -> Result<(), SweepError> {
        self.next()?;
        if self.line.is_empty() { Ok(()) } else { Err(self.foreign("expected the end of the file".into())) }
    }

    fn next(&mut self) -> Result<(), SweepError> {
        self.line.clear();
        self.number += 1;
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.line);
        read.map(drop).map_err(|error| SweepError::Read { path: self.path.clone(), error })
    }

    fn foreign(&self, why: String) -> SweepError {
        SweepError::Foreign { path: self.path.clone(), line: self.number, why }
    }
}
