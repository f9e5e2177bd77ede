//! The file of a trace: buffered, and with the first error kept for the end, because a run cannot be told.

use super::TraceError;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// An open file.
#[derive(Debug)]
pub(super) struct TraceFile {
    path: PathBuf,
    out: BufWriter<File>,
    failed: Option<io::Error>,
}

impl TraceFile {
    /// Makes or replaces the file.
    pub(super) fn open(path: &Path) -> Result<Self, TraceError> {
        let failed = |why: String| TraceError::Write { path: path.into(), why };
        if path.is_dir() {
            return Err(failed("it is a directory".into()));
        }
        let file = File::create(path).map_err(|error| failed(error.to_string()))?;
        Ok(Self { path: path.into(), out: BufWriter::with_capacity(1 << 16, file), failed: None })
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
            self.failed = serde_json::to_writer(&mut self.out, value).err().map(io::Error::from);
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
