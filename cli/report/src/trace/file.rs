//! The file of a trace: buffered, and with the first error kept for the end, because a run cannot be told.

use super::error::TraceError;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use words::shown;

/// A file that keeps what it holds until it is begun: what is written before is kept back.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    file: File,
    /// Whether there was none before.
    made: bool,
    /// What waits; `None` once it is begun.
    waits: Option<Vec<u8>>,
}

impl Kept {
    fn begin(&mut self) -> io::Result<()> {
        let Some(text) = self.waits.take() else { return Ok(()) };
        // Pipes and devices have no length.
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        self.file.write_all(&text)
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.waits {
            Some(text) => text.write(bytes),
            None => self.file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.made && self.waits.is_some() {
            // What was made for nothing may be gone by now.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(super) struct TraceFile {
    path: PathBuf,
    out: BufWriter<Kept>,
    failed: Option<io::Error>,
}

impl TraceFile {
    /// Makes the file, or finds out that it can be replaced.
    pub(super) fn open(path: &Path) -> Result<Self, TraceError> {
        let failed = |why: String| TraceError::Write { path: path.into(), why };
        if path.is_dir() {
            return Err(failed("it is a directory".into()));
        }
        let made = !path.exists();
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.map_err(|error| failed(error.to_string()))?;
        let kept = Kept { path: path.into(), file, made, waits: Some(Vec::new()) };
        Ok(Self { path: path.into(), out: BufWriter::with_capacity(1 << 16, kept), failed: None })
    }

    /// The run has begun: what the file held is replaced.
    pub(super) fn begin(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.get_mut().begin().err();
        }
    }

    /// Writes text. After an error nothing more is written.
    pub(super) fn text(&mut self, text: &str) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(text.as_bytes()).err();
        }
    }

    /// Writes a value as JSON, on one line.
    pub(super) fn json(&mut self, value: &impl Serialize) {
        if self.failed.is_none() {
            let done = serde_json::to_string(value).map_err(io::Error::from);
            self.failed = done.and_then(|json| self.out.write_all(shown::json(&json).as_bytes())).err();
        }
    }

    /// Writes what is left, and says whether all of it could be written.
    pub(super) fn finish(mut self) -> Result<(), TraceError> {
        let done = match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        };
        done.map_err(|error| TraceError::Write { path: self.path, why: error.to_string() })
    }
}
