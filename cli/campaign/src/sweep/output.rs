//! The file of a sweep: how it is opened, what is written to it.

use super::about::About;
use super::columns::Row;
use super::form::Form;
use super::{SweepError, resume};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Where rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To standard output, as CSV.
    Stdout,
    /// To a file.
    File(PathBuf, Form),
}

impl Target {
    /// What `-o` says.
    pub fn parse(path: &Path) -> Result<Self, SweepError> {
        if path == Path::new("-") { Ok(Self::Stdout) } else { Ok(Self::File(path.into(), Form::of(path)?)) }
    }

    /// The form.
    #[must_use]
    pub const fn form(&self) -> Form {
        match self {
            Self::Stdout => Form::Csv,
            Self::File(_, form) => *form,
        }
    }

    /// What it is called in messages.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Stdout => Path::new("standard output"),
            Self::File(path, _) => path,
        }
    }
}

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Refuse.
    New,
    /// Go on with it; start it if it is not there.
    Resume,
    /// Replace it.
    Replace,
}

/// An open file that rows are put into.
#[derive(Debug)]
pub struct Output {
    target: Target,
    to: To,
    columns: Vec<String>,
    /// Rows that were there already.
    kept: u64,
    /// It is a file that can be gone on with.
    resumes: bool,
}

#[derive(Debug)]
enum To {
    Stdout(io::Stdout),
    File(File),
}

impl Output {
    /// Opens the target of the sweep that `about` tells of. `cells` are its cells, in order.
    pub fn open(
        target: Target,
        open: Open,
        about: &About,
        columns: Vec<String>,
        cells: impl Iterator<Item = u64>,
    ) -> Result<Self, SweepError> {
        let form = target.form();
        let failed = |error| SweepError::Write { path: target.path().into(), resumes: false, error };
        let head = form.head(about, &columns).map_err(failed)?;
        let Target::File(path, _) = &target else {
            if open == Open::Resume {
                return Err(SweepError::ResumeStdout);
            }
            let mut output = Self { target, to: To::Stdout(io::stdout()), columns, kept: 0, resumes: false };
            output.write(&head)?;
            return Ok(output);
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match open {
            Open::New => options.create_new(true),
            Open::Resume | Open::Replace => options.create(true).truncate(false),
        };
        let file = options.open(path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => SweepError::Exists { path: path.clone() },
            _ => failed(error),
        })?;
        // A file system without locks is no reason to stop.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(SweepError::Busy { path: path.clone() });
        }
        // What is no regular file has no rows to go on from, and may have no end.
        let regular = file.metadata().map_err(failed)?.is_file();
        let kept = match open {
            Open::Resume if regular => resume::kept(path, &file, form, about, &head, cells)?,
            _ => resume::Kept::default(),
        };
        cut(&file, kept.bytes).map_err(failed)?;
        let mut output = Self { target, to: To::File(file), columns, kept: kept.rows, resumes: regular };
        if kept.bytes == 0 {
            output.write(&head)?;
        }
        Ok(output)
    }

    /// How many rows were there already.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.kept
    }

    /// Where rows go.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Puts a row in. Whatever ends the process from then on, the file has it.
    pub fn row(&mut self, row: &Row) -> Result<(), SweepError> {
        let line = self.target.form().rows(&self.columns, std::slice::from_ref(row));
        let line = line.map_err(|error| self.failed(error))?;
        self.write(&line)
    }

    /// Waits until the rows are on the disk, where a machine that stops leaves them.
    pub fn sync(&self) -> Result<(), SweepError> {
        match &self.to {
            To::Stdout(_) => Ok(()),
            // Devices cannot be waited for, and are no disk.
            To::File(file) => match file.sync_all() {
                Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(self.failed(error)),
                _ => Ok(()),
            },
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SweepError> {
        let done = match &mut self.to {
            To::Stdout(out) => out.write_all(bytes).and_then(|()| out.flush()),
            To::File(file) => file.write_all(bytes),
        };
        done.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: io::Error) -> SweepError {
        SweepError::Write { path: self.target.path().into(), resumes: self.resumes, error }
    }
}

/// Cuts a file behind `bytes`, and goes on from there. What is no regular file has nothing to cut.
fn cut(mut file: &File, bytes: u64) -> io::Result<()> {
    if file.metadata()?.is_file() {
        file.set_len(bytes)?;
        file.seek(SeekFrom::Start(bytes))?;
    }
    Ok(())
}
