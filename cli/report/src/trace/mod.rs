//! `mpusim run --trace`: what happens in a run, written to a file as it happens.
//!
//! `perfetto`: slices, flows and counters for ui.perfetto.dev (`tracks` says which there are, `vcpus` what stands on those of vCPUs). `jsonl`: an object per line
//! for programs. `file`: where both go; `error`: why it may not. `context`: what both say alike. Nothing here grows with the length of a run: flows keep the sends that were not
//! delivered yet, one for each port.

mod context;
mod error;
mod file;
mod jsonl;
mod perfetto;
mod tracks;
mod vcpus;

pub use context::Of;
pub use error::TraceError;
use file::TraceFile;
use jsonl::Jsonl;
use perfetto::Perfetto;
use sim_core::layout::PeId;
use sim_core::outcome::Report;
use sim_core::world::watch::{Told, Watch};
use std::path::Path;

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Trace Event Format, which Perfetto and Chrome read.
    Perfetto,
    /// JSON Lines.
    Jsonl,
}

impl Form {
    /// The form that a file's ending says.
    pub fn of(path: &Path) -> Result<Self, TraceError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Ok(Self::Perfetto),
            Some("jsonl") => Ok(Self::Jsonl),
            _ => Err(TraceError::Form { path: path.into() }),
        }
    }
}

/// A trace under way.
#[derive(Debug)]
pub struct Trace<'a> {
    of: Of<'a>,
    file: TraceFile,
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    Perfetto(Perfetto),
    Jsonl(Jsonl),
}

impl<'a> Trace<'a> {
    /// Opens the file, which is replaced when the run begins, and has ready what stands in front of the first happening.
    pub fn open(path: &Path, form: Form, of: Of<'a>) -> Result<Self, TraceError> {
        let mut file = TraceFile::open(path)?;
        let writer = match form {
            Form::Perfetto => Writer::Perfetto(Perfetto::new(&of, &mut file)),
            Form::Jsonl => Writer::Jsonl(Jsonl::new(&of, &mut file)),
        };
        Ok(Self { of, file, writer })
    }

    /// Writes what stands behind the last happening, and says whether all of it could be written.
    pub fn finish(mut self, report: &Report) -> Result<(), TraceError> {
        self.file.begin();
        match &mut self.writer {
            Writer::Perfetto(writer) => writer.finish(&mut self.file, report),
            Writer::Jsonl(writer) => writer.finish(&mut self.file, report),
        }
        self.file.finish()
    }
}

impl Watch for Trace<'_> {
    fn tell(&mut self, at: u64, pe: PeId, what: Told) {
        self.file.begin();
        match &mut self.writer {
            Writer::Perfetto(writer) => writer.tell(&self.of, &mut self.file, (at, pe), what),
            Writer::Jsonl(writer) => writer.tell(&self.of, &mut self.file, (at, pe), what),
        }
    }
}
