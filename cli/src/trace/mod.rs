//! `mpusim run --trace`: what happens in a run, written to a file as it happens.
//!
//! `perfetto`: slices, flows and counters for ui.perfetto.dev (`tracks` says which there are, `vcpus` what stands on those of vCPUs). `jsonl`: an object per line
//! for programs. `file`: where both go. Nothing here grows with the length of a run: flows keep the sends that were not
//! delivered yet, one for each port.

mod file;
mod jsonl;
mod perfetto;
mod tracks;
mod vcpus;

use crate::scenario::Scenario;
use crate::words;
use file::TraceFile;
use jsonl::Jsonl;
use perfetto::Perfetto;
use sim_core::outcome::{Report, VcpuRef};
use sim_core::world::watch::{Standing, Told, Watch};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a trace was not written.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The file's ending says no form.
    #[error("--trace {}: expected a file that ends in .json (for ui.perfetto.dev) or .jsonl (an object per line)", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("the trace cannot be written to {}: {why}; expected --trace FILE, a file that can be made or replaced", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

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

/// What a trace is of.
#[derive(Clone, Copy, Debug)]
pub struct Of<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The strategy, as it was asked for.
    pub strategy: &'a str,
    /// The seed.
    pub seed: u64,
}

impl Of<'_> {
    fn vcpu(&self, vcpu: VcpuRef) -> String {
        words::vcpu(&self.scenario.layout, vcpu)
    }

    fn domain(&self, position: usize) -> &str {
        words::domain(&self.scenario.layout, position)
    }
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "ready",
        Standing::Blocked => "blocked",
        Standing::Paused => "paused",
        Standing::Off => "off",
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
    fn tell(&mut self, at: u64, pe: usize, what: Told) {
        self.file.begin();
        match &mut self.writer {
            Writer::Perfetto(writer) => writer.tell(&self.of, &mut self.file, (at, pe), what),
            Writer::Jsonl(writer) => writer.tell(&self.of, &mut self.file, (at, pe), what),
        }
    }
}

/// What was written to the console and not told yet: told a line at a time, and at the end of each entry to EL2.
#[derive(Debug, Default)]
struct Console(Vec<u8>);

impl Console {
    /// Bytes after which a line is told in parts.
    const MOST: usize = 1024;

    /// Takes a byte; gives the line if it ends.
    fn byte(&mut self, byte: u8) -> Option<String> {
        self.0.push(byte);
        if byte == b'\n' || self.0.len() >= Self::MOST { Some(self.take()) } else { None }
    }

    /// What is there of a line that has not ended.
    fn rest(&mut self) -> Option<String> {
        if self.0.is_empty() { None } else { Some(self.take()) }
    }

    fn take(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.0)).into_owned()
    }
}
